"""Actors from other threads: that is how a synchronous program uses the engine."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pykka
import pytest

from sluicegate.actors.future import AnswerLostError, AsyncioFuture
from sluicegate.actors.mailbox import MailboxFullError
from sluicegate.actors.ref import AsyncioActorRef
from sluicegate.actors.runtime import AsyncioActor, Later

THREADS = 8
ASKS = 2000
SOON_S = 20.0
"""How long a test waits for what should happen at once."""


class Counter(AsyncioActor):
    """Counts, and keeps what it was told and where."""

    mailbox_max = 100_000

    def __init__(self) -> None:
        """Start from zero."""
        super().__init__()
        self.count = 0
        self.seen: list[Any] = []
        self.threads: list[str] = []

    def on_start(self) -> None:
        """Record where."""
        self.threads.append(threading.current_thread().name)

    def on_stop(self) -> None:
        """Record where."""
        self.threads.append(threading.current_thread().name)

    def on_receive(self, message: Any) -> Any:
        """Count, or run what can be called."""
        if callable(message):
            return message()
        self.count += 1
        self.seen.append(message)
        return message


class LoopThread:
    """An event loop in a thread of its own, as a synchronous host has one."""

    def __init__(self) -> None:
        """Start the thread."""
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="the-loop", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self.loop.run_forever()
        self.loop.close()

    def end(self) -> None:
        """Stop and close the loop, and wait until that is done. Twice is fine."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(SOON_S)
            assert self.loop.is_closed()


@pytest.fixture
def host() -> Iterator[LoopThread]:
    """Return a running loop in another thread."""
    thread = LoopThread()
    yield thread
    thread.end()


def in_threads(work: Callable[[int], object]) -> None:
    """Run `work(number)` in eight threads at once; raise the first exception that one raised."""
    start = threading.Barrier(THREADS)
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            start.wait(SOON_S)
            work(number)
        except BaseException as exc:  # noqa: BLE001 - raised below, in the test's own thread
            failures.append(exc)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON_S)
    if failures:
        raise failures[0]


def test_eight_threads_ask_two_thousand_times_each(host: LoopThread) -> None:
    """Every ask gets its own answer, and every message is handled once."""
    ref = Counter.start(loop=host.loop)

    def ask(number: int) -> None:
        for turn in range(ASKS):
            message = (number, turn)
            assert ref.ask(message, timeout=SOON_S) == message

    in_threads(ask)
    assert ref.proxy().count.get(timeout=SOON_S) == THREADS * ASKS


def test_each_threads_messages_keep_their_order(host: LoopThread) -> None:
    """However they mix with those of others."""
    ref = Counter.start(loop=host.loop)

    def tell(number: int) -> None:
        for turn in range(ASKS):
            ref.tell((number, turn))

    in_threads(tell)
    seen = ref.proxy().seen.get(timeout=SOON_S)
    assert len(seen) == THREADS * ASKS
    for number in range(THREADS):
        assert [turn for who, turn in seen if who == number] == list(range(ASKS))


def test_the_bound_holds_against_many_threads(host: LoopThread) -> None:
    """Exactly as many messages are taken as may wait; the others are told at once."""

    class Small(Counter):
        mailbox_max = 100

    ref = Small.start(loop=host.loop)
    held, go = threading.Event(), threading.Event()

    def hold() -> None:
        held.set()
        assert go.wait(SOON_S)

    ref.tell(hold)
    assert held.wait(SOON_S)
    refused: list[int] = []

    def tell(number: int) -> None:
        for _ in range(50):
            try:
                ref.tell(number)
            except MailboxFullError:
                refused.append(number)

    in_threads(tell)
    go.set()
    assert ref.stop(timeout=SOON_S) is True
    assert len(refused) == THREADS * 50 - 100


