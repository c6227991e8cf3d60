"""What clients and receivers saw in one run: all that the oracle judges by."""

from enum import StrEnum

import msgspec

from sluicegate.simulation.faults import Faults
from sluicegate.simulation.receivers.exchange import Exchange

__all__ = [
    "BulkAnswer",
    "BulkOutcome",
    "BulkRequest",
    "Call",
    "DeadLetters",
    "EndpointView",
    "Event",
    "EventKind",
    "Exchange",
    "History",
    "MessageView",
    "Operation",
    "Sighting",
]


class Operation(StrEnum):
    """What a client asks for."""

    CREATE_ENDPOINT = "create_endpoint"
    UPDATE_ENDPOINT = "update_endpoint"
    DELETE_ENDPOINT = "delete_endpoint"
    ADD_KEY = "add_key"
    REMOVE_KEY = "remove_key"
    SEND = "send"
    """Also each message of a batch: `batch` says of which."""
    PAUSE = "pause"
    RESUME = "resume"
    REPLAY = "replay"
    RETRY_NOW = "retry_now"
    CANCEL = "cancel"
    DELETE_MESSAGE = "delete_message"
    REPLAY_FROM_DLQ = "replay_from_dlq"
    REPLAY_ALL = "replay_all"
    REPLAY_BATCH = "replay_batch"
    DELETE_ALL = "delete_all"
    DELETE_BATCH = "delete_batch"


class BulkRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages a call about many is about."""

    message_ids: tuple[str, ...] = ()
    """By id, or else by the rest."""
    status: str | None = None
    limit: int = 1000


class BulkOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a call about many did to one message, as the answer says."""

    message_id: str
    outcome: str
    """`replayed`, `stuck`, `failed`; `deleted`, `already_deleted`, `not_found`."""
    code: str = ""
    """Why it was not replayed: the contract's code, if the answer has it."""


class BulkAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a call about many messages."""

    outcomes: tuple[BulkOutcome, ...] = ()
    """In its order. Over HTTP `replay_all` does not name what has failed."""
    counts: dict[str, int] = {}
    """By outcome, as the answer counts them."""
    error: str = ""
    """The code of what ended it half-way."""


class Call(msgspec.Struct, kw_only=True):
    """One request of a client, and what it heard."""

    number: int
    """From 1, in the order in which the calls began."""
    operation: Operation
    endpoint: str
    """The endpoint's name in this run: the path of its URL, as in `https://shop.example/e1`."""
    began_s: float
    ended_s: float | None = None
    """When the answer came; `None` if none did, or not yet."""
    error: str | None = None
    """The contract's code; `CONNECTION` when the connection broke, `CANCELLED` when the client
    went away. After these two, and without an answer, it may have been carried out."""
    config: dict[str, object] = {}
    """Of `create_endpoint` and `update_endpoint`: what was asked for."""
    payload: bytes = b""
    """Of `send`: unique in this run."""
    idempotency_key: str | None = None
    batch: int | None = None
    message_id: str | None = None
    """Of `send`: from the answer. Of operations on a message: from the caller."""
    endpoint_id: str | None = None
    """Of `create_endpoint`: from the answer."""
    secret: str | None = None
    """Of `create_endpoint` and `add_key`: the signing secret, from the answer."""
    key_id: str | None = None
    requeued: int | None = None
    """Of `resume`: from the answer."""
    bulk: BulkRequest | None = None
    """Of calls about many messages. Their `endpoint` is empty if it is any."""
    answer: BulkAnswer | None = None
    """Of the same: what was answered."""

    @property
    def succeeded(self) -> bool:
        """Whether the client was told that it was carried out."""
        return self.ended_s is not None and self.error is None

    @property
    def changed(self) -> bool:
        """Whether the client was told that something has changed: many may be none."""
        done = {"replayed", "deleted"}
        none = self.answer is not None and not any(
            each.outcome in done for each in self.answer.outcomes
        )
        return self.succeeded and not none


class EventKind(StrEnum):
    """What else happened that explains what is seen."""

    CRASHED = "crashed"
    LOST_POWER = "lost_power"
    STARTED = "started"
    """The engine took up its work."""
    STOPPED = "stopped"
    """In good order."""
    FAULTS = "faults"
    """Other things went wrong from then on: see `faults`."""
    PARTED = "parted"
    HEALED = "healed"
    CLOCK_JUMPED = "clock_jumped"
    """By `jump_s`; also the steady clock's, from the engine's next start on."""
    DISK_FULL = "disk_full"
    """Until `DISK_HAS_ROOM` or `HEALED`."""
    DISK_HAS_ROOM = "disk_has_room"
    TAKEN_OVER = "taken_over"
    """Another process took the database over: the engine must write nothing until it has started
    anew."""
    DISK_FAILED = "disk_failed"
    """A commit reported an I/O error: what is stored is not known, so that the engine must write
    nothing until it has started anew."""
    RECEIVER_CRASHED = "receiver_crashed"
    SETTLED = "settled"
    """Everything had the time to finish that the schedule gives it."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a tester knows of, for they did it."""

    at_s: float
    kind: EventKind
    host: str = ""
    """Of `parted` and `faults`: the receiver that it is about; empty: all."""
    faults: Faults | None = None
    jump_s: float = 0.0


class MessageView(msgspec.Struct, frozen=True, kw_only=True):
    """A message as the API shows it at the end."""

    id: str
    endpoint_id: str
    status: str
    attempts: int
    """How many attempts are listed."""
    outcomes: tuple[str, ...] = ()
    """Of each attempt listed, oldest first: the HTTP status, or the kind of failure."""


class EndpointView(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint as the API shows it at the end."""

    name: str
    """As in `Call`."""
    paused: bool
    reason: str | None = None
    """Its `pause_reason`."""


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """A message as the API showed it during the run."""

    began_s: float
    """When it was asked for."""
    ended_s: float
    """When the answer came."""
    id: str
    status: str
    attempts: int


class DeadLetters(msgspec.Struct, frozen=True, kw_only=True):
    """The dead letter queue as it was listed."""

    began_s: float
    ended_s: float
    message_ids: tuple[str, ...]
    whole: bool
    """Whether these are all, with nobody else asking for anything meanwhile: at the end."""


class History(msgspec.Struct, kw_only=True):
    """Everything, each list in the order of time."""

    calls: list[Call] = []
    exchanges: list[Exchange] = []
    events: list[Event] = []
    messages: list[MessageView] = []
    """Read through the API after the run; empty before."""
    endpoints: list[EndpointView] = []
    """Likewise; those that were not deleted."""
    sightings: list[Sighting] = []
    dead_letters: list[DeadLetters] = []
    direct: bool = False
    """Whether requests travelled as values, and without DNS hangs, stalls and partitions."""
    retry_slow_s: tuple[float, ...] = ()
    retry_fast_s: tuple[float, ...] = ()
    retry_jitter: float = 0.0
    attempts_max: int = 8
    retry_after_max_s: int = 86_400
    circuit_failures: int = 10
    crowd: int = 256
    """So many attempts in flight may keep another one waiting: half of the prompt slots, or of the
    late ones, whichever is less."""
    circuit_pause_after_s: int = 432_000
    history_days: int = 90
