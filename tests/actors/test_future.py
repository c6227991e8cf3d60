"""`AsyncioFuture`: one value for threads that block and coroutines that must not."""

import asyncio
import queue
import threading
import traceback
from collections.abc import Iterable
from typing import TypeVar

import pykka
import pytest

from sluicegate.actors.future import AsyncioFuture

T = TypeVar("T")

SOON_S = 30.0
"""How long a test waits for what should happen at once."""


def failed_with(exc: BaseException) -> AsyncioFuture[int]:
    """Return a future that holds `exc`."""
    future = AsyncioFuture[int]()
    future.set_exception((type(exc), exc, exc.__traceback__))
    return future


def test_a_value_can_be_read_more_than_once() -> None:
    """Reading does not consume."""
    future = AsyncioFuture[int]()
    future.set(7)
    assert [future.get(), future.get(timeout=0)] == [7, 7]


def test_a_second_value_is_refused_as_in_pykka() -> None:
    """The first value stands; a second one of either kind raises what Pykka raises."""
    future = AsyncioFuture[int]()
    future.set(1)
    with pytest.raises(queue.Full):
        future.set(2)
    with pytest.raises(queue.Full):
        future.set_exception((ValueError, ValueError(), None))
    with pytest.raises(queue.Full):
        future.set_get_hook(lambda _timeout: 3)
    assert future.get() == 1


def test_the_exception_being_handled_is_the_default() -> None:
    """`set_exception()` in an `except` block takes that exception."""
    future = AsyncioFuture[int]()
    try:
        int("seven")
    except ValueError:
        future.set_exception()
    with pytest.raises(ValueError, match="seven"):
        future.get()


def test_no_exception_at_all_is_refused() -> None:
    """`set_exception()` outside an `except` block has nothing to set."""
    future = AsyncioFuture[int]()
    with pytest.raises(ValueError, match="needs an exception"):
        future.set_exception()
    assert not future.done()


def test_an_exception_class_alone_will_do() -> None:
    """As in Pykka the value of the triple may be missing."""
    future = AsyncioFuture[int]()
    future.set_exception((KeyError, None, None))
    assert isinstance(future.exception(), KeyError)


def test_reading_an_exception_again_does_not_lengthen_its_traceback() -> None:
    """Each reader starts from the original traceback."""
    future = failed_with(ValueError("no"))
    lengths = []
    for _ in range(3):
        with pytest.raises(ValueError, match="no") as caught:
            future.get()
        lengths.append(len(traceback.extract_tb(caught.value.__traceback__)))
    assert len(set(lengths)) == 1


def test_a_result_that_is_not_there_cannot_be_read_without_waiting() -> None:
    """`result` never blocks."""
    with pytest.raises(asyncio.InvalidStateError):
        AsyncioFuture[int]().result()


def test_get_gives_up_after_its_timeout() -> None:
    """Blocking is bounded, and leaves the future as it was."""
    future = AsyncioFuture[int]()
    with pytest.raises(pykka.Timeout, match=r"0.01 seconds"):
        future.get(timeout=0.01)
    future.set(1)
    assert future.get() == 1


def test_get_blocks_a_thread_until_another_sets_the_value() -> None:
    """The wake-up crosses threads."""
    future = AsyncioFuture[str]()
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(future.get(timeout=SOON_S)))
    reader.start()
    future.set("here")
    reader.join(SOON_S)
    assert got == ["here"]


async def test_get_refuses_to_block_a_running_loop() -> None:
    """It raises at once instead of a deadlock; a value that is there may be read."""
    future = AsyncioFuture[int]()
    with pytest.raises(RuntimeError, match="await"):
        future.get(timeout=SOON_S)
    future.set(1)
    assert future.get() == 1


def test_get_learns_that_the_loop_was_closed() -> None:
    """What a closed loop owes never comes, so a thread must not wait for it."""
    loop = asyncio.new_event_loop()
    future = AsyncioFuture[int](loop=loop)
    with pytest.raises(pykka.Timeout):
        future.get(timeout=0.01)
    loop.close()
    with pytest.raises(pykka.ActorDeadError, match="closed"):
        future.get(timeout=SOON_S)


async def test_awaiting_leaves_the_loop_free() -> None:
    """Other callbacks run between the `await` and the value."""
    future = AsyncioFuture[str]()
    asyncio.get_running_loop().call_soon(future.set, "from the loop")
    assert await future == "from the loop"


async def test_an_exception_reaches_who_awaits() -> None:
    """The very exception is raised."""
    exc = ValueError("no")
    with pytest.raises(ValueError, match="no") as caught:
        await failed_with(exc)
    assert caught.value is exc


async def test_two_loops_may_await_one_future() -> None:
    """Each is woken on its own loop, whichever thread sets the value."""
    future = AsyncioFuture[int]()
    waiting = threading.Event()

    async def elsewhere() -> int:
        asyncio.get_running_loop().call_soon(waiting.set)
        return await future

    other = asyncio.ensure_future(asyncio.to_thread(asyncio.run, elsewhere()))
    here = asyncio.ensure_future(_awaited(future))
    assert await asyncio.to_thread(waiting.wait, SOON_S)
    await asyncio.to_thread(future.set, 5)
    assert [await here, await asyncio.wait_for(other, SOON_S)] == [5, 5]


