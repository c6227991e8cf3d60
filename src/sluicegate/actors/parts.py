"""What every endpoint actor of one engine shares."""

import msgspec

from sluicegate.actors.payload_room import PayloadRoom
from sluicegate.actors.slots import Slots
from sluicegate.engine.ports import (
    Clock,
    Events,
    NoEvents,
    NoTelemetry,
    Random,
    Sender,
    Storage,
    Telemetry,
)
from sluicegate.engine.schedule import RetrySchedule
from sluicegate.engine.settings import Settings
from sluicegate.turns.pacer import Pacer

__all__ = ["Parts"]


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """The ports and limits that an endpoint actor works with."""

    storage: Storage
    sender: Sender
    clock: Clock
    random: Random
    slots: Slots
    payloads: PayloadRoom
    schedule: RetrySchedule
    settings: Settings
    user_agent: str
    telemetry: Telemetry = NoTelemetry()
    pacer: Pacer = msgspec.field(default_factory=Pacer)
    events: Events = NoEvents()
