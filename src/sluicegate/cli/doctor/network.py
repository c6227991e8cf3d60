"""The network: whether names are found."""

import asyncio
import sqlite3
from collections.abc import Iterator
from urllib.parse import urlsplit

from sluicegate.cli.doctor.results import Check, Patient, Result, ok, warning
from sluicegate.engine.errors import SluicegateError
from sluicegate.http.outbound.resolver import PooledResolver, canonical_address

__all__ = ["CHECKS"]

_ENDPOINTS = 100
_NAMES = 5
_LATEST = "SELECT url FROM endpoints WHERE deleted_at_ms IS NULL ORDER BY no DESC LIMIT ?"


def names(patient: Patient) -> Iterator[Result]:
    """Does the resolver find names, within the time that attempts give it?"""
    hosts = patient.names or _stored(patient.db) or ("localhost",)
    for host, addresses in zip(hosts, asyncio.run(_looked_up(hosts, patient)), strict=True):
        if addresses:
            more = f" and {len(addresses) - 1} more" if len(addresses) > 1 else ""
            yield ok("dns", f"{host} is {addresses[0]}{more}")
        else:
            yield warning(
                "dns",
                f"{host} was not found within {patient.settings.dns_timeout_s:g} s",
                "check the name, /etc/resolv.conf and the way to the name server; nothing can be "
                "delivered to names that are not found",
            )


async def _looked_up(hosts: tuple[str, ...], patient: Patient) -> list[tuple[str, ...]]:
    resolver = PooledResolver(patient.settings, clock=patient.clock)

    async def look_up(host: str) -> tuple[str, ...]:
        try:
            return await resolver.resolve(host)
        except (SluicegateError, UnicodeError):
            return ()

    try:
        return await asyncio.gather(*map(look_up, hosts))
    finally:
        await resolver.close()


def _stored(db: sqlite3.Connection | None) -> tuple[str, ...]:
    """Return the host names of the newest endpoints, a few."""
    if db is None:
        return ()
    try:
        urls = [row[0] for row in db.execute(_LATEST, (_ENDPOINTS,))]
    except sqlite3.Error:
        return ()  # the checks of the database say so
    hosts = dict.fromkeys(host for url in urls if (host := urlsplit(url).hostname))
    return tuple(host for host in hosts if canonical_address(host) is None)[:_NAMES]


CHECKS: tuple[Check, ...] = (names,)
