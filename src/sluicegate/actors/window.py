"""The part of an endpoint's backlog that is in memory: the heads of its three orders.

Theory of operation
===================

A backlog may hold a million rows; an actor holds at most a window's worth of each order that
it needs, and fetches on. The orders are

- *queued*: untried messages by `seq` (acceptance);
- *due*: scheduled retries by the moment they are due;
- *in order*: retries by `seq`. Normally only those that a resume made due (they were scheduled
  under a lower `release_no`); in strict mode (ordered endpoints, open circuit) all of them.

A row may stand in *due* and *in order* at once; taking it removes it from both. *queued* and
*in order* are read behind a cursor, so nothing is read twice. Rows that are in flight, or were
touched while a read was under way, are dropped from that read's result: it may be older than
they are. What is put back during a read is placed when the read has ended, and a hint that
arrives during a read marks its order as *having more*, so nothing is missed either.

While storage holds nothing behind the head of *queued*, what is accepted need not be read: it
comes with the hint, and the cursor goes along. A hint that was lost shows as a gap, and is read.
"""

from collections.abc import Container

import msgspec

from sluicegate.actors.order import Order, by_due, by_seq
from sluicegate.actors.payload_room import PayloadRoom
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import Arrivals, WaitingMessage
from sluicegate.engine.ports import Head

__all__ = ["NotLoaded", "Wants", "Window"]


