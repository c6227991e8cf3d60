"""A network in memory, under unmodified asyncio programs: streams, aiohttp's client and server."""

from sluicegate.simulation.network.names import OUTSIDE_NAME, check_host_name
from sluicegate.simulation.network.network import Network
from sluicegate.simulation.network.sockets import SimulatedServer, SimulatedSocket
from sluicegate.simulation.network.transport import SimulatedTransport

__all__ = [
    "OUTSIDE_NAME",
    "Network",
    "SimulatedServer",
    "SimulatedSocket",
    "SimulatedTransport",
    "check_host_name",
]
