"""What endpoints and their actors weigh.

Three processes, one after the other: one stores the endpoints, the next is weighed, a third says
what Python itself allocated, for which it must run slower.
"""

from collections.abc import Callable
from pathlib import Path

from wire import PAYLOAD_BYTES, Job
from workers import Worker

__all__ = ["measure"]

_JOB_TIMEOUT_S = 120.0
_FILL_STEP = 10_000
_TRACED = 2000


def measure(
    folder: Path,
    *,
    endpoints: int,
    working: int,
    active: int,
    core: int | None,
    said: Callable[[str], None],
) -> dict[str, object]:
    """Store `endpoints`; give `working` of them work, then `active`; weigh the process each time.

    Args:
        folder: where the databases may be.
        endpoints: how many are stored, 2,000 more than `active` at least.
        working: the first that have work.
        active: those that have work in the end.
        core: where it runs.
        said: told what is being done.
    """
    database = str(folder / "endpoints.db")
    with Worker.run("memory_worker", str(folder / "empty.db"), core=core) as empty_worker:
        empty = _do(empty_worker, "weigh")
    with Worker.run("memory_worker", database, core=core) as filler:
        for first in range(0, endpoints, _FILL_STEP):
            said(f"memory: {first:,} of {endpoints:,} endpoints stored")
            _do(filler, "fill", first, min(first + _FILL_STEP, endpoints))
    with Worker.run("memory_worker", database, core=core) as weighed:
        said("memory: activating endpoints")
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
