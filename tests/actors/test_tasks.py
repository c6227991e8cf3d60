"""A coroutine that begins in its caller's turn and goes on as a task."""

import asyncio

import pytest

from sluicegate.actors.tasks import Begun


async def test_it_runs_up_to_where_it_waits() -> None:
    """At once; the rest when what it waits for is there, any number of times."""
    told: list[object] = []
    futures = [asyncio.get_running_loop().create_future() for _ in range(2)]

    async def work() -> None:
        told.append("begun")
        for number, future in enumerate(futures):
            assert await future == number
            told.append(number)

    begun = Begun(work())
    assert told == ["begun"]
    assert not begun.ended
    task = asyncio.ensure_future(begun.go_on())
    for number, future in enumerate(futures):
        future.set_result(number)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await task
    assert told == ["begun", 0, 1]


async def test_what_is_there_before_it_goes_on_is_not_missed() -> None:
    """Between the first step and the task's."""
    future = asyncio.get_running_loop().create_future()
    told: list[object] = []

    async def work() -> None:
        told.append(await future)

    begun = Begun(work())
    future.set_result("there")
    await begun.go_on()
    assert told == ["there"]


async def test_it_may_have_nothing_to_wait_for() -> None:
    """Then no task is needed."""

    async def work() -> None:
        pass

    assert Begun(work()).ended


async def test_a_failure_is_its_callers_at_first_and_its_tasks_later() -> None:
    """Whatever it is."""
    future = asyncio.get_running_loop().create_future()

    async def fail(*, later: bool) -> None:
        if later:
            await future
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - it has no words
        Begun(fail(later=False))
    begun = Begun(fail(later=True))
    future.set_result(None)
    with pytest.raises(ValueError):  # noqa: PT011 - it has no words
        await begun.go_on()


async def test_a_cancellation_reaches_it() -> None:
    """Where it waits; it may see to what must be seen to, and even wait for that."""
    told: list[str] = []

    async def work() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            told.append("cancelled")
            raise

    task = asyncio.ensure_future(Begun(work()).go_on())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert told == ["cancelled"]
