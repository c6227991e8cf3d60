"""How long the lean sender keeps a connection that nobody needs, on virtual time."""

import asyncio
import contextlib
import random
import ssl
from collections import Counter
from collections.abc import Iterator

import pytest

from sluicegate.engine.addresses import AddressPolicy
from sluicegate.engine.outcome import Outcome, OutcomeKind
from sluicegate.engine.ports import Request
from sluicegate.engine.settings import Settings
from sluicegate.http.outbound.lean_sender import LeanSender
from sluicegate.http.outbound.resolver import PooledResolver
from sluicegate.simulation import Network, SimulationLoop
from sluicegate.simulation.lives import Life
from sluicegate.simulation.threads import VirtualThreads
from sluicegate.simulation.world import VirtualClock, WallClock

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class _World:
    """A sender with three attempts in flight at most, and the receivers that it connects to."""

    def __init__(self) -> None:
        self.loop = SimulationLoop()
        network = Network(self.loop, 1)
        clock = VirtualClock(self.loop, WallClock(self.loop))
        settings = Settings(in_flight_max=3)
        self._resolver = PooledResolver(
            settings,
            clock=clock,
            getaddrinfo=network.look_up,
            threads=VirtualThreads(self.loop, network.look_up_s),
        )
        self._sender = LeanSender(
            settings,
            policy=AddressPolicy(allow_internal=True, allowed_networks=()),
            resolver=self._resolver,
            clock=clock,
            socket_factory=network.open_socket,  # type: ignore[arg-type] # as far as it is used
            tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )
        self.opened: Counter[str] = Counter()
        """How many connections each receiver has had."""
        self.open_now: Counter[str] = Counter()

    def start(self, name: str, answer: bytes = _OK) -> None:
        """Start a receiver, which never closes a connection of its own accord."""

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.opened[name] += 1
            self.open_now[name] += 1
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while True:
                    await reader.readuntil(b"\r\n\r\n")
                    writer.write(answer)
            self.open_now[name] -= 1
            writer.close()

        self.loop.run(asyncio.start_server(behave, name, 80), life=Life(name))

    def post(self, name: str, *, recalled: bool = False) -> Outcome:
        request = Request(
            url=f"http://{name}/",
            headers=(),
            body=b"",
            timeout_s=5,
            may_start=(lambda: False) if recalled else None,
        )
        return self.loop.run(self._sender.post(request))

    def reuses(self, name: str) -> bool:
        """Post, and return whether it went over a connection that there was."""
        outcome = self.post(name)
        assert outcome.status == 200
        return outcome.timings.conn_reused

    def close(self) -> None:
        self.loop.run(self._sender.close())
        self.loop.run(self._resolver.close())
        self.loop.advance(1)  # the receivers hear of it
        self.loop.close()
        self.loop.check()


@pytest.fixture
def world() -> Iterator[_World]:
    """A world that ends with nothing left over."""
    world = _World()
    yield world
    world.close()


def test_an_idle_connection_is_used_for_four_seconds_and_then_ended(world: _World) -> None:
    """At whatever moment it was put aside; and then nothing is left to do."""
    # `Keep-Alive` is the receiver's wish, and may be a lie.
    world.start("shop", _OK.replace(b"\r\n\r\n", b"\r\nKeep-Alive: timeout=9999\r\n\r\n"))
    moments = random.Random("idle")
    for number in range(1, 101):
        assert not world.reuses("shop")
        world.loop.advance(3.9)
        assert world.reuses("shop")
        world.loop.advance(2)
        # Its receiver hears nothing of that: it has been idle all the time.
        assert world.post("shop", recalled=True).kind is OutcomeKind.RECALLED
        world.loop.advance(1.9)
        assert world.open_now["shop"] == 1
        world.loop.advance(0.2)
        assert world.open_now["shop"] == 0
        assert world.opened["shop"] == number
        world.loop.advance(moments.uniform(0, 100))


def test_idle_connections_are_bounded_and_the_ones_used_last_are_kept(world: _World) -> None:
    """Thousands of receivers in four seconds would else take every descriptor there is."""
    names = [f"shop{number}" for number in range(5)]
    for name in names:
        world.start(name)
    assert [world.reuses(name) for name in names[:3]] == [False] * 3
    assert world.reuses(names[0])
    assert not world.reuses(names[3])  # a fourth: the first used goes, and that is the second
    world.loop.advance(0.1)
    assert world.open_now == {"shop0": 1, "shop1": 0, "shop2": 1, "shop3": 1}
    assert not world.reuses(names[4])
    assert world.reuses(names[0])
    assert not world.reuses(names[2])
    world.loop.advance(10)
    assert set(world.open_now.values()) == {0}
    assert not world.reuses(names[0])  # what went by itself is not counted any more