def test_everything_of_an_actor_runs_on_its_loop(host: LoopThread) -> None:
    """Wherever it was started, asked and stopped from."""
    ref = Counter.start(loop=host.loop)
    threads = ref.proxy().threads.get(timeout=SOON_S)
    assert ref.ask(threading.current_thread, timeout=SOON_S).name == "the-loop"
    assert ref.stop(timeout=SOON_S) is True
    assert ref.stop(timeout=SOON_S) is False
    assert threads == ["the-loop", "the-loop"]


def test_a_later_answer_from_a_thread_fails_on_the_loop(host: LoopThread) -> None:
    """Whoever completes the future, the actor's own code runs where it always does."""
    failed_in: list[str] = []
    done = threading.Event()

    class Failing(Counter):
        def on_failure(self, *_args: object) -> None:
            failed_in.append(threading.current_thread().name)
            done.set()

    ref = Failing.start(loop=host.loop)
    answer = AsyncioFuture[None]()
    ref.tell(lambda: Later(answer))
    assert ref.ask("handled", timeout=SOON_S) == "handled"
    answer.set_exception((ValueError, ValueError("no"), None))
    assert done.wait(SOON_S)
    assert failed_in == ["the-loop"]


def test_an_exception_crosses_to_the_thread_that_asked(host: LoopThread) -> None:
    """And the actor lives on."""
    ref = Counter.start(loop=host.loop)
    with pytest.raises(ZeroDivisionError):
        ref.ask(lambda: 1 // 0, timeout=SOON_S)
    assert ref.ask(1, timeout=SOON_S) == 1


def test_a_blocked_thread_gives_up_after_its_timeout(host: LoopThread) -> None:
    """The message is handled all the same."""
    ref = Counter.start(loop=host.loop)
    go = threading.Event()
    ref.tell(lambda: go.wait(SOON_S))
    with pytest.raises(pykka.Timeout):
        ref.ask("slow", timeout=0.01)
    go.set()
    assert ref.proxy().seen.get(timeout=SOON_S) == ["slow"]


def test_a_closed_loop_is_a_dead_actor(host: LoopThread) -> None:
    """Nothing hangs and nothing is lost in silence."""
    ref = Counter.start(loop=host.loop)
    assert ref.ask(1, timeout=SOON_S) == 1
    host.end()
    assert not ref.is_alive()
    with pytest.raises(pykka.ActorDeadError):
        ref.tell(2)
    with pytest.raises(pykka.ActorDeadError):
        ref.ask(2, timeout=SOON_S)
    with pytest.raises(pykka.ActorDeadError):
        ref.proxy()
    with pytest.raises(pykka.ActorDeadError):
        Counter.start(loop=host.loop)
    assert ref.stop(timeout=SOON_S) is False


def test_a_thread_that_waits_while_the_loop_closes_is_released(host: LoopThread) -> None:
    """Its answer will never come."""
    ref = Counter.start(loop=host.loop)

    def close_unanswered() -> Later:
        host.loop.stop()
        return Later(AsyncioFuture())

    with pytest.raises(AnswerLostError, match="closed before the answer"):
        ref.ask(close_unanswered)


async def test_asks_from_the_loop_and_from_threads_mix() -> None:
    """One actor serves both at once."""
    ref: AsyncioActorRef[Counter] = Counter.start()
    workers = asyncio.ensure_future(
        asyncio.to_thread(
            in_threads, lambda number: [ref.ask((number, turn)) for turn in range(100)]
        )
    )
    asked = 0
    while not workers.done():
        assert await ref.ask("here", block=False) == "here"
        asked += 1
    await workers
    assert await ref.proxy().count == asked + THREADS * 100


async def test_an_actor_of_another_loop_can_be_awaited() -> None:
    """The answer wakes the task on its own loop."""
    host = LoopThread()
    try:
        ref = Counter.start(loop=host.loop)
        assert await ref.ask(1, block=False) == 1
        assert (await ref.ask(threading.current_thread, block=False)).name == "the-loop"
        assert await ref.stop(block=False) is True
    finally:
        await asyncio.to_thread(host.end)
