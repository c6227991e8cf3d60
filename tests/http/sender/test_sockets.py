"""What the kernel is asked about a connection that waits for its next request."""

import select
import socket
from collections.abc import Iterator

import pytest

from sluicegate.http.outbound.sockets import is_silent

WAIT_MS = 10_000


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    with near, far:
        yield near, far


def arrived(near: socket.socket) -> None:
    """Wait until something has."""
    poll = select.poll()
    poll.register(near, select.POLLIN)
    assert poll.poll(WAIT_MS)


def test_silence_is_told_without_waiting(ends: tuple[socket.socket, socket.socket]) -> None:
    """Even if the socket itself would block."""
    near, _ = ends
    assert is_silent(near)


def test_bytes_that_have_arrived_are_no_silence_and_stay(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    """Whoever reads them gets them; then there is silence again."""
    near, far = ends
    far.sendall(b"a")
    arrived(near)
    assert not is_silent(near)
    assert near.recv(9) == b"a"
    assert is_silent(near)


def test_an_end_is_no_silence(ends: tuple[socket.socket, socket.socket]) -> None:
    """What would be sent to it would be lost."""
    near, far = ends
    far.shutdown(socket.SHUT_WR)
    arrived(near)
    assert not is_silent(near)


def test_a_reset_is_no_silence(ends: tuple[socket.socket, socket.socket]) -> None:
    """There is nobody any more."""
    near, far = ends
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    far.close()
    arrived(near)
    assert not is_silent(near)


def test_a_socket_that_was_closed_is_not_silent(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    """It has no descriptor any more, and another may have its number."""
    near, _ = ends
    near.close()
    assert not is_silent(near)
