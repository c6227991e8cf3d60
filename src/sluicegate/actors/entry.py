"""What the directory knows of an endpoint that is in memory."""

from sluicegate.actors.outstanding import Outstanding
from sluicegate.actors.supervision import Restarts
from sluicegate.engine.model import Arrivals

__all__ = ["Entry"]


class Entry:
    """An endpoint that has an actor, or had one that crashed."""

    __slots__ = ("arrivals", "asking", "hinted", "look", "outstanding", "restarts")

    def __init__(self, outstanding: Outstanding) -> None:
        self.outstanding = outstanding
        self.arrivals: Arrivals | None = None
        """What was accepted and the actor has not heard of."""
        self.look = False
        """There may be more than that: the actor must look in storage."""
        self.hinted = False
        """A hint is in the mailbox: another would say nothing new."""
        self.asking = 0
        """Commands that are not answered yet."""
        self.restarts: Restarts | None = None
        """Set by the first crash."""

    def hear(self, arrivals: Arrivals | None, messages_max: int) -> None:
        """Keep what was accepted, as long as it is without a gap and not too much."""
        before = self.arrivals
        if arrivals is None or len(arrivals.messages) > messages_max:
            self.look = True
        elif before is None:
            self.arrivals = Arrivals(arrivals.after_seq, list(arrivals.messages))
        elif (
            before.messages[-1].seq == arrivals.after_seq
            and len(before.messages) + len(arrivals.messages) <= messages_max
        ):
            before.messages.extend(arrivals.messages)
        else:
            self.look = True
        if self.look:
            self.arrivals = None

    def take(self) -> tuple[Arrivals | None, bool]:
        """Return what was heard since the last time, and whether to look in storage."""
        heard = self.arrivals, self.look
        self.arrivals, self.look = None, False
        return heard
