"""The commands of an endpoint: who may give them, and the write that each one is."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from sluicegate.actors.announcing import tell_paused, tell_resumed
from sluicegate.actors.home import Home
from sluicegate.actors.message_commands import operate
from sluicegate.actors.messages import (
    AddSigningKey,
    Command,
    CommandDone,
    Delete,
    MessageCommand,
    Pause,
    Reconfigure,
    RemoveSigningKey,
    Resume,
)
from sluicegate.actors.outstanding import Outstanding
from sluicegate.actors.parts import Parts
from sluicegate.actors.tasks import report_bug, spawn_write
from sluicegate.engine.errors import (
    AlreadyPausedError,
    EndpointNotFoundError,
    NotPausedError,
    SluicegateError,
    UnavailableError,
)
from sluicegate.engine.log import log
from sluicegate.engine.model import EndpointState, PauseReason
from sluicegate.engine.ports import Events, Storage
from sluicegate.turns.prompt_future import when_done

__all__ = ["carry_out", "refusal", "sweep_deleted"]

_SWEEP_ROWS = 500
_SWEEP_PAUSE_S = 1.0


def refusal(command: Command[Any], state: EndpointState) -> SluicegateError | None:
    """Return why `command` cannot be carried out on an endpoint in `state`, or `None`."""
    if state.project_id != command.project_id:
        return EndpointNotFoundError()
    if isinstance(command, MessageCommand):
        return None  # messages outlive their endpoint; the write looks at each
    if state.deleted:
        return EndpointNotFoundError()
    match command:
        case Pause() if state.paused:
            return AlreadyPausedError()
        case Resume() if not state.paused:
            return NotPausedError()
    return None


def carry_out(
    command: Command[Any], endpoint_id: str, parts: Parts, outstanding: Outstanding
) -> None:
    """Begin to make a command durable; what comes of it is reported, in the turn it is known in.

    Args:
        command: what to do; `refusal` had nothing against it.
        endpoint_id: on which endpoint.
        parts: the ports.
        outstanding: which attempts are not yet recorded, and who is told.
    """
    if isinstance(command, MessageCommand):
        spawn_write(_operate(command, endpoint_id, parts, outstanding), endpoint_id, outstanding)
        return
    at_ms = parts.clock.wall_ms()

    def told(write: asyncio.Future[Any]) -> None:
        outstanding.end_write(write)
        if write.cancelled():
            return  # the engine was closed, and whoever asked was told so
        try:
            done = _done(command, write.result(), endpoint_id, parts.events, at_ms=at_ms)
        except SluicegateError as error:
            done = CommandDone(None, None, error)
        except Exception as error:  # noqa: BLE001 - a bug of ours crashes the actor, by message
            report_bug(error, endpoint_id, outstanding)
            return
        outstanding.report(done)
        outstanding.hasten()

    write = asyncio.ensure_future(
        _begin(command, endpoint_id, parts.storage, outstanding, at_ms=at_ms)
    )
    outstanding.begin_write(write)
    when_done(write, told)


async def _operate(
    command: MessageCommand, endpoint_id: str, parts: Parts, outstanding: Outstanding
) -> None:
    try:
        done = await operate(command, endpoint_id, parts, outstanding)
    except SluicegateError as error:
        done = CommandDone(None, None, error)
    outstanding.report(done)
    outstanding.hasten()


def _begin(
    command: Command[Any],
    endpoint_id: str,
    storage: Storage,
    outstanding: Outstanding,
    *,
    at_ms: int,
) -> Awaitable[Any]:
    """Begin the write that a command is."""
    match command:
        case Pause():
            return storage.pause(endpoint_id, reason=PauseReason.MANUAL, at_ms=at_ms)
        case Resume():
            in_flight = frozenset(flight.message.id for flight in outstanding.flights.values())
            return storage.resume(endpoint_id, at_ms=at_ms, in_flight=in_flight)
        case Reconfigure():
            return storage.update_config(endpoint_id, command.change, at_ms=at_ms)
        case AddSigningKey():
            return storage.add_signing_key(endpoint_id, command.key)
        case RemoveSigningKey():
            return storage.remove_signing_key(endpoint_id, command.key_id, at_ms=at_ms)
        case Delete():
            return storage.delete_endpoint(endpoint_id, at_ms=at_ms)
        case _:
            msg = f"unknown command {command!r}"
            raise TypeError(msg)


def _done(
    command: Command[Any], written: object, endpoint_id: str, events: Events, *, at_ms: int
) -> CommandDone:
    """Tell what has become durable, and return what the actor and the asker get of it."""
    match command, written:
        case Resume(), (EndpointState() as state, int(held)):
            log.info("endpoint.resumed", endpoint_id=endpoint_id, messages_requeued=held)
            tell_resumed(events, endpoint_id, held, at_ms=at_ms)
            return CommandDone(state, held, None)
        case _, EndpointState():
            _note(command, endpoint_id, events, at_ms=at_ms)
            return CommandDone(written, None, None)
        case _:
            msg = f"{command!r} came to {written!r}"
            raise TypeError(msg)


def _note(command: Command[Any], endpoint_id: str, events: Events, *, at_ms: int) -> None:
    match command:
        case Pause():
            log.info("endpoint.paused", endpoint_id=endpoint_id, reason=PauseReason.MANUAL)
            tell_paused(events, endpoint_id, PauseReason.MANUAL, at_ms=at_ms)
        case AddSigningKey():
            log.info("signing_key.created", endpoint_id=endpoint_id, key_id=command.key.id)
        case RemoveSigningKey():
            log.info("signing_key.deleted", endpoint_id=endpoint_id, key_id=command.key_id)
        case Reconfigure():
            log.info("endpoint.updated", endpoint_id=endpoint_id)
        case _:
            log.info("endpoint.deleted", endpoint_id=endpoint_id)


async def sweep_deleted(
    endpoint_id: str, parts: Parts, outstanding: Outstanding, home: Home
) -> None:
    """Give up what waits on a deleted endpoint, some rows a commit, until nothing is left.

    Readers see it as given up from the moment of the deletion; this makes the rows say so.
    When the engine closes it stops, and goes on at the next start.
    """
    while not home.closing:
        in_flight = {flight.message.id for flight in outstanding.flights.values()}
        try:
            swept = await parts.storage.give_up_waiting(
                endpoint_id,
                error="endpoint deleted",
                at_ms=parts.clock.wall_ms(),
                limit=_SWEEP_ROWS,
                in_flight=in_flight,
            )
        except UnavailableError:
            await asyncio.sleep(_SWEEP_PAUSE_S)
            continue
        if swept < _SWEEP_ROWS:
            return
