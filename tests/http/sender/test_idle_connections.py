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
    loop.close()
    loop.check()
