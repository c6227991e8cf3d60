"""The commands about single messages: the write that each one is, and what it does to the actor."""

from collections.abc import Sequence

from sluicegate.actors.messages import (
    Cancel,
    CommandDone,
    DeleteMessages,
    MessageCommand,
    Replay,
    RetryNow,
)
from sluicegate.actors.outstanding import Outstanding
from sluicegate.actors.parts import Parts
from sluicegate.actors.window import Window
from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.log import log
from sluicegate.engine.model import EndpointState
from sluicegate.engine.operations import Moved

__all__ = ["adopt_moves", "operate"]


async def operate(
    command: MessageCommand, endpoint_id: str, parts: Parts, outstanding: Outstanding
) -> CommandDone:
    """Make a command durable. Its messages do not start while this is under way.

    Args:
        command: what to do.
        endpoint_id: whose messages.
        parts: the ports.
        outstanding: which attempts are not yet recorded.

    Raises:
        SluicegateError: it cannot be carried out; nothing was changed.
    """
    in_flight: frozenset[str] = frozenset()
    if not isinstance(command, DeleteMessages):  # which takes them wherever they are, at once
        in_flight = await outstanding.unsettled(command.message_ids)
    storage, at_ms = parts.storage, parts.clock.wall_ms()
    slots: Sequence[Moved | SluicegateError]
    match command:
        case Replay():
            slots = await storage.replay_messages(
                endpoint_id,
                command.message_ids,
                kind=command.kind,
                in_flight=in_flight,
                at_ms=at_ms,
            )
            event = "message.replayed"
        case RetryNow():
            slots = [
                await storage.retry_message_now(
                    endpoint_id,
                    *command.message_ids,
                    in_flight=in_flight,
                    due_at_ms=parts.clock.steady_ms(),
                    at_ms=at_ms,
                )
            ]
            event = "retry.hastened"
        case Cancel():
            slots = [
                await storage.cancel_message(
                    endpoint_id, *command.message_ids, in_flight=in_flight, at_ms=at_ms
                )
            ]
            event = "retry.cancelled"
        case DeleteMessages():
            slots = await storage.delete_messages(
                endpoint_id, command.message_ids, deleted_by=command.deleted_by, at_ms=at_ms
            )
            event = "message.deleted"
        case _:
            msg = f"unknown command {command!r}"
            raise TypeError(msg)
    moves = tuple(slot for slot in slots if isinstance(slot, Moved) and not slot.already_deleted)
    for move in moves:
        log.info(event, message_id=move.message_id, endpoint_id=endpoint_id)
    return CommandDone(None, slots, None, moves, isinstance(command, Replay | RetryNow))


def adopt_moves(
    done: CommandDone, state: EndpointState, window: Window, outstanding: Outstanding
) -> None:
    """Bring the window and the attempts in flight up to what a command has done to messages.

    The first message that was replayed or hastened goes before others while the circuit is open:
    whoever asked for it expects an attempt, and that attempt is as good a probe as any.
    """
    urgent = done.urgent and not state.config.ordered
    for move in done.moves:
        window.drop(move.seq)
        flight = outstanding.flights.get(move.seq)
        if flight is not None and move.deleted_at_ms is not None:
            flight.deleted = True
        if move.waiting is not None and not (state.paused or state.deleted):
            window.put(move.waiting, urgent=urgent)
            urgent = False
