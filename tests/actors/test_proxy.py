"""Pykka's `ActorProxy` on these actors: attributes, calls, coroutines, exceptions."""

import asyncio
from typing import Any

import pykka
import pytest

from sluicegate.actors.future import AsyncioFuture
from sluicegate.actors.runtime import AsyncioActor, Later


class Pump:
    """A part of an actor that its proxies may reach into."""

    strokes = 0

    def stroke(self) -> int:
        """Count a stroke."""
        self.strokes += 1
        return self.strokes


class Sluice(AsyncioActor):
    """An actor with something to look at and something to call."""

    level = 3

    def __init__(self) -> None:
        """Start open."""
        super().__init__()
        self.open = True
        self.pump = pykka.traversable(Pump())

    def raise_by(self, amount: int, *, times: int = 1) -> int:
        """Change the level."""
        if amount < 0:
            msg = "down is not up"
            raise ValueError(msg)
        self.level += amount * times
        return self.level

    async def flow(self, amount: int) -> int:
        """Take some time."""
        await asyncio.sleep(0)
        return amount * 2

    def flow_later(self, amount: int) -> Later:
        """Answer later."""
        answer = self.loop.create_future()
        self.loop.call_soon(answer.set_result, amount)
        return Later(answer)


async def test_attributes_are_read_through_futures() -> None:
    """Of the instance and of the class."""
    proxy = Sluice.start().proxy()
    assert isinstance(proxy.open, AsyncioFuture)
    assert [await proxy.open, await proxy.level] == [True, 3]


async def test_methods_are_called_in_the_order_of_the_calls() -> None:
    """With their arguments; what is not awaited is done all the same."""
    proxy = Sluice.start().proxy()
    proxy.raise_by(1)
    proxy.raise_by.defer(10)
    assert await proxy.raise_by(100, times=2) == 214


async def test_a_coroutine_method_is_waited_for() -> None:
    """Its result is the answer, and so is that of one which answers later."""
    proxy = Sluice.start().proxy()
    assert await proxy.flow(4) == 8
    assert await proxy.flow_later(4) == 4


async def test_a_methods_exception_is_raised_where_it_is_awaited() -> None:
    """And the actor lives on."""
    proxy = Sluice.start().proxy()
    with pytest.raises(ValueError, match="down is not up"):
        await proxy.raise_by(-1)
    assert await proxy.level == 3


async def test_a_deferred_call_that_fails_ends_the_actor() -> None:
    """As in Pykka it is a `tell`."""
    proxy = Sluice.start().proxy()
    proxy.raise_by.defer(-1)
    with pytest.raises(pykka.ActorDeadError):
        await proxy.level


async def test_what_the_actor_does_not_have_the_proxy_does_not_have() -> None:
    """Nor what is private."""
    proxy = Sluice.start().proxy()
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        _ = proxy.colour
    with pytest.raises(AttributeError, match="no attribute '_drain'"):
        _ = proxy._drain  # noqa: SLF001 - that is the point


async def test_a_traversable_part_is_reached_into() -> None:
    """Its methods run on the actor's loop."""
    proxy = Sluice.start().proxy()
    assert await proxy.pump.stroke() == 1
    assert await proxy.pump.strokes == 1


async def test_an_attribute_cannot_be_set_where_a_loop_runs() -> None:
    """Pykka blocks until it is set, so it is refused, and nothing is changed."""
    proxy = Sluice.start().proxy()
    with pytest.raises(RuntimeError, match="block=False"):
        proxy.level = 9
    assert await proxy.level == 3


async def test_an_attribute_is_set_from_a_thread() -> None:
    """The setter blocks until that is done."""
    proxy = Sluice.start().proxy()
    await asyncio.to_thread(setattr, proxy, "level", 9)
    assert await proxy.level == 9


async def test_a_proxy_of_a_dead_actor_is_refused() -> None:
    """And one that was made before answers with the error."""
    ref = Sluice.start()
    proxy = ref.proxy()
    await ref.stop(block=False)
    with pytest.raises(pykka.ActorDeadError):
        ref.proxy()
    with pytest.raises(pykka.ActorDeadError):
        await proxy.level


async def test_an_actor_may_hold_a_proxy_to_itself() -> None:
    """It schedules work for later that way, as in Pykka."""
    done = asyncio.Event()

    class Repeating(AsyncioActor):
        def __init__(self) -> None:
            super().__init__()
            self._left = 3
            self._later: Any = self.actor_ref.proxy()

        def step(self) -> int:
            self._left -= 1
            if self._left:
                self._later.step()
            else:
                done.set()
            return self._left

    assert await Repeating.start().proxy().step() == 2
    await asyncio.wait_for(done.wait(), 30)
