"""Pykka's get hooks: values that are fetched when they are wanted, without blocking a loop."""

import asyncio
import queue
import threading
from typing import TypeVar

import pykka
import pytest

from sluicegate.actors.future import AsyncioFuture

T = TypeVar("T")

SOON_S = 30.0
"""How long a test waits for what should happen at once."""


async def test_a_join_with_a_foreign_future_does_not_block_the_loop() -> None:
    """A future that cannot push is waited for in a thread of its own."""
    here, foreign = AsyncioFuture[int](), pykka.ThreadingFuture[int]()
    joined = here.join(foreign)
    asyncio.get_running_loop().call_soon(here.set, 1)
    asyncio.get_running_loop().call_soon(foreign.set, 2)
    assert await asyncio.wait_for(_awaited(joined), SOON_S) == [1, 2]


def test_a_get_hook_supplies_the_value_once() -> None:
    """It is given the timeout of the first `get`; its value is kept."""
    timeouts: list[float | None] = []

    def hook(timeout: float | None) -> int:
        timeouts.append(timeout)
        return 5

    future = AsyncioFuture[int]()
    future.set_get_hook(hook)
    with pytest.raises(queue.Full):
        future.set(1)
    assert [future.get(timeout=2), future.get()] == [5, 5]
    assert timeouts == [2]


def test_a_get_hook_that_raises_may_be_tried_again() -> None:
    """As in Pykka, only a value is kept."""
    tries: list[float | None] = []

    def hook(timeout: float | None) -> int:
        tries.append(timeout)
        if len(tries) == 1:
            raise pykka.Timeout
        return 5

    future = AsyncioFuture[int]()
    future.set_get_hook(hook)
    with pytest.raises(pykka.Timeout):
        future.get()
    assert future.get() == 5


async def test_awaiting_a_get_hook_does_not_block_the_loop() -> None:
    """The hook blocks until the loop has gone on."""
    gone_on = threading.Event()
    future = AsyncioFuture[bool]()
    future.set_get_hook(lambda _timeout: gone_on.wait(SOON_S))
    asyncio.get_running_loop().call_soon(gone_on.set)
    assert await future is True


async def test_an_awaited_get_hook_that_raises_is_told() -> None:
    """Nobody would try again, so the exception is the answer."""
    future = AsyncioFuture[float]()
    future.set_get_hook(lambda _timeout: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        await future


async def test_a_get_hook_set_late_still_serves_who_waits() -> None:
    """Whoever waits already would wait for ever otherwise."""
    future = AsyncioFuture[int]()
    derived = future.map(lambda value: value + 1)
    waiting = asyncio.ensure_future(_awaited(derived))
    await asyncio.sleep(0)
    future.set_get_hook(lambda _timeout: 1)
    assert await asyncio.wait_for(waiting, SOON_S) == 2
    assert await future.map(lambda value: value + 2) == 3


def test_what_is_derived_from_a_get_hook_is_pulled() -> None:
    """As in Pykka the hook runs when the derived value is wanted, with its timeout."""
    timeouts: list[float | None] = []

    def hook(timeout: float | None) -> int:
        timeouts.append(timeout)
        return 5

    future = AsyncioFuture[int]()
    future.set_get_hook(hook)
    derived = future.map(lambda value: value * 2)
    assert timeouts == []
    assert derived.get(timeout=3) == 10
    assert timeouts == [3]


async def _awaited(future: pykka.Future[T]) -> T:
    return await future
