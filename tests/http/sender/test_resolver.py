"""The resolver: names off the loop, within time, each once at a time, and nothing left hanging."""

import asyncio
import errno
import os
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sluicegate.engine.errors import UnavailableError
from sluicegate.engine.settings import Settings
from sluicegate.http.outbound.resolver import PooledResolver, canonical_address


class ManualClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def wall_ms(self) -> int:
        """Return the moment in milliseconds."""
        return self.steady_ms()

    def steady_ms(self) -> int:
        """Return the moment in milliseconds."""
        return int(self.now_s * 1000)

    def monotonic_s(self) -> float:
        """Return the moment in seconds."""
        return self.now_s


class Names:
    """A `getaddrinfo` whose answers a test knows, and holds back until it lets them go."""

    def __init__(self) -> None:
        self.known: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.held: dict[str, threading.Event] = {}
        self.error: type[Exception] | Exception = socket.gaierror

    def getaddrinfo(self, host: str, port: None, **_: object) -> list[Any]:
        """Answer as `socket.getaddrinfo` does."""
        self.asked.append(host)
        if host in self.held:
            self.held[host].wait()
        if host not in self.known:
            raise self.error
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, None, 6, "", (each, port))
            for each in self.known[host]
        ]

    def hold(self, host: str) -> threading.Event:
        """Let a look-up hang until the event is set."""
        return self.held.setdefault(host, threading.Event())


Make = Callable[..., PooledResolver]


@pytest.fixture
def clock() -> ManualClock:
    """Return this test's clock."""
    return ManualClock()


@pytest.fixture
def names() -> Names:
    """Return this test's name server."""
    return Names()


@pytest.fixture
async def make(names: Names, clock: ManualClock) -> AsyncIterator[Make]:
    """Build resolvers; let everything that hangs go in the end."""
    made: list[PooledResolver] = []

    def build(**settings: Any) -> PooledResolver:
        made.append(
            PooledResolver(Settings(**settings), clock=clock, getaddrinfo=names.getaddrinfo)
        )
        return made[-1]

    yield build
    for resolver in made:
        await resolver.close()
    for event in names.held.values():
        event.set()
    for thread in our_threads():
        thread.join(30)
    assert not our_threads()


def our_threads() -> list[threading.Thread]:
    """Return the resolver's threads that live."""
    return [each for each in threading.enumerate() if each.name.startswith("sluicegate-dns")]


async def until(condition: Callable[[], bool]) -> None:
    """Give the loop turns until a thread has got somewhere."""
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - a thread gets there, not the loop
            await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0X7F000001", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("[::ffff:127.0.0.1]", "127.0.0.1"),
        ("::FFFF:7F00:1", "127.0.0.1"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("2606:4700::1111", "2606:4700::1111"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("8.8.8.8", "8.8.8.8"),
    ],
)
async def test_a_literal_comes_out_in_its_one_spelling(
    make: Make, names: Names, text: str, canonical: str
) -> None:
    """No name server and no thread is asked for it."""
    assert canonical_address(text) == canonical
    assert await make().resolve(text) == (canonical,)
    assert names.asked == []
    assert our_threads() == []


@pytest.mark.parametrize(
    "text", ["a.test", "1.2.3.4.5", "0x", "4294967296", "256.1.1.1", "127.0.0.1 x", "", "[x]"]
)
def test_what_is_no_literal_is_a_name(text: str) -> None:
    """The C library's leniency towards what follows an address is not ours."""
    assert canonical_address(text) is None


async def test_a_name_gives_its_addresses_in_order(make: Make, names: Names) -> None:
    """Each once, in canonical form, at most sixteen."""
    names.known["a.test"] = ["10.0.0.1", "::ffff:10.0.0.2", "2001:DB8:0::1", "10.0.0.1"]
    names.known["many.test"] = [f"10.0.1.{number}" for number in range(100)]
    resolver = make()
    assert await resolver.resolve("a.test") == ("10.0.0.1", "10.0.0.2", "2001:db8::1")
    assert len(await resolver.resolve("many.test")) == 16


