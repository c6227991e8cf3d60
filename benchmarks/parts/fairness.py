"""Who waits for whom: healthy endpoints beside black holes, and many beside one huge backlog."""

import socket
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

from figures import Spread
from ours import Server
from run_context import Run
from section import SHARES, Section, discarded, shares, spread
from stored import FIRST_STORED, Owner
from subjects import Ours
from turns import at_half_rate, median_shares
from wire import PAYLOAD_BYTES

__all__ = ["goals", "measure", "sections"]

_HEALTHY = 100
_HOLES = 1000
_HOLE_WAITING = 20
_MANY = 1000
_BOOK = "turns"
_FIRST_ATTEMPTS_S = 60.0
_METRICS_S = 10.0
_LATE_HELD = 'sluicegate_slots_held{pool="late"}'


def measure(run: Run) -> dict[str, Any]:
    """Measure both."""
    return {"holes": _holes(run), "turns": _turns(run)}


def _holes(run: Run) -> dict[str, Any]:
    """Measure two servers in turn, one of which has black holes to deliver to, too."""
    healthy = [Owner(f"{run.sink_url}/healthy/{number}") for number in range(_HEALTHY)]
    run.steps.say(f"beside {_HOLES:,} black holes, storing")
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as hole:
        # The kernel completes every handshake and takes the request; nobody ever reads it.
        url = f"http://127.0.0.1:{hole.getsockname()[1]}"
        holes = [Owner(f"{url}/{number}", waiting=_HOLE_WAITING) for number in range(_HOLES)]
        with (
            run.serving(healthy) as alone_server,
            run.serving([*healthy, *holes], drain_s=0) as beside_server,
        ):
            alone, beside = (
                Ours(server, run.sink_url, name=name, endpoint_ids=server.stored_ids[:_HEALTHY])
                for server, name in ((alone_server, "without"), (beside_server, "beside"))
            )
            rate, seconds, turns, again = at_half_rate(
                run,
                f"beside {_HOLES:,} black holes",
                [alone, beside],
                of=alone,
                seconds=run.sized(2.0, quick=1.5),
                full_speed_s=1.0,
            )
            hanging = _late(beside_server)
    sides = dict(zip(("without", "beside"), zip(*turns, strict=True), strict=True))
    return {
        "rate": rate,
        "seconds": seconds,
        "turns": len(turns),
        "discarded": again,
        "hanging": hanging,
        "sides": {
            name: {p: Spread.of([each.ms[p] for each in side]) for p in ("p50", "p99")}
            | {"shares": median_shares([each.shares for each in side])}
            for name, side in sides.items()
        },
        "ratio": {
            p: Spread.of([beside.ms[p] / alone.ms[p] for alone, beside in turns])
            for p in ("p50", "p99")
        },
    }


def _late(server: Server) -> int:
    """Return how many attempts hold late slots."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=_METRICS_S)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return round(float(next(line.split()[1] for line in lines if line.startswith(_LATE_HELD))))


def _turns(run: Run) -> dict[str, Any]:
    """Start a server with many backlogs, one of them huge; see who has how much delivered."""
    huge, each = run.sized((50_000, 50), quick=(10_000, 10))
    seconds = run.sized(2.0, quick=1.0)
    run.steps.say(f"turns, storing {huge + _MANY * each:,} messages")
    owners = [Owner(f"{run.sink_url}/huge", waiting=huge)]
    owners += [Owner(f"{run.sink_url}/{number}", waiting=each) for number in range(_MANY)]
    book = {"first": FIRST_STORED, "count": len(owners), "payload_bytes": PAYLOAD_BYTES}
    run.sink.do({"do": "open", "book": _BOOK, **book}, timeout_s=5)
    run.sink.do({"do": "arm"}, timeout_s=5)
    with run.serving(owners, drain_s=5) as server:
        run.steps.say(f"turns, {_MANY:,} beside one")
        numbers = server.ledger.numbers(server.stored_ids)
        first = run.sink.do({"do": "first", "timeout_s": _FIRST_ATTEMPTS_S}, timeout_s=70)
        report = {"do": "report", "book": _BOOK, "timeout_s": _FIRST_ATTEMPTS_S}
        came = run.sink.do(report, timeout_s=70)
        time.sleep(seconds)
        left = server.ledger.waiting(numbers)
        of_huge = huge - server.ledger.waiting((numbers[0], numbers[0]))
    if came["received"] != len(owners):
        run.faults.append(f"only {came['received']} of {len(owners)} endpoints got an attempt")
    return {
        "waiting": {"huge": huge, "each": each},
        "first_attempts_s": (came["last_ns"] - first["first_ns"]) / 1e9,
        "delivered": huge + _MANY * each - left,
        "delivered_of_huge": of_huge,
    }


def sections(figures: dict[str, Any]) -> Iterator[Section]:
    """Tell the times, and the shares."""
    holes, turns = figures["holes"], figures["turns"]
    rows: list[tuple[str, ...]] = [
        (
            name,
            *(spread(side[p], ".2f") for p in ("p50", "p99")),
            *shares(side["shares"]),
        )
        for name, side in (
            ("without black holes", holes["sides"]["without"]),
            (f"beside {_HOLES:,} of them", holes["sides"]["beside"]),
        )
    ]
    ratio = holes["ratio"]
    rows.append(
        ("ratio", spread(ratio["p50"], ".2f"), spread(ratio["p99"], ".2f"), *[""] * len(SHARES))
    )
    yield Section(
        "Beside black holes",
        ("", "p50 ms", "p99 ms", *SHARES),
        rows,
        f"From send to delivered, to {_HEALTHY} healthy endpoints at {holes['rate']:,.0f} "
        f"messages/s, half of what was delivered without black holes just before, "
        f"{holes['seconds']:.1f} s a round; median (least to greatest) of {holes['turns']} rounds "
        f"on either of two servers, in turn. On one, {_HOLE_WAITING} messages wait for each of "
        f"{_HOLES:,} more endpoints, whose receivers take the connection and never answer, with a "
        f"time limit of 30 s: {holes['hanging']:,} of those attempts hung at the end."
        f"{discarded(holes)}",
    )
    share = turns["delivered_of_huge"] / turns["delivered"]
    waiting = turns["waiting"]
    yield Section(
        "Turns",
        ("", "first attempt of every endpoint, s", "delivered", "of the huge one", "its share"),
        [
            (
                f"{_MANY:,} with {waiting['each']:,} waiting, one with {waiting['huge']:,}",
                f"{turns['first_attempts_s']:.2f}",
                f"{turns['delivered']:,}",
                f"{turns['delivered_of_huge']:,}",
                f"{share:.2%}",
            )
        ],
        "From the first attempt of all after the start, when everything was waiting already, to "
        f"the moment when each endpoint had had one; then what was delivered some seconds later. "
        f"An equal share would be {1 / (_MANY + 1):.2%}.",
    )


def goals(figures: dict[str, Any]) -> dict[str, float]:
    """Tell the ratio of the slowest hundredths."""
    return {"black_holes": figures["holes"]["ratio"]["p99"][0]}
