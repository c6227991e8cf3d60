"""Bugs of pause and resume."""

import asyncio
import sqlite3
from collections.abc import Callable, Collection
from typing import Any

import msgspec

from sluicegate.actors import attempt, command_queue, starting
from sluicegate.actors.commands import refusal
from sluicegate.actors.endpoint import EndpointActor
from sluicegate.actors.future import AsyncioFuture
from sluicegate.actors.messages import Command, CommandDone, Pause, Recorded
from sluicegate.actors.outstanding import Flight
from sluicegate.actors.runtime import Later
from sluicegate.actors.window import Window
from sluicegate.engine.errors import AlreadyPausedError, SluicegateError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import AttemptResult, EndpointState, Health, WaitingMessage
from sluicegate.engine.outcome import Outcome, OutcomeKind
from sluicegate.storage import attempts, endpoint_writes, heads, rows, waiting
from sluicegate.storage.secret_box import SecretBox

from .mutant import Patch, planted

_PAUSED = "once a pause is answered, no attempt starts until it is resumed"


@planted(promise=_PAUSED)
def a_pause_is_answered_before_its_commit(patch: Patch) -> None:
    """The gate is shut at once, so why not answer at once? A crash finds it open again."""
    on_command = EndpointActor._on_command

    def at_once(self: EndpointActor, command: Command[Any]) -> Later:
        free = self.state is not None and not self.state.paused and not self._commands.pausing
        later = on_command(self, command)
        if free and isinstance(command, Pause):
            answered = AsyncioFuture[None]()
            answered.set(None)
            return Later(answered)
        return later

    patch.replace(EndpointActor, "_on_command", at_once)


@planted(promise=_PAUSED)
def a_retry_has_a_timer_that_no_pause_cancels(patch: Patch) -> None:
    """Each retry is a timer of its own; the pause shuts the queue and forgets the timers."""
    on_recorded = EndpointActor._on_recorded

    def timed(self: EndpointActor, recorded: Recorded) -> None:
        on_recorded(self, recorded)
        verdict, state = recorded.verdict, self.state
        if verdict.status is not MessageStatus.PENDING_RETRY or state is None or state.paused:
            return
        retry = attempt.rescheduled(
            recorded.flight.message, verdict, release_no=recorded.release_no
        )
        due_s = ((verdict.next_attempt_at_ms or 0) - self._parts.clock.steady_ms()) / 1000

        def fire() -> None:
            if self.state is not None and self.state.paused and not self._retired:
                start(self, self.state, retry)

        asyncio.get_running_loop().call_later(max(0.0, due_s), fire)

    def start(self: EndpointActor, state: EndpointState, retry: WaitingMessage) -> None:
        if retry.seq in self._outstanding.flights or (slot := self._turn.take()) is None:
            return
        attempt.begin(
            retry,
            slot=slot,
            state=state,
            parts=self._parts,
            outstanding=self._outstanding,
            may_start=lambda: True,
        )

    patch.replace(EndpointActor, "_on_recorded", timed)


@planted(promise="the pause survives restart and crash")
def a_restart_forgets_the_pause(patch: Patch) -> None:
    """The actor believes its memory; what it loads at its start lacks the pause."""
    load = rows.read_state

    def unpaused(
        db: sqlite3.Connection, endpoint_id: str, *, box: SecretBox
    ) -> EndpointState | None:
        state = load(db, endpoint_id, box=box)
        return state and msgspec.structs.replace(state, paused=False, pause_reason=None)

    patch.replace(waiting, "read_state", unpaused)
    patch.replace(heads, "ENDPOINTS", heads.ENDPOINTS.replace("e.pause_reason", "NULL"))


@planted(promise=_PAUSED)
def an_attempt_is_not_recalled_by_a_pause(patch: Patch) -> None:
    """Whether an attempt may start is asked when it is planned, and not again when it connects."""
    begin = attempt.begin

    def sure(
        message: WaitingMessage,
        *,
        may_start: Callable[[], bool],
        **others: Any,
    ) -> None:
        del may_start
        begin(message, may_start=lambda: True, **others)

    patch.replace(starting, "begin", sure)


@planted(promise="pausing burns no attempt")
def a_pause_burns_an_attempt(patch: Patch) -> None:
    """A recalled attempt counts as one that failed."""
    on_finished = EndpointActor._on_attempt_finished

    def counted(self: EndpointActor, flight: Flight) -> None:
        if flight.outcome is not None and flight.outcome.kind is OutcomeKind.RECALLED:
            flight.outcome = Outcome(kind=OutcomeKind.CONNECTION_ERROR, error="recalled")
        on_finished(self, flight)

    patch.replace(EndpointActor, "_on_attempt_finished", counted)


