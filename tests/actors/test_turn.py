"""What one endpoint may have of the process-wide slots, by how its attempts end."""

import pytest

from sluicegate.actors.slots import LATE_AFTER_S, Slot, Slots, Turn
from sluicegate.clock import SystemClock
from sluicegate.engine.settings import Settings
from sluicegate.simulation import SimulationLoop


class House:
    """Slots on a clock that stands still, and endpoints that count how often they are woken."""

    def __init__(self, *, prompt: int = 512, late: int = 2048) -> None:
        clock = SystemClock()
        self.now_s = clock.monotonic_s()
        clock.monotonic_s = lambda: self.now_s  # as the test has it
        self.slots = Slots(Settings(in_flight_max=prompt, in_flight_late_max=late), clock)
        self.woken = 0

    def turn(self, *, earned: int = 1) -> Turn:
        """Return the turn of an endpoint that has earned so much, at least 1."""
        turn = Turn(self.slots, self._wake)
        for _ in range(earned - 1):
            turn.learn(late=False, succeeded=True, in_flight_max=16)
        return turn

    def _wake(self) -> None:
        self.woken += 1


def taken(turn: Turn) -> Slot:
    """Take a slot that must be there."""
    slot = turn.take()
    assert slot is not None
    return slot


async def test_a_late_failure_takes_all_that_was_earned() -> None:
    """From then on there is one attempt at a time, in a late slot."""
    turn = House().turn(earned=10)
    assert turn.width(16) == 16
    turn.learn(late=True, succeeded=False, in_flight_max=16)
    assert turn.width(16) == 1
    assert not taken(turn).prompt


async def test_a_late_success_takes_nothing_more() -> None:
    """Slow is not bad: what it lost, it lost when it became late."""
    turn = House().turn(earned=10)
    turn.learn(late=True, succeeded=True, in_flight_max=16)
    assert turn.width(16) == 16
    assert [taken(turn).prompt for _ in range(11)] == [True] * 10 + [False]


@pytest.mark.parametrize(("in_flight_max", "most"), [(4, 16), (20, 20)])
async def test_no_more_is_earned_than_can_be_used(in_flight_max: int, most: int) -> None:
    """Else who was good for a day could be bad for an hour; 16 can always be earned."""
    turn = House().turn()
    for _ in range(100):
        turn.learn(late=False, succeeded=True, in_flight_max=in_flight_max)
    assert [taken(turn).prompt for _ in range(most + 1)] == [True] * most + [False]


@pytest.mark.parametrize("succeeded", [True, False])
async def test_who_fails_after_a_second_is_late_before_the_timer_says_so(
    *, succeeded: bool
) -> None:
    """A time limit of a second would else be a way to hang and to keep what was earned."""
    house = House()
    turn = house.turn(earned=10)
    slot = taken(turn)
    house.now_s += LATE_AFTER_S
    slot.end_attempt(succeeded=succeeded, in_flight_max=16)
    assert taken(turn).prompt is succeeded


async def test_who_becomes_late_in_line_asks_again() -> None:
    """It stood in line for a prompt slot, and must have a late one now."""
    house = House(prompt=1)
    turn = house.turn(earned=2)
    slot = taken(turn)
    assert turn.take() is None
    slot.become_late()
    assert house.woken == 1
    assert not taken(turn).prompt
    assert (house.slots.prompt.held, house.slots.late.held) == (0, 2)


async def test_a_late_attempt_that_ends_leaves_the_line_for_late_slots() -> None:
    """Else the next late slot that is free would be given to nobody, and stay taken."""
    house = House(prompt=1, late=1)
    distrusted = house.turn()
    distrusted.distrust()
    first = taken(distrusted)
    second = taken(house.turn())
    second.become_late()
    assert (second.prompt, house.slots.late.waiting) == (True, 1)
    second.end()
    first.end()
    assert (house.slots.prompt.held, house.slots.late.held, house.slots.late.waiting) == (0, 0, 0)


@pytest.mark.parametrize(("behind_s", "late_after_s"), [(0.0, 1.0), (0.2, 3.0)])
def test_what_takes_long_because_of_us_is_not_late(behind_s: float, late_after_s: float) -> None:
    """An attempt needs some turns of the loop: one that is behind says nothing of a receiver."""
    loop, ahead_s, clock = SimulationLoop(), 0.0, SystemClock()
    clock.monotonic_s = lambda: loop.time() + ahead_s  # as before
    try:
        turn = Turn(Slots(Settings(), clock), lambda: None)
        found: list[Slot] = []
        loop.call_soon(lambda: found.append(taken(turn)))
        loop.advance(0)
        ahead_s = behind_s  # whatever fires from now on does so too late
        loop.advance(late_after_s - 0.01)
        assert [slot.late for slot in found] == [False]
        loop.advance(0.02)
        assert [slot.late for slot in found] == [True]
    finally:
        loop.close()
