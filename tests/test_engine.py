"""The public face: an engine's life, and what it answers to values that make no sense."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from types import MappingProxyType

import pytest

from sluicegate import Engine, Settings
from sluicegate.engine.errors import (
    InvalidRequestError,
    NotFoundError,
    SluicegateError,
    StorageLockedError,
    UnavailableError,
)
from sluicegate.engine.model import Accepted
from sluicegate.engine.outcome import Outcome, OutcomeKind
from sluicegate.engine.ports import Request
from sluicegate.http.outbound.resolver import PooledResolver

URL = "http://127.0.0.1:9/hook"


class StuckSender:
    """Posts that never end by themselves, and a signal for the first."""

    def __init__(self) -> None:
        self.posting = asyncio.Event()

    async def post(self, request: Request) -> Outcome:
        """Wait until cancelled."""
        assert request.url == URL
        self.posting.set()
        await asyncio.Event().wait()
        return Outcome(kind=OutcomeKind.ANSWERED, status=200)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A file of its own, and a drain longer than any test."""
    return Settings(database=str(tmp_path / "engine.db"), dev=True, drain_s=60)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """A connection's thread that goes on keeps the process from ending."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        if not thread.daemon:
            thread.join(10)
            assert not thread.is_alive()


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[Engine]:
    """An open engine that delivers to nobody."""
    async with Engine(settings, sender=StuckSender()) as engine:
        yield engine
        await engine.abort()


async def stuck(engine: Engine, sender: StuckSender) -> None:
    """Have an attempt in flight that does not end."""
    created = await engine.create_endpoint(URL)
    await engine.send(created.endpoint.id, 1)
    await sender.posting.wait()


async def assert_free(settings: Settings) -> None:
    """Check that nobody holds the file any more."""
    async with Engine(settings, sender=StuckSender()) as engine:
        await engine.abort()


# -- life -------------------------------------------------------------------------------------


async def test_an_engine_that_is_not_open_says_so(settings: Settings) -> None:
    """With the way to open it."""
    engine = Engine(settings)
    for call in (engine.send("ep_1", 1), engine.get_message("x"), engine.list_api_keys()):
        with pytest.raises(RuntimeError, match="async with Engine"):
            await call
    await engine.aclose()


async def test_an_engine_is_entered_once(settings: Settings) -> None:
    """Open, it says so and goes on; left, it asks for a new one."""
    engine = Engine(settings, sender=StuckSender())
    async with engine:
        with pytest.raises(RuntimeError, match="open already"):
            await engine.__aenter__()
        await engine.create_endpoint(URL)
    with pytest.raises(RuntimeError, match="make a new"):
        await engine.__aenter__()
    await engine.aclose()
    await assert_free(settings)


async def test_an_engine_that_was_closed_before_it_was_open_stays_closed(
    settings: Settings,
) -> None:
    """Nothing is opened that nobody would close."""
    engine = Engine(settings)
    await engine.aclose()
    with pytest.raises(RuntimeError, match="make a new"):
        await engine.__aenter__()
    await engine.aclose()
    await assert_free(settings)


async def test_a_closed_engine_refuses_calls(settings: Settings) -> None:
    """As unavailable, each of them."""
    async with Engine(settings, sender=StuckSender()) as engine:
        endpoint_id = (await engine.create_endpoint(URL)).endpoint.id
    for call in (
        engine.send(endpoint_id, 1),
        engine.pause(endpoint_id),
        engine.get_endpoint(endpoint_id),
    ):
        with pytest.raises(UnavailableError):
            await call


async def test_the_bodys_exception_passes_through_a_close(settings: Settings) -> None:
    """What was sent is still there afterwards."""
    sent: list[Accepted] = []

    async def body() -> None:
        async with Engine(settings, sender=StuckSender()) as engine:
            created = await engine.create_endpoint(URL)
            await engine.pause(created.endpoint.id)
            sent.append(await engine.send(created.endpoint.id, {"a": 1}))
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await body()
    async with Engine(settings, sender=StuckSender()) as engine:
        assert await engine.get_payload(sent[0].message_id) == b'{"a":1}'


async def test_a_cancelled_drain_closes_everything(settings: Settings) -> None:
    """The attempt in flight is cut, its message waits, and the file is free."""
    sender = StuckSender()
    draining = asyncio.Event()

    async def run() -> None:
        async with Engine(settings, sender=sender) as engine:
            await stuck(engine, sender)
            draining.set()

    task = asyncio.create_task(run())
    await draining.wait()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    again = StuckSender()
    async with Engine(settings, sender=again) as engine:
        await again.posting.wait()
        await engine.abort()


async def test_a_cancelled_close_is_finished_first(settings: Settings) -> None:
    """Whoever is told of the cancellation finds everything closed."""
    sender = StuckSender()
    engine = Engine(settings, sender=sender)
    await engine.__aenter__()
    await stuck(engine, sender)
    task = asyncio.create_task(engine.abort())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await assert_free(settings)


async def test_a_second_cancellation_ends_the_waiting_and_not_the_closing(
    settings: Settings,
) -> None:
    """The next `aclose` waits for the same closing."""
    sender = StuckSender()
    engine = Engine(settings, sender=sender)
    await engine.__aenter__()
    await stuck(engine, sender)
    task = asyncio.create_task(engine.abort())
    for _ in range(2):
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await engine.aclose()
    await assert_free(settings)


def test_the_end_of_the_loop_closes_what_is_being_closed(settings: Settings) -> None:
    """Also when every task, the closing one among them, is cancelled."""

    async def main() -> None:
        sender = StuckSender()
        engine = Engine(settings, sender=sender)
        await engine.__aenter__()
        await stuck(engine, sender)
        task = asyncio.create_task(engine.abort())
        for _ in range(2):
            await asyncio.sleep(0)
            task.cancel()

    asyncio.run(main())
    asyncio.run(assert_free(settings))


@pytest.mark.parametrize("turns", range(0, 60, 4))
async def test_a_cancelled_opening_leaves_nothing_open(settings: Settings, turns: int) -> None:
    """At whatever turn of the loop it comes."""
    task = asyncio.create_task(Engine(settings, sender=StuckSender()).__aenter__())
    for _ in range(turns):
        await asyncio.sleep(0)
    if not task.cancel():
        await (await task).aclose()
    else:
        with pytest.raises(asyncio.CancelledError):
            await task
    await assert_free(settings)


async def test_a_close_while_it_opens_closes_what_was_opened(settings: Settings) -> None:
    """The opening fails, and nothing stays open."""
    engine = Engine(settings, sender=StuckSender())
    opening = asyncio.create_task(engine.__aenter__())
    await asyncio.sleep(0)
    await engine.aclose()
    with pytest.raises(UnavailableError):
        await opening
    await assert_free(settings)


async def test_a_part_that_fails_to_close_keeps_no_other_open(settings: Settings) -> None:
    """Its error is told, after the rest is closed."""

    class Failing(PooledResolver):
        async def close(self) -> None:
            await super().close()
            raise OSError("the resolver")

    probe = Engine(settings)
    resolver = Failing(settings, clock=probe.clock)
    engine = Engine(settings, sender=StuckSender(), resolver=resolver)
    await engine.__aenter__()
    with pytest.raises(OSError, match="the resolver"):
        await engine.aclose()
    await assert_free(settings)


async def test_two_engines_share_a_process_and_no_file(settings: Settings, tmp_path: Path) -> None:
    """A second one on the same file is refused, and the first goes on."""
    other = Settings(database=str(tmp_path / "other.db"), dev=True)
    async with (
        Engine(settings, sender=StuckSender()) as one,
        Engine(other, sender=StuckSender()) as two,
    ):
        created = await one.create_endpoint(URL)
        assert (await two.list_endpoints()).items == []
        with pytest.raises(StorageLockedError, match=r"engine\.db is in use"):
            await Engine(settings).__aenter__()
        await one.pause(created.endpoint.id)
        await one.send(created.endpoint.id, 1)


async def test_cancelled_sends_are_accepted_whole_or_not_at_all(engine: Engine) -> None:
    """Nothing else is disturbed: each message there is reads back, and sends go on."""
    endpoint_id = (await engine.create_endpoint(URL)).endpoint.id
    await engine.pause(endpoint_id)
    accepted = set()
    for index in range(60):
        task = asyncio.create_task(engine.send(endpoint_id, index))
        for _ in range(index % 12):
            await asyncio.sleep(0)
        task.cancel()
        for answer in await asyncio.gather(task, return_exceptions=True):
            if isinstance(answer, Accepted):
                accepted.add(answer.message_id)
    accepted.add((await engine.send(endpoint_id, "last")).message_id)
    stored = {entry.message_id for entry in (await engine.list_logs(limit=500)).items}
    assert accepted <= stored
    for message_id in stored:
        assert await engine.get_payload(message_id)


# -- values that make no sense ------------------------------------------------------------------

JUNK: tuple[object, ...] = (
    None,
    "",
    "abc",
    "\ud800",
    "ep_" + "0" * 32,
    0,
    True,
    1.5,
    float("nan"),
    10**400,
    b"{",
    (),
    [None],
    {},
    {1: 2},
    object(),
)

ONE_VALUE = (
    "create_endpoint",
    "get_endpoint",
    "update_endpoint",
    "delete_endpoint",
    "pause",
    "resume",
    "create_signing_key",
    "list_signing_keys",
    "get_message",
    "get_payload",
    "list_attempts",
    "send_batch",
    "create_api_key",
    "delete_api_key",
)

NAMED_VALUES = {
    "create_endpoint": ("description", "rate_limit_rps", "burst", "headers", "ordered", "kind"),
    "update_endpoint": ("url", "headers", "max_in_flight", "timeout_s", "kind"),
    "send": ("headers", "idempotency_key", "retention_hours"),
    "list_logs": ("endpoint_id", "status", "start_time", "end_time", "limit", "cursor"),
    "list_endpoints": ("limit", "cursor"),
    "create_api_key": ("mode",),
}


async def answered(call: Awaitable[object]) -> None:
    """Let a call succeed or fail with an error of ours; no other passes."""
    try:
        await call
    except SluicegateError:
        return


async def test_no_value_makes_a_method_fail_with_an_error_that_is_not_ours(engine: Engine) -> None:
    """Neither `TypeError` nor `ValueError` nor `AttributeError`, whatever is given."""
    endpoint_id = (await engine.create_endpoint(URL)).endpoint.id
    await engine.pause(endpoint_id)
    first: dict[str, tuple[object, ...]] = {
        "create_endpoint": (f"{URL}/2",),
        "update_endpoint": (endpoint_id,),
        "send": (endpoint_id, 1),
    }
    for junk in JUNK:
        for name in ONE_VALUE:
            await answered(getattr(engine, name)(junk))
        for name, fields in NAMED_VALUES.items():
            for field in fields:
                await answered(getattr(engine, name)(*first.get(name, ()), **{field: junk}))
        await answered(engine.send(endpoint_id, junk))
        await answered(engine.delete_signing_key(endpoint_id, junk))  # type: ignore[arg-type]  # junk
        for field in ("endpoint_id", "payload", "headers", "idempotency_key", "kind"):
            item = {"endpoint_id": endpoint_id, "payload": 1, field: junk}
            assert len(await engine.send_batch([item])) == 1


REFUSED: dict[str, tuple[Callable[[Engine], Awaitable[object]], type[SluicegateError]]] = {
    "a message that is None": (lambda e: e.get_message(None), NotFoundError),  # type: ignore[arg-type]  # junk
    "a batch that is text": (lambda e: e.send_batch("abc"), InvalidRequestError),  # type: ignore[arg-type]  # junk
    "a batch that is None": (lambda e: e.send_batch(None), InvalidRequestError),  # type: ignore[arg-type]  # junk
    "an empty batch": (lambda e: e.send_batch([]), InvalidRequestError),
    "a batch of 1,001": (lambda e: e.send_batch([{}] * 1_001), InvalidRequestError),
    "headers that are text": (
        lambda e: e.send("ep_" + "0" * 32, 1, headers="abc"),  # type: ignore[arg-type]  # junk
        InvalidRequestError,
    ),
}


@pytest.mark.parametrize("what", REFUSED)
async def test_nonsense_is_refused_as_such(engine: Engine, what: str) -> None:
    """As a bad request, or as something that is not there."""
    call, error = REFUSED[what]
    with pytest.raises(error):
        await call(engine)


async def test_a_bad_message_spoils_no_other_of_its_batch(engine: Engine) -> None:
    """It has its error in its own slot, and the others are accepted."""
    endpoint_id = (await engine.create_endpoint(URL)).endpoint.id
    await engine.pause(endpoint_id)
    good = {"endpoint_id": endpoint_id, "payload": 1}
    bad: list[object] = [
        None,
        {"endpoint_id": endpoint_id},
        {**good, "payload": float("nan")},
        {**good, "endpoint_id": 7},
        {**good, "headers": "abc"},
        {**good, "bogus": 1},
        {1: 2, "payload": 1},
    ]
    answers = await engine.send_batch([good, *bad, good])  # type: ignore[list-item]  # junk
    assert isinstance(answers[0], Accepted)
    assert isinstance(answers[-1], Accepted)
    assert [type(answer) for answer in answers[1:-1]] == [InvalidRequestError] * len(bad)
    assert len((await engine.list_logs()).items) == 2


async def test_any_mapping_gives_headers(engine: Engine) -> None:
    """Not only a `dict`."""
    endpoint_id = (await engine.create_endpoint(URL)).endpoint.id
    await engine.send(endpoint_id, 1, headers=MappingProxyType({"X-Shop": "7"}))
