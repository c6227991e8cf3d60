"""The engine in the program that sends, beside the HTTP server; and how late its loop is then."""

from collections.abc import Iterator
from typing import Any

from ours import DATABASE
from run_context import Run
from section import Section, rates_section
from subjects import CONNECTIONS, Embedded, Ours
from turns import Rival, rates
from wire import PAYLOAD_BYTES

__all__ = ["goals", "measure", "sections"]

_HTTP = "single sends over HTTP"
_ASYNC = "`Engine`, coroutines"
_BLOCKING = "`SyncEngine`, threads"
_PER_S = 500.0
_AT_REST_PER_S = 1.0
_OWN = ("its own p50 ms", "its own p99 ms", "its own most ms")
_COLUMNS = ("p50", "p99", "max", "own_p50", "own_p99", "own_max")


def measure(run: Run) -> dict[str, Any]:
    """Measure all three in turn at full speed, then the loop's lag at a fixed rate."""
    folders = run.new_folder(), run.new_folder()
    core = run.cores.subject
    with (
        run.serving() as server,
        Embedded.run(folders[0] / DATABASE, run.sink_url, name=_ASYNC, core=core) as coroutines,
        Embedded.run(
            folders[1] / DATABASE,
            run.sink_url,
            name=_BLOCKING,
            core=core,
            program="embedded_blocking",
        ) as threads,
    ):
        http = Ours(server, run.sink_url, name=_HTTP)
        figures = rates(
            run,
            "embedded",
            [Rival(http), Rival(coroutines, _HTTP), Rival(threads, _HTTP)],
            turns=run.sized(3, quick=2),
            round_s=1.5,
        )
        run.steps.say(f"how late the host's loop is at {_PER_S:.0f}/s")
        seconds = run.sized(8.0, quick=4.0)
        lag = {
            "seconds": seconds,
            "at_rest_ms": run.rounds.latency(
                coroutines, rate=_AT_REST_PER_S, seconds=seconds
            ).late_ms,
            "at_work_ms": run.rounds.latency(coroutines, rate=_PER_S, seconds=seconds).late_ms,
        }
    for each in (coroutines, threads):
        run.check(each.ledger.accepted, each.ledger.statuses())
    return figures | {"lag": lag}


def sections(figures: dict[str, Any]) -> Iterator[Section]:
    """Tell the rates, and the lag."""
    yield rates_section(
        "Embedded, beside the HTTP server",
        figures,
        f"{PAYLOAD_BYTES} B payload, {CONNECTIONS} sends in progress: connections, coroutines or "
        "threads. The producer of an embedded engine is in its process and has its core's time "
        "too; the ratios are to the sends over HTTP, whose producer has another core.",
    )
    lag = figures["lag"]
    yield Section(
        "How late the loop of a host is",
        ("messages/s", "p50 ms", "p99 ms", "most ms", *_OWN),
        [
            (f"{rate:.0f}", *(f"{lag[key][each]:.2f}" for each in _COLUMNS))
            for rate, key in ((_AT_REST_PER_S, "at_rest_ms"), (_PER_S, "at_work_ms"))
        ],
        "An `Engine` in the loop of its host, which sends at that rate, each message being stored, "
        "signed, delivered and recorded. By how much a timer of the host's that is due every "
        f"millisecond was late, over {lag['seconds']:.0f} s each; and how much of that the process "
        "ran meanwhile, on any of its threads, at the most. What is beyond that is the machine's: "
        "other programs, or another virtual machine, had the core.",
    )


def goals(figures: dict[str, Any]) -> dict[str, float]:
    """Tell how late the loop was."""
    return {"host_lag": figures["lag"]["at_work_ms"]["p99"]}
