"""The guard: the one place where an attempt asks the policy, about the very address it dials."""

import socket

from sluicegate.engine.addresses import AddressPolicy
from sluicegate.engine.ports import AddressUse, Telemetry
from sluicegate.http.outbound.progress import Progress
from sluicegate.http.outbound.sockets import SHORTAGES, AddrInfo, SocketFactory

__all__ = ["AddressRefusedError", "Guard"]


class AddressRefusedError(OSError):
    """The policy does not allow the address."""


class Guard:
    """Opens sockets to addresses that the policy allows, for every sender.

    A look-up that was judged before proves nothing: names change, and literals are not looked up.

    Args:
        policy: judges addresses.
        socket_factory: opens sockets to those that are allowed.
        telemetry: is told of those that are not.
    """

    def __init__(
        self, policy: AddressPolicy, *, socket_factory: SocketFactory, telemetry: Telemetry
    ) -> None:
        self._policy = policy
        self._socket_factory = socket_factory
        self._telemetry = telemetry

    def open(self, addr_info: AddrInfo, progress: Progress) -> socket.socket:
        """Open a socket, and leave in `progress` what came of it.

        Raises:
            AddressRefusedError: the address is not allowed; nothing was opened.
            OSError: it cannot be opened.
        """
        address = str(addr_info[4][0])
        if not self._policy.is_allowed(address):
            progress.refused = address
            self._telemetry.address_refused(AddressUse.CONNECT)
            raise AddressRefusedError("address not allowed")
        progress.dialled += 1
        try:
            return self._socket_factory(addr_info)
        except OSError as error:
            # Beside what befell the name's other addresses the number would be lost.
            progress.lacking = progress.lacking or error.errno in SHORTAGES
            raise
