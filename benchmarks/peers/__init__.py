"""What a user would pick instead, each in its documented durable set-up.

All get the same payloads from the same load generator and post them to the same sink; all programs
of one, its database or broker included, share the one core that Sluicegate has.
"""

import contextlib
import sys
import time
from typing import Any, NamedTuple

from run_context import Run
from section import Section
from workers import BenchmarkError

from peers import bullmq_redis, celery_redis, django_outbox
from peers.peer import Peer
from peers.programs import Place
from peers.stock import MissingError, Stock

__all__ = ["Opened", "opened", "section"]

_KINDS = (*celery_redis.KINDS, *bullmq_redis.KINDS, *django_outbox.KINDS)

_REHEARSAL_S = 15.0
_REHEARSED_AT_ONCE = 1000


class Opened(NamedTuple):
    """The peers of a run."""

    peers: list[Peer]
    figures: dict[str, Any]
    """For `section`: what each is made of, or why it is skipped."""


def opened(run: Run, stack: contextlib.ExitStack) -> Opened:
    """Start all peers, which end with `stack`. One that cannot be had is skipped, and loudly."""
    stock = Stock(run.peers_folder)
    peers: list[Peer] = []
    skipped: dict[str, str] = {}
    for kind in _KINDS:
        run.steps.say(f"starting {kind.name}")
        place = Place(stock, run.new_folder(), run.cores.subject, run.sink_url)
        try:
            peers.append(stack.enter_context(kind.opened(place)))
        except (MissingError, BenchmarkError) as error:
            skipped[kind.name] = str(error)
            print(f"*** SKIPPED: {kind.name}: {error} ***", file=sys.stderr)
            run.remarks.append(f"SKIPPED: {kind.name}: {error}")
        else:
            _rehearse(run, peers[-1])
    names = [peer.name for peer in peers]
    return Opened(peers, {"measured": names, "skipped": skipped, "versions": _versions(stock)})


def _rehearse(run: Run, peer: Peer) -> None:
    """Send what a peer must have seen before it is as fast as it can be, for so long at most."""
    until_s = time.monotonic() + _REHEARSAL_S
    for _ in range(0, peer.rehearsal, _REHEARSED_AT_ONCE):
        if time.monotonic() < until_s:
            run.rounds.throughput(peer, _REHEARSED_AT_ONCE)


def _versions(stock: Stock) -> dict[str, str]:
    try:
        versions = stock.versions()
    except MissingError:
        return {}
    return {name: versions[name] for kind in _KINDS for name in kind.packages if name in versions}


def section(figures: dict[str, Any]) -> Section:
    """Return the table of what each peer is; `figures` as `Opened` has them."""
    versions = figures["versions"]
    return Section(
        "The peers",
        ("", "made of", "accepted", "delivered by"),
        [
            (
                kind.name,
                ", ".join(f"{name} {versions.get(name, '')}".strip() for name in kind.packages),
                kind.accepts,
                kind.delivers,
            )
            for kind in _KINDS
        ],
        "All programs of a peer share the one core that Sluicegate has; while others are measured "
        "they rest. None signs, records attempts, checks addresses or keeps an order; each would "
        "try again what fails. Redis keeps an append-only file and no snapshots: "
        "with `everysec`, its default, up to a second of what was answered can be lost with the "
        "machine's power, though not with a process; with `always` nothing. Packages come from "
        "PyPI and npm, Redis and Node.js too, with every version fixed.",
    )
