"""Who waits for whom: many endpoints at the process-wide slots, on a clock of their own.

What is real is `Slots` and `Turn`. Around them are endpoints as small as can be, with receivers
that take as long as they are told; nothing else takes any time, so what waits is seen to the
moment.
"""

import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluicegate.actors.slots import LATE_AFTER_S, Slot, Slots, Turn
from sluicegate.clock import SystemClock
from sluicegate.engine.settings import Settings
from sluicegate.simulation import SimulationLoop

Answer = tuple[float, bool]
"""After how many seconds a receiver answers, and whether it takes the message."""

HANGS: Answer = (30.0, False)
SLOW: Answer = (25.0, True)
FINE: Answer = (0.05, True)
IN_FLIGHT_MAX = 16


class Endpoint:
    """One endpoint with what waits at it."""

    def __init__(self, house: "House", name: str, answer: Callable[[], Answer]) -> None:
        self.name = name
        self.answer = answer
        self.waiting = deque[float]()
        self.waits_s: list[float] = []
        """How long each message that has started had waited, in order."""
        self.slots: dict[Slot, None] = {}
        self.turn = Turn(house.slots, self._granted)
        self._house = house

    def _granted(self) -> None:
        self._house.loop.call_soon(self.pump)

    def send(self, count: int) -> None:
        """Let some messages come."""
        self.waiting.extend([self._house.loop.time()] * count)
        self._house.loop.call_soon(self.pump)

    def send_every(self, period_s: float) -> None:
        """Let one come now, and then again and again."""
        self.send(1)
        self._house.loop.call_later(period_s, self.send_every, period_s)

    def pump(self) -> None:
        """Start what may start, as the actor does."""
        now_s = self._house.loop.time()
        while self.waiting and len(self.slots) < self.turn.width(IN_FLIGHT_MAX):
            slot = self.turn.take()
            if slot is None:
                break
            self.slots[slot] = None
            self.waits_s.append(now_s - self.waiting.popleft())
            takes_s, succeeds = self.answer()
            self._house.loop.call_later(takes_s, partial(self._end, slot, succeeded=succeeds))
        self.turn.give_back()
        self._house.look()

    def _end(self, slot: Slot, *, succeeded: bool) -> None:
        slot.end_attempt(succeeded=succeeded, in_flight_max=IN_FLIGHT_MAX)
        del self.slots[slot]
        self.pump()


class House:
    """All endpoints of one process."""

    def __init__(self, loop: SimulationLoop, *, prompt: int, late: int) -> None:
        self.loop = loop
        clock = SystemClock()
        clock.monotonic_s = loop.time  # the loop's own clock
        values = Settings(in_flight_max=prompt, in_flight_late_max=late)
        self.slots = Slots(values, clock)
        self.look: Callable[[], object] = lambda: None

    def endpoints(self, count: int, answer: Callable[[], Answer]) -> list[Endpoint]:
        """Add some that are all alike."""
        return [Endpoint(self, f"{answer}{number}", answer) for number in range(count)]


@contextmanager
def a_house(*, prompt: int = 512, late: int = 2048) -> Iterator[House]:
    """Open a house whose loop runs, for as long as the test lasts."""
    loop = SimulationLoop()
    try:
        yield House(loop, prompt=prompt, late=late)
    finally:
        loop.close()


def waited_s(endpoints: list[Endpoint], *, but_first: int = 0) -> float:
    """Return the longest that anything waited for its start; and see that something started."""
    waits_s = [wait_s for each in endpoints for wait_s in each.waits_s[but_first:]]
    assert waits_s
    return max(waits_s)


@pytest.mark.parametrize("holes", [1_000, 10_000])
def test_black_holes_do_not_delay_a_proven_endpoint_at_all(holes: int) -> None:
    """Each hole has 1,000 waiting; whoever has shown that it answers, starts at once."""
    with a_house() as house:
        healthy = house.endpoints(10, lambda: FINE)
        for each in healthy:
            each.send_every(0.2)
        house.loop.advance(3)
        for each in house.endpoints(holes, lambda: HANGS):
            each.send(1000)
        house.loop.advance(100)
        assert waited_s(healthy) == 0
        assert all(len(each.waits_s) > 500 for each in healthy)


def test_slow_receivers_that_succeed_do_not_either_and_have_half_of_the_late_slots() -> None:
    """All of it, all the time: 1,024 of them, by turns."""
    with a_house() as house:
        healthy = house.endpoints(10, lambda: FINE)
        for each in healthy:
            each.send_every(0.2)
        house.loop.advance(3)
        slow = house.endpoints(1000, lambda: SLOW)
        for each in slow:
            each.send(1000)
        house.loop.advance(100)
        assert waited_s(healthy) == 0
        started = sum(len(each.waits_s) for each in slow)
        assert started >= 1024 * 100 / 25


def test_receivers_that_turn_bad_delay_others_for_a_few_seconds_and_then_no_more() -> None:
    """All at once, 500 of them with 1,000 waiting each: as many late as there is room for."""
    with a_house() as house:
        healthy = house.endpoints(10, lambda: FINE)
        bad = [FINE]
        turning = house.endpoints(500, lambda: bad[0])
        for each in healthy:
            each.send_every(0.2)
        for each in turning:
            each.send_every(2.0)
        house.loop.advance(60)
        bad[0] = HANGS
        for each in turning:
            each.send(1000)
        house.loop.advance(5)
        assert waited_s(healthy) < 4
        for each in healthy:
            each.waits_s.clear()
        house.loop.advance(100)
        assert waited_s(healthy) == 0


