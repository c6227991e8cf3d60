"""The process-wide caps on attempts in flight, and who may use which of them.

Theory of operation
===================

A receiver that does not answer holds its slot until the time limit, thousands of times as long as
one that does. So there are two pools. An attempt that takes longer than a second is *late* (and
ten times as long as the loop is behind, if it is: that is our doing, not the receiver's):

- *prompt* slots are for attempts that are not late. One that becomes late moves to a late slot, as
  soon as there is one, and what it leaves is free for others;
- *late* slots are also where the attempts of an endpoint start that has not *earned* prompt ones,
  or that has a late attempt in flight.

What an endpoint has earned is how many prompt slots it may hold. It begins with one, or with none
if its last attempt failed. Each attempt that ends in time earns it one more, whatever it came to:
it did not hold anybody up. Each that becomes late in a prompt slot halves what was earned, and a
late one that fails takes all of it. An endpoint is *proven* while it has earned eight.

Half of each pool is out of reach for all that is not proven: unproven endpoints hold at most half
of the prompt slots, and their late attempts, together with all that started in a late slot, at
most half of the late slots. So this holds:

    A proven endpoint none of whose own attempts is late waits for nothing but attempts that are
    not late, unless so many attempts of endpoints that were proven are late, all at once, that
    they fill what is left of the late slots: half of them at least.

A receiver that turns bad holds what it had earned for one time limit, and then nothing of it.

Beyond what it has earned an endpoint has as many attempts in flight as its configuration allows,
once one has succeeded. While its attempts hang and fail, it has one at a time.
"""

from collections.abc import Callable

from sluicegate.actors.pool import Pool
from sluicegate.actors.timer import OneTimer
from sluicegate.engine.ports import Clock
from sluicegate.engine.settings import Settings

__all__ = ["LATE_AFTER_S", "Slot", "Slots", "Turn"]

LATE_AFTER_S = 1.0
"""How long an attempt may take before it is late."""

_TURNS_OF_AN_ATTEMPT = 10
"""So many turns of the loop an attempt may need: in a process that is behind with its own work,
what takes long is not the receiver's doing."""
_PROVEN = 8
"""So much earned says that a receiver answers in time."""
_EARNED_MAX = 16
"""At least so much can be earned, so that one late attempt does not take all proof."""


