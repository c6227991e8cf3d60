"""The window shows the head of a backlog truthfully, whatever happens while it is read."""

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sluicegate.actors.payload_room import PayloadRoom
from sluicegate.actors.window import NotLoaded, Wants, Window
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import Arrivals, WaitingMessage

SIZE = 2
ROOM_BYTES = 64
"""For a payload of 8 bytes at the most, and less when others are there."""


def queued(seq: int) -> WaitingMessage:
    return WaitingMessage(
        seq=seq,
        id=f"m{seq}",
        status=MessageStatus.QUEUED,
        accepted_at_ms=0,
        next_attempt_at_ms=None,
        release_no=0,
        attempt_count=0,
        cycle_attempts=0,
        fast_retries=0,
        headers={},
        payload=b"1234567890"[: 1 + seq % 9],
    )


class WindowAgainstStorage(RuleBasedStateMachine):
    """Drive a window as an actor does, with reads that may be older than what they bring."""

    def __init__(self) -> None:
        super().__init__()
        self.room = PayloadRoom(ROOM_BYTES)
        self.window = Window(SIZE, self.room)
        self.rows: dict[int, WaitingMessage] = {}
        self.flying: dict[int, WaitingMessage] = {}
        self.settled: dict[int, WaitingMessage | None] = {}
        self.changed: dict[int, WaitingMessage | None] = {}
        """Durable, but not yet told; until then such a message is not started."""
        self.urgent: int | None = None
        self.wants: Wants | None = None
        self.answer: dict[str, list[WaitingMessage] | None] | None = None
        self.now_ms = 1000
        self.release_no = 0
        self.strict = False
        self.last_seq = 0
        self.arrivals: Arrivals | None = None
        self.look = False
        self.window.set_mode(strict=False, release_no=0)

    # -- clients ------------------------------------------------------------------------------

    @rule(count=st.integers(1, 5), lost=st.booleans())
    def messages_are_accepted(self, count: int, *, lost: bool) -> None:
        after_seq = self.last_seq
        self.last_seq += count
        fresh = [queued(seq) for seq in range(after_seq + 1, self.last_seq + 1)]
        self.rows |= {row.seq: row for row in fresh}
        if lost or self.look:  # then the next hint tells, or the end
            self.look = True
        elif self.arrivals is None:
            self.arrivals = Arrivals(after_seq, fresh)
        else:
            self.arrivals.messages.extend(fresh)

    @rule()
    def a_hint_is_taken(self) -> None:
        """What was accepted comes with it, or only word that there is something."""
        arrivals, self.arrivals = self.arrivals, None
        if arrivals is not None and not self.window.add(arrivals):
            self.look = True
        if self.look:
            self.window.expect_more()
            self.look = False

    @rule()
    def the_endpoint_is_paused_and_resumed(self) -> None:
        self.window.reset()
        self.urgent = None
        self.release_no += 1
        self.window.set_mode(strict=self.strict, release_no=self.release_no)

    @rule()
    def the_mode_changes(self) -> None:
        self.strict = not self.strict
        self.urgent = None
        self.window.set_mode(strict=self.strict, release_no=self.release_no)

    @rule(ms=st.integers(1, 60))
    def time_passes(self, ms: int) -> None:
        self.now_ms += ms

    # -- reads --------------------------------------------------------------------------------

    @precondition(lambda self: self.wants is None)
    @rule()
    def a_read_begins(self) -> None:
        self.wants = self.window.begin_read(flying=len(self.flying))

    @precondition(lambda self: self.wants is not None and self.answer is None)
    @rule()
    def storage_answers_a_read(self) -> None:
        wants = self.wants
        assert wants is not None
        rows = [self.rows[seq] for seq in sorted(self.rows)]
        retries = [row for row in rows if row.status is MessageStatus.PENDING_RETRY]
        self.answer = {"queued": None, "due": None, "in_order": None}
        if wants.queued_after is not None:
            self.answer["queued"] = [
                row
                for row in rows
                if row.status is MessageStatus.QUEUED and row.seq > wants.queued_after
            ][:SIZE]
        if wants.due_limit is not None:
            by_due = sorted(retries, key=lambda row: (row.next_attempt_at_ms or 0, row.seq))
            self.answer["due"] = by_due[: wants.due_limit]
        if wants.in_order_after is not None:
            below = wants.below_release_no
            self.answer["in_order"] = [
                row
                for row in retries
                if row.seq > wants.in_order_after and (below is None or row.release_no < below)
            ][:SIZE]

    @precondition(lambda self: self.answer is not None)
    @rule()
    def a_read_ends(self) -> None:
        assert self.wants is not None
        assert self.answer is not None
        self.window.end_read(self.wants, **self.answer, flying=self.flying)
        self.wants = self.answer = None

    # -- attempts -----------------------------------------------------------------------------

    @rule()
    def an_attempt_starts(self) -> None:
        found = self.window.next(self.now_ms)
        if not isinstance(found, WaitingMessage) or found.seq in self.changed:
            return
        assert found.seq in self.rows, "a message that no longer waits"
        row = self.rows[found.seq]
        assert found in (row, msgspec.structs.replace(row, payload=None)), "as it was before"
        assert found.seq not in self.flying, "a message twice in flight"
        waiting = [row for seq, row in self.rows.items() if seq not in self.flying]
        if self.strict:
            oldest = min(row.seq for row in waiting if row.seq not in self.changed)
            assert found.seq in (self.urgent, oldest), "not the oldest"
            if self.flying:
                return
        else:
            ready = [
                row.seq
                for row in waiting
                if row.seq not in self.changed
                and (row.status is MessageStatus.QUEUED or row.release_no < self.release_no)
            ]
            assert not ready or found.seq <= min(ready), "out of acceptance order"
        assert self.is_due(found), "too early"
        self.urgent = None if self.urgent == found.seq else self.urgent
        self.window.take(found)
        self.flying[found.seq] = found

    def is_due(self, row: WaitingMessage) -> bool:
        return (
            row.status is MessageStatus.QUEUED
            or row.release_no < self.release_no
            or (row.next_attempt_at_ms or 0) <= self.now_ms
        )

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), delay_ms=st.integers(1, 100), fails=st.booleans())
    def a_result_becomes_durable(self, data: st.DataObject, delay_ms: int, *, fails: bool) -> None:
        open_flights = [seq for seq in self.flying if seq not in self.settled]
        if not open_flights:
            return
        seq = data.draw(st.sampled_from(open_flights))
        if fails:
            self.rows[seq] = self.settled[seq] = msgspec.structs.replace(
                self.flying[seq],
                status=MessageStatus.PENDING_RETRY,
                next_attempt_at_ms=self.now_ms + delay_ms,
                release_no=self.release_no,
            )
        else:
            del self.rows[seq]
            self.settled[seq] = None

    @rule(count=st.integers(1, 6), delay_ms=st.integers(1, 100))
    def attempts_fail_at_once(self, count: int, delay_ms: int) -> None:
        """A compound step: it fills the retries, which single steps seldom do."""
        for number in range(count):
            found = self.window.next(self.now_ms)
            if not isinstance(found, WaitingMessage) or (self.strict and self.flying):
                return
            if found.seq in self.changed:
                return
            self.an_attempt_starts()
            self.rows[found.seq] = self.settled[found.seq] = msgspec.structs.replace(
                found,
                status=MessageStatus.PENDING_RETRY,
                next_attempt_at_ms=self.now_ms + delay_ms + 7 * number,
                release_no=self.release_no,
            )

    @precondition(lambda self: self.settled)
    @rule()
    def all_results_are_reported(self) -> None:
        while self.settled:
            self.a_result_is_reported()

    @rule()
    def everything_wanted_is_read(self) -> None:
        for _ in range(3):
            if self.wants is None:
                self.wants = self.window.begin_read(flying=len(self.flying))
            if self.wants is not None:
                if self.answer is None:
                    self.storage_answers_a_read()
                self.a_read_ends()

    @precondition(lambda self: self.settled)
    @rule()
    def a_result_is_reported(self) -> None:
        seq = next(iter(self.settled))
        retry = self.settled.pop(seq)
        self.window.settle(self.flying.pop(seq))
        if retry is not None:
            self.window.add_retry(retry)

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def an_attempt_is_recalled(self, data: st.DataObject) -> None:
        open_flights = [seq for seq in self.flying if seq not in self.settled]
        if open_flights:
            seq = data.draw(st.sampled_from(open_flights))
            self.window.give_back(self.flying.pop(seq))

    # -- operations ---------------------------------------------------------------------------

    @rule(data=st.data(), kind=st.sampled_from(("replay", "hasten", "withdraw")))
    def a_message_is_changed(self, data: st.DataObject, kind: str) -> None:
        """Durably; it is not in flight, and nothing else is being done to it."""
        idle = [
            seq
            for seq in range(1, self.last_seq + 1)
            if seq not in self.flying and seq not in self.changed
        ]
        waiting = [self.rows[seq] for seq in idle if seq in self.rows]
        fit = {
            "replay": [seq for seq in idle if seq not in self.rows],
            "hasten": [row.seq for row in waiting if row.status is MessageStatus.PENDING_RETRY],
            "withdraw": [row.seq for row in waiting],
        }[kind]
        if not fit:
            return
        seq = data.draw(st.sampled_from(fit))
        if kind == "withdraw":
            self.changed[seq] = None
            del self.rows[seq]
        elif kind == "hasten":
            self.rows[seq] = self.changed[seq] = msgspec.structs.replace(
                self.rows[seq], next_attempt_at_ms=self.now_ms
            )
        else:
            self.rows[seq] = self.changed[seq] = queued(seq)

    @precondition(lambda self: self.changed)
    @rule(urgent=st.booleans())
    def a_change_is_told(self, *, urgent: bool) -> None:
        seq = next(iter(self.changed))
        row = self.changed.pop(seq)
        self.a_hint_is_taken()
        self.window.drop(seq)
        self.urgent = None if self.urgent == seq else self.urgent
        if row is not None:
            self.window.put(row, urgent=urgent)
            if urgent and self.strict:
                self.urgent = seq

    # -- what must hold -------------------------------------------------------------------------

    @invariant()
    def memory_is_bounded(self) -> None:
        assert self.window.rows <= 3 * (2 * SIZE + len(self.flying))
        assert 0 <= self.room.left_bytes <= ROOM_BYTES
        assert self.window.rows or self.room.left_bytes == ROOM_BYTES

    def reading_ends(self) -> None:
        """Whatever is in flight, nothing is read again and again without a change."""
        for _ in range(100):
            if self.wants is None:
                self.wants = self.window.begin_read(flying=len(self.flying))
            if self.wants is None:
                return
            if self.answer is None:
                self.storage_answers_a_read()
            self.a_read_ends()
        msg = "it reads for ever"
        raise AssertionError(msg)

    def everything_is_told(self) -> None:
        self.a_hint_is_taken()
        while self.changed:
            self.a_change_is_told(urgent=False)
        self.reading_ends()
        while self.flying:
            seq = next(iter(self.flying))
            if seq in self.settled:
                self.a_result_is_reported()
            else:
                self.window.give_back(self.flying.pop(seq))

    def teardown(self) -> None:
        """In the end everything that waits is found, and nothing is waited for in vain."""
        self.everything_is_told()
        for _ in range(10_000):
            if self.wants is None:
                self.wants = self.window.begin_read(flying=len(self.flying))
            if self.wants is not None:
                if self.answer is None:
                    self.storage_answers_a_read()
                self.a_read_ends()
            found = self.window.next(self.now_ms)
            if isinstance(found, int):
                assert found > self.now_ms, "told to wait for the past"
                self.now_ms = found
            elif found is None:
                break
            elif not isinstance(found, NotLoaded):
                self.window.take(found)
                row = self.rows.pop(found.seq)
                assert msgspec.structs.replace(found, payload=row.payload) == row
        assert not self.rows, "a message was never found"
        assert self.room.left_bytes == ROOM_BYTES, "an account that does not balance"


