"""How long the lean sender keeps a connection that nobody needs, on virtual time."""

import asyncio
import contextlib
import random
import ssl

from sluicegate.engine.addresses import AddressPolicy
from sluicegate.engine.outcome import OutcomeKind
from sluicegate.engine.ports import Request
from sluicegate.engine.settings import Settings
from sluicegate.http.outbound.lean_sender import LeanSender
from sluicegate.http.outbound.resolver import PooledResolver
from sluicegate.simulation import Network, SimulationLoop
from sluicegate.simulation.lives import Life
from sluicegate.simulation.threads import VirtualThreads
from sluicegate.simulation.world import VirtualClock, WallClock


def test_an_idle_connection_is_used_for_four_seconds_and_then_ended() -> None:
    """At whatever moment it was put aside; and then nothing is left to do."""
    loop = SimulationLoop()
    network = Network(loop, 1)
    clock = VirtualClock(loop, WallClock(loop))
    resolver = PooledResolver(
        Settings(),
        clock=clock,
        getaddrinfo=network.look_up,
        threads=VirtualThreads(loop, network.look_up_s),
    )
    opened, ended = 0, 0

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened, ended
        opened += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                # `Keep-Alive` is the receiver's wish, and may be a lie.
                writer.write(
                    b"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=9999\r\nContent-Length: 0\r\n\r\n"
                )
        ended += 1
        writer.close()

    sender = LeanSender(
        Settings(),
        policy=AddressPolicy(allow_internal=True, allowed_networks=()),
        resolver=resolver,
        clock=clock,
        socket_factory=network.open_socket,  # type: ignore[arg-type] # as far as it is used
        tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    )

    def post() -> bool:
        request = Request(url="http://shop/", headers=(), body=b"", timeout_s=5)
        outcome = loop.run(sender.post(request))
        assert outcome.status == 200
        return outcome.timings.conn_reused

    def recall() -> None:
        request = Request(
            url="http://shop/", headers=(), body=b"", timeout_s=5, may_start=lambda: False
        )
        assert loop.run(sender.post(request)).kind is OutcomeKind.RECALLED

    loop.run(asyncio.start_server(behave, "shop", 80), life=Life("shop"))
    moments = random.Random("idle")
    for number in range(1, 101):
        assert not post()
        loop.advance(3.9)
        assert post()
        loop.advance(2)
        recall()  # its receiver hears nothing of that: it has been idle all the time
        loop.advance(1.9)
        assert ended == number - 1
        loop.advance(0.2 + moments.uniform(0, 100))
        assert opened == ended == number
    loop.run(sender.close())
    loop.run(resolver.close())
    loop.advance(1)  # the receivers hear of it
    loop.close()
    loop.close()
    loop.check()


def test_idle_connections_are_bounded_and_the_ones_used_last_are_kept() -> None:
    """Thousands of receivers in four seconds would else take every descriptor there is."""
    loop = SimulationLoop()
    network = Network(loop, 1)
    clock = VirtualClock(loop, WallClock(loop))
    resolver = PooledResolver(
        Settings(),
        clock=clock,
        getaddrinfo=network.look_up,
        threads=VirtualThreads(loop, network.look_up_s),
    )
    open_now: dict[str, int] = {}

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = (await reader.readuntil(b"\r\n\r\n")).partition(b"Host: ")[2].split()[0].decode()
        open_now[name] = open_now.get(name, 0) + 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                await reader.readuntil(b"\r\n\r\n")
        open_now[name] -= 1
        writer.close()

    sender = LeanSender(
        Settings(in_flight_max=3),
        policy=AddressPolicy(allow_internal=True, allowed_networks=()),
        resolver=resolver,
        clock=clock,
        socket_factory=network.open_socket,  # type: ignore[arg-type] # as far as it is used
        tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
    )

    def post(name: str) -> bool:
        request = Request(url=f"http://{name}/", headers=(), body=b"", timeout_s=5)
        return loop.run(sender.post(request)).timings.conn_reused

    names = [f"shop{number}" for number in range(5)]
    for name in names:
        loop.run(asyncio.start_server(behave, name, 80), life=Life(name))
    assert [post(name) for name in names[:3]] == [False] * 3
    assert post(names[0])
    assert not post(names[3])  # a fourth: the one that was used first goes, and that is the second
    loop.advance(0.1)
    assert open_now == {"shop0": 1, "shop1": 0, "shop2": 1, "shop3": 1}
    assert not post(names[4])
    assert post(names[0])
    assert not post(names[2])
    loop.advance(10)
    assert set(open_now.values()) == {0}
    assert not post(names[0])  # what went by itself is not counted any more
    loop.run(sender.close())
    loop.run(resolver.close())
    loop.advance(1)  # the receivers hear of it
    loop.close()
