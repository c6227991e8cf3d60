"""The engine on a virtual clock, a simulated network and a faulty disk. See docs/simulation.md."""

from sluicegate.simulation.engine_host import API_KEY, EngineHost, HostDownError
from sluicegate.simulation.errors import (
    DeadlockError,
    EscapeError,
    LifeEndedError,
    StandstillError,
    UnhandledError,
)
from sluicegate.simulation.exploring import CounterexampleError, Explored, explore
from sluicegate.simulation.faults import CALM, STORM, Faults
from sluicegate.simulation.loop import SimulationLoop
from sluicegate.simulation.network import Network
from sluicegate.simulation.receivers import (
    Answer,
    Exchange,
    Fate,
    Mishap,
    MishapKind,
    ReceivedRequest,
    ReceiverHost,
)
from sluicegate.simulation.settling import Raised, Settled
from sluicegate.simulation.simulation import Simulation
from sluicegate.simulation.trace import Trace

__all__ = [
    "API_KEY",
    "CALM",
    "STORM",
    "Answer",
    "CounterexampleError",
    "DeadlockError",
    "EngineHost",
    "EscapeError",
    "Exchange",
    "Explored",
    "Fate",
    "Faults",
    "HostDownError",
    "LifeEndedError",
    "Mishap",
    "MishapKind",
    "Network",
    "Raised",
    "ReceivedRequest",
    "ReceiverHost",
    "Settled",
    "Simulation",
    "SimulationLoop",
    "StandstillError",
    "Trace",
    "UnhandledError",
    "explore",
]