WindowAgainstStorage.TestCase.settings = settings(
    max_examples=400, stateful_step_count=60, deadline=None
)
TestWindow = pytest.mark.timeout(600)(WindowAgainstStorage.TestCase)


def test_a_read_that_is_older_than_a_drop_does_not_bring_the_message_back() -> None:
    """It was cancelled or deleted while its row was on the way."""
    window = Window(SIZE, PayloadRoom(ROOM_BYTES))
    wants = window.begin_read(flying=0)
    assert wants is not None
    window.drop(1)
    window.end_read(wants, queued=[queued(1)], due=[], in_order=None, flying=())
    assert not isinstance(window.next(0), WaitingMessage)


def test_what_was_put_back_during_a_read_can_be_dropped_before_it_ends() -> None:
    """Replayed and then deleted, both while one read is under way."""
    window = Window(SIZE, PayloadRoom(ROOM_BYTES))
    wants = window.begin_read(flying=0)
    assert wants is not None
    window.drop(1)
    window.put(queued(1), urgent=False)
    window.drop(1)
    window.end_read(wants, queued=[queued(1)], due=[], in_order=None, flying=())
    assert not isinstance(window.next(0), WaitingMessage)


def test_a_hint_that_is_older_than_a_reset_does_not_bring_back_what_was_delivered() -> None:
    """Its message was read, sent and recorded, and the endpoint resumed, before it was heard of."""
    window = Window(SIZE, PayloadRoom(ROOM_BYTES))
    for rows in ([queued(1)], []):
        wants = window.begin_read(flying=0)
        assert wants is not None
        window.end_read(wants, queued=rows, due=[], in_order=None, flying=())
        if rows:
            window.take(rows[0])
            window.settle(rows[0])
            window.reset()
    assert not window.add(Arrivals(0, [queued(1)]))
    assert not isinstance(window.next(0), WaitingMessage)


def test_a_payload_gets_an_eighth_of_the_room_that_is_left() -> None:
    """What finds no room waits without it; what goes, however it goes, gives its room back."""
    room = PayloadRoom(80)
    window = Window(8, room)
    rows = [msgspec.structs.replace(queued(seq), payload=b"x" * 9) for seq in range(1, 5)]
    wants = window.begin_read(flying=0)
    assert wants is not None
    window.end_read(wants, queued=rows[:1], due=[], in_order=None, flying=())
    assert room.left_bytes == 71
    assert window.add(Arrivals(1, rows[1:]))
    assert room.left_bytes == 71  # an eighth of that is less than 9
    first = window.next(0)
    assert first == rows[0]
    assert isinstance(first, WaitingMessage)
    window.take(first)
    assert room.left_bytes == 80
    second = window.next(0)
    assert second == msgspec.structs.replace(rows[1], payload=None)
    window.give_back(first)
    assert room.left_bytes == 71
    window.close()
    assert room.left_bytes == 80