async def test_a_loop_that_was_closed_meanwhile_does_not_disturb_the_setter(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nobody waits there any more."""
    future = AsyncioFuture[int]()

    def await_and_leave() -> None:
        loop = asyncio.new_event_loop()
        waiting = future.__await__()
        loop.call_soon(waiting.send, None)
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()
        future.set(1)

    await asyncio.to_thread(await_and_leave)
    assert future.get() == 1
    assert not caplog.records


async def test_cancelling_who_awaits_does_not_touch_the_future() -> None:
    """The value can still be set, and others get it."""
    future = AsyncioFuture[int]()
    impatient = asyncio.ensure_future(_awaited(future))
    patient = asyncio.ensure_future(_awaited(future))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.wait([impatient])
    assert impatient.cancelled()
    future.set(3)
    assert await patient == 3


async def test_a_value_and_a_cancellation_may_cross() -> None:
    """The value came from a thread, and before the loop saw it the waiting task was cancelled."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, what: complaints.append(what))
    future = AsyncioFuture[int]()
    waiting = asyncio.ensure_future(_awaited(future))
    await asyncio.sleep(0)
    setter = threading.Thread(target=future.set, args=(1,))
    setter.start()
    setter.join(SOON_S)
    waiting.cancel()
    await asyncio.wait([waiting])
    await asyncio.sleep(0)
    assert waiting.cancelled()
    assert complaints == []


async def test_who_gave_up_waiting_is_forgotten() -> None:
    """A future that is long in coming must not collect those who tried."""
    future = AsyncioFuture[int]()
    for _ in range(10):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_awaited(future), 0.001)
        with pytest.raises(pykka.Timeout):
            await asyncio.to_thread(future.get, timeout=0.001)
    assert future._callbacks == []  # noqa: SLF001 - a test looks inside


async def test_yield_from_does_not_block_either() -> None:
    """Pykka's `__iter__` blocks; ours is the awaiting one."""
    future = AsyncioFuture[int]()
    loop = asyncio.get_running_loop()
    loop.call_soon(loop.call_soon, loop.call_soon, future.set, 4)

    class Wrapped:
        __await__ = future.__iter__

    assert await Wrapped() == 4


def test_callbacks_run_in_order_and_a_late_one_at_once() -> None:
    """Each is called once with the future."""
    future = AsyncioFuture[int]()
    calls: list[str] = []
    future.add_done_callback(lambda f: calls.append(f"first {f.result()}"))
    future.add_done_callback(lambda f: calls.append(f"second {f.result()}"))
    future.set(1)
    future.add_done_callback(lambda f: calls.append(f"late {f.result()}"))
    assert calls == ["first 1", "second 1", "late 1"]


def test_a_removed_callback_is_not_called() -> None:
    """Removing what was never added is fine."""
    future = AsyncioFuture[int]()
    calls: list[object] = []
    future.add_done_callback(calls.append)
    future.remove_done_callback(calls.append)
    future.remove_done_callback(calls.append)
    future.set(1)
    assert calls == []


def test_a_callback_that_raises_keeps_nothing_from_the_others() -> None:
    """It is logged; the setter and the other listeners do not notice."""
    future = AsyncioFuture[int]()
    calls: list[int] = []
    future.add_done_callback(lambda _f: 1 / 0)
    future.add_done_callback(lambda f: calls.append(f.result()))
    future.set(1)
    assert calls == [1]


def test_derived_futures_are_pushed() -> None:
    """Completing the source completes what was derived from it, with nobody blocking."""
    source = AsyncioFuture[Iterable[int]]()
    other = AsyncioFuture[int]()
    doubled = source.map(lambda items: [item * 2 for item in items])
    large = source.filter(lambda item: item > 1)
    total = source.reduce(lambda so_far, item: so_far + item, 10)
    both = source.join(other)
    source.set([1, 2, 3])
    other.set(9)
    derived: list[pykka.Future[object]] = [doubled, large, total, both]  # type: ignore[list-item]  # a list of unlike futures
    assert all(isinstance(future, AsyncioFuture) and future.done() for future in derived)
    assert [future.get() for future in derived] == [[2, 4, 6], [2, 3], 16, [[1, 2, 3], 9]]


async def test_derived_futures_can_be_awaited() -> None:
    """Also before their sources have values."""
    source = AsyncioFuture[int]()
    other = AsyncioFuture[int]()
    asyncio.get_running_loop().call_soon(source.set, 1)
    asyncio.get_running_loop().call_soon(other.set, 2)
    assert await source.join(other) == [1, 2]
    assert await source.map(str) == "1"


def test_exceptions_pass_through_what_is_derived() -> None:
    """The source's exception, or the function's own."""
    with pytest.raises(ValueError, match="source"):
        failed_with(ValueError("source")).map(str).get()
    good = AsyncioFuture[int]()
    good.set(0)
    with pytest.raises(ZeroDivisionError):
        good.map(lambda number: 1 / number).get()
    with pytest.raises(ValueError, match="first"):
        good.join(failed_with(ValueError("first")), failed_with(ValueError("second"))).get()


def test_pykka_collects_many() -> None:
    """`pykka.get_all` works on these futures."""
    futures = [AsyncioFuture[int]() for _ in range(3)]
    for value, future in enumerate(futures):
        future.set(value)
    assert pykka.get_all(futures, timeout=SOON_S) == [0, 1, 2]


def test_many_threads_race_to_set_one_value() -> None:
    """Exactly one wins, and every reader sees the winner's value."""
    future = AsyncioFuture[int]()
    start = threading.Barrier(8)
    won: list[int] = []

    def compete(number: int) -> None:
        start.wait(SOON_S)
        try:
            future.set(number)
        except queue.Full:
            return
        won.append(number)

    threads = [threading.Thread(target=compete, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SOON_S)
    assert won == [future.get(timeout=0)]


async def _awaited(future: pykka.Future[T]) -> T:
    return await future
