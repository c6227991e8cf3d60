"""Bugs of actors that sleep: hints, alarms, retirement, crashes of an actor."""

import asyncio
import contextvars
from collections.abc import Container, Mapping
from typing import Any

from sluicegate.actors.admission import Admission
from sluicegate.actors.alarms import Alarms
from sluicegate.actors.directory import Directory
from sluicegate.actors.endpoint import EndpointActor
from sluicegate.actors.order import Order
from sluicegate.actors.outstanding import Outstanding
from sluicegate.actors.repose import Repose
from sluicegate.actors.runtime import AsyncioActor
from sluicegate.actors.timer import OneTimer
from sluicegate.actors.window import Window
from sluicegate.engine.model import EndpointConfig, EndpointState, WaitingMessage
from sluicegate.engine.ports import Head
from sluicegate.storage import waiting

from .mutant import Patch, planted

_DELIVERED = "what was accepted is delivered; it does not wait for a restart"
_ONCE = "a message arrives twice only where the process died or storage failed"


@planted(promise=_DELIVERED)
def a_hint_during_a_read_is_lost(patch: Patch) -> None:
    """A read that began before the message came says that nothing is left, and is believed.

    Be it a window's, or the one by which an endpoint comes into memory.
    """
    ask = Admission.ask

    def forgetful(self: Order) -> None:
        self.more = True

    def deaf(self: Admission, endpoint_id: str) -> None:
        if endpoint_id not in self._group:
            ask(self, endpoint_id)

    patch.replace(Order, "expect_more", forgetful)
    patch.replace(Admission, "ask", deaf)


@planted(promise=_DELIVERED)
def a_hint_to_a_retiring_actor_is_lost(patch: Patch) -> None:
    """The directory hears a moment late that an actor is gone, and tells the dead one."""
    retired, hint = Directory.retired, Directory._hint
    leaving: dict[tuple[int, str], float] = {}

    def late(self: Directory, endpoint_id: str, wake_ms: int | None) -> None:
        retired(self, endpoint_id, wake_ms)
        leaving[id(self), endpoint_id] = asyncio.get_running_loop().time() + 0.5

    def unheard(self: Directory, endpoint_id: str, arrivals: Any) -> None:
        if leaving.get((id(self), endpoint_id), 0.0) <= asyncio.get_running_loop().time():
            hint(self, endpoint_id, arrivals)

    patch.replace(Directory, "retired", late)
    patch.replace(Directory, "_hint", unheard)


@planted(promise=_DELIVERED)
def a_batch_wakes_its_first_endpoint_only(patch: Patch) -> None:
    """After a group commit one endpoint is told, though the commit took on messages of several."""

    def first(self: Directory, messages: Mapping[str, Any]) -> None:
        for endpoint_id in list(messages)[:1]:
            accepted(self, {endpoint_id: messages[endpoint_id]})

    accepted = Directory.accepted
    patch.replace(Directory, "accepted", first)


@planted(promise="a retry comes when it is due")
def a_retired_actor_forgets_its_next_retry(patch: Patch) -> None:
    """An idle actor retires and leaves no alarm behind."""

    def deaf(self: Alarms, endpoint_id: str, at_ms: int) -> None:
        now_ms = self._clock.steady_ms()
        if at_ms <= now_ms:
            set_alarm(self, endpoint_id, at_ms)

    set_alarm = Alarms.set
    patch.replace(Alarms, "set", deaf)


@planted(promise="a retry comes when it is due")
def a_timer_is_never_moved_forward(patch: Patch) -> None:
    """Who is armed for a late moment is not armed anew for an earlier one."""
    arm = OneTimer.set

    def once(self: OneTimer, at: float | None, context: contextvars.Context | None = None) -> None:
        if self._handle is None:
            arm(self, at, context)

    patch.replace(OneTimer, "set", once)


@planted(promise="a retry comes when it is due, also after a crash", seeds_max=300)
def a_restart_forgets_the_retries(patch: Patch) -> None:
    """At the start only endpoints with untried messages are looked for."""
    patch.reword(
        waiting, "WORK", "l.queued_count + l.pending_retry_count > 0", "l.queued_count > 0"
    )


@planted(promise=_ONCE)
def an_actor_retires_with_an_attempt_in_flight(patch: Patch) -> None:
    """Nothing waits to be started, so the actor is thought idle; its attempt reports to nobody."""

    def soon(
        self: Repose, now_s: float, *, busy: bool, crowded: bool, config: EndpointConfig
    ) -> float | None:
        del self, busy, crowded, config
        return now_s

    def nothing_waits(self: Outstanding) -> bool:
        return self.turn is None or self.turn.done()

    patch.replace(Repose, "retire_at", soon)
    patch.replace(Outstanding, "idle", property(nothing_waits))


@planted(promise=_ONCE)
def a_successor_reads_before_the_write_has_ended(patch: Patch) -> None:
    """A dirty read: an actor does not wait for what its crashed predecessor was writing.

    It takes rows for true that are about to change.
    """

    async def at_once(self: Outstanding) -> None:
        del self

    patch.replace(Outstanding, "written", at_once)


@planted(promise=_ONCE)
def a_read_from_before_the_write_is_believed(patch: Patch) -> None:
    """A dirty read: a result becomes durable during a read, which still has the row as it was."""
    begin_read = Window.begin_read

    def untouched(self: Window, *, flying: int) -> Any:
        wants = begin_read(self, flying=flying)
        if wants is not None:
            self._touched = _Never()
        return wants

    patch.replace(Window, "begin_read", untouched)


@planted(promise=_ONCE)
def what_was_put_into_a_window_is_read_again(patch: Patch) -> None:
    """The bug of seed 2135: what waits in memory behind the cursor is in the next read, too."""
    extend = Window._extend

    def trusting(
        self: Window,
        order: Order,
        rows: list[WaitingMessage],
        touched: Container[int],
        flying: Container[int],
    ) -> None:
        known = order.rows
        order.clear()
        extend(self, order, rows, touched, flying)
        order.rows = sorted([*known, *order.rows], key=lambda row: row.seq)

    patch.replace(Window, "_extend", trusting)


class _Never(set[int]):
    """A set that nothing gets into."""

    def add(self, _element: int) -> None:
        """Forget it."""


@planted(promise="a crash of our own code repeats no attempt")
def a_crash_of_an_actor_drops_what_is_in_flight(patch: Patch) -> None:
    """The successor starts from storage alone, where what is in flight still waits."""
    crashed = Directory.crashed

    def clean(self: Directory, actor: AsyncioActor, error: BaseException) -> None:
        if isinstance(actor, EndpointActor) and actor.endpoint_id in self._entries:
            for flight in list(self._entries[actor.endpoint_id].outstanding.flights.values()):
                self._entries[actor.endpoint_id].outstanding.remove(flight)
        crashed(self, actor, error)

    patch.replace(Directory, "crashed", clean)


@planted(promise="a crash of our own code loses no message")
def a_crash_of_an_actor_loses_what_is_in_flight(patch: Patch) -> None:
    """What a predecessor had in flight is neither recorded by its successor nor given back."""
    on_loaded = EndpointActor._on_loaded

    def lost(self: EndpointActor, state: EndpointState | None, head: Head | None) -> None:
        inherited = dict(self._outstanding.flights)
        self._outstanding.flights.clear()
        on_loaded(self, state, head)
        self._outstanding.flights.update(inherited)

    patch.replace(EndpointActor, "_on_loaded", lost)
