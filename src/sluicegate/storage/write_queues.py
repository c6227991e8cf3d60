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
    at_once: bool = True
    """Its end is told in the turn in which it is known."""


class WriteQueues:
    """Three queues, each in order.

    Attributes:
        urgent: commands, and the results of attempts that hold others up. In one queue: what an
            actor wrote before a command must not be written after it.
        patient: what nobody waits for.
        appends: sends.
        has_command: a command has come since the last batch was taken; it may have been refused.
        patience_is_over: the next commit takes what nobody waits for, too.
        with_command: there is a command in the batch that was taken last.
        for_command: that batch is a command's, and left all others waiting.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self.urgent: deque[Queued] = deque()
        self.patient: deque[Queued] = deque()
        self.appends: deque[Queued] = deque()
        self.has_command = False
        self.patience_is_over = False
        self.with_command = False
        self.for_command = False

    @property
    def is_pressing(self) -> bool:
        """Whether something waits for more than its turn."""
        return bool(self.urgent) or self.patience_is_over

    def take_batch(self) -> list[Queued]:
        """Take the writes of the next commit off the queues; none only when none is due.

        What is urgent has a commit of its own if there is a command among it, but not two before
        the others have had theirs.
        """
        self.with_command = self.has_command and bool(self.urgent)
        self.for_command = self.with_command and not self.for_command
        self.has_command = False
        if self.for_command:
            queues = [self.urgent]
        elif self.is_pressing:
            queues = [self.urgent, self.patient, self.appends]
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
        for queue in (self.urgent, self.patient, self.appends):
            batch += queue
            queue.clear()
        self.has_command = False
        return batch
