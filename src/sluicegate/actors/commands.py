"""The commands of an endpoint: who may give them, and the write that each one is."""

import asyncio
from collections.abc import Set as AbstractSet
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
from sluicegate.engine.errors import (
    AlreadyPausedError,
    EndpointNotFoundError,
    NotPausedError,
    SluicegateError,
    UnavailableError,
)
from sluicegate.engine.log import log
from sluicegate.engine.model import EndpointState, PauseReason

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


async def carry_out(
    command: Command[Any], endpoint_id: str, parts: Parts, outstanding: Outstanding
) -> None:
    """Make a command durable and report what came of it.

    Args:
        command: what to do; `refusal` had nothing against it.
        endpoint_id: on which endpoint.
        parts: the ports.
        outstanding: which attempts are not yet recorded, and who is told.
    """
    try:
        if isinstance(command, MessageCommand):
            done = await operate(command, endpoint_id, parts, outstanding)
        else:
            in_flight = frozenset(flight.message.id for flight in outstanding.flights.values())
            done = await _write(command, endpoint_id, parts, in_flight=in_flight)
    except SluicegateError as error:
        done = CommandDone(None, None, error)
    outstanding.report(done)
    outstanding.hasten()


async def _write(
    command: Command[Any], endpoint_id: str, parts: Parts, *, in_flight: AbstractSet[str]
) -> CommandDone:
    storage, at_ms = parts.storage, parts.clock.wall_ms()
    answer: int | None = None
    match command:
        case Pause():
            state = await storage.pause(endpoint_id, reason=PauseReason.MANUAL, at_ms=at_ms)
            log.info("endpoint.paused", endpoint_id=endpoint_id, reason=PauseReason.MANUAL)
            tell_paused(parts.events, endpoint_id, PauseReason.MANUAL, at_ms=at_ms)
        case Resume():
            state, answer = await storage.resume(endpoint_id, at_ms=at_ms, in_flight=in_flight)
            log.info("endpoint.resumed", endpoint_id=endpoint_id, messages_requeued=answer)
            tell_resumed(parts.events, endpoint_id, answer, at_ms=at_ms)
        case Reconfigure():
            state = await storage.update_config(endpoint_id, command.change, at_ms=at_ms)
            log.info("endpoint.updated", endpoint_id=endpoint_id)
        case AddSigningKey():
            state = await storage.add_signing_key(endpoint_id, command.key)
            log.info("signing_key.created", endpoint_id=endpoint_id, key_id=command.key.id)
        case RemoveSigningKey():
            state = await storage.remove_signing_key(endpoint_id, command.key_id, at_ms=at_ms)
            log.info("signing_key.deleted", endpoint_id=endpoint_id, key_id=command.key_id)
        case Delete():
            state = await storage.delete_endpoint(endpoint_id, at_ms=at_ms)
            log.info("endpoint.deleted", endpoint_id=endpoint_id)
        case _:
            msg = f"unknown command {command!r}"
            raise TypeError(msg)
    return CommandDone(state, answer, None)


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