class Slots:
    """Both pools, and the attempts that are not late. Used on the event loop only."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        """Create free slots: `in_flight_max` prompt ones, `in_flight_late_max` late ones.

        Args:
            settings: where these two stand.
            clock: how long an attempt takes is measured by its monotonic clock, the loop's.
        """
        self.prompt = Pool(settings.in_flight_max)
        self.late = Pool(settings.in_flight_late_max)
        self.now_s = clock.monotonic_s
        self._in_time: dict[Slot, None] = {}
        """In the order of their starts, which is that in which they become late."""
        self._timer = OneTimer(self._look)
        self._look_at_s = 0.0
        """What the timer is set to."""

    def begin(self, slot: "Slot") -> None:
        """An attempt begins."""
        if not self._in_time:
            self._look_at(slot.since_s + LATE_AFTER_S)
        self._in_time[slot] = None

    def end(self, slot: "Slot") -> None:
        """An attempt ends that is not late."""
        del self._in_time[slot]

    def _look_at(self, moment_s: float) -> None:
        self._look_at_s = moment_s
        self._timer.set(moment_s)

    def _look(self) -> None:
        now_s = self.now_s()
        behind_s = max(0.0, now_s - self._look_at_s)
        after_s = LATE_AFTER_S + _TURNS_OF_AN_ATTEMPT * behind_s
        while self._in_time:
            slot = next(iter(self._in_time))
            late_s = slot.since_s + after_s
            if late_s > now_s:  # summed up as for the timer: else rounding could make it spin
                self._look_at(late_s)
                return
            del self._in_time[slot]
            slot.become_late()


class Turn:
    """One endpoint's place at the slots: what it has earned, holds, waits for and was granted."""

    __slots__ = (
        "_answered",
        "_earned",
        "_grant",
        "_granted",
        "_half",
        "_late",
        "_line",
        "_narrow",
        "_prompt",
        "_slots",
    )

    def __init__(self, slots: Slots, grant: Callable[[], object]) -> None:
        """Take part; `grant` is called when its turn comes, or when it should ask again."""
        self._slots = slots
        self._grant = grant
        self._earned = 1
        self._prompt = 0
        """How many attempts it has in prompt slots that are not late."""
        self._late = 0
        """How many of its attempts are late."""
        self._answered = False
        """An attempt has succeeded, and no late one has failed since."""
        self._narrow = False
        """Its width was less than the endpoint's configuration allows, when last asked for."""
        self._granted: Slot | None = None
        self._line: Pool | None = None
        """Where it stands in line."""
        self._half = True
        """As what it stands there."""

    def distrust(self) -> None:
        """Nothing is earned: its last attempt is known to have failed."""
        self._earned = 0

    def width(self, in_flight_max: int) -> int:
        """Return how many attempts it may have in flight, of `in_flight_max` (at least 1)."""
        width = in_flight_max if self._answered else min(in_flight_max, max(1, self._earned))
        self._narrow = width < in_flight_max
        return width

    @property
    def held_back(self) -> bool:
        """Whether the end of an attempt may let another one start at once, by what it shows."""
        return self._narrow or self._line is not None

    @property
    def waits(self) -> bool:
        """Whether it stands in line."""
        return self._line is not None

    def take(self) -> "Slot | None":
        """Take a slot, or stand in line."""
        if (granted := self._granted) is not None:
            self._granted = None
            return granted
        pool, half = self._wanted()
        if self._line is not None:
            if self._line is pool and self._half == half:
                return None
            self._leave_line()
        if pool.try_take(self, self._on_grant, half=half):
            return self._slot(pool, half=half)
        self._line, self._half = pool, half
        return None

    def give_back(self) -> None:
        """Give back what was granted and is not wanted."""
        if (granted := self._granted) is not None:
            self._granted = None
            granted.end()

    def leave(self) -> None:
        """Leave the line, and give back what was granted."""
        self._leave_line()
        self.give_back()

    def _leave_line(self) -> None:
        if self._line is not None:
            self._line.leave(self)
            self._line = None

    def _wanted(self) -> tuple[Pool, bool]:
        """Return the pool for the next attempt, and whether it may have but half of it."""
        if self._prompt < self._earned and not self._late:
            return self._slots.prompt, self._earned < _PROVEN
        return self._slots.late, True

    def _on_grant(self) -> None:
        assert self._line is not None
        pool, self._line = self._line, None
        self._granted = self._slot(pool, half=self._half)
        self._grant()

    def _slot(self, pool: Pool, *, half: bool) -> "Slot":
        slots = self._slots
        prompt = pool is slots.prompt
        self._prompt += prompt
        slot = Slot(self, slots, prompt=prompt, half=half)
        slots.begin(slot)
        return slot

    # -- what its slots tell --------------------------------------------------------------------

    def became_late(self, *, prompt: bool) -> None:
        """One of its attempts is late now; in a prompt slot, where it was not expected?"""
        self._late += 1
        if prompt:
            self._prompt -= 1
            self._earned //= 2
        if self._line is not None and (self._line, self._half) != self._wanted():
            self._leave_line()
            self._grant()

    def ended(self, *, prompt: bool, late: bool) -> None:
        """One of its attempts has ended, or was not made; late, or else in a prompt slot?"""
        self._late -= late
        self._prompt -= prompt and not late

    def learn(self, *, late: bool, succeeded: bool, in_flight_max: int) -> None:
        """Judge the endpoint by an attempt that has ended.

        Args:
            late: it was late.
            succeeded: the receiver took the message.
            in_flight_max: of the endpoint; it cannot earn more (but always 16).
        """
        if succeeded:
            self._answered = True
        elif late:
            self._earned, self._answered = 0, False
        if not late and self._earned < max(_EARNED_MAX, in_flight_max):
            self._earned += 1


class Slot:
    """The right to have one attempt in flight. Used on the event loop only."""

    __slots__ = ("_slots", "_turn", "half", "late", "prompt", "since_s")

    def __init__(self, turn: Turn, slots: Slots, *, prompt: bool, half: bool) -> None:
        """Hold a slot, which was taken from its pool with `half`, from now on."""
        self._turn = turn
        self._slots = slots
        self.prompt = prompt
        """It is a prompt slot, and not a late one."""
        self.half = half
        """It was taken as one of those that may have but half of the pool."""
        self.late = False
        """The attempt has taken too long."""
        self.since_s = slots.now_s()
        """When it was taken, on the monotonic clock."""

    def become_late(self) -> None:
        """Move to a late slot, as soon as there is one: the attempt takes too long for this."""
        self.late = True
        self._turn.became_late(prompt=self.prompt)
        if self.prompt and self._slots.late.try_take(self, self._move, half=self.half):
            self._move()

    def _move(self) -> None:
        self.prompt = False
        self._slots.prompt.release(half=self.half)

    def end(self) -> None:
        """Give it back; nothing is learned of the receiver."""
        slots = self._slots
        self._turn.ended(prompt=self.prompt, late=self.late)
        if not self.late:
            slots.end(self)
        elif self.prompt:
            slots.late.leave(self)
        (slots.prompt if self.prompt else slots.late).release(half=self.half)

    def end_attempt(self, *, succeeded: bool, in_flight_max: int) -> None:
        """Give it back after an attempt, by which the endpoint is judged.

        Args:
            succeeded: the receiver took the message.
            in_flight_max: of the endpoint.
        """
        # The timer may not have said so yet of one that has met a time limit of a second.
        late = self.late or not (succeeded or self._slots.now_s() - self.since_s < LATE_AFTER_S)
        self._turn.learn(late=late, succeeded=succeeded, in_flight_max=in_flight_max)
        self.end()