@pytest.mark.parametrize("error", [socket.gaierror, OSError, UnicodeError, ValueError])
async def test_a_name_that_cannot_be_looked_up_has_no_addresses(
    make: Make, names: Names, error: type[Exception]
) -> None:
    """Unknown, unanswered or malformed: it is the same to who asks."""
    names.error = error
    assert await make().resolve("unknown.test") == ()


async def test_an_answer_is_remembered_for_a_while(
    make: Make, names: Names, clock: ManualClock
) -> None:
    """`dns_cache_s`, whatever the case of the name."""
    names.known["a.test"] = ["10.0.0.1"]
    resolver = make(dns_cache_s=30)
    for moment_s, asked in [(0, 1), (29, 1), (31, 2)]:
        clock.now_s = 100.0 + moment_s
        assert await resolver.resolve("A.test") == ("10.0.0.1",)
        assert len(names.asked) == asked


async def test_a_failure_is_remembered_shortly(
    make: Make, names: Names, clock: ManualClock
) -> None:
    """Long enough for a burst, too short to outlive a fix."""
    resolver = make(dns_cache_s=30)
    for moment_s, asked in [(0, 1), (4, 1), (6, 2)]:
        clock.now_s = 100.0 + moment_s
        assert await resolver.resolve("a.test") == ()
        assert len(names.asked) == asked


async def test_the_cache_is_bounded(make: Make, names: Names) -> None:
    """The oldest name is forgotten first."""
    names.known.update({f"{number}.test": ["10.0.0.1"] for number in range(4097)})
    resolver = make(dns_threads=1)
    for number in range(4097):
        await resolver.resolve(f"{number}.test")
    names.asked.clear()
    await resolver.resolve("1.test")
    assert names.asked == []
    await resolver.resolve("0.test")
    assert names.asked == ["0.test"]


async def test_a_name_is_looked_up_once_at_a_time(make: Make, names: Names) -> None:
    """Who comes later joins; who is cancelled does not cancel the others."""
    names.known["a.test"] = ["10.0.0.1"]
    release = names.hold("a.test")
    resolver = make()
    askers = [asyncio.create_task(resolver.resolve("a.test")) for _ in range(10)]
    await until(lambda: bool(names.asked))
    for each in askers[:5]:
        each.cancel()
    await asyncio.wait(askers[:5])
    release.set()
    assert await asyncio.gather(*askers[5:]) == [("10.0.0.1",)] * 5
    assert all(each.cancelled() for each in askers[:5])
    assert names.asked == ["a.test"]


async def test_a_look_up_that_everybody_left_still_answers_the_next(
    make: Make, names: Names
) -> None:
    """It runs on; its result is not thrown away, and no second thread is spent on the name."""
    names.known["a.test"] = ["10.0.0.1"]
    release = names.hold("a.test")
    resolver = make(dns_timeout_s=0.05)
    while not names.asked:  # before a thread has begun with it, it is dropped
        assert await resolver.resolve("a.test") == ()
    assert await resolver.resolve("a.test") == ()
    assert names.asked == ["a.test"]
    release.set()
    async with asyncio.timeout(30):
        while await resolver.resolve("a.test") != ("10.0.0.1",):
            pass
    assert names.asked == ["a.test"]


async def test_a_name_that_hangs_delays_no_other(make: Make, names: Names) -> None:
    """Not until the whole pool hangs; then others wait their time, and no longer."""
    names.known["good.test"] = ["10.0.0.1"]
    held = [names.hold(f"{number}.test") for number in range(3)]
    resolver = make(dns_threads=3, dns_timeout_s=60, dns_cache_s=0)
    hanging = [asyncio.create_task(resolver.resolve(f"{number}.test")) for number in range(2)]
    await until(lambda: len(names.asked) == 2)
    assert await resolver.resolve("good.test") == ("10.0.0.1",)
    hanging.append(asyncio.create_task(resolver.resolve("2.test")))
    await until(lambda: len(names.asked) == 4)
    resolver._timeout_s = 0.05  # noqa: SLF001 - the good ones had all the time they needed
    assert await resolver.resolve("good.test") == ()
    assert names.asked.count("good.test") == 1
    resolver._timeout_s = 60  # noqa: SLF001 - as above
    held[0].set()
    assert await resolver.resolve("good.test") == ("10.0.0.1",)
    assert await hanging[0] == ()
    for each in hanging[1:]:
        each.cancel()


