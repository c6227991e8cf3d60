"""A server that has nothing to do: what it does all the same."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ours import Server
from run_context import Run
from section import Section
from stored import Owner

__all__ = ["goals", "measure", "sections"]

_SETTLES_S = 4.0
"""After its start a server looks once at everything that may be due."""
_ENDPOINTS = 100


def measure(run: Run) -> dict[str, Any]:
    """Start a server, and leave it alone."""
    seconds = run.sized(20.0, quick=5.0)
    owners = [Owner(f"{run.sink_url}/{number}") for number in range(_ENDPOINTS)]
    with run.serving(owners) as server:
        ready_bytes = server.resident_bytes
        run.steps.say("rest, waiting until it is at rest")
        server.api.close()
        time.sleep(_SETTLES_S)
        run.steps.say(f"rest, watching for {seconds:.0f} s")
        before = _wake_ups(server)
        server.cpu.start()
        time.sleep(seconds)
        share, after = server.cpu.share(), _wake_ups(server)
        loop, others = (now - then for now, then in zip(after, before, strict=True))
        return {
            "seconds": seconds,
            "cpu_percent": share * 100,
            "loop_wake_ups": loop,
            "other_wake_ups": others,
            "ready_bytes": ready_bytes,
            "resident_bytes": server.resident_bytes,
        }


def _wake_ups(server: Server) -> tuple[int, int]:
    """Return how often the thread of the event loop has gone to sleep, and all others together.

    A timer wakes the loop; a query, the thread of a connection.
    """
    pid = server.process.pid
    counts = {
        int(task.name): _switches(task / "status") for task in Path(f"/proc/{pid}/task").iterdir()
    }
    loop = counts.pop(pid)
    return loop, sum(counts.values())


def _switches(status: Path) -> int:
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return int(lines["voluntary_ctxt_switches"])


def sections(figures: dict[str, Any]) -> Iterator[Section]:
    """Tell what it did."""
    yield Section(
        "At rest",
        ("", "CPU %", "wake-ups of the loop", "of other threads", "resident MB", "at the start"),
        [
            (
                f"{figures['seconds']:.0f} s",
                f"{figures['cpu_percent']:.2f}",
                f"{figures['loop_wake_ups']}",
                f"{figures['other_wake_ups']}",
                f"{figures['resident_bytes'] / 1e6:.1f}",
                f"{figures['ready_bytes'] / 1e6:.1f}",
            )
        ],
        f"A server with {_ENDPOINTS} endpoints, some seconds after its start. What "
        "is due wakes the thread of the event loop, and each query the thread of a connection.",
    )


def goals(figures: dict[str, Any]) -> dict[str, float]:
    """Tell all of it."""
    return {
        "idle_queries": figures["other_wake_ups"],
        "idle_timers": figures["loop_wake_ups"],
        "idle_cpu": figures["cpu_percent"],
        "idle_resident": figures["resident_bytes"] / 1e6,
    }
