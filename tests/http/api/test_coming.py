"""What is made of a future, for a coroutine that waits and for one who is called back."""

import asyncio
from collections.abc import Callable

import pytest

from sluicegate.http.coming import Coming


def halved(number: int) -> float:
    """Return half of an even number."""
    if number % 2:
        raise ValueError("odd")
    return number / 2


def or_nothing(result: Callable[[], float]) -> float:
    """Return what comes, and -1 for what failed."""
    try:
        return result()
    except (ValueError, OSError):
        return -1.0


def future_of(end: int | Exception | None) -> asyncio.Future[int]:
    """Return a future that is there, has failed, or is still to come."""
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    if isinstance(end, int):
        future.set_result(end)
    elif end is not None:
        future.set_exception(end)
    return future


async def told(coming: Coming[float]) -> float:
    """Return what is called back."""
    results: asyncio.Queue[Callable[[], float]] = asyncio.Queue()
    coming.tell(results.put_nowait)
    return (await results.get())()


async def awaited(coming: Coming[float]) -> float:
    """Return what a coroutine gets."""
    return await coming


@pytest.mark.parametrize("wait", [told, awaited])
async def test_both_get_the_same(wait: Callable[[Coming[float]], asyncio.Future[float]]) -> None:
    """A result is made into another, and an error of either kind is raised, or made good."""
    assert await wait(Coming(future_of(4), halved)) == 2.0
    with pytest.raises(ValueError, match="odd"):
        await wait(Coming(future_of(3), halved))
    with pytest.raises(OSError, match="full"):
        await wait(Coming(future_of(OSError("full")), halved))
    for end, made in ((4, 2.0), (3, -1.0), (OSError("full"), -1.0)):
        assert await wait(Coming(future_of(end), halved).through(or_nothing)) == made


async def test_a_coroutine_that_is_cancelled_makes_nothing_of_it() -> None:
    """The cancellation reaches the future, and is not taken for an error that can be made good."""
    future = future_of(None)
    task = asyncio.ensure_future(Coming(future, halved).through(or_nothing))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert future.cancelled()


async def test_a_cancellation_is_not_lost_when_the_future_is_there_at_the_same_time() -> None:
    """Whoever cancels counts on it."""
    future = future_of(None)
    task = asyncio.ensure_future(Coming(future, halved))
    await asyncio.sleep(0)
    future.set_result(4)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_is_no_future_gets_a_task() -> None:
    """So whoever gives a coroutine is called back too."""

    async def four() -> int:
        return 4

    assert await told(Coming(four(), halved)) == 2.0
