"""The simulated network under plain asyncio streams: TCP as programs know it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from sluicegate.simulation import Faults, Network, SimulationLoop
from sluicegate.simulation.lives import Life

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
QUARTER_OF_AN_HOUR_S = 930


class Town:
    """A loop, a network, and a host called `shop` that serves at port 80."""

    def __init__(self) -> None:
        self.loop = SimulationLoop()
        self.network = Network(self.loop, 7)
        self.shop = Life("shop")
        self.seen: list[object] = []
        self._writers: list[asyncio.StreamWriter] = []

    def serve(self, handler: Handler) -> None:
        self.loop.run(asyncio.start_server(handler, "shop", 80), life=self.shop)

    async def open(self, host: str = "shop") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(host, 80)
        self._writers.append(writer)
        return reader, writer

    def leave(self) -> None:
        self.network.heal()
        for writer in self._writers:
            writer.close()
        self.loop.advance(1000)
        self.loop.close()
        self.loop.check()

    def dies(self, *, power_loss: bool = False) -> None:
        self.shop.silent = power_loss
        self.loop.crash(self.shop)

    async def echo(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100_000):
            self.seen.append(data)
            writer.write(data)
        writer.close()

    async def mute(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100_000):
            self.seen.append(data)
        writer.close()


@pytest.fixture
def town() -> Iterator[Town]:
    """A town whose loop is closed at the end, and in which nothing went unhandled."""
    made = Town()
    yield made
    made.leave()


def test_bytes_arrive_in_order_however_they_are_cut_and_delayed(town: Town) -> None:
    """Latency differs from piece to piece, pieces are split and lost once: a stream is a stream."""
    town.network.faults = Faults(split=0.5, stall=0.05, latency_s=(0.001, 0.5))
    town.serve(town.echo)

    async def client() -> bytes:
        reader, writer = await town.open()
        for number in range(300):
            writer.write(f"{number},".encode())
        writer.write_eof()
        return await reader.read()

    wanted = b"".join(f"{number},".encode() for number in range(300))
    assert town.loop.run(client()) == wanted
    assert len(town.seen) > 300
    assert any("connection.stalled" in line for line in town.loop.trace.tail(2000))


def test_reader_that_does_not_read_pauses_the_writer(town: Town) -> None:
    """Flow control: what kernels and the buffer hold is bounded, and goes on when it is read."""
    go_on = asyncio.Event()

    async def lazy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        town.seen.append(len(await reader.read()))
        writer.close()

    town.serve(lazy)

    async def client() -> None:
        _, writer = await town.open()
        sent = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(60):
                while True:
                    writer.write(b"x" * 10_000)
                    sent += 10_000
                    await writer.drain()
        assert 128 * 1024 < sent < 512 * 1024
        assert writer.transport.get_write_buffer_size() > 0
        go_on.set()
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(60)
        assert town.seen == [sent]

    town.loop.run(client())


def test_close_sends_what_was_written_and_abort_drops_what_the_kernel_had_not_taken(
    town: Town,
) -> None:
    """`close` waits for the buffer; `abort` does not."""

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)
        town.seen.append(len(await reader.read()))
        writer.close()

    town.serve(count)

    async def client(end: str) -> None:
        _, writer = await town.open()
        writer.write(b"x" * 1_000_000)
        getattr(writer.transport, end)()
        await writer.wait_closed()
        await asyncio.sleep(100)

    town.loop.run(client("close"))
    town.loop.run(client("abort"))
    whole, part = town.seen
    assert whole == 1_000_000
    assert isinstance(part, int)
    assert 0 < part < 200_000


def test_half_closed_stream_still_carries_the_other_way(town: Town) -> None:
    """`write_eof` ends one direction."""

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.read()
        await asyncio.sleep(3)
        writer.write(asked.upper())
        writer.close()

    town.serve(late)

    async def client() -> bytes:
        reader, writer = await town.open()
        writer.write(b"abc")
        writer.write_eof()
        with pytest.raises(RuntimeError):
            writer.write(b"more")
        return await reader.read()

    assert town.loop.run(client()) == b"ABC"


def test_who_writes_to_a_closed_connection_gets_a_reset(town: Town) -> None:
    """The other side's kernel knows of no connection."""

    async def rude(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    town.serve(rude)

    async def client() -> None:
        reader, writer = await town.open()
        assert await reader.read() == b""
        writer.write(b"hello?")
        await asyncio.sleep(1)
        with pytest.raises(ConnectionResetError):
            await writer.drain()

    town.loop.run(client())


def test_process_that_dies_leaves_a_kernel_that_ends_its_connections(town: Town) -> None:
    """What it had written still arrives; then comes the end, and a reset for who writes on."""

    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"last words")
        town.loop.call_soon(town.dies)
        await asyncio.sleep(1)

    town.serve(speak)

    async def client() -> bytes:
        reader, writer = await town.open()
        words = await reader.read()
        writer.write(b"hello?")
        await asyncio.sleep(1)
        with pytest.raises(ConnectionResetError):
            await writer.drain()
        with pytest.raises(ConnectionRefusedError):
            await town.open()
        return words

    assert town.loop.run(client()) == b"last words"


