"""Redis with an append-only file, as both Redis's documentation and BullMQ's tell to run it."""

import socket
from typing import Literal

from peers.programs import Place, Programs, free_port

__all__ = ["Fsync", "Redis"]

Fsync = Literal["everysec", "always"]
"""When what was written is synced to the disk: within a second after the answer, or before it."""

_ANSWER_S = 10.0


class Redis:
    """A running server, which begins empty."""

    def __init__(self, place: Place, programs: Programs, fsync: Fsync) -> None:
        """Start it in `place`; it ends with `programs`."""
        self.port = free_port()
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(place.folder),
            "appendonly": "yes",
            "appendfsync": fsync,
            "maxmemory-policy": "noeviction",
            "save": "",  # snapshots as well would make nothing more durable, only slower
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        programs.start("redis", place.stock.redis(), *arguments, settings={})
        programs.await_port("redis", self.port)
        self._connection = socket.create_connection(("127.0.0.1", self.port), timeout=_ANSWER_S)

    @property
    def url(self) -> str:
        """What clients connect to."""
        return f"redis://127.0.0.1:{self.port}/0"

    def count(self, *commands: str) -> int:
        """Return the sum of what commands answer that answer with a number."""
        self._connection.sendall("".join(f"{command}\r\n" for command in commands).encode())
        answer = b""
        while answer.count(b"\r\n") < len(commands):
            answer += self._connection.recv(1 << 12)
        return sum(int(line.removeprefix(b":")) for line in answer.split())

    def close(self) -> None:
        """Close the connection that counts."""
        self._connection.close()
