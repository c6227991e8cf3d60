"""What a delivered message takes on the disk, and what of it comes back after retention."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from ours import DATABASE, serving
from run_context import Run
from section import Section
from subjects import Ours
from wire import PAYLOAD_BYTES
from workers import BenchmarkError

__all__ = ["goals", "measure", "sections"]

_OLDER_MS = 400 * 86_400_000
_BATCH = 100
_LOOK_S = 0.25
_STILL_S = 2.0
"""A file that has not changed for so long has been cut."""
_TIMEOUT_S = 90.0


def measure(run: Run) -> dict[str, Any]:
    """Deliver messages, let them grow old, and start a server that removes them."""
    count = run.sized(20_000, quick=2000)
    place = run.new_folder()
    database = place / DATABASE
    core = run.cores.subject
    with serving(place, core=core, settings={}) as server:
        run.steps.say(f"disk, delivering {count:,} messages")
        subject = Ours(server, run.sink_url, name="disk", batch=_BATCH)
        server.api.call("GET", "/v1/endpoints")
        empty_bytes = _checkpointed(database)
        run.rounds.throughput(subject, count)
        run.check(server.ledger.accepted, server.stop())
    full_bytes = _checkpointed(database)
    with closing(sqlite3.connect(database)) as db:
        db.execute(
            "UPDATE messages SET updated_at_ms = updated_at_ms - :ms,"
            " accepted_at_ms = accepted_at_ms - :ms",
            {"ms": _OLDER_MS},
        )
        db.commit()
    _checkpointed(database)
    with serving(place, core=core, settings={}) as server:
        run.steps.say("disk, removing them")
        left_bytes, took_s = _until_shrunk(database, full_bytes)
        left = sum(server.stop().values())
    if left:
        run.faults.append(f"{left} of {count} messages are left after their retention")
    return {
        "count": count,
        "payload_bytes": PAYLOAD_BYTES,
        "per_message_bytes": (full_bytes - empty_bytes) / count,
        "full_bytes": full_bytes,
        "left_bytes": left_bytes,
        "returned": (full_bytes - left_bytes) / (full_bytes - empty_bytes),
        "took_s": took_s,
    }


def _checkpointed(database: Path) -> int:
    """Bring the log into the file; return the file's length."""
    with closing(sqlite3.connect(database, isolation_level=None)) as db:
        db.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
    return database.stat().st_size


def _until_shrunk(database: Path, full_bytes: int) -> tuple[int, float]:
    """Wait until the file gets no shorter; return its length, and how long it took.

    It is cut piece by piece: at first by less than a half, as messages are removed, then by the
    rest of it.
    """
    began_s = changed_s = time.monotonic()
    length = full_bytes
    while length >= full_bytes / 2 or time.monotonic() < changed_s + _STILL_S:
        if time.monotonic() > began_s + _TIMEOUT_S:
            raise BenchmarkError(f"the file is still {length:,} bytes long")
        time.sleep(_LOOK_S)
        if (now := database.stat().st_size) != length:
            length, changed_s = now, time.monotonic()
    return length, changed_s - began_s


def sections(figures: dict[str, Any]) -> Iterator[Section]:
    """Tell what a message takes."""
    yield Section(
        "Disk",
        ("", "B/message", "file MB", "after retention MB", "removed after s"),
        [
            (
                f"{figures['count']:,} messages",
                f"{figures['per_message_bytes']:,.0f}",
                f"{figures['full_bytes'] / 1e6:.1f}",
                f"{figures['left_bytes'] / 1e6:.1f}",
                f"{figures['took_s']:.1f}",
            )
        ],
        f"Accepted over HTTP, {figures['payload_bytes']} B each, delivered at the first attempt; "
        "the growth of the file, with its log brought in, divided by their number. Then their "
        "rows are made 400 days older and a server is started: its sweeps remove them and cut "
        f"the file, of whose growth {figures['returned']:.0%} is returned.",
    )


def goals(figures: dict[str, Any]) -> dict[str, float]:
    """Tell both."""
    return {
        "disk": figures["per_message_bytes"] / 1024,
        "disk_returned": figures["returned"],
    }
