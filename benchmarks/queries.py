"""Time what is asked of a database with a million messages of 30 days, and show the plans.

By clients, and by endpoints that come into memory.

    python benchmarks/queries.py [--messages N] [--plans] [--dir FOLDER]

The database is made once and kept in the folder; making it takes about a minute. Each question is
asked in the reader's own code on one connection, without HTTP: once cold in SQLite's cache (not in
the system's), then again and again.
"""

import argparse
import itertools
import os
import platform
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import queries_data as data
from machine import load_average, processor
from rich.console import Console
from rich.table import Table

from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.metrics_windows import GRIDS, MINUTE_MS, MetricsWindow
from sluicegate.engine.ports import LogQuery
from sluicegate.storage.activity import get_activity, list_usage_months
from sluicegate.storage.activity_audit import activity_miscounts
from sluicegate.storage.database import prepare_reader
from sluicegate.storage.heads import load_heads
from sluicegate.storage.logs import list_dead_letters, list_logs, select_messages
from sluicegate.storage.replayable import select_failed, select_slow_retries

_AGAIN = 20
_HEADS = 64
"""So many endpoints are let in together."""
_HEAD_ROWS = 8
_HEAD_BYTES = 4096
"""Of each, so many messages of either order, with payloads up to so many bytes."""
PAGE = Path(__file__).parent.parent / "docs" / "queries.md"

Ask = Callable[[sqlite3.Connection], Any]


class Timed(msgspec.Struct):
    """A question and how long its answer took."""

    name: str
    items: int
    cold_ms: float
    median_ms: float
    cpu_ms: float
    """Median too; what else the machine does is not in it."""
    worst_ms: float
    plans: list[str]