def test_power_loss_is_heard_of_only_by_who_writes_to_the_rebooted_host(town: Town) -> None:
    """Half-open connections: who only waits learns nothing, who writes gets a reset."""
    town.serve(town.mute)

    async def client() -> None:
        (waiting, _), (_, writing) = await town.open(), await town.open()
        waits = asyncio.ensure_future(waiting.read())
        town.dies(power_loss=True)
        await asyncio.sleep(30)
        assert not waits.done()
        writing.write(b"hello?")
        await asyncio.sleep(30)
        assert not writing.transport.is_closing()
        again = asyncio.ensure_future(town.open())
        await asyncio.sleep(30)
        assert not again.done()
        town.shop = Life("shop", 2)
        await town.loop.spawn(town.shop, asyncio.start_server(town.echo, "shop", 80))
        await again
        await asyncio.sleep(5)
        assert writing.transport.is_closing()
        await asyncio.sleep(100_000)
        assert not waits.done()
        waits.cancel()

    town.loop.run(client())


def test_writer_gives_up_after_a_quarter_of_an_hour_of_silence(town: Town) -> None:
    """Linux does (tcp_retries2); who has nothing to send never does."""
    town.serve(town.mute)

    async def client() -> None:
        (waiting, _), (_, writing) = await town.open(), await town.open()
        waits = asyncio.ensure_future(waiting.read())
        town.network.partition("outside", "shop")
        writing.write(b"hello?")
        await asyncio.sleep(QUARTER_OF_AN_HOUR_S - 60)
        assert not writing.transport.is_closing()
        await asyncio.sleep(60)
        with pytest.raises(TimeoutError):
            await writing.drain()
        assert not waits.done()
        waits.cancel()

    town.loop.run(client())


@pytest.mark.parametrize("other", ["outside", None], ids=["from one", "from all"])
@pytest.mark.parametrize("end", ["by itself", "by join", "by heal"])
def test_partition_holds_streams_and_handshakes_until_it_ends(
    town: Town, other: str | None, end: str
) -> None:
    """Nothing is lost, nothing is out of order: TCP sends again."""
    town.serve(town.echo)
    ends: dict[str, Callable[[], None]] = {
        "by itself": lambda: None,
        "by join": lambda: town.network.join("shop", other),
        "by heal": town.network.heal,
    }

    async def client() -> tuple[bytes, float]:
        reader, writer = await town.open()
        writer.write(b"1")
        await asyncio.sleep(0)  # on its way when the wire is cut
        town.network.partition("shop", other, seconds=40 if end == "by itself" else None)
        begun_s = town.loop.time()
        town.loop.call_later(40, ends[end])
        for piece in (b"2", b"3", b"4"):
            writer.write(piece)
            await asyncio.sleep(5)
        assert town.seen == []
        await town.open()
        took_s = town.loop.time() - begun_s
        writer.write(b"5")
        return await reader.readexactly(5), took_s

    answer, took_s = town.loop.run(client())
    assert answer == b"12345"
    assert 40 < took_s < 80  # the next time that a kernel asks again


