"""What a tester does to a world: one record for each kind of step, so that a plan can be shrunk."""

from typing import TypeAlias

import msgspec

from sluicegate.simulation.faults import Faults

__all__ = [
    "Behave",
    "Crash",
    "CrashAtWrite",
    "CrashReceiver",
    "CreateEndpoint",
    "DeleteEndpoint",
    "DiskFull",
    "Heal",
    "HoldAndRelease",
    "JumpClock",
    "Look",
    "OnDeadLetter",
    "OnMany",
    "OnMessage",
    "Part",
    "Pass",
    "Pause",
    "PauseAmidSends",
    "Reconfigure",
    "Resend",
    "Restart",
    "Resume",
    "RotateKey",
    "Send",
    "SendBatch",
    "Step",
    "TakeOver",
    "Toggle",
    "Weather",
]


class _Step(msgspec.Struct, frozen=True, kw_only=True, tag=True, omit_defaults=True):
    """Numbers of endpoints, receivers and messages count around: there is always one that fits."""


class Send(_Step, frozen=True, kw_only=True):
    """Clients send messages to an endpoint, at once or one after the other."""

    endpoint: int
    count: int = 1
    apart_s: float = 0.0
    """Between two sends; they do not wait for each other's answers."""
    padding: int = 0
    """Characters that a payload has too many."""
    keyed: bool = False
    """With an idempotency key each."""
    headers: bool = False
    """With a header of its own each."""
    kept_hours: int | None = None
    """Its `retention_hours`."""
    patience_s: float | None = None
    """After so long the clients go away."""


class SendBatch(_Step, frozen=True, kw_only=True):
    """A client sends messages to several endpoints in one request."""

    endpoints: tuple[int, ...]
    keyed: bool = False


class Resend(_Step, frozen=True, kw_only=True):
    """A client that has a key sends with it again."""

    which: int
    """Of the sends with keys, from the last one backwards."""
    times: int = 1
    """At once."""
    altered: bool = False
    """With another payload."""


class Pause(_Step, frozen=True, kw_only=True):
    """A client pauses an endpoint, or several do at once."""

    endpoint: int
    times: int = 1


class Resume(_Step, frozen=True, kw_only=True):
    """A client resumes an endpoint, or several do at once."""

    endpoint: int
    times: int = 1


class HoldAndRelease(_Step, frozen=True, kw_only=True):
    """A client pauses, is answered, sends, waits, and resumes."""

    endpoint: int
    count: int
    held_s: float


class PauseAmidSends(_Step, frozen=True, kw_only=True):
    """A pause races with sends that are on their way."""

    endpoint: int
    count: int
    after_s: float
    """When the pause is asked for, after the first send."""


class Toggle(_Step, frozen=True, kw_only=True):
    """One client pauses, resumes, pauses, … and waits for each answer."""

    endpoint: int
    times: int


class Reconfigure(_Step, frozen=True, kw_only=True):
    """A client changes an endpoint."""

    endpoint: int
    changes: dict[str, object] = {}
    receiver: int | None = None
    """Where its URL leads from now on; `None`: where it led."""


class RotateKey(_Step, frozen=True, kw_only=True):
    """A client adds a signing key; or removes the oldest that it knows of."""

    endpoint: int
    remove: bool = False


class OnMessage(_Step, frozen=True, kw_only=True):
    """A client looks messages up, and does something to one of them."""

    endpoint: int
    operation: str
    """`replay`, `retry_now`, `cancel`, `delete_message` or `replay_from_dlq`."""
    status: str | None = None
    """Only of those that read so."""
    which: int = 0
    times: int = 1
    """At once."""


class OnMany(_Step, frozen=True, kw_only=True):
    """A client does something to many messages in one call."""

    operation: str
    """`replay_all`, `delete_all`: by a filter; `replay_batch`, `delete_batch`: by ids."""
    endpoint: int | None = None
    """Of `replay_all` and `delete_all` `None`: any."""
    status: str | None = None
    """Only of those that read so."""
    limit: int = 1000
    times: int = 1
    """At once."""
    look: bool = True
    """The client looks at the endpoint's messages first."""
    stranger: bool = False
    """Among the ids is one that nobody knows."""


class OnDeadLetter(_Step, frozen=True, kw_only=True):
    """A client looks into the dead letter queue, and replays one of it."""

    which: int = 0
    times: int = 1
    """At once."""


class Look(_Step, frozen=True, kw_only=True):
    """A client looks at an endpoint's messages."""

    endpoint: int


class CreateEndpoint(_Step, frozen=True, kw_only=True):
    """A client creates an endpoint."""

    receiver: int
    config: dict[str, object] = {}


class DeleteEndpoint(_Step, frozen=True, kw_only=True):
    """A client deletes an endpoint; never the last one."""

    endpoint: int


class Pass(_Step, frozen=True, kw_only=True):
    """Time passes."""

    seconds: float


class Weather(_Step, frozen=True, kw_only=True):
    """Other things go wrong from now on: everywhere, or at one receiver."""

    faults: Faults
    receiver: int | None = None


class Behave(_Step, frozen=True, kw_only=True):
    """A receiver's application answers the next requests with a status of its own."""

    receiver: int
    status: int
    count: int
    retry_after_s: int | None = None
    """It asks to be left alone for so long."""


class Crash(_Step, frozen=True, kw_only=True):
    """Sluicegate's process ends, or its machine loses power."""

    power_loss: bool = False


class CrashAtWrite(_Step, frozen=True, kw_only=True):
    """It ends at the n-th commit from now, with other steps on their way."""

    nth: int
    power_loss: bool = False
    amid: tuple["Step", ...] = ()


class Restart(_Step, frozen=True, kw_only=True):
    """It is stopped in good order, and started again later."""

    down_s: float = 0.0


class Part(_Step, frozen=True, kw_only=True):
    """Nothing passes between Sluicegate and a receiver, for a while."""

    receiver: int
    seconds: float
    clients: bool = False
    """Between Sluicegate and its clients instead; those in its process do not notice."""


class JumpClock(_Step, frozen=True, kw_only=True):
    """The wall clock is set anew."""

    seconds: float


class CrashReceiver(_Step, frozen=True, kw_only=True):
    """A receiver's process ends; it comes back later."""

    receiver: int
    down_s: float


class TakeOver(_Step, frozen=True, kw_only=True):
    """Another process takes the database over while Sluicegate runs."""


class DiskFull(_Step, frozen=True, kw_only=True):
    """There is no room on the disk, for a while."""

    seconds: float


class Heal(_Step, frozen=True, kw_only=True):
    """Every fault ends."""


Step: TypeAlias = (
    Send
    | SendBatch
    | Resend
    | Pause
    | Resume
    | HoldAndRelease
    | PauseAmidSends
    | Toggle
    | Reconfigure
    | RotateKey
    | Look
    | OnMessage
    | OnMany
    | OnDeadLetter
    | CreateEndpoint
    | DeleteEndpoint
    | Pass
    | Weather
    | Behave
    | Crash
    | CrashAtWrite
    | Restart
    | Part
    | JumpClock
    | CrashReceiver
    | DiskFull
    | TakeOver
    | Heal
)