async def test_what_nobody_waits_for_any_more_is_not_looked_up(make: Make, names: Names) -> None:
    """Names that queued while the pool hung must not stand in the way afterwards."""
    names.known["late.test"] = ["10.0.0.1"]
    release = names.hold("0.test")
    resolver = make(dns_threads=1, dns_timeout_s=60)
    first = asyncio.create_task(resolver.resolve("0.test"))
    await until(lambda: bool(names.asked))
    resolver._timeout_s = 0.05  # noqa: SLF001 - the first had the time to begin
    await asyncio.gather(*(resolver.resolve(f"{number}.test") for number in range(1, 50)))
    resolver._timeout_s = 60  # noqa: SLF001 - as above
    release.set()
    assert await first == ()
    assert await make(dns_threads=1).resolve("late.test") == ("10.0.0.1",)
    assert await resolver.resolve("late.test") == ("10.0.0.1",)
    assert names.asked == ["0.test", "late.test", "late.test"]


async def test_no_thread_runs_before_the_first_name(make: Make, names: Names) -> None:
    """And then only as many as are needed."""
    names.known["a.test"] = names.known["b.test"] = ["10.0.0.1"]
    resolver = make()
    assert our_threads() == []
    await resolver.resolve("a.test")
    await resolver.resolve("b.test")
    assert 1 <= len(our_threads()) <= 2


async def test_closing_waits_for_nothing(make: Make, names: Names) -> None:
    """Who waits is told `()`; the hanging thread is left; later names have no addresses."""
    names.hold("a.test")
    resolver = make(dns_timeout_s=60)
    asker = asyncio.create_task(resolver.resolve("a.test"))
    await until(lambda: bool(names.asked))
    await resolver.close()
    await resolver.close()
    assert await asyncio.wait_for(asker, 30) == ()
    assert await resolver.resolve("b.test") == ()


@pytest.mark.parametrize("closes", [True, False])
def test_a_hanging_look_up_does_not_hold_the_process(closes: bool) -> None:  # noqa: FBT001 - pytest passes by name
    """A real process ends, with a thread in a look-up that never returns."""
    program = f"""
import asyncio, threading
from sluicegate.clock import SystemClock
from sluicegate.engine.settings import Settings
from sluicegate.http.outbound.resolver import PooledResolver

def hang(*args, **kwargs):
    threading.Event().wait()

async def main():
    resolver = PooledResolver(
        Settings(dns_timeout_s=0.05), clock=SystemClock(), getaddrinfo=hang
    )
    print(await resolver.resolve("a.test"))
    if {closes}:
        await resolver.close()

asyncio.run(main())
"""
    ended = subprocess.run(  # noqa: S603 - our own interpreter and program
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "()\n", "")


async def test_the_system_knows_localhost(clock: ManualClock) -> None:
    """The real `getaddrinfo` is called as it wants to be."""
    resolver = PooledResolver(Settings(), clock=clock)
    assert set(await resolver.resolve("localhost")) & {"127.0.0.1", "::1"}
    assert await resolver.resolve("a" * 64 + ".test") == ()
    await resolver.close()


async def test_a_shortage_of_ours_is_not_taken_for_a_name_that_does_not_resolve(
    make: Make, names: Names
) -> None:
    """Without file descriptors nothing can be asked; nothing is remembered of it either."""
    resolver = make()
    names.error = OSError(errno.EMFILE, "Too many open files")
    with pytest.raises(UnavailableError):
        await resolver.resolve("example.com")
    names.known["example.com"] = ["93.184.215.14"]
    assert await resolver.resolve("example.com") == ("93.184.215.14",)
