"""A prompt future tells those who wait in the turn in which its result is there."""

import asyncio
from collections.abc import Callable

import pytest

from sluicegate.turns.prompt_future import PromptFuture, when_done


def prompt() -> PromptFuture[int]:
    return PromptFuture(loop=asyncio.get_running_loop())


class Told:
    """Collects what the futures came to that it is told of."""

    def __init__(self) -> None:
        self.results: list[object] = []

    def __call__(self, future: asyncio.Future[int]) -> None:
        if future.cancelled():
            self.results.append("cancelled")
        else:
            self.results.append(future.exception() or future.result())


async def test_who_waits_is_told_before_the_setting_returns_and_in_order() -> None:
    """Those who come later are told at once."""
    future, told = prompt(), Told()
    future.tell(lambda each: told.results.append(("first", each.result())))
    future.tell(told)
    future.set_result(4)
    assert told.results == [("first", 4), 4]
    future.tell(told)
    assert told.results[2:] == [4]


async def test_it_is_told_however_it_ends() -> None:
    """With an error, or given up; once."""
    told, full = Told(), OSError("full")
    failing, given_up = prompt(), prompt()
    failing.tell(told)
    failing.set_exception(full)
    given_up.tell(told)
    assert given_up.cancel()
    assert not given_up.cancel()
    assert told.results == [full, "cancelled"]
    with pytest.raises(asyncio.InvalidStateError):
        given_up.set_result(4)
    with pytest.raises(asyncio.InvalidStateError):
        failing.set_exception(full)
    assert len(told.results) == 2


async def test_who_is_told_and_fails_spoils_nothing() -> None:
    """The others are told all the same, and the loop hears of it."""
    future, told = prompt(), Told()
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: reported.append(context["exception"])
    )
    future.tell(lambda each: 1 // (each.result() - 4))
    future.tell(told)
    future.set_result(4)
    assert told.results == [4]
    assert isinstance(reported[0], ZeroDivisionError)


async def test_it_is_awaited_as_any_future() -> None:
    """By a task, which goes on after those who were told."""
    future, told = prompt(), Told()

    async def wait() -> None:
        told.results.append(("awaited", await future))

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    future.tell(told)
    future.set_result(4)
    await task
    assert told.results == [4, ("awaited", 4)]


def _plain() -> asyncio.Future[int]:
    return asyncio.get_running_loop().create_future()


@pytest.mark.parametrize(("make", "at_once"), [(prompt, [4]), (_plain, [])])
async def test_any_future_tells_that_it_is_done(
    make: Callable[[], asyncio.Future[int]], at_once: list[int]
) -> None:
    """A prompt one at once, another one turn later."""
    future, told = make(), Told()
    when_done(future, told)
    future.set_result(4)
    assert told.results == at_once
    await asyncio.sleep(0)
    assert told.results == [4]