def test_partition_parts_nobody_else_and_a_later_one_outlasts_an_earlier(town: Town) -> None:
    """A partition is of its hosts, and its time is its own."""
    town.serve(town.echo)
    network = town.network
    network.partition("shop", "bank", seconds=5)
    assert network.is_reachable("shop", here="outside")
    assert not network.is_reachable("shop", here="bank")
    town.loop.advance(1)
    network.partition("bank", "shop", seconds=50)
    town.loop.advance(10)
    assert not network.is_reachable("bank", here="shop")
    town.loop.advance(50)
    assert network.is_reachable("bank", here="shop")


@pytest.mark.parametrize(
    ("faults", "error", "least_s"),
    [
        (Faults(refuse=1), ConnectionRefusedError, 0),
        (Faults(black_hole=1), TimeoutError, 127),
        (Faults(dns_failure=1), OSError, 0),
        (Faults(dns_flap=1), ConnectionRefusedError, 0),
    ],
)
def test_connections_fail_as_the_faults_say(
    town: Town, faults: Faults, error: type[Exception], least_s: float
) -> None:
    """For who uses streams as for who uses aiohttp."""
    town.serve(town.echo)
    town.network.faults = faults
    with pytest.raises(error):
        town.loop.run(town.open())
    assert least_s <= town.loop.time() < least_s + 1


def test_hanging_name_server_takes_its_time(town: Town) -> None:
    """The name does resolve: after 20 seconds."""
    town.serve(town.echo)
    town.network.faults = Faults(dns_hang=1)
    town.loop.run(town.open())
    assert 20 < town.loop.time() < 21


def test_reset_is_seen_by_both_ends(town: Town) -> None:
    """The writer at once, the other a little later."""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read()
        except ConnectionResetError as error:
            town.seen.append(type(error))
            writer.close()

    town.serve(listen)

    async def client() -> None:
        reader, writer = await town.open()
        town.network.faults = Faults(reset=1)
        writer.write(b"hello")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        await asyncio.sleep(1)

    town.loop.run(client())
    assert town.seen == [ConnectionResetError]


def test_server_serves_until_it_is_closed_and_waits_for_its_connections(town: Town) -> None:
    """`serve_forever`, `close` and `wait_closed` mean what they mean to asyncio since 3.12."""

    async def serve() -> None:
        server = await asyncio.start_server(town.echo, "shop", 80)
        assert server.sockets[0].getsockname()[1] == 80
        with pytest.raises(OSError, match="in use"):
            await asyncio.start_server(town.echo, "shop", 80)
        town.loop.call_later(10, server.close)
        with pytest.raises(asyncio.CancelledError):
            await server.serve_forever()
        assert not server.is_serving()
        await server.wait_closed()
        town.seen.append(round(town.loop.time()))

    async def client() -> None:
        await asyncio.sleep(1)
        _, writer = await town.open()
        await asyncio.sleep(20)
        writer.close()
        await asyncio.sleep(5)

    served = town.loop.spawn(town.shop, serve())
    town.loop.run(client())
    served.result()
    assert town.seen == [21]


def test_localhost_is_the_host_itself_and_an_unknown_name_is_unknown(town: Town) -> None:
    """Programs on one host talk to one another, and not to another host's."""
    town.serve(town.echo)

    async def ask(host: str) -> bytes:
        reader, writer = await town.open(host)
        writer.write(b"hi")
        return await reader.readexactly(2)

    assert town.loop.run(ask("localhost"), life=town.shop) == b"hi"
    with pytest.raises(ConnectionRefusedError):
        town.loop.run(ask("127.0.0.1"))
    with pytest.raises(OSError, match="not known"):
        town.loop.run(ask("nobody"))


def test_bug_of_a_protocol_ends_its_connection_and_is_reported(town: Town) -> None:
    """As asyncio has it: others go on."""

    class Broken(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            raise ValueError(data)

    async def serve() -> None:
        loop: Any = asyncio.get_running_loop()
        await loop.create_server(Broken, "shop", 80)

    town.loop.run(serve(), life=town.shop)

    async def client() -> bytes:
        reader, writer = await town.open()
        writer.write(b"hi")
        return await reader.read()

    town.loop.run(client())
    assert [type(each["exception"]) for each in town.loop.problems] == [ValueError]
    town.loop.problems.clear()
