"""What waits to be committed, and what of it the next commit takes."""

import asyncio
from collections import deque
from typing import Any

import msgspec

from sluicegate.storage.writes import Write

__all__ = ["Queued", "WriteQueues"]

_BATCH_ROWS_MAX = 1_000
_BATCH_BYTES_MAX = 16 << 20


class Queued(msgspec.Struct, frozen=True):
    """A write and the future of whoever waits for it."""

    write: Write[Any]
    future: asyncio.Future[Any]
    rows: int = 1
    """How many messages it takes on, or one."""
    size_bytes: int = 0
    """How much memory these hold."""
    urgent: bool = True
    """Its end is told at once."""


class WriteQueues:
    """Four queues, each in order.

    Attributes:
        commands: somebody waits for each, and for nothing else.
        urgent: the results of attempts that hold others up.
        patient: what nobody waits for.
        appends: sends.
        patience_is_over: the next commit takes what nobody waits for, too.
        commands_alone: the batch that was taken last is one of commands, and left all others
            waiting.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self.commands: deque[Queued] = deque()
        self.urgent: deque[Queued] = deque()
        self.patient: deque[Queued] = deque()
        self.appends: deque[Queued] = deque()
        self.patience_is_over = False
        self.commands_alone = False

    @property
    def is_pressing(self) -> bool:
        """Whether something waits for more than its turn."""
        return bool(self.commands or self.urgent) or self.patience_is_over

    def take_batch(self) -> list[Queued]:
        """Take the writes of the next commit off the queues; none only when none is due.

        Commands have a commit of their own, but not two before the others have had theirs.
        """
        self.commands_alone = bool(self.commands) and not self.commands_alone
        if self.commands_alone:
            queues = [self.commands]
        elif self.is_pressing:
            queues = [self.commands, self.urgent, self.patient, self.appends]
        else:
            queues = [self.appends]
        batch: list[Queued] = []
        rows = size_bytes = 0
        for queue in queues:
            while queue and rows < _BATCH_ROWS_MAX and size_bytes < _BATCH_BYTES_MAX:
                queued = queue.popleft()
                rows += queued.rows
                size_bytes += queued.size_bytes
                batch.append(queued)
        if not self.patient:
            self.patience_is_over = False
        return batch

    def take_all(self) -> list[Queued]:
        """Take everything off the queues."""
        batch: list[Queued] = []
        for queue in (self.commands, self.urgent, self.patient, self.appends):
            batch += queue
            queue.clear()
        return batch
