"""The actor that owns one endpoint: its queue, its pause, its timer, its attempts in flight.

Theory of operation
===================

Handlers are short and synchronous. Whatever takes time (an attempt, a write, a read) is a task
that reports back by message, so the mailbox is never held and a pause is handled at once. After
each batch of messages `pump` starts what may start. The delivery loop is nothing more than
that, so stopping it is shutting the gate: `pump` starts nothing through a shut gate.

The gate is shut from the moment a `Pause` is *received*, before it is written. Commands are
carried out one at a time, in order; a second `Pause` waits for the first one's commit.
"""

import asyncio
from functools import partial
from typing import Any

import msgspec

from sluicegate.actors.attempt import judge, rescheduled
from sluicegate.actors.command_queue import CommandQueue
from sluicegate.actors.commands import carry_out, sweep_deleted
from sluicegate.actors.home import Home
from sluicegate.actors.message_commands import adopt_moves
from sluicegate.actors.messages import (
    COMMANDS,
    AttemptFinished,
    Command,
    CommandDone,
    Crashed,
    Loaded,
    Recorded,
    SlotGranted,
    Tick,
    Wake,
    WindowLoaded,
)
from sluicegate.actors.outstanding import Flight, Outstanding
from sluicegate.actors.parts import Parts
from sluicegate.actors.reading import begin_read_of_state, begin_read_of_window
from sluicegate.actors.recording import record
from sluicegate.actors.repose import Repose
from sluicegate.actors.runtime import AsyncioActor, Later
from sluicegate.actors.slots import Turn
from sluicegate.actors.starting import due_ms, start_due
from sluicegate.actors.tasks import spawn_write
from sluicegate.actors.timer import OneTimer
from sluicegate.actors.window import Window
from sluicegate.engine import circuit
from sluicegate.engine.errors import EndpointNotFoundError, SluicegateError, UnavailableError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import EndpointState
from sluicegate.engine.outcome import OutcomeKind
from sluicegate.engine.ports import Head

__all__ = ["EndpointActor"]

_GRANTED, _TICK = SlotGranted(), Tick()
_TROUBLE_S = 1.0
"""How long to leave storage alone after it could not answer."""


