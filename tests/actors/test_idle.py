"""What an idle actor costs: under 1 KB, and nothing of the loop's time."""

import asyncio
import gc
import threading
import tracemalloc
import weakref
from collections.abc import Iterator
from typing import Any, Never

import pykka
import pytest

from sluicegate.actors.runtime import AsyncioActor

ACTORS = 10_000
BYTES_MAX = 1000


class Echo(AsyncioActor):
    """Answers with the message."""

    def on_receive(self, message: Any) -> Any:
        """Answer with `message`, or with what it returns."""
        return message() if callable(message) else message


class CountingLoop(asyncio.SelectorEventLoop):
    """A loop that counts what it is asked to do, and has nothing but the bare minimum.

    Exactly what a simulated loop offers: `call_soon`, `call_soon_threadsafe`, `create_future`
    and `create_task`.
    """

    calls = 0

    def call_soon(  # type: ignore[override]  # passes on whatever it gets
        self,
        *args: Any,
        **kwargs: Any,
    ) -> asyncio.Handle:
        """Count the call."""
        self.calls += 1
        return super().call_soon(*args, **kwargs)

    def call_soon_threadsafe(  # type: ignore[override]  # passes on whatever it gets
        self,
        *args: Any,
        **kwargs: Any,
    ) -> asyncio.Handle:
        """Count the call."""
        self.calls += 1
        return super().call_soon_threadsafe(*args, **kwargs)

    def call_at(self, *_args: object, **_kwargs: object) -> Never:
        """Refuse timers (`call_later` comes here, too)."""
        raise AssertionError

    def run_in_executor(self, *_args: object, **_kwargs: object) -> Never:
        """Refuse threads."""
        raise AssertionError


@pytest.fixture
def loop() -> Iterator[CountingLoop]:
    """Return a loop that does what the test does, and nothing else."""
    counting = CountingLoop()
    yield counting
    counting.close()


def settle(loop: CountingLoop) -> int:
    """Run what is ready until nothing is; return how often the loop was asked to do something.

    Its own call, which ends each turn, is not counted.
    """
    total = 0
    while True:
        loop.calls = 0
        loop.call_soon(loop.stop)
        loop.run_forever()
        total += loop.calls - 1
        if loop.calls == 1:
            return total


def test_an_idle_actor_is_under_a_kilobyte() -> None:
    """Before its first message and after its last, its reference included."""

    async def measure() -> tuple[float, float]:
        Echo.start()
        await asyncio.sleep(0)
        gc.collect()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            refs = [Echo.start() for _ in range(ACTORS)]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            gc.collect()
            fresh, _ = tracemalloc.get_traced_memory()
            for ref in refs:
                assert await ref.ask(1, block=False) == 1
            await asyncio.sleep(0)
            gc.collect()
            used, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        return (fresh - before) / ACTORS, (used - before) / ACTORS

    fresh, used = asyncio.run(measure())
    assert fresh < BYTES_MAX
    assert used < BYTES_MAX


def test_nothing_is_scheduled_while_actors_are_idle(loop: CountingLoop) -> None:
    """One call for each start, one for each burst of mail, and then none at all."""
    threads = threading.active_count()
    refs = [Echo.start(loop=loop) for _ in range(100)]
    assert loop.calls == len(refs)
    assert settle(loop) == 0

    def burst() -> None:
        for ref in refs:
            ref.tell(1)
            ref.tell(2)
            ref.tell(3)

    loop.call_soon(burst)
    assert settle(loop) == len(refs)
    assert settle(loop) == 0
    assert not asyncio.all_tasks(loop)
    assert threading.active_count() == threads


def test_a_bare_loop_is_enough(loop: CountingLoop) -> None:
    """Asks, later answers, coroutines and stops need no timer and no thread."""

    async def handler() -> str:
        await asyncio.sleep(0)
        return "done"

    async def use() -> None:
        ref = Echo.start()
        assert await ref.ask(1, block=False) == 1
        assert await ref.ask(handler, block=False) == "done"
        assert await ref.proxy().loop is loop
        joined = ref.ask(1, block=False).join(ref.ask(2, block=False))
        assert await joined == [1, 2]
        assert await ref.stop(block=False) is True

    loop.run_until_complete(use())


async def test_pykkas_registry_knows_none_of_them() -> None:
    """It is one list for the whole process: two engines would stop each other's actors."""
    refs = [Echo.start() for _ in range(10)]
    pykka.ActorRegistry.stop_all(block=False)
    pykka.ActorRegistry.broadcast("hello")
    assert pykka.ActorRegistry.get_all() == []
    assert [await ref.ask(1, block=False) for ref in refs] == [1] * 10


async def test_a_stopped_actor_is_freed_at_once() -> None:
    """Its reference may live on; no garbage collection is needed."""
    gc.disable()
    try:
        ref = Echo.start()
        actor = weakref.ref(ref._actor_weakref())  # noqa: SLF001 - a test looks inside
        assert await ref.ask(1, block=False) == 1
        assert actor() is not None
        assert await ref.stop(block=False) is True
        await asyncio.sleep(0)
        assert actor() is None
    finally:
        gc.enable()