class Wants(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What to read next; `None` for an order that needs nothing."""

    reset_no: int
    limit: int
    queued_after: int | None
    due_limit: int | None
    in_order_after: int | None
    below_release_no: int | None


class NotLoaded:
    """The answer of `Window.next` when the head is not in memory."""


_NOT_LOADED = NotLoaded()


class Window:
    """The heads of one endpoint's backlog. Pure memory: it says what it wants to be read."""

    __slots__ = (
        "_due",
        "_in_order",
        "_late",
        "_queued",
        "_release_no",
        "_reset_no",
        "_seen",
        "_size",
        "_strict",
        "_touched",
        "_urgent",
    )

    def __init__(self, size: int, room: PayloadRoom) -> None:
        """Start empty, knowing nothing of what is stored.

        Args:
            size: how many rows an order holds, at least 1.
            room: where payloads are, until `close`.
        """
        self._size = size
        self._reset_no = 0
        self._seen = 0
        """Up to which `seq` queued messages were read before the last reset: a hint that is as old
        may bring some that have been delivered since."""
        self._strict = False
        self._release_no = 0
        self._touched: set[int] | None = None
        """Rows that changed during the read that is under way."""
        self._late: list[WaitingMessage] | None = None
        """Rows to place once that read has ended."""
        self._urgent: WaitingMessage | None = None
        """Somebody asked for an attempt of this one: first of all in strict mode."""
        self._queued = Order(more=True, room=room)
        self._due = Order(more=True, room=room)
        self._in_order = Order(more=False, room=room)

    def close(self) -> None:
        """Give up the room of every payload: the window is not used any more."""
        for order in (self._queued, self._due, self._in_order):
            order.clear()

    def reset(self) -> None:
        """Forget every row; all is read anew."""
        self._reset_no += 1
        self._seen = max(self._seen, self._queued.cursor)
        self._urgent = None
        for order in (self._queued, self._due, self._in_order):
            order.clear()
            order.cursor = 0
            order.expect_more()
        if not self._strict and self._release_no == 0:
            self._in_order.more = False

    def set_mode(self, *, strict: bool, release_no: int) -> None:
        """Say whether rows must be taken strictly by `seq`, and which retries are released."""
        if strict == self._strict and release_no == self._release_no:
            return
        self._strict, self._release_no = strict, release_no
        self._urgent = self._urgent if strict else None
        order = self._in_order
        order.clear()
        order.cursor = 0
        order.more = strict or release_no > 0
        order.stale = True

    def expect_more(self) -> None:
        """A hint came: new messages may be queued behind the cursor."""
        self._queued.expect_more()

    def add(self, arrivals: Arrivals) -> bool:
        """Take in what was accepted, in place of a read.

        Returns:
            `False` if it must be read all the same: it is not known to be all that is behind
            the cursor, or the rows would be too many.
        """
        queued = self._queued
        known = arrivals.after_seq is not None and arrivals.after_seq <= queued.cursor
        known = known and arrivals.messages[0].seq > self._seen
        if not known or queued.more or len(queued.rows) + len(arrivals.messages) > 2 * self._size:
            return False
        # A read may have been quicker than the hint.
        rows = [row for row in arrivals.messages if row.seq > queued.cursor]
        if rows:
            queued.add_all(rows, by_seq)
            queued.cursor = rows[-1].seq
        return True

    # -- choosing ---------------------------------------------------------------------------

    def next(self, now_ms: int) -> WaitingMessage | NotLoaded | int | None:
        """Return what may start now; or the moment when something will; or `None`: nothing waits.

        Args:
            now_ms: the steady clock.
        """
        queued, in_order = self._queued, self._in_order
        if self._late or queued.unread or in_order.unread:
            return _NOT_LOADED
        best = queued.rows[0] if queued.rows else None
        if in_order.rows and (best is None or in_order.rows[0].seq < best.seq):
            best = in_order.rows[0]
        return self._first(best, now_ms) if self._strict else self._earliest(best, now_ms)

    def _first(self, best: WaitingMessage | None, now_ms: int) -> WaitingMessage | int | None:
        """Choose in strict mode; `best` is the first by `seq`."""
        if self._urgent is not None:
            return self._urgent
        if best is None or best.status is MessageStatus.QUEUED or self._is_due(best, now_ms):
            return best
        return best.next_attempt_at_ms

    def _earliest(
        self, best: WaitingMessage | None, now_ms: int
    ) -> WaitingMessage | NotLoaded | int | None:
        """Choose among all that is due; `best` is the first by `seq` of what always is."""
        due = self._due
        if due.unread:
            return _NOT_LOADED
        for row in due.rows:
            if (row.next_attempt_at_ms or 0) > now_ms:
                break
            if best is None or row.seq < best.seq:
                best = row
        if best is None and due.rows:
            return due.rows[0].next_attempt_at_ms
        return best

    def _is_due(self, row: WaitingMessage, now_ms: int) -> bool:
        return row.release_no < self._release_no or (row.next_attempt_at_ms or 0) <= now_ms

    def take(self, message: WaitingMessage) -> None:
        """Remove a message: its attempt starts."""
        if self._touched is not None:
            self._touched.add(message.seq)
        if self._urgent is not None and self._urgent.seq == message.seq:
            self._urgent = None
        if message.status is MessageStatus.QUEUED:
            self._queued.remove(message.seq)
        else:
            self._due.remove(message.seq)
            self._in_order.remove(message.seq)

    def drop(self, seq: int) -> None:
        """Forget a message that was changed: it does not wait any more, or otherwise than here."""
        if self._touched is not None:
            self._touched.add(seq)
        if self._late:
            self._late = [message for message in self._late if message.seq != seq]
        if self._urgent is not None and self._urgent.seq == seq:
            self._urgent = None
        for order in (self._queued, self._due, self._in_order):
            order.remove(seq)

    def put(self, message: WaitingMessage, *, urgent: bool) -> None:
        """Add a message as it was just made durable.

        Args:
            message: what waits; `drop` was called for it.
            urgent: let it go before all others, where they go one at a time.
        """
        self._put(message)
        if urgent and self._strict:
            self._urgent = message

    def settle(self, message: WaitingMessage) -> None:
        """Note that an attempt's result is durable: a read under way may show the row as before."""
        if self._touched is not None:
            self._touched.add(message.seq)

    def give_back(self, message: WaitingMessage) -> None:
        """Put a message back that was taken, unchanged: nothing was sent."""
        self._put(message)

    def add_retry(self, message: WaitingMessage) -> None:
        """Add a retry that was just made durable."""
        self._put(message)

    def _put(self, message: WaitingMessage) -> None:
        if self._touched is not None and self._late is not None:
            # The read under way may move the cursors, and bring the row as it was before.
            self._touched.add(message.seq)
            self._late.append(message)
            return
        if message.status is MessageStatus.QUEUED:
            self._put_by_seq(self._queued, message)
            return
        due = self._due
        if not due.more or (due.rows and by_due(message) < by_due(due.rows[-1])):
            due.add(message, by_due)
            if len(due.rows) > 2 * self._size:
                due.cut(self._size)
        if self._strict or message.release_no < self._release_no:
            self._put_by_seq(self._in_order, message)

    def _put_by_seq(self, order: Order, message: WaitingMessage) -> None:
        if order.more and message.seq > order.cursor:
            return  # a read will bring it
        order.add(message, by_seq)
        if len(order.rows) > 2 * self._size:
            order.cut(self._size)
            order.cursor = order.rows[-1].seq

    # -- reading ----------------------------------------------------------------------------

    def begin_with(self, head: Head) -> None:
        """Take in what was read before anything else."""
        queued, due = self._queued, self._due
        if head.queued:
            queued.add_all(head.queued, by_seq)
        if head.due:
            due.add_all(head.due, by_due)
        queued.more, due.more = len(head.queued) >= head.limit, len(head.due) >= head.limit
        queued.cursor = head.queued[-1].seq if head.queued else 0

    def begin_read(self, *, flying: int) -> Wants | None:
        """Return what to read now, or `None`. `end_read` must follow before the next.

        Args:
            flying: how many messages are in flight. Retries are read without a cursor, and
                those in flight are still among them: so many more must be read to see any other.
        """
        if self._touched is not None:
            return None
        low = self._size // 2
        queued, due, in_order = self._queued, self._due, self._in_order
        want_queued = queued.more and len(queued.rows) <= low
        want_due = due.more and not due.rows and not self._strict
        want_in_order = in_order.more and len(in_order.rows) <= low
        if not (want_queued or want_due or want_in_order):
            return None
        self._touched, self._late = set(), []
        queued.stale = due.stale = in_order.stale = False
        return Wants(
            reset_no=self._reset_no,
            limit=self._size,
            queued_after=queued.cursor if want_queued else None,
            due_limit=self._size + flying if want_due else None,
            in_order_after=in_order.cursor if want_in_order else None,
            below_release_no=None if self._strict else self._release_no,
        )

    def end_read(
        self,
        wants: Wants,
        *,
        queued: list[WaitingMessage] | None,
        due: list[WaitingMessage] | None,
        in_order: list[WaitingMessage] | None,
        flying: Container[int],
    ) -> None:
        """Take in what was read.

        Args:
            wants: what `begin_read` asked for.
            queued: rows, or `None` if not asked for (or the read failed).
            due: likewise.
            in_order: likewise.
            flying: `seq` of every message in flight.
        """
        touched, self._touched = self._touched or set(), None
        late, self._late = self._late or [], None
        if wants.reset_no != self._reset_no:
            return
        if queued is not None:
            self._extend(self._queued, queued, touched, flying)
        below = None if self._strict else self._release_no
        if in_order is not None and wants.below_release_no == below:
            self._extend(self._in_order, in_order, touched, flying)
        if due is not None and wants.due_limit is not None:
            order = self._due
            order.join(due, by_due, without=touched, flying=flying)
            order.more = len(due) >= wants.due_limit or order.stale
        for message in late:
            self._put(message)

    def _extend(
        self,
        order: Order,
        rows: list[WaitingMessage],
        touched: Container[int],
        flying: Container[int],
    ) -> None:
        order.more = len(rows) >= self._size or order.stale
        if rows:
            order.cursor = rows[-1].seq
        # What was put here while nothing more was stored may stand behind the cursor, too.
        order.join(rows, by_seq, without=touched, flying=flying)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits, here or in storage."""
        orders = (self._queued, self._due, self._in_order)
        return not self._late and not any(order.rows or order.more for order in orders)

    @property
    def rows(self) -> int:
        """How many rows are in memory."""
        return sum(len(order.rows) for order in (self._queued, self._due, self._in_order))