def test_receivers_that_hang_every_other_time_stay_a_small_part() -> None:
    """What they earn with the one answer they lose with the next."""
    with a_house() as house:
        chance = random.Random(5)
        healthy = house.endpoints(10, lambda: FINE)
        for each in healthy:
            each.send_every(0.2)
        house.loop.advance(3)
        for each in house.endpoints(1000, lambda: chance.choice((FINE, SLOW))):
            each.send(10_000)
        house.loop.advance(100)
        assert waited_s(healthy) == 0


def test_a_new_endpoint_waits_for_other_new_ones_only_while_there_are_late_slots() -> None:
    """500 new black holes have had their first second; then nobody waits for them."""
    with a_house() as house:
        for each in house.endpoints(500, lambda: HANGS):
            each.send(1000)
        house.loop.advance(0.5)
        (new,) = house.endpoints(1, lambda: FINE)
        new.send(1)
        house.loop.advance(20)
        assert waited_s([new]) <= 2 * LATE_AFTER_S


def test_a_receiver_that_recovers_has_all_its_attempts_back_with_its_first_answer() -> None:
    """That one starts in a late slot, in its turn; those behind it are as those of any other."""
    with a_house() as house:
        answer = [HANGS]
        (endpoint,) = house.endpoints(1, lambda: answer[0])
        endpoint.send(1)
        house.loop.advance(60)
        assert endpoint.turn.width(IN_FLIGHT_MAX) == 1
        answer[0] = FINE
        endpoint.send(200)
        house.loop.advance(0.06)
        assert endpoint.turn.width(IN_FLIGHT_MAX) == IN_FLIGHT_MAX
        house.loop.advance(200 / IN_FLIGHT_MAX * 0.05 + 0.05)
        assert not endpoint.waiting
        assert (house.slots.prompt.held, house.slots.late.held) == (0, 0)


def test_a_slow_receiver_that_succeeds_has_as_many_in_flight_as_it_may() -> None:
    """Slow is not bad: after its first success 16 at a time, be it 3 seconds or 1 each."""
    for takes_s in (0.99, 1.01, 3.0):
        with a_house() as house:
            (endpoint,) = house.endpoints(1, lambda takes_s=takes_s: (takes_s, True))  # type: ignore[misc] # a default binds it
            endpoint.send(10_000)
            house.loop.advance(10 * takes_s)
            assert len(endpoint.waits_s) >= 9 * IN_FLIGHT_MAX


def test_each_of_a_thousand_gets_its_turn_beside_one_with_a_million() -> None:
    """Where slots are scarce the one with the huge backlog gets one a turn, as does everybody."""
    with a_house(prompt=64, late=16) as house:
        (huge,) = house.endpoints(1, lambda: FINE)
        huge.send(1_000_000)
        house.loop.advance(1)
        many = house.endpoints(1000, lambda: FINE)
        for each in many:
            each.send(1000)
        house.loop.advance(20)  # until all of them are proven
        assert max(each.waits_s[0] for each in many) < 1000 / 32 * 0.05 + 0.1
        for each in [huge, *many]:
            each.waits_s.clear()
        house.loop.advance(10)
        started = [len(each.waits_s) for each in many]
        assert min(started) >= 10
        assert max(started) <= 1.5 * min(started)
        assert len(huge.waits_s) <= 1.5 * min(started)


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10_000),
    prompt=st.integers(1, 8),
    late=st.integers(1, 12),
    counts=st.tuples(*[st.integers(0, 8)] * 4),
)
def test_late_attempts_leave_their_prompt_slots_while_there_is_a_late_one(
    seed: int, prompt: int, late: int, counts: tuple[int, int, int, int]
) -> None:
    """At each moment of any mixture; those of proven endpoints have half of the late ones alone.

    And no slot is ever lost: at the end everything was sent, and all slots are free.
    """
    chance = random.Random(seed)
    with a_house(prompt=prompt, late=late) as house:
        answers: list[Callable[[], Answer]] = [
            lambda: FINE,
            lambda: HANGS,
            lambda: (chance.uniform(0.5, 4), chance.random() < 0.7),
            lambda: chance.choice((FINE, HANGS, SLOW, (0.01, False))),
        ]
        everyone = [
            each
            for count, answer in zip(counts, answers, strict=True)
            for each in house.endpoints(count, answer)
        ]

        def look() -> None:
            pools, held = house.slots, [slot for each in everyone for slot in each.slots]
            prompt_held = sum(slot.prompt for slot in held)
            assert prompt_held <= pools.prompt.held <= prompt
            assert len(held) - prompt_held <= pools.late.held <= late
            stuck = [slot for slot in held if slot.prompt and slot.late]
            proven = sum(not slot.half for slot in held if not slot.prompt)
            if any(not slot.half for slot in stuck):
                assert pools.late.held == late
                assert proven >= late - max(1, late // 2)

        house.look = look
        for _ in range(6):
            for each in everyone:
                each.send(chance.choice((0, 1, 5, 30)))
            house.loop.advance(chance.choice((0.3, 1.0, 7.0, 40.0)))
        house.loop.advance(100_000)
        assert not any(each.waiting for each in everyone)
        assert (house.slots.prompt.held, house.slots.late.held) == (0, 0)
        assert (house.slots.prompt.waiting, house.slots.late.waiting) == (0, 0)