class EndpointActor(AsyncioActor):
    """Owns one endpoint while it has work. Runs on the engine's event loop only."""

    # Reports of writes are in one lane: they are believed in the order of the commits.
    control_types = frozenset({*COMMANDS, CommandDone, Recorded, Loaded, Tick, SlotGranted})

    # Defaults on the class: what few actors ever set.
    _retired = False
    _farewell: SluicegateError | None = None
    _trouble_until = 0.0

    def __init__(
        self,
        endpoint_id: str,
        *,
        parts: Parts,
        outstanding: Outstanding,
        home: Home,
        window: int,
        head: Head | None,
    ) -> None:
        """Create the actor.

        Args:
            endpoint_id: whom it owns.
            parts: what all actors share.
            outstanding: attempts and writes under way, perhaps of a predecessor that crashed.
            home: who is told when it retires.
            window: how many messages of each order it holds.
            head: what was read of it just now; without it, it reads its state itself.
        """
        # The directory bounds the commands; the actor's own reports must always find room.
        super().__init__(urn=endpoint_id, mailbox_max=parts.settings.mailbox_max + 1024)
        self.supervisor = home.supervisor
        self.endpoint_id = endpoint_id
        self.state: EndpointState | None = None
        self.suspect: Flight | None = None
        """The flight that was being handled; after a crash, what it may have been due to."""
        self._parts = parts
        self._outstanding = outstanding
        self._home = home
        self._window = Window(window, parts.payloads)
        self._bucket = outstanding.bucket
        self._commands = CommandQueue()
        # Nothing of it refers back to it: so it is freed as it goes, without a look for garbage.
        self._turn = Turn(parts.slots, partial(outstanding.report, _GRANTED))
        self._reading: asyncio.Task[None] | None = None
        self._timer = OneTimer(partial(outstanding.report, _TICK))
        self._repose = Repose(parts.settings.actor_idle_s)
        self._head = head
        self._had_turn = False
        self._changed = False
        """Something has happened that may let an attempt start, or the actor retire."""

    # -- life -------------------------------------------------------------------------------

    def on_start(self) -> None:
        """Take in what was read; or read the state once every write of a predecessor has ended."""
        head, self._head = self._head, None
        if head is not None:
            self._changed = True
            self._on_loaded(head.state, head)
        else:
            storage, in_vain = self._parts.storage, self._commands.abandon
            self._reading = begin_read_of_state(
                storage, self.endpoint_id, self._outstanding, in_vain=in_vain
            )

    def on_stop(self) -> None:
        """Let go of the timer, the line for slots, and whoever still waits for an answer."""
        self._let_go()
        if not self._commands.idle:
            error = self._farewell or UnavailableError("the engine is shutting down")
            self._commands.abandon(error)

    def on_failure(self, *_exc_info: object) -> None:
        """Answer whoever waits; the supervisor restarts the endpoint from storage."""
        self._let_go()
        self._commands.abandon(UnavailableError("the endpoint's actor was restarted, try again"))

    def _let_go(self) -> None:
        self._retired = True
        self._window.close()
        self._timer.cancel()
        if self._reading is not None:
            self._reading.cancel()
        self._turn.leave()

    def is_callers_error(self, exc: Exception, /) -> bool:
        """Whether an exception of a handler belongs to the asker; any other is our bug."""
        return isinstance(exc, SluicegateError)

    # -- mail -------------------------------------------------------------------------------

    def on_receive(self, message: object) -> object:
        """Handle one message; see `sluicegate.actors.messages`."""
        # An attempt's end makes room when its result is recorded, or at once by what it shows.
        self._changed |= type(message) is not AttemptFinished or (
            self._turn.held_back and not self._window.is_empty
        )
        match message:
            case Recorded():
                self._on_recorded(message)
            case AttemptFinished():
                self._on_attempt_finished(message.flight)
            case Wake():
                self._take_hint()
            case Command():
                return self._on_command(message)
            case CommandDone():
                self._on_command_done(message)
            case WindowLoaded():
                self._on_window_loaded(message)
            case Loaded():
                self._on_loaded(message.state, None)
            case SlotGranted() | Tick():
                pass  # what may start now is seen after the batch
            case Crashed():
                raise message.error
            case _:
                return super().on_receive(message)
        return None

    def _take_hint(self) -> None:
        arrivals, look = self._home.take_hint(self.endpoint_id)
        # A paused endpoint keeps nothing in memory.
        added = arrivals is None or (self._may_start() and self._window.add(arrivals))
        if look or not added:
            self._window.expect_more()

    def after_batch(self) -> None:
        """Start what may start, read what is wanted, set the timer."""
        if self._changed and self.state is not None and not self._retired:
            self._changed = False
            self._pump(self.state)

    def _on_loaded(self, state: EndpointState | None, head: Head | None) -> None:
        self._reading = None
        if state is None:
            self._home.unknown(self.endpoint_id)
            self._farewell = EndpointNotFoundError()
            self.stop()
            return
        self._adopt(state)
        if state.health.consecutive_failures:
            self._turn.distrust()
        if head is not None and not (state.paused or state.deleted):
            self._window.begin_with(head)
        for flight in list(self._outstanding.flights.values()):
            # Its write has ended (this actor waited for no less), or nothing came of it.
            if flight.settling or (flight.ended and flight.outcome is None):
                self._outstanding.remove(flight)
            elif flight.ended:
                flight.crash = None  # a crash of the predecessor's is none of ours
                self._on_attempt_finished(flight)
        if state.deleted:
            self._sweep()
        self._next_command()

    def _on_window_loaded(self, loaded: WindowLoaded) -> None:
        self._reading = None
        if loaded.failed:
            self._trouble_until = self._parts.clock.monotonic_s() + _TROUBLE_S
        self._window.end_read(
            loaded.wants,
            queued=loaded.queued,
            due=loaded.due,
            in_order=loaded.in_order,
            flying=self._outstanding.flights,
        )

    def _adopt(self, state: EndpointState) -> None:
        self.state = state
        self._bucket.reconfigure(
            rate_per_s=state.config.rate_limit_rps,
            burst=state.config.burst,
            now_s=self._parts.clock.monotonic_s(),
        )
        if state.paused or state.deleted:
            self._window.reset()

    # -- commands ---------------------------------------------------------------------------

    def _on_command(self, command: Command[Any]) -> Later:
        answer = self._commands.add(command)
        self._next_command()
        return Later(answer)

    def _next_command(self) -> None:
        if self.state is not None:
            command = self._commands.start_next(self.state)
            if command is not None:
                carry_out(command, self.endpoint_id, self._parts, self._outstanding)

    def _on_command_done(self, done: CommandDone) -> None:
        state = self.state
        if state is not None and done.state is not None:
            released = done.state.release_no != state.release_no
            # Results may have been judged since that write; a resume starts the count anew.
            health = done.state.health if released else state.health
            self._adopt(msgspec.structs.replace(done.state, health=health))
        elif state is not None:
            self._take_hint()  # else a message that is deleted now would be new afterwards
            adopt_moves(done, state, self._window, self._outstanding)
        self._commands.finish(done)
        if done.state is not None and done.state.deleted:
            self._sweep()
        self._next_command()

    def _sweep(self) -> None:
        sweep = sweep_deleted(self.endpoint_id, self._parts, self._outstanding, self._home)
        spawn_write(sweep, self.endpoint_id, self._outstanding)

    # -- the delivery loop --------------------------------------------------------------------

    def _may_start(self) -> bool:
        state = self.state
        return not (
            state is None
            or state.paused
            or state.deleted
            or self._commands.pausing
            or self._home.closing
            or self.actor_stopped.is_set()
        )

    def _pump(self, state: EndpointState) -> None:
        wake_ms: int | None = None
        gives_way = self._had_turn and self._home.others_wait
        is_well = self._parts.clock.monotonic_s() >= self._trouble_until
        if is_well and not gives_way and self._may_start():
            limit = self._parts.settings.circuit_failures
            strict = state.config.ordered or circuit.is_open(state.health, failures_max=limit)
            self._window.set_mode(strict=strict, release_no=state.release_no)
            wake_ms = start_due(
                state,
                1 if strict else state.config.max_in_flight,
                window=self._window,
                commands=self._commands,
                turn=self._turn,
                parts=self._parts,
                outstanding=self._outstanding,
                may_start=self._may_start,
            )
            wants = self._window.begin_read(flying=len(self._outstanding.flights))
            if wants is not None:
                self._reading = begin_read_of_window(
                    self._parts.storage, self.endpoint_id, self._outstanding, wants
                )
        else:
            self._turn.leave()
        self._turn.give_back()
        self._had_turn = self._had_turn or bool(self._outstanding.flights)
        self._rest(state, wake_ms, gives_way=gives_way)

    def _on_attempt_finished(self, flight: Flight) -> None:
        if self.state is None or flight.settling or not self._outstanding.holds(flight):
            return  # `_on_loaded` looks at every flight
        self.suspect = flight
        outcome = flight.outcome
        if flight.crash is not None:
            crash, flight.crash = flight.crash, None
            if outcome is None:  # else it stays: its result is recorded, nothing is repeated
                self._outstanding.remove(flight)
            raise crash
        if outcome is None or outcome.kind is OutcomeKind.RECALLED:
            self._on_unsent(flight)
            return
        result = judge(flight, outcome, state=self.state, parts=self._parts)
        flight.settling = True
        if result.health is not None:
            self.state = msgspec.structs.replace(self.state, health=result.health)
        if result.pause is not None:
            self._commands.pausing += 1
        record(flight, result, lambda: self.state, self._parts, self._outstanding)
        self.suspect = None

    def _on_unsent(self, flight: Flight) -> None:
        """Nothing was sent: a pause or a delete came first, storage had trouble, or the like."""
        self.suspect, self._changed = None, True
        self._outstanding.remove(flight)
        if flight.given_up or flight.deleted:
            self._window.settle(flight.message)
            return
        self._window.give_back(flight.message)
        if self.state is not None and self.state.deleted:
            self._sweep()  # the one after the deletion left it alone: it was in flight
        if flight.outcome is None:
            self._trouble_until = self._parts.clock.monotonic_s() + _TROUBLE_S

    def _on_recorded(self, recorded: Recorded) -> None:
        flight, verdict = recorded.flight, recorded.verdict
        self._outstanding.remove(flight)
        self._window.settle(flight.message)
        if (state := self.state) is None:
            return
        if recorded.pause is not None:
            self._commands.pausing -= 1
            if recorded.paused:
                state = msgspec.structs.replace(state, paused=True, pause_reason=recorded.pause)
                self._adopt(state)
        if verdict.status is not MessageStatus.PENDING_RETRY or state.paused or flight.deleted:
            return
        if state.deleted:
            self._sweep()  # the one after the deletion left it alone: it was in flight
        else:
            retry = rescheduled(flight.message, verdict, release_no=recorded.release_no)
            self._window.add_retry(retry)

    # -- rest -----------------------------------------------------------------------------------

    def _rest(self, state: EndpointState, wake_ms: int | None, *, gives_way: bool) -> None:
        """Set the one timer: to the next due moment, or to retirement; or retire now."""
        now = self._parts.clock.monotonic_s()
        wake_at: float | None = None
        troubled = self._trouble_until > now
        if troubled:
            wake_at = self._trouble_until
        elif wake_ms is not None:
            wake_at = now + max(0.0, (wake_ms - self._parts.clock.steady_ms()) / 1000)
        busy = troubled or self._turn.waits or self._reading is not None
        busy = busy or not self._commands.idle or bool(self._outstanding.flights)
        crowded = self._home.crowded
        retire_at = self._repose.retire_at(now, busy=busy, crowded=crowded, config=state.config)
        if retire_at is not None and now >= retire_at and (wake_at is None or wake_at > now):
            if self._outstanding.idle and self.actor_inbox.empty():
                self._retired = True
                if gives_way and self._may_start():
                    wake_ms = due_ms(self._window, self._parts.clock.steady_ms())
                self._home.retired(self.endpoint_id, wake_ms)
                self.end()
                return
            retire_at = now + _TROUBLE_S  # a sweep is under way
        moments = [at for at in (wake_at, retire_at) if at is not None]
        self._timer.set(min(moments, default=None), self.actor_inbox.context)
