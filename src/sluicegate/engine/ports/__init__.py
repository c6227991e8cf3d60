"""The protocols through which the rules reach the world.

`storage` implements `Storage`; `http` implements `Sender` and `Resolver`; `actors` implements
`Owners`; `telemetry` implements `Telemetry`; `listeners` implements `Events`; `clock` implements
`Clock` and `Random`. The simulation supplies its own of some. Every coroutine here runs on the
engine's event loop and must not block it.
"""

from sluicegate.engine.ports.activity_storage import ActivityCounts, UsageMonth
from sluicegate.engine.ports.events import Events, NoEvents
from sluicegate.engine.ports.overview_storage import Overview, OverviewStorage
from sluicegate.engine.ports.owners import Owners
from sluicegate.engine.ports.rows import (
    ApiKeyRow,
    EndpointRow,
    Head,
    LogQuery,
    SigningKeyRow,
    WorkItem,
)
from sluicegate.engine.ports.storage import OnAccepted, Storage
from sluicegate.engine.ports.telemetry import (
    AddressUse,
    CircuitChange,
    NoTelemetry,
    StorageFault,
    Telemetry,
)
from sluicegate.engine.ports.world import Clock, Random, Request, Resolver, Sender

__all__ = [
    "ActivityCounts",
    "AddressUse",
    "ApiKeyRow",
    "CircuitChange",
    "Clock",
    "EndpointRow",
    "Events",
    "Head",
    "LogQuery",
    "NoEvents",
    "NoTelemetry",
    "OnAccepted",
    "Overview",
    "OverviewStorage",
    "Owners",
    "Random",
    "Request",
    "Resolver",
    "Sender",
    "SigningKeyRow",
    "Storage",
    "StorageFault",
    "Telemetry",
    "UsageMonth",
    "WorkItem",
]
