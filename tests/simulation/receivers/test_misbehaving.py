"""Receivers that never end, reach for the real world, or raise: nobody has to search for it."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import pytest

from sluicegate.simulation import (
    Answer,
    EscapeError,
    ReceivedRequest,
    Simulation,
    StandstillError,
    UnhandledError,
)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Scope]]
Send = Callable[[Scope], Awaitable[None]]


def deliver(simulation: Simulation, **application: object) -> None:
    """Let the engine deliver one message to a host with an application."""
    shop = simulation.host("shop.example", **application)  # type: ignore[arg-type] # passed through
    sluicegate = simulation.engine(attempts_max=1)
    sluicegate.send(sluicegate.create_endpoint(shop.url).id, {"n": 1})


# -- what never ends -----------------------------------------------------------------------------


async def streams_for_ever(scope: Scope, receive: Receive, send: Send) -> None:
    """Send a piece of an answer, and another one, and never the last."""
    del receive
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200})
    while True:
        await send({"type": "http.response.body", "body": b"x", "more_body": True})


@pytest.mark.parametrize("direct", [True, False], ids=["direct", "http"])
def test_a_stream_without_end_fails_the_world_and_is_named(direct: bool) -> None:  # noqa: FBT001 - a parameter
    """Time would stand still for ever: the error says so, and which code it is."""
    with Simulation(direct=direct, standstill_steps=5000) as simulation:
        deliver(simulation, asgi=streams_for_ever)
        with pytest.raises(StandstillError) as stood:
            simulation.settle()
    told = str(stood.value)
    assert "callbacks were scheduled while the time stood at 0." in told
    assert re.search(
        r" of shop\.example#1: .* > streams_for_ever at test_misbehaving\.py:\d+", told
    )


def test_what_yields_and_never_waits_is_named_where_it_stands() -> None:
    """So are plain callbacks that call themselves again; the limit is a world's own."""
    with Simulation(standstill_steps=300) as simulation:

        async def spin() -> None:
            while True:  # noqa: ASYNC110 - the mistake that is to be found
                await asyncio.sleep(0)

        with pytest.raises(StandstillError, match=r"spin at test_misbehaving\.py:\d+"):
            simulation.run(spin())

    with Simulation(standstill_steps=300) as simulation:

        def again() -> None:
            simulation.loop.call_soon(again)

        again()
        with pytest.raises(StandstillError, match=r"\n  .*again$"):
            simulation.advance(1)


def test_much_that_happens_as_time_passes_is_no_standstill() -> None:
    """The count begins anew whenever time has passed, however little."""
    with Simulation(standstill_steps=300) as simulation:

        async def work() -> None:
            for _ in range(1000):
                await asyncio.sleep(1e-6)

        simulation.run(work())
        assert simulation.loop.steps > 1000


@pytest.mark.parametrize(
    ("piece", "says"), [(b"", "more than 1000000 pieces"), (bytes(1 << 20), "more than 64 MiB")]
)
def test_a_wsgi_answer_without_end_is_the_applications_error(piece: bytes, says: str) -> None:
    """A call takes one moment, so it has to end by itself: it is an error like any it raises."""

    def app(environ: object, start_response: Callable[..., object]) -> Iterator[bytes]:
        del environ
        start_response("200 OK", [])
        while True:
            yield piece

    with Simulation(direct=True) as simulation:
        deliver(simulation, wsgi=app)
        settled = simulation.settle()
        (raised,) = settled.raised
        assert says in str(raised.error)


def test_an_asgi_answer_without_end_is_the_applications_error_when_it_is_too_long() -> None:
    """It is kept until it is whole: a machine's memory is no place for what never is."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200})
        while True:
            await send({"type": "http.response.body", "body": bytes(1 << 20), "more_body": True})

    with Simulation(direct=True) as simulation:
        deliver(simulation, asgi=app)
        (raised,) = simulation.settle().raised
        assert "more than 64 MiB" in str(raised.error)


# -- what reaches for the real world -------------------------------------------------------------


async def starts_a_process() -> object:
    """Do what no seed can repeat."""
    return await asyncio.create_subprocess_exec("true")


async def opens_a_unix_socket() -> object:
    """The same, in another way."""
    return await asyncio.open_unix_connection("/nowhere")


@pytest.mark.parametrize("reach", [starts_a_process, opens_a_unix_socket])
def test_an_escape_that_a_receiver_swallows_fails_the_world(
    reach: Callable[[], Awaitable[object]],
) -> None:
    """An application that catches what it is refused goes on, and its test would prove nothing."""

    async def act(_: ReceivedRequest) -> Answer:
        with contextlib.suppress(Exception):
            await reach()
        return Answer()

    def play() -> None:
        with Simulation(direct=True) as simulation:
            deliver(simulation, responses=act)
            assert simulation.settle().finished

    with pytest.raises(UnhandledError) as unhandled:
        play()
    (error,) = unhandled.value.exceptions
    assert isinstance(error, EscapeError)
    assert error.__notes__ == ["shop.example#1 reached for the real world"]


def test_signals_may_be_asked_for_in_vain() -> None:
    """Every server does, and has another way where there are none."""

    async def act(_: ReceivedRequest) -> Answer:
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(15, print)
        return Answer()

    with Simulation(direct=True) as simulation:
        deliver(simulation, responses=act)
        assert simulation.settle().finished


# -- what raises ---------------------------------------------------------------------------------


def test_settling_tells_which_applications_raised() -> None:
    """A receiver that fails, and is sent everything again, looks well from outside."""

    def act(request: ReceivedRequest) -> Answer:
        if request.attempt_no == 1:
            raise LookupError("no such order")
        return Answer()

    with Simulation(direct=True) as simulation:
        simulation.host("books.example")
        shop = simulation.host("shop.example", responses=act)
        sluicegate = simulation.engine(retry_slow_s=(60,))
        sluicegate.send(sluicegate.create_endpoint(shop.url).id, {"n": 1})
        settled = simulation.settle()
        assert settled.finished
        assert [(each.host, str(each.error)) for each in settled.raised] == [
            ("shop.example", "no such order")
        ]
        assert settled.raised[0].error is shop.problems[0]
