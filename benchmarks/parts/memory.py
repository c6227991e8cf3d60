"""What endpoints and their actors weigh.

Three processes, one after the other: one stores the endpoints, the next is weighed, a third says
what Python itself allocated, for which it must run slower.
"""

from collections.abc import Iterator
from typing import Any

from run_context import Run
from section import Section, mib
from wire import PAYLOAD_BYTES, Job
from workers import Worker

__all__ = ["goals", "measure", "sections"]

_JOB_TIMEOUT_S = 120.0
_FILL_STEP = 10_000
_TRACED = 2000


def measure(run: Run) -> dict[str, Any]:
    """Store endpoints; give some of them work, then more; weigh the process each time."""
    folder, core = run.folder, run.cores.subject
    endpoints = run.sized(100_000, quick=10_000)
    working, active = run.sized((1000, 10_000), quick=(500, 4000))
    database = str(folder / "endpoints.db")
    with Worker.run("memory_worker", str(folder / "empty.db"), core=core) as empty_worker:
        empty = _do(empty_worker, "weigh")
    with Worker.run("memory_worker", database, core=core) as filler:
        for first in range(0, endpoints, _FILL_STEP):
            run.steps.say(f"memory, {first:,} of {endpoints:,} endpoints stored")
            _do(filler, "fill", first, min(first + _FILL_STEP, endpoints))
    with Worker.run("memory_worker", database, core=core) as weighed:
        run.steps.say("memory, activating endpoints")
        idle = _do(weighed, "weigh")
        some = _do(weighed, "activate", 0, working)
        all_of_them = _do(weighed, "activate", working, active)
    with Worker.run("memory_worker", database, core=core) as traced:
        # Those of the last process still wait on their retries, and are not activated.
        _do(traced, "activate", active, active + working // 2)
        _do(traced, "trace")
        first = active + working // 2
        allocated = _do(traced, "activate", first, first + _TRACED)
    return {
        "payload_bytes": PAYLOAD_BYTES,
        "endpoints": endpoints,
        "working": working,
        "empty_bytes": empty["rss_bytes"],
        "idle_bytes": idle["rss_bytes"],
        "idle_active": idle["active"],
        "working_bytes": some["rss_bytes"],
        "working_active": some["active"],
        "all_bytes": all_of_them["rss_bytes"],
        "all_active": all_of_them["active"],
        "per_actor_bytes": (all_of_them["rss_bytes"] - some["rss_bytes"])
        / (all_of_them["active"] - some["active"]),
        "per_actor_traced_bytes": allocated["traced_bytes"] / _TRACED,
    }


def _do(worker: Worker, what: str, first: int = 0, end: int = 0) -> Job:
    return worker.do({"do": what, "first": first, "end": end}, timeout_s=_JOB_TIMEOUT_S)


def sections(figures: dict[str, Any]) -> Iterator[Section]:
    """Tell the weights."""
    rows: list[tuple[str, ...]] = [
        ("no endpoint", "0", "0", mib(figures["empty_bytes"])),
        (
            "none has work",
            f"{figures['endpoints']:,}",
            f"{figures['idle_active']:,}",
            mib(figures["idle_bytes"]),
        ),
        (
            f"{figures['working']:,} have work",
            f"{figures['endpoints']:,}",
            f"{figures['working_active']:,}",
            mib(figures["working_bytes"]),
        ),
        (
            f"{figures['all_active']:,} have work",
            f"{figures['endpoints']:,}",
            f"{figures['all_active']:,}",
            mib(figures["all_bytes"]),
        ),
    ]
    per_idle = (figures["idle_bytes"] - figures["empty_bytes"]) / figures["endpoints"]
    all_of_them = figures["all_bytes"] - figures["idle_bytes"]
    yield Section(
        "Memory",
        ("", "endpoints stored", "active actors", "resident MiB"),
        rows,
        f"An active actor costs {figures['per_actor_bytes']:,.0f} B resident "
        f"({figures['per_actor_traced_bytes']:,.0f} B as Python counts what it allocated), its "
        f"message of {figures['payload_bytes']} B included, which waits on a retry; "
        f"{figures['all_active']:,} of them {mib(all_of_them)} MiB. An "
        f"endpoint without work costs {max(per_idle, 0):,.0f} B. In a process of its own, with "
        "real storage and no HTTP server.",
    )


def goals(figures: dict[str, Any]) -> dict[str, float]:
    """Tell nothing: no goal is about these."""
    del figures
    return {}
