"""A network in memory, under unmodified asyncio programs: streams, aiohttp's client and server."""

from sluicegate.simulation.network.network import Network
from sluicegate.simulation.network.sockets import SimulatedServer, SimulatedSocket
from sluicegate.simulation.network.transport import SimulatedTransport

__all__ = ["Network", "SimulatedServer", "SimulatedSocket", "SimulatedTransport"]
