"""What a loop without real I/O refuses."""

import asyncio
from typing import Any, NoReturn

from sluicegate.simulation.errors import EscapeError
from sluicegate.simulation.lives import LIFE

__all__ = ["NoRealIO"]


class NoRealIO(asyncio.BaseEventLoop):
    """Refuses descriptors, pipes, datagrams, Unix sockets, subprocesses and signals."""

    def escape(self, text: str) -> EscapeError:
        """Return the error for code that reached for the real world.

        Code of a host may swallow it: the world ends with it all the same.
        """
        error = EscapeError(text)
        life = LIFE.get()
        if life is not None:
            message = f"{life} reached for the real world"
            self.call_exception_handler({"message": message, "exception": error})
        return error

    def _refuse(self, what: str, instead: str) -> NoReturn:
        raise self.escape(f"a simulation has no {what}: {instead}")

    def _no_descriptor(self, *_: object, **__: object) -> NoReturn:
        self._refuse("real descriptors", "use streams, transports or aiohttp")

    async def _no_socket(self, *_: object, **__: object) -> NoReturn:
        self._refuse("socket operations", "use streams, transports or aiohttp")

    async def _no_datagrams(self, *_: object, **__: object) -> NoReturn:
        self._refuse("datagrams", "its network carries TCP only")

    async def _no_unix(self, *_: object, **__: object) -> NoReturn:
        self._refuse("Unix sockets", "listen at a port of a host")

    async def _no_pipe(self, *_: object, **__: object) -> NoReturn:
        self._refuse("pipes", "they lead to real processes")

    async def _no_process(self, *_: object, **__: object) -> NoReturn:
        self._refuse("subprocesses", "run it as a host, or replace it by a function")

    async def _no_tls(self, *_: object, **__: object) -> NoReturn:
        self._refuse("TLS records", "connect with `ssl` set: it is a flag of the connection")

    def _no_signal(self, *_: object, **__: object) -> NoReturn:
        # As other loops do where there are none: every server has another way.
        raise EscapeError("a simulation has no signals: let the test stop or crash the host")

    # asyncio's signatures have dozens of options: none is looked at.
    add_reader: Any = _no_descriptor
    add_writer: Any = _no_descriptor
    remove_reader: Any = _no_descriptor
    remove_writer: Any = _no_descriptor
    sock_accept: Any = _no_socket
    sock_recv: Any = _no_socket
    sock_recv_into: Any = _no_socket
    sock_recvfrom: Any = _no_socket
    sock_recvfrom_into: Any = _no_socket
    sock_sendall: Any = _no_socket
    sock_sendto: Any = _no_socket
    sock_sendfile: Any = _no_socket
    connect_accepted_socket: Any = _no_socket
    create_datagram_endpoint: Any = _no_datagrams
    create_unix_connection: Any = _no_unix
    create_unix_server: Any = _no_unix
    connect_read_pipe: Any = _no_pipe
    connect_write_pipe: Any = _no_pipe
    subprocess_exec: Any = _no_process
    subprocess_shell: Any = _no_process
    start_tls: Any = _no_tls
    add_signal_handler: Any = _no_signal
    remove_signal_handler: Any = _no_signal
