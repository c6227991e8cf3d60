"""When a machine dies: tied to what it does to its disk, not to a moment."""

import random
from enum import StrEnum

import msgspec

__all__ = ["CrashPoint", "Moment"]


class Moment(StrEnum):
    """When a machine dies, seen from a commit."""

    BEFORE = "before"
    """Nothing of it is written."""
    WITHIN = "within"
    """A part of it is written."""
    AFTER = "after"
    """It is written, and synced if it was to be; nobody was told."""
    CHECKPOINT = "checkpoint"
    """It is written, and the log is half way into the database file."""


_WEIGHTS = {Moment.BEFORE: 2, Moment.WITHIN: 2, Moment.AFTER: 5, Moment.CHECKPOINT: 1}
"""Most harm is done right after."""


class CrashPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A death that was ordered."""

    at: int
    """Which commit, or which operation, counted from the beginning of the world."""
    power_loss: bool
    """Whether the machine loses power, or only the process ends."""
    moment: Moment

    @staticmethod
    def draw(chance: random.Random) -> Moment:
        """Return a moment, by chance."""
        (moment,) = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
        return moment