def questions(*, count: int, now_ms: int) -> dict[str, Ask]:
    """Return what is asked, by name."""
    asked: dict[str, Ask] = {}
    half_ms = now_ms - data.DAYS * 43_200_000
    owners = {
        "all": None,
        "busy": data.BUSY,
        "quiet": data.QUIET,
        "paused": data.PAUSED,
        "deleted": data.DELETED,
    }
    for owner, endpoint_id in owners.items():
        base = LogQuery(project_id=data.PROJECT, limit=500, endpoint_id=endpoint_id)
        for status in (None, *MessageStatus):
            query = msgspec.structs.replace(base, status=status)
            asked[f"log {owner} {status or 'any'}"] = _logs(query)
            deep = msgspec.structs.replace(query, before_seq=count // 10)
            asked[f"log {owner} {status or 'any'}, far back"] = _logs(deep)
            hour = msgspec.structs.replace(
                query, start_at_ms=half_ms, end_at_ms=half_ms + 3_600_000
            )
            asked[f"log {owner} {status or 'any'}, an hour"] = _logs(hour)
    dead = LogQuery(
        project_id=data.PROJECT, limit=1000, status=MessageStatus.FAILED_PERMANENT, deleted=False
    )
    asked["dlq"] = lambda db: list_dead_letters(db, dead, in_flight=frozenset())[0]
    far = msgspec.structs.replace(dead, before_seq=count // 10)
    asked["dlq, far back"] = lambda db: list_dead_letters(db, far, in_flight=frozenset())[0]
    for owner in ("all", "busy", "paused"):
        asked[f"replay-all {owner} failed"] = _failed(owners[owner])
        asked[f"replay-all {owner} slow"] = _slow(owners[owner])
        asked[f"delete-all {owner}"] = _deletable(owners[owner])
    for window in MetricsWindow:
        for owner in ("all", "busy", "quiet"):
            asked[f"activity {window} {owner}"] = _activity(window, owners[owner], now_ms=now_ms)
    asked["head busy"] = _heads([data.BUSY])
    asked["head paused"] = _heads([data.PAUSED])
    asked["heads"] = _heads([data.endpoint_id(no) for no in range(1, _HEADS + 1)])
    asked["usage by month"] = lambda db: list_usage_months(db, data.PROJECT, limit=100, offset=0)[0]
    return asked


def _logs(query: LogQuery) -> Ask:
    return lambda db: list_logs(db, query, in_flight=frozenset())[0]


def _failed(endpoint_id: str | None) -> Ask:
    return lambda db: select_failed(db, data.PROJECT, endpoint_id=endpoint_id, limit=1000)


def _slow(endpoint_id: str | None) -> Ask:
    return lambda db: select_slow_retries(
        db, data.PROJECT, endpoint_id=endpoint_id, in_flight=frozenset(), limit=1000
    )


def _deletable(endpoint_id: str | None) -> Ask:
    query = LogQuery(project_id=data.PROJECT, limit=1000, endpoint_id=endpoint_id, deleted=False)
    return lambda db: select_messages(db, [query], in_flight=frozenset(), limit=1000)


def _heads(endpoint_ids: list[str]) -> Ask:
    return lambda db: load_heads(
        db, endpoint_ids, limit=_HEAD_ROWS, bytes_max=_HEAD_BYTES, box=data.BOX
    )


def _activity(window: MetricsWindow, endpoint_id: str | None, *, now_ms: int) -> Ask:
    grid = GRIDS[window]
    first = grid.first_minute(now_ms // MINUTE_MS)
    return lambda db: get_activity(
        db,
        data.PROJECT,
        endpoint_id,
        first_minute=first,
        width_minutes=grid.width_minutes,
        count=grid.count,
    )


def ask(path: Path, name: str, question: Ask) -> Timed:
    """Ask once on a new connection, then again and again."""
    db = sqlite3.connect(path, isolation_level=None, cached_statements=256)
    prepare_reader(db)
    db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    statements: list[str] = []
    spans_ms, cpu_ms = [], []
    for _ in range(_AGAIN + 1):
        begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
        answer = question(db)
        cpu_ms.append((time.process_time() - begun_cpu_s) * 1000)
        spans_ms.append((time.perf_counter() - begun_s) * 1000)
    db.set_trace_callback(statements.append)
    question(db)
    db.set_trace_callback(None)
    plans = [
        row[3]
        for sql in statements
        if sql.lstrip().startswith(("SELECT", "WITH"))
        for row in db.execute(f"EXPLAIN QUERY PLAN {sql}")
    ]
    db.close()
    return Timed(
        name=name,
        items=len(answer),
        cold_ms=spans_ms[0],
        median_ms=statistics.median(spans_ms[1:]),
        cpu_ms=statistics.median(cpu_ms[1:]),
        worst_ms=max(spans_ms[1:]),
        plans=plans,
    )


def main() -> None:
    """Make the database if it is not there, ask everything, print."""
    arguments = _arguments()
    console = Console()
    folder = Path(arguments.dir or tempfile.mkdtemp(prefix="sluicegate-queries-"))
    path = folder / f"queries-{arguments.messages}.db"
    now_ms = time.time_ns() // 1_000_000
    if not path.exists():
        console.print(f"making {path} …")
        upgrade_s = data.make(path, count=arguments.messages, now_ms=now_ms)
        console.print(f"upgrade that counts activity, in seconds: {upgrade_s:.1f}")
    with sqlite3.connect(path) as db:
        (newest_ms,) = db.execute("SELECT max(accepted_at_ms) FROM messages").fetchone()
    now_ms = newest_ms  # the windows hold what was made, whenever that was
    asked = questions(count=arguments.messages, now_ms=now_ms)
    timed = [ask(path, *each) for each in asked.items()]
    _show(console, f"{arguments.messages:,} messages", timed)
    if arguments.plans:
        for each in timed:
            console.print(f"[bold]{each.name}[/bold]")
            for step in each.plans:
                console.print(f"    {step}", highlight=False, markup=False, soft_wrap=True)
    if arguments.write:
        PAGE.write_text(_page(arguments.messages, timed), encoding="utf-8")
        console.print(f"written to {PAGE.name}")
    begun_s = time.perf_counter()
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    wrong = activity_miscounts(db, now_minute=now_ms // MINUTE_MS)
    console.print(f"recounted in {time.perf_counter() - begun_s:.1f} s, {len(wrong)} miscounts")
    db.close()


def _show(console: Console, title: str, timed: list[Timed]) -> None:
    table = Table(title=title)
    for column in ("question", "items", "cold ms", "median ms", "CPU ms", "worst ms"):
        table.add_column(column, justify="left" if column == "question" else "right")
    for each in timed:
        spans = (f"{ms:.2f}" for ms in (each.cold_ms, each.median_ms, each.cpu_ms, each.worst_ms))
        table.add_row(each.name, str(each.items), *spans)
    console.print(table)


def _page(messages: int, timed: list[Timed]) -> str:
    """Return the figures and the plans as the documentation's page; equal plans stand once."""
    lines = [
        "# Queries",
        "",
        f"What is asked of {messages:,} messages of 30 days, 200 endpoints. Written by",
        '`make bench-queries ARGS="--write"`: one run, unedited.',
        "",
        f"- {datetime.now(UTC):%Y-%m-%d}, {processor()}, {os.cpu_count()} cores",
        f"- Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}",
        f"- load average after the run {load_average()}",
        "",
        "Asked in the reader's own code, on one connection, without HTTP: once cold in SQLite's",
        f"cache (not in the system's), then {_AGAIN} times. A page has at most 500 messages of the",
        "log, 1,000 of the dead letter queue; a bulk operation means 1,000. A head is what is read",
        f"of an endpoint that comes into memory: its state, and {_HEAD_ROWS} messages of either",
        f"order; of {_HEADS} endpoints at once.",
        "",
        "| question | items | cold ms | median ms | CPU ms | worst ms | plan |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    numbers: dict[tuple[str, ...], int] = {}
    for each in timed:
        number = numbers.setdefault(tuple(each.plans), len(numbers) + 1)
        spans = (f"{ms:.2f}" for ms in (each.cold_ms, each.median_ms, each.cpu_ms, each.worst_ms))
        lines.append(f"| {each.name} | {each.items} | {' | '.join(spans)} | {number} |")
    lines += ["", "## Plans", "", "As SQLite says them, of all statements of a question."]
    for plans, number in numbers.items():
        steps = _counted(plans)
        lines += ["", f"### Plan {number}", "", "```", *steps, "```"]
    return "\n".join([*lines, ""])


def _counted(steps: tuple[str, ...]) -> list[str]:
    """Return steps, those that follow each other unchanged once, with their number."""
    return [
        step if (count := len(list(same))) == 1 else f"{step}  (x {count})"
        for step, same in itertools.groupby(steps)
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--messages", type=int, default=1_000_000, help="how many there are")
    parser.add_argument("--plans", action="store_true", help="print SQLite's plans too")
    parser.add_argument("--write", action="store_true", help="write docs/queries.md")
    parser.add_argument("--dir", help="where the database is made, or is; by default a new folder")
    return parser.parse_args()


if __name__ == "__main__":
    main()
