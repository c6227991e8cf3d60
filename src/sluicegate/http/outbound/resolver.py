"""Host names to addresses: off the loop, with a time limit, each name once at a time.

`socket.getaddrinfo` blocks for as long as a name server pleases. On asyncio's default pool a
few names that hang would stop every other look-up in the process; here a name that hangs costs
one thread of a pool of its own, and only those who ask for that name wait, and not for long.
"""

import asyncio
import functools
import re
import socket
from collections.abc import Callable
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from typing import Any

from sluicegate.engine.errors import UnavailableError
from sluicegate.engine.ports import Clock
from sluicegate.engine.settings import Settings
from sluicegate.http.outbound.sockets import SHORTAGES
from sluicegate.http.outbound.threads import AbandonableThreads, Threads

__all__ = ["PooledResolver", "canonical_address"]

_ADDRESSES_MAX = 16
"""Of one name; a hostile name server may send thousands."""
_CACHE_MAX = 4096
"""Names in the cache; the oldest entry goes first."""
_NEGATIVE_CACHE_S = 5.0
"""How long a failure is remembered: long enough for a burst, too short to outlive a fix."""
_LEGACY_IPV4 = re.compile(r"(?:0[xX][0-9a-fA-F]+|[0-9]+)(?:\.(?:0[xX][0-9a-fA-F]+|[0-9]+)){0,3}")


def canonical_address(text: str) -> str | None:
    """Return the one spelling of an address literal, or `None` if `text` is none.

    Args:
        text: an address as a URL may hold it: IPv6 with brackets or without, IPv4-mapped, or
            IPv4 in any spelling that the C library takes (`0x7f.1`, `2130706433`, `0177.0.0.1`).
    """
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        parsed = ip_address(bare)
    except ValueError:
        if not _LEGACY_IPV4.fullmatch(bare):
            return None
        try:
            return socket.inet_ntoa(socket.inet_aton(bare))
        except OSError:
            return None
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(parsed)


class _Lookup:
    """One look-up that runs or waits for a thread, and how many wait for it."""

    def __init__(self, found: "asyncio.Future[tuple[str, ...] | None]") -> None:
        self.found = found
        self.askers = 0
        self.call: Callable[[], None] = lambda: None


class PooledResolver:
    """Looks up host names on threads of its own. Implements `engine.ports.Resolver`.

    Belongs to one event loop: the one that `resolve` is first called on. A name is looked up
    once at a time, whoever asks; the result is remembered for `dns_cache_s`, a failure for at
    most 5 s.

    Args:
        settings: `dns_threads`, `dns_timeout_s` and `dns_cache_s` are used.
        clock: tells how old a remembered result is.
        getaddrinfo: looks a name up, as `socket.getaddrinfo` does; runs on a thread.
        threads: what runs it; a pool of `dns_threads` threads of its own if not given.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock,
        getaddrinfo: Callable[..., list[Any]] = socket.getaddrinfo,
        threads: Threads | None = None,
    ) -> None:
        self._timeout_s = settings.dns_timeout_s
        self._cache_s = settings.dns_cache_s
        self._clock = clock
        self._getaddrinfo = getaddrinfo
        self._threads: Threads = threads or AbandonableThreads(
            threads_max=settings.dns_threads, name="sluicegate-dns"
        )
        self._cache: dict[str, tuple[tuple[str, ...], float]] = {}
        self._lookups: dict[str, _Lookup] = {}
        self._closed = False

    async def resolve(self, host: str) -> tuple[str, ...]:
        """Return the addresses of `host`, best first; `()` if there are none, or not in time.

        Waits at most `dns_timeout_s`. Cancelling it does not disturb others who ask for the
        same name. An address literal, however it is spelt, stands for itself.

        Args:
            host: a host name in ASCII (A-labels), or an address literal.

        Returns:
            At most 16 addresses in canonical form; IPv4-mapped ones as IPv4.

        Raises:
            UnavailableError: this machine lacks the means to ask; the name may well resolve.
        """
        literal = canonical_address(host)
        if literal is not None:
            return (literal,)
        name = host.lower()
        known = self._cache.get(name)
        if known is not None and self._clock.monotonic_s() < known[1]:
            return known[0]
        if self._closed:
            return ()
        lookup = self._lookups.get(name) or self._begin(name)
        lookup.askers += 1
        try:
            async with asyncio.timeout(self._timeout_s):
                found = await asyncio.shield(lookup.found)
        except TimeoutError:
            return ()
        finally:
            lookup.askers -= 1
            if not lookup.askers and self._threads.withdraw(lookup.call):
                # Nobody waits any more and no thread had time for it: it would only stand in
                # the way of others. One that runs stays, for those who ask again.
                del self._lookups[name]
        if found is None:
            raise UnavailableError("no look-up is possible: too many open files, or no memory")
        return found

    async def close(self) -> None:
        """Answer those who wait with `()` and forget what hangs. Never waits; twice is fine."""
        self._closed = True
        self._threads.close()
        for lookup in self._lookups.values():
            if not lookup.found.done():
                lookup.found.set_result(())

    def _begin(self, name: str) -> _Lookup:
        loop = asyncio.get_running_loop()
        lookup = _Lookup(loop.create_future())
        lookup.call = functools.partial(self._look_up, name, loop)
        self._lookups[name] = lookup
        self._threads.submit(lookup.call)
        return lookup

    def _look_up(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        """Ask the system. Runs on a thread of the pool."""
        addresses: tuple[str, ...] | None = ()
        try:
            found = self._getaddrinfo(name, None, type=socket.SOCK_STREAM)
            canonical = (canonical_address(str(sockaddr[0])) for *_, sockaddr in found)
            unique = dict.fromkeys(a for a in canonical if a is not None)
            addresses = tuple(unique)[:_ADDRESSES_MAX]
        except (OSError, ValueError) as error:
            # No such name, no answer, or no name at all (labels over 63 characters, NUL).
            if isinstance(error, OSError) and error.errno in SHORTAGES:
                addresses = None
        finally:
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(self._finish, name, addresses)

    def _finish(self, name: str, addresses: tuple[str, ...] | None) -> None:
        """Tell those who wait, and remember; `None` is a shortage. Runs on the loop."""
        if addresses is not None:
            keep_s = self._cache_s if addresses else min(self._cache_s, _NEGATIVE_CACHE_S)
            self._cache.pop(name, None)
            self._cache[name] = (addresses, self._clock.monotonic_s() + keep_s)
            if len(self._cache) > _CACHE_MAX:
                del self._cache[next(iter(self._cache))]
        lookup = self._lookups.pop(name)
        if not lookup.found.done():
            lookup.found.set_result(addresses)
