"""What happened in a demo, and whether it is what was promised.

Everything here is computed from what the sender and the receiver saw; nothing asks the engine.
"""

import msgspec

from sluicegate.cli.demo.receiver import Arrival

__all__ = ["Check", "Story"]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One promise and whether it was kept."""

    promise: str
    seen: str
    is_kept: bool


class Story(msgspec.Struct, kw_only=True):
    """The facts of one demo, as they come in. Moments are on the loop's clock, in seconds."""

    arrivals: list[Arrival]
    """The receiver's own list."""
    accepted: list[str] = []
    """Ids of the messages that were answered with 202, in that order; number 1 first."""
    begun: int = 0
    """How many sends were begun; the last one may not be answered yet."""
    begun_at_pause: int = 0
    """How many of them when the pause was answered."""
    pause_answered_at_s: float | None = None
    pause_took_s: float = 0.0
    resume_asked_at_s: float | None = None
    resume_took_s: float = 0.0
    held_at_resume: int = 0
    """Accepted and not arrived, when the resume was asked for."""
    requeued: int = 0
    """What the resume answered."""

    @property
    def delivered(self) -> int:
        """How many messages arrived, each counted once."""
        return len({each.message_id for each in self.arrivals})

    @property
    def waiting(self) -> int:
        """How many were accepted and have not arrived."""
        return len(self.accepted) - self.delivered

    def checks(self) -> list[Check]:
        """Judge the whole story, once it is over."""
        arrived = [each.message_id for each in self.arrivals]
        numbers = [each.number for each in self.arrivals]
        signed = sum(each.is_signed for each in self.arrivals)
        before, meanwhile, early = self._around_the_pause()
        return [
            Check(
                promise="messages flow before the pause",
                seen=f"{before} arrived",
                is_kept=before > 0,
            ),
            Check(
                # One message is in flight at a time, for the endpoint is ordered; that one may
                # finish. Whatever was sent under the pause must not have arrived at all.
                promise="no attempt starts while paused",
                seen=f"{meanwhile} arrived that was in flight, {early} that were sent meanwhile",
                is_kept=meanwhile <= 1 and early == 0,
            ),
            Check(
                promise="the resume requeues what was held",
                seen=f"{self.requeued} requeued, {self.held_at_resume} held",
                is_kept=self.requeued == self.held_at_resume > 0,
            ),
            Check(
                promise="everything accepted is delivered",
                seen=f"{self.delivered} of {len(self.accepted)}",
                is_kept=set(arrived) == set(self.accepted) and bool(self.accepted),
            ),
            Check(
                promise="nothing is delivered twice",
                seen=f"{len(arrived) - self.delivered} duplicates",
                is_kept=len(arrived) == self.delivered,
            ),
            Check(
                promise="the order is that of acceptance",
                seen="in order" if numbers == sorted(numbers) else "out of order",
                is_kept=arrived == self.accepted and numbers == sorted(numbers),
            ),
            Check(
                promise="every signature verifies",
                seen=f"{signed} of {len(self.arrivals)}",
                is_kept=signed == len(self.arrivals) > 0,
            ),
        ]

    def _around_the_pause(self) -> tuple[int, int, int]:
        """Count arrivals before and during the pause, and those of them sent during it."""
        if self.pause_answered_at_s is None or self.resume_asked_at_s is None:
            return len(self.arrivals), 0, 0
        before = sum(each.at_s < self.pause_answered_at_s for each in self.arrivals)
        meanwhile = [
            each
            for each in self.arrivals
            if self.pause_answered_at_s <= each.at_s < self.resume_asked_at_s
        ]
        early = sum(each.number > self.begun_at_pause for each in meanwhile)
        return before, len(meanwhile), early