@planted(promise="of N concurrent pauses exactly one gets 200")
def a_second_pause_succeeds_too(patch: Patch) -> None:
    """Pausing is made idempotent, as good manners have it."""
    pause = endpoint_writes.Pause.apply

    def lenient(command: Command[Any], state: EndpointState) -> SluicegateError | None:
        return None if isinstance(command, Pause) and state.paused else refusal(command, state)

    def again(self: endpoint_writes.Pause, db: sqlite3.Connection, gathered: Any) -> EndpointState:
        try:
            return pause(self, db, gathered)
        except AlreadyPausedError:
            return endpoint_writes.state_after(db, self.endpoint_id, box=self.box)

    patch.replace(command_queue, "refusal", lenient)
    patch.replace(endpoint_writes.Pause, "apply", again)


@planted(promise="`messages_requeued` is the number of held messages")
def a_resume_counts_what_is_in_flight(patch: Patch) -> None:
    """Every row that waits is counted, also of messages whose attempts are under way."""

    def all_of_them(
        db: sqlite3.Connection, message_ids: Collection[str], *, endpoint_no: int | None = None
    ) -> dict[int, str]:
        del db, message_ids, endpoint_no
        return {}

    patch.replace(endpoint_writes, "waiting_seqs", all_of_them)


@planted(promise="a resume makes everything held due, in the order of acceptance", seeds_max=300)
def a_resume_lets_new_messages_go_first(patch: Patch) -> None:
    """What had failed before the pause is queued again behind what had not."""
    choose = Window.next

    def fresh_first(self: Window, now_ms: int) -> Any:
        found = choose(self, now_ms)
        if isinstance(found, WaitingMessage) and not self._strict and self._queued.rows:
            return self._queued.rows[0]
        return found

    patch.replace(Window, "next", fresh_first)


@planted(promise="the first attempt behind a resume starts at once, not at the next look")
def a_resume_is_noticed_at_the_next_look(patch: Patch) -> None:
    """What is held is looked for every half a second."""
    on_command_done = EndpointActor._on_command_done

    def idle(self: EndpointActor, done: CommandDone) -> None:
        before = self.state.release_no if self.state is not None else 0
        on_command_done(self, done)
        if self.state is not None and self.state.release_no != before:
            self._trouble_until = self._parts.clock.monotonic_s() + 0.5

    patch.replace(EndpointActor, "_on_command_done", idle)


@planted(promise="a resume makes everything held due at once")
def a_resume_leaves_retries_to_their_schedule(patch: Patch) -> None:
    """Only what was never tried is released; retries wait on as if nothing had been."""
    state_after = endpoint_writes.state_after

    def unreleased(db: sqlite3.Connection, endpoint_id: str, *, box: SecretBox) -> EndpointState:
        return msgspec.structs.replace(state_after(db, endpoint_id, box=box), release_no=0)

    patch.replace(endpoint_writes, "state_after", unreleased)


@planted(promise="a message in flight is not sent a second time at once")
def a_resume_sends_again_what_is_in_flight(patch: Patch) -> None:
    """The window is read anew; that some of its rows are in flight is forgotten."""
    end_read = Window.end_read

    def blind(
        self: Window, wants: Any, *, queued: Any, due: Any, in_order: Any, flying: Any
    ) -> None:
        del flying
        end_read(self, wants, queued=queued, due=due, in_order=in_order, flying=())

    patch.replace(Window, "end_read", blind)


@planted(promise="a resume begins the count of failures anew")
def a_failure_counts_behind_a_resume(patch: Patch) -> None:
    """A result is stored with the count that its actor had, whatever has been resumed since."""
    store = attempts._store_health

    def counted(
        db: sqlite3.Connection, endpoint_no: int, health: Health, *, release_no: int
    ) -> None:
        del release_no
        store(db, endpoint_no, health, release_no=_release_no(db, endpoint_no))

    patch.replace(attempts, "_store_health", counted)


@planted(promise="what was answered before a resume does not pause behind it")
def a_410_pauses_behind_a_resume(patch: Patch) -> None:
    """The pause that an answer brings is stored as it was judged, resumed since or not."""
    pause = attempts._pause

    def paused(db: sqlite3.Connection, endpoint_no: int, result: AttemptResult) -> None:
        now = _release_no(db, endpoint_no)
        pause(db, endpoint_no, msgspec.structs.replace(result, release_no=now))

    patch.replace(attempts, "_pause", paused)


def _release_no(db: sqlite3.Connection, endpoint_no: int) -> int:
    (found,) = db.execute(
        "SELECT release_no FROM endpoints WHERE no = ?", (endpoint_no,)
    ).fetchone()
    return int(found)
