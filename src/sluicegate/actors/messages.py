"""What an endpoint's actor can be told.

Commands come from callers and are answered when they are durable. The rest are reports of
the actor's own tasks and timers. A hint (`Wake`) may be lost or repeated: the rows are the
truth.
"""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from sluicegate.actors.outstanding import Flight
from sluicegate.actors.window import Wants
from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.model import (
    EndpointConfig,
    EndpointState,
    PauseReason,
    Verdict,
    WaitingMessage,
)
from sluicegate.engine.operations import Moved, ReplayKind
from sluicegate.engine.ports import SigningKeyRow

__all__ = [
    "COMMANDS",
    "AddSigningKey",
    "AttemptFinished",
    "Cancel",
    "Command",
    "CommandDone",
    "Crashed",
    "Delete",
    "DeleteMessages",
    "Loaded",
    "MessageCommand",
    "Pause",
    "Reconfigure",
    "Recorded",
    "RemoveSigningKey",
    "Replay",
    "Resume",
    "RetryNow",
    "SlotGranted",
    "Tick",
    "Wake",
    "WindowLoaded",
]


A_co = TypeVar("A_co", covariant=True)
"""What a command is answered with."""


class _Record(msgspec.Struct, frozen=True, gc=False):
    """A message: immutable, compared by value."""


class Command(_Record, Generic[A_co], frozen=True):
    """Something a caller asks of an endpoint; `A_co` is the answer when it is done."""

    project_id: str
    """The caller's project: an endpoint of another one answers as if unknown."""


class Pause(Command[None], frozen=True):
    """Shut the gate at once, make it durable, answer."""


class Resume(Command[int], frozen=True):
    """Make everything held due, answer with how many messages that were."""


class Reconfigure(Command[None], frozen=True, gc=True):
    """Change the configuration; the next attempt uses the result."""

    change: Callable[[EndpointConfig], EndpointConfig]
    """Pure; applied to the stored configuration inside the write."""


class AddSigningKey(Command[None], frozen=True):
    """Add a second signing key."""

    key: SigningKeyRow


class RemoveSigningKey(Command[None], frozen=True):
    """Remove one of two signing keys."""

    key_id: str


class Delete(Command[None], frozen=True):
    """Delete the endpoint and give up what waits."""


class MessageCommand(Command[Sequence[Moved | SluicegateError]], frozen=True):
    """Something a caller asks for some of an endpoint's messages."""

    message_ids: tuple[str, ...]
    """Without repetitions. None of them starts while the command is under way."""


class Replay(MessageCommand, frozen=True):
    """Begin a new cycle of attempts for each."""

    kind: ReplayKind


class RetryNow(MessageCommand, frozen=True):
    """Make the scheduled retry of the one message due."""


class Cancel(MessageCommand, frozen=True):
    """Give the one message up, which waits on a retry."""


class DeleteMessages(MessageCommand, frozen=True):
    """Remove the payloads and give up what waits."""

    deleted_by: str | None
    """The API key that asked for it; `None`: a program."""


COMMANDS: tuple[type[Command[Any]], ...] = (
    Pause,
    Resume,
    Reconfigure,
    AddSigningKey,
    RemoveSigningKey,
    Delete,
    Replay,
    RetryNow,
    Cancel,
    DeleteMessages,
)
"""Every command."""


class Loaded(_Record, frozen=True):
    """The endpoint's state was read."""

    state: EndpointState | None
    """`None`: there is no such endpoint."""


class CommandDone(_Record, frozen=True, gc=True):
    """A command's write has ended."""

    state: EndpointState | None
    """The endpoint after it; `None` when the write failed."""
    answer: Any
    """What the caller is told."""
    error: SluicegateError | None
    moves: tuple[Moved, ...] = ()
    """What it did to messages."""
    urgent: bool = False
    """Whoever gave it expects an attempt."""


class Wake(_Record, frozen=True):
    """There may be work: look again."""


class WindowLoaded(_Record, frozen=True, gc=True):
    """Rows for the window were read; `None` for a source that was not asked."""

    wants: Wants
    queued: list[WaitingMessage] | None
    due: list[WaitingMessage] | None
    in_order: list[WaitingMessage] | None
    failed: bool = False
    """Storage could not answer; ask again later."""


class AttemptFinished(_Record, frozen=True, gc=True):
    """An attempt has ended; its outcome is on the flight."""

    flight: Flight


class Recorded(_Record, frozen=True, gc=True):
    """An attempt's result is durable."""

    flight: Flight
    verdict: Verdict
    release_no: int
    """Under which `release_no` a retry was scheduled."""
    pause: PauseReason | None
    """The endpoint was to be paused in the same write."""
    paused: bool
    """It was: nothing came before."""


class SlotGranted(_Record, frozen=True):
    """There is a slot for one more attempt of this endpoint, or it should ask for another one."""


class Tick(_Record, frozen=True):
    """The actor's one timer has fired."""


class Crashed(_Record, frozen=True, gc=True):
    """A task of the actor met a bug of ours; handling this crashes the actor."""

    error: BaseException
