"""Calls that are carried over to an engine's own thread, whatever becomes of it."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from sluicegate import Engine, Settings
from sluicegate.embedding.background import Background, CallTimeoutError
from sluicegate.engine.errors import UnavailableError


@pytest.fixture
def background(settings: Settings) -> Iterator[Background]:
    background = Background(lambda: Engine(settings))
    yield background
    assert background.stop(timeout_s=30)


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
