"""Calls that are carried over to an engine's own thread, whatever becomes of it."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from sluicegate import Engine, Settings
from sluicegate.embedding.background import Background
from sluicegate.embedding.errors import CallTimeoutError
from sluicegate.engine.errors import UnavailableError


@pytest.fixture
def background(settings: Settings) -> Iterator[Background]:
    background = Background(lambda: Engine(settings))
    yield background
    assert background.stop(timeout_s=30)


async def nothing(_: Engine) -> None:
    """Be answered at once."""


class Hang:
    """A call that is never answered."""

    def __init__(self) -> None:
        self.begun, self.ended = threading.Event(), threading.Event()

    async def __call__(self, _: Engine) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()


def test_a_call_that_timed_out_is_cancelled(background: Background) -> None:
    """It leaves nothing running on the engine's loop."""
    hang = Hang()
    with pytest.raises(CallTimeoutError):
        background.call(hang, timeout_s=0.5)
    assert not hang.begun.is_set() or hang.ended.wait(30)


def test_whoever_waits_when_it_is_stopped_is_told(background: Background) -> None:
    """Nobody waits for an engine that is no more."""
    hang = Hang()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(background.call, hang, timeout_s=None)
        assert hang.begun.wait(30)
        assert background.stop(timeout_s=30)
        with pytest.raises(UnavailableError, match="closed"):
            answer.result(30)


def test_a_loop_that_breaks_leaves_nobody_waiting(background: Background) -> None:
    """Not even by what ends a loop: who waits is told, and who comes later."""
    hang = Hang()

    async def end(_: Engine) -> None:
        raise SystemExit

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(background.call, hang, timeout_s=None)
        assert hang.begun.wait(30)
        with pytest.raises((UnavailableError, SystemExit)):
            background.call(end, timeout_s=30)
        with pytest.raises(UnavailableError, match="closed"):
            answer.result(30)
    assert background.stop(timeout_s=30)
    assert background.is_over
    with pytest.raises(UnavailableError, match="closed"):
        background.call(hang, timeout_s=30)


def test_a_call_that_comes_just_before_the_loop_is_closed_is_told(settings: Settings) -> None:
    """The loop took it, and will never look at it."""
    with ThreadPoolExecutor(1) as pool:
        late: list[Future[None]] = []

        def make() -> Engine:
            loop = asyncio.get_running_loop()
            close, ask = loop.close, loop.call_soon_threadsafe

            def close_late() -> None:
                asked = threading.Event()

                def note(*args: Any, **more: Any) -> asyncio.Handle:
                    handle = ask(*args, **more)
                    asked.set()
                    return handle

                loop.call_soon_threadsafe = note  # type: ignore[assignment,method-assign]  # to see it come
                late.append(pool.submit(running.call, Hang(), timeout_s=None))
                assert asked.wait(30)
                close()

            loop.close = close_late  # type: ignore[method-assign]  # to come just before it
            return Engine(settings)

        running = Background(make)
        running.call(nothing, timeout_s=30)
        assert running.stop(timeout_s=30)
        with pytest.raises(UnavailableError, match="closed"):
            late[0].result(10)


def test_what_keeps_an_engine_from_opening_is_told_to_all() -> None:
    """To those who wait, and to those who come later."""

    def make() -> Engine:
        raise LookupError("no engine today")

    background = Background(make)
    for _ in range(2):
        with pytest.raises(LookupError, match="today"):
            background.call(Hang(), timeout_s=30)
    assert background.stop(timeout_s=30)
    assert background.engine is None
