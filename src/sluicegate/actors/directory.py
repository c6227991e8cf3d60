"""Where endpoint actors live: activation on demand, retirement, supervision, shutdown.

Theory of operation
===================

An endpoint without due work has no actor and no entry here: it costs a row. A hint or a command
activates it; when idle it retires, leaving at most the moment of its next retry behind, all of
which share one timer. This replaces Pykka's process-wide registry: two engines in one process
never see each other's actors.

An actor that crashes is restarted from storage after a growing pause. One that keeps crashing
is *parked*: an alarm goes to the log, its messages stay stored, and only a command (or a new
start of the process) tries again. The process goes on in any case.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import TypeVar

from sluicegate.actors.admission import Admission, Admitted
from sluicegate.actors.alarms import Alarms
from sluicegate.actors.asking import Owner, ask
from sluicegate.actors.bulk import for_each_endpoint
from sluicegate.actors.endpoint import EndpointActor
from sluicegate.actors.entry import Entry
from sluicegate.actors.messages import (
    AddSigningKey,
    Cancel,
    Command,
    Delete,
    DeleteMessages,
    Pause,
    Reconfigure,
    RemoveSigningKey,
    Replay,
    Resume,
    RetryNow,
    Wake,
)
from sluicegate.actors.outstanding import Flight, Outstanding
from sluicegate.actors.parts import Parts
from sluicegate.actors.ref import AsyncioActorRef
from sluicegate.actors.runtime import AsyncioActor
from sluicegate.actors.supervision import Restarts
from sluicegate.engine.errors import SluicegateError, UnavailableError
from sluicegate.engine.log import log
from sluicegate.engine.model import Arrivals, EndpointConfig
from sluicegate.engine.operations import Moved, ReplayKind
from sluicegate.engine.ports import Head, SigningKeyRow
from sluicegate.turns.prompt_future import PromptFuture

__all__ = ["Directory"]

_A = TypeVar("_A")

_WOKEN_AT_ONCE = 4
"""So many actors go to work in the turn in which a commit ends; the others wait in line."""
_REPLAYED_AT_ONCE = 250
_DELETED_AT_ONCE = 25
"""Messages of one command: so long may a pause, or a message of another endpoint, wait for it.
A delete frees the pages of payloads of up to a MiB each."""


class Directory:
    """Implements `sluicegate.engine.ports.Owners`. Used on the event loop only."""

    def __init__(self, parts: Parts) -> None:
        """Create an empty directory; `start` brings it to life."""
        self.closing = False
        self.supervisor = self.crashed
        self._parts = parts
        self._entries: dict[str, Entry] = {}
        self._in_flight: dict[str, None] = {}
        self._alarms = Alarms(parts.clock, self.hint)
        self._admission = Admission(parts, actors=self._entries, admitted=self._admitted)
        self._arrivals_max = parts.settings.window

    async def start(self) -> None:
        """Activate every endpoint that has work now, and remember when the others will."""
        for item in await self._parts.storage.work():
            if item.due_at_ms:
                self._alarms.set(item.endpoint_id, item.due_at_ms)
            else:
                self.hint(item.endpoint_id)

    def halt(self) -> None:
        """Start nothing more, at once: what is sent could not be recorded. Never blocks."""
        self.closing = True
        self._alarms.cancel()
        self._admission.cancel()

    async def drain(self, timeout_s: float) -> bool:
        """Start nothing more and let what is in flight end.

        Returns:
            Whether everything ended within `timeout_s` seconds. What did not is still running:
            `close` cuts it.
        """
        self.halt()
        for endpoint_id, entry in self._entries.items():
            if entry.outstanding.actor is None and entry.outstanding.flights:
                self._start(endpoint_id, entry)  # it crashed; who else would record them?
        all_ended = True
        try:
            async with asyncio.timeout(timeout_s):
                for entry in list(self._entries.values()):
                    all_ended &= await entry.outstanding.ended()
        except TimeoutError:
            return False
        return all_ended

    async def close(self) -> None:
        """Stop every actor. An attempt still in flight is cut; its message stays waiting."""
        self.halt()
        tasks: list[asyncio.Future[None]] = []
        for entry in list(self._entries.values()):
            actor, entry.outstanding.actor = entry.outstanding.actor, None
            if actor is not None and actor.is_alive():
                await actor.stop(block=False)
            tasks += entry.outstanding.cut()
        if tasks:
            await asyncio.wait(tasks)
        self._entries.clear()

    @property
    def active(self) -> int:
        """How many endpoints have an actor."""
        return len(self._entries)

    # -- Owners -------------------------------------------------------------------------------

    def pause(self, project_id: str, endpoint_id: str) -> PromptFuture[None]:
        """See `Owners.pause`."""
        return self._ask(endpoint_id, Pause(project_id))

    def resume(self, project_id: str, endpoint_id: str) -> PromptFuture[int]:
        """See `Owners.resume`."""
        return self._ask(endpoint_id, Resume(project_id))

    async def reconfigure(
        self,
        project_id: str,
        endpoint_id: str,
        change: Callable[[EndpointConfig], EndpointConfig],
    ) -> None:
        """See `Owners.reconfigure`."""
        await self._ask(endpoint_id, Reconfigure(project_id, change))

    async def add_signing_key(self, project_id: str, endpoint_id: str, key: SigningKeyRow) -> None:
        """See `Owners.add_signing_key`."""
        await self._ask(endpoint_id, AddSigningKey(project_id, key))

    async def remove_signing_key(self, project_id: str, endpoint_id: str, key_id: str) -> None:
        """See `Owners.remove_signing_key`."""
        await self._ask(endpoint_id, RemoveSigningKey(project_id, key_id))

    async def delete(self, project_id: str, endpoint_id: str) -> None:
        """See `Owners.delete`."""
        await self._ask(endpoint_id, Delete(project_id))

    async def replay(
        self, project_id: str, owned: Mapping[str, Sequence[str]], *, kind: ReplayKind
    ) -> dict[str, Moved | SluicegateError]:
        """See `Owners.replay`."""
        return await for_each_endpoint(
            owned,
            lambda endpoint_id, ids: self._ask(endpoint_id, Replay(project_id, ids, kind)),
            at_once=_REPLAYED_AT_ONCE,
        )

    async def retry_now(self, project_id: str, endpoint_id: str, message_id: str) -> None:
        """See `Owners.retry_now`."""
        await self._ask(endpoint_id, RetryNow(project_id, (message_id,)))

    async def cancel(self, project_id: str, endpoint_id: str, message_id: str) -> None:
        """See `Owners.cancel`."""
        await self._ask(endpoint_id, Cancel(project_id, (message_id,)))

    async def delete_messages(
        self, project_id: str, owned: Mapping[str, Sequence[str]], *, deleted_by: str | None
    ) -> dict[str, Moved | SluicegateError]:
        """See `Owners.delete_messages`."""
        return await for_each_endpoint(
            owned,
            lambda endpoint_id, ids: self._ask(
                endpoint_id, DeleteMessages(project_id, ids, deleted_by)
            ),
            at_once=_DELETED_AT_ONCE,
        )

    def hint(self, endpoint_id: str) -> None:
        """See `Owners.hint`."""
        self._hint(endpoint_id, None)

    def accepted(self, messages: Mapping[str, Arrivals]) -> None:
        """Hand on what was accepted: the listener of `Storage.on_accepted`."""
        at_once = 0 if self._parts.pacer.actors.is_busy else _WOKEN_AT_ONCE
        for endpoint_id, arrivals in messages.items():
            entry = self._hint(endpoint_id, arrivals)
            if at_once and entry is not None:
                at_once -= 1
                entry.outstanding.hasten()

    def _hint(self, endpoint_id: str, arrivals: Arrivals | None) -> Entry | None:
        """Wake the endpoint's actor and return its entry, or let it stand in line for one."""
        if self.closing:
            return None
        entry = self._entries.get(endpoint_id)
        if entry is None:
            self._admission.ask(endpoint_id)
            return None
        entry.hear(arrivals, self._arrivals_max)
        if not entry.hinted:
            entry.hinted = entry.outstanding.report(Wake())
        return entry

    def in_flight(self) -> AbstractSet[str]:
        """See `Owners.in_flight`."""
        return self._in_flight.keys()

    def _ask(self, endpoint_id: str, command: Command[_A]) -> PromptFuture[_A]:
        return ask(partial(self._owner, endpoint_id), command, self._parts.pacer)

    def _owner(self, endpoint_id: str) -> Owner:
        """Return who a command for an endpoint is given to; refuse it if it must not be."""
        if self.closing:
            msg = "the engine is shutting down"
            raise UnavailableError(msg)
        entry = self._entries.get(endpoint_id) or self._activate(endpoint_id)
        actor = entry.outstanding.actor
        if actor is None:
            actor = self._revive(endpoint_id, entry)
        if entry.asking >= self._parts.settings.mailbox_max:
            msg = "too many commands wait for this endpoint"
            raise UnavailableError(msg)
        return entry, actor

    # -- activation ---------------------------------------------------------------------------

    def _admitted(self, admitted: Admitted) -> None:
        endpoint_id, head = admitted.endpoint_id, admitted.head
        self._activate(endpoint_id, head, admitted.window)
        if admitted.again:
            self._hint(endpoint_id, None)

    def _activate(
        self, endpoint_id: str, head: Head | None = None, window: int | None = None
    ) -> Entry:
        self._alarms.drop(endpoint_id)
        self._admission.withdraw(endpoint_id)
        outstanding = Outstanding(self._in_flight, now_s=self._parts.clock.monotonic_s())
        entry = self._entries[endpoint_id] = Entry(outstanding)
        self._start(endpoint_id, entry, window=window, head=head)
        return entry

    def _start(
        self,
        endpoint_id: str,
        entry: Entry,
        *,
        window: int | None = None,
        head: Head | None = None,
    ) -> AsyncioActorRef[EndpointActor]:
        actor = EndpointActor.start(
            endpoint_id,
            parts=self._parts,
            outstanding=entry.outstanding,
            home=self,
            window=self._admission.window if window is None else window,
            head=head,
            line=self._parts.pacer.actors,
        )
        entry.outstanding.actor = actor
        entry.take()  # it will read what is stored until now
        return actor

    # -- what actors say (`sluicegate.actors.endpoint.Home`) ------------------------------------

    @property
    def crowded(self) -> bool:
        """See `Home.crowded`."""
        return self._admission.crowded

    @property
    def others_wait(self) -> bool:
        """See `Home.others_wait`."""
        return self._admission.others_wait

    def take_hint(self, endpoint_id: str) -> tuple[Arrivals | None, bool]:
        """See `Home.take_hint`."""
        entry = self._entries.get(endpoint_id)
        if entry is None:
            return None, True
        entry.hinted = False
        return entry.take()

    def unknown(self, endpoint_id: str) -> None:
        """There is no such endpoint."""
        self._entries.pop(endpoint_id, None)
        self._admission.go_on()

    def retired(self, endpoint_id: str, wake_ms: int | None) -> None:
        """An actor was idle and stops."""
        self._entries.pop(endpoint_id, None)
        if wake_ms is not None:
            self._alarms.set(endpoint_id, wake_ms)
        self._admission.go_on()

    def crashed(self, actor: AsyncioActor, error: BaseException) -> None:
        """An actor's code failed: restart it from storage, or park its endpoint."""
        if not isinstance(actor, EndpointActor):
            return
        endpoint_id = actor.endpoint_id
        entry = self._entries.get(endpoint_id)
        if entry is None:
            return
        entry.outstanding.actor = None
        entry.hinted = False
        if self.closing:
            return
        if entry.restarts is None:
            entry.restarts = Restarts(self._parts.settings.actor_restarts_max)
        flight = actor.suspect
        suspect = flight.message.id if flight is not None else None
        poisoned = flight is not None and entry.restarts.poisoned_by(flight.message.seq)
        delay_s = entry.restarts.crashed(self._parts.clock.monotonic_s(), explained=poisoned)
        log.error(  # the traceback was logged where it crashed
            "actor.restarting", endpoint_id=endpoint_id, message_id=suspect, delay_s=delay_s
        )
        if flight is not None and poisoned:
            entry.outstanding.write(self._give_up(endpoint_id, entry, flight, error))
        if delay_s is None:
            self._parts.telemetry.endpoint_parked()
            log.critical("endpoint.parked", endpoint_id=endpoint_id, message_id=suspect)
        else:
            asyncio.get_running_loop().call_later(delay_s, self._restart, endpoint_id, entry)

    async def _give_up(
        self, endpoint_id: str, entry: Entry, flight: Flight, cause: BaseException
    ) -> None:
        """Put a message that keeps crashing its actor into the dead letter queue."""
        message = flight.message
        try:
            await self._parts.storage.give_up_message(
                endpoint_id,
                message.seq,
                error=f"internal error: {type(cause).__name__}",
                at_ms=self._parts.clock.wall_ms(),
            )
        except Exception as error:  # noqa: BLE001 - it crashes the actor again, and is given up then
            log.error("message.not_dead_lettered", message_id=message.id, exc_info=error)
            return
        entry.outstanding.remove(flight)
        log.error("message.dead_lettered", endpoint_id=endpoint_id, message_id=message.id)

    def _restart(self, endpoint_id: str, entry: Entry) -> None:
        alone = self._entries.get(endpoint_id) is entry and entry.outstanding.actor is None
        if alone and not self.closing:
            self._parts.telemetry.actor_restarted()
            log.info("actor.restarted", endpoint_id=endpoint_id)
            self._start(endpoint_id, entry)

    def _revive(self, endpoint_id: str, entry: Entry) -> AsyncioActorRef[EndpointActor]:
        if entry.restarts is not None and not entry.restarts.parked:
            msg = "the endpoint's actor is being restarted, try again"
            raise UnavailableError(msg)
        entry.restarts = None
        return self._start(endpoint_id, entry)
