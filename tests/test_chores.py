"""Periodic work in the background, on a loop whose time passes only when nothing else is to do."""

import asyncio
import contextlib
import logging
import math
from collections.abc import Awaitable, Callable, Coroutine
from itertools import pairwise
from typing import Any

import pytest

from sluicegate.chores import Chore, Chores
from sluicegate.engine.errors import UnavailableError
from sluicegate.simulation import SimulationLoop

HOUR_S = 3600.0


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario on a loop with a time of its own."""
    with contextlib.closing(SimulationLoop()) as loop:
        loop.run(scenario())
        assert not loop.problems


def now_s() -> float:
    """Return the loop's time."""
    return asyncio.get_running_loop().time()


class Diary:
    """What was done when."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, float]] = []
        self.running = 0

    def chore(
        self,
        name: str,
        period_s: float = HOUR_S,
        *,
        pieces: int = 1,
        do: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(0),
        due_in_s: Callable[[], Awaitable[float]] | None = None,
    ) -> Chore:
        """Return a chore each of whose rounds takes so many pieces."""
        left = pieces

        async def piece() -> bool:
            nonlocal left
            assert self.running == 0, "two pieces at once"
            self.running += 1
            try:
                self.lines.append((name, now_s()))
                await do()
            finally:
                self.running -= 1
            left = left - 1 or pieces
            return left != pieces

        return Chore(name=name, period_s=period_s, piece=piece, due_in_s=due_in_s)

    def times(self, name: str) -> list[float]:
        """Return when the pieces of a chore began."""
        return [at_s for who, at_s in self.lines if who == name]


def test_a_chore_is_done_a_second_after_the_start_and_then_every_period() -> None:
    """The period runs from the end of a round."""
    diary = Diary()

    async def scenario() -> None:
        chores = Chores([diary.chore("sweep", do=lambda: asyncio.sleep(10))])
        chores.start()
        await asyncio.sleep(3 * HOUR_S)
        await chores.close()

    run(scenario)
    assert diary.times("sweep") == [1, HOUR_S + 11, 2 * HOUR_S + 21]


def test_the_pieces_of_a_round_follow_one_another_with_rests() -> None:
    """Three times as long as the piece took, at least 5 ms and at most a second."""
    for takes_s, rest_s in ((0, 0.005), (0.2, 0.6), (7, 1)):
        diary = Diary()

        async def scenario(takes_s: float = takes_s, diary: Diary = diary) -> None:
            chores = Chores([diary.chore("sweep", pieces=4, do=lambda: asyncio.sleep(takes_s))])
            chores.start()
            await asyncio.sleep(HOUR_S)
            await chores.close()

        run(scenario)
        begun = diary.times("sweep")
        gaps = [after - before for before, after in pairwise(begun)]
        assert gaps == pytest.approx([takes_s + rest_s] * 3)


def test_chores_take_turns_and_never_run_at_once() -> None:
    """One with much to do does not keep the others waiting."""
    diary = Diary()

    async def scenario() -> None:
        chores = Chores(
            [
                diary.chore("long", pieces=1_000, do=lambda: asyncio.sleep(0.1)),
                diary.chore("short", period_s=5),
            ]
        )
        chores.start()
        await asyncio.sleep(100)
        await chores.close()

    run(scenario)
    assert len(diary.times("long")) > 200
    short = diary.times("short")
    assert len(short) >= 18
    # Two turns of the other, with their rests, come between at the most.
    assert max(after - before for before, after in pairwise(short)) < 5.9


def test_a_hastened_chore_is_done_at_once() -> None:
    """While the loop waits, and also while a piece runs, which is then not the last."""
    diary = Diary()

    async def scenario() -> None:
        chores = Chores(
            [diary.chore("export", do=lambda: asyncio.sleep(2)), diary.chore("sweep", period_s=7)]
        )
        chores.start()
        await asyncio.sleep(100)
        chores.hasten("export")
        await asyncio.sleep(1)
        chores.hasten("export")
        await asyncio.sleep(100)
        await chores.close()
        with pytest.raises(AssertionError):
            chores.hasten("no such chore")

    run(scenario)
    assert diary.times("export") == pytest.approx([1, 100, 103], abs=0.1)


async def never() -> float:
    """Say that nothing will be due."""
    return math.inf


def test_a_chore_that_foresees_when_it_is_due_is_left_alone_until_then() -> None:
    """But for an hour at the most, and for its period at the least."""
    for due_s, wait_s in ((1000.0, 1000), (math.inf, HOUR_S), (1.0, 60), (-7.0, 60)):
        diary = Diary()

        async def due_in_s(due_s: float = due_s) -> float:
            return due_s

        async def scenario(
            diary: Diary = diary, due_in_s: Callable[[], Awaitable[float]] = due_in_s
        ) -> None:
            chores = Chores([diary.chore("sweep", 60, pieces=2, due_in_s=due_in_s)])
            chores.start()
            await asyncio.sleep(2 * HOUR_S)
            await chores.close()

        run(scenario)
        begun = diary.times("sweep")
        assert begun[:2] == pytest.approx([1, 1.005])
        assert begun[2] - begun[1] == pytest.approx(wait_s)


def test_what_is_written_makes_a_chore_look_within_its_period() -> None:
    """Whether it waits, or does a piece just then; many writes are as one."""
    diary = Diary()

    async def scenario() -> None:
        chores = Chores([diary.chore("sweep", 60, do=lambda: asyncio.sleep(10), due_in_s=never)])
        chores.start()
        await asyncio.sleep(500)
        for _ in range(3):
            chores.stir()
            await asyncio.sleep(1)
        await asyncio.sleep(60)
        assert diary.running == 1
        chores.stir()
        await asyncio.sleep(1000)
        await chores.close()

    run(scenario)
    assert diary.times("sweep") == pytest.approx([1, 560, 623], abs=0.1)


def test_what_is_written_does_not_hold_a_chore_back() -> None:
    """One that is due sooner stays so."""
    diary = Diary()

    async def soon() -> float:
        return 70

    async def scenario() -> None:
        chores = Chores([diary.chore("sweep", 60, due_in_s=soon)])
        chores.start()
        for _ in range(140):
            await asyncio.sleep(1)
            chores.stir()
        await chores.close()

    run(scenario)
    assert diary.times("sweep") == pytest.approx([1, 62, 123], abs=1.1)


def test_unavailable_storage_postpones_a_chore() -> None:
    """By its period, at most a minute; it is no error."""
    for period_s, again_s in ((HOUR_S, 60), (5, 5)):
        diary = Diary()

        async def refuse() -> None:
            raise UnavailableError("the disk is full")

        async def scenario(diary: Diary = diary, period_s: float = period_s) -> None:
            chores = Chores([diary.chore("sweep", period_s, do=refuse)])
            chores.start()
            await asyncio.sleep(100)
            await chores.close()

        run(scenario)
        begun = diary.times("sweep")
        assert begun[1] - begun[0] == pytest.approx(again_s)


def test_a_bug_is_logged_and_the_other_chores_go_on(caplog: pytest.LogCaptureFixture) -> None:
    """With its traceback, and not more than once a minute."""
    diary = Diary()

    async def fail() -> None:
        raise ZeroDivisionError

    async def scenario() -> None:
        chores = Chores([diary.chore("broken", 1, do=fail), diary.chore("well", 10)])
        chores.start()
        await asyncio.sleep(100)
        await chores.close()

    with caplog.at_level(logging.ERROR, logger="sluicegate"):
        run(scenario)
    assert diary.times("broken") == pytest.approx([1, 61], abs=0.1)
    assert len(diary.times("well")) == 10
    logged: list[Any] = [record.msg for record in caplog.records]
    assert [event["event"] for event in logged] == ["chore.failed"] * 2
    assert [type(event["exc_info"]) for event in logged] == [ZeroDivisionError] * 2


def test_a_stop_cuts_the_piece_that_runs_and_begins_no_other() -> None:
    """It ends at the `await` that it is at; `close` waits for that, and twice is fine."""
    diary = Diary()

    async def scenario() -> None:
        chores = Chores([diary.chore("sweep", do=lambda: asyncio.sleep(HOUR_S))])
        chores.start()
        await asyncio.sleep(2)
        assert diary.running == 1
        chores.stop()
        await chores.close()
        await chores.close()
        assert (diary.running, now_s()) == (0, 2)
        chores.start()
        chores.hasten("sweep")
        await asyncio.sleep(3 * HOUR_S)

    run(scenario)
    assert len(diary.lines) == 1


def test_chores_that_were_stopped_before_their_start_never_begin() -> None:
    """As when an engine is closed while it opens."""
    diary = Diary()

    async def scenario() -> None:
        chores = Chores([diary.chore("sweep")])
        await chores.close()
        chores.start()
        await asyncio.sleep(HOUR_S)
        assert len(asyncio.all_tasks()) == 1

    run(scenario)
    assert diary.lines == []


def test_without_chores_nothing_runs() -> None:
    """Not even a loop."""

    async def scenario() -> None:
        chores = Chores([])
        chores.start()
        await asyncio.sleep(2)
        assert len(asyncio.all_tasks()) == 1
        await chores.close()

    run(scenario)
