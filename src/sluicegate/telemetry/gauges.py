"""How things stand: read when they are asked for."""

import platform
import sqlite3
from collections.abc import Callable, Iterable

import msgspec
from prometheus_client import ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric

from sluicegate.engine.ports import Overview

__all__ = ["Live", "Process", "SlotsRead", "gauges"]


class SlotsRead(msgspec.Struct, frozen=True, kw_only=True):
    """One pool of slots for attempts in flight, at one moment."""

    pool: str
    size: int
    held: int
    waiting: int
    """How many stand in line: endpoints, and attempts that are to leave another pool."""


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """What can be read of an engine at any moment."""

    in_flight: Callable[[], int]
    slots: Callable[[], Iterable[SlotsRead]]
    actors: Callable[[], int]
    version: str


class Process(ProcessCollector):
    """Memory, processor time and files of the process, where `/proc` tells them."""

    def collect(self) -> Iterable[Metric]:
        """Yield them; nothing when a limit is no number ("unlimited")."""
        try:
            return super().collect()
        except ValueError:
            return ()


def gauges(live: Live, overview: Overview | None, *, now_ms: int) -> Iterable[Metric]:
    """Yield every gauge; those that storage knows only if there is an overview.

    Args:
        live: of the engine.
        overview: what storage told, if it answered.
        now_ms: the wall clock; ages are told by it.
    """
    yield _build(live.version)
    yield GaugeMetricFamily(
        "sluicegate_attempts_in_flight",
        "Attempts that have started and are not recorded yet.",
        value=live.in_flight(),
    )
    yield from _slots(live.slots())
    yield GaugeMetricFamily(
        "sluicegate_actors",
        "Endpoints that are in memory, because they have work or had some lately.",
        value=live.actors(),
    )
    yield GaugeMetricFamily(
        "sluicegate_scrape_error",
        "1 when storage did not answer: what only it knows is missing then.",
        value=float(overview is None),
    )
    if overview is not None:
        yield from _stored(overview, now_ms=now_ms)


def _build(version: str) -> Metric:
    family = GaugeMetricFamily(
        "sluicegate_build_info",
        "1; the versions are in the labels.",
        labels=("version", "python_version", "sqlite_version"),
    )
    family.add_metric((version, platform.python_version(), sqlite3.sqlite_version), 1)
    return family


def _slots(pools: Iterable[SlotsRead]) -> Iterable[Metric]:
    size, held, waiting = (
        GaugeMetricFamily(f"sluicegate_slots{name}", text, labels=("pool",))
        for name, text in (
            ("", "Slots for attempts in flight: `in_flight_max` and `in_flight_late_max`."),
            ("_held", "Slots that are taken."),
            ("_waited_for", "Endpoints and late attempts in line for such a slot."),
        )
    )
    for each in pools:
        size.add_metric((each.pool,), each.size)
        held.add_metric((each.pool,), each.held)
        waiting.add_metric((each.pool,), each.waiting)
    return size, held, waiting


def _stored(overview: Overview, *, now_ms: int) -> Iterable[Metric]:
    messages = GaugeMetricFamily(
        "sluicegate_messages",
        "Messages that wait or were given up, by status; those in flight count as waiting.",
        labels=("status",),
    )
    messages.add_metric(("queued",), overview.queued)
    messages.add_metric(("pending_retry",), overview.pending_retry)
    messages.add_metric(("paused",), overview.held)
    messages.add_metric(("failed_permanent",), overview.failed)
    yield messages
    endpoints = GaugeMetricFamily(
        "sluicegate_endpoints",
        "Endpoints: active, or paused by whom or what.",
        labels=("state",),
    )
    endpoints.add_metric(("active",), overview.active)
    for reason, count in overview.paused.items():
        endpoints.add_metric((f"paused_{reason}",), count)
    yield endpoints
    yield GaugeMetricFamily(
        "sluicegate_endpoints_circuit_open",
        "Active endpoints that get one probe at a time.",
        value=overview.circuits_open,
    )
    yield GaugeMetricFamily(
        "sluicegate_oldest_queued_age_seconds",
        "How long the next message of an active endpoint has been queued, the longest of all; "
        "0 when none is.",
        value=_age_s(overview.queued_since_ms, now_ms),
    )
    yield GaugeMetricFamily(
        "sluicegate_oldest_waiting_age_seconds",
        "How long ago the oldest message was accepted that waits, be it for a retry or on a "
        "pause; 0 when none waits.",
        value=_age_s(overview.accepted_at_ms, now_ms),
    )


def _age_s(since_ms: int | None, now_ms: int) -> float:
    return 0.0 if since_ms is None else max(0, now_ms - since_ms) / 1000
