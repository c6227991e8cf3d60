"""Measure Sluicegate against a bare aiohttp relay, in one run.

    python benchmarks/run.py [--quick] [--json FILE] [--write] [--dir FOLDER]

A full run takes less than 4 minutes, a quick one less than one. Everything runs on loopback, in
processes of its own. The exit code is 1 if a message was lost, repeated or unsigned, or if
something did not work.
"""

import argparse
import contextlib
import json
import signal
import sys
import tempfile
from pathlib import Path

import machine
import memory
from campaign import Campaign, Figures
from delivery import Bench, Ours, Relay
from ours import serving
from report import markdown, print_report
from rich.console import Console
from sizes import FULL, QUICK, Sizes
from steps import Steps
from workers import HERE, BenchmarkError, Cores, Worker

_PAGE = HERE.parent / "docs" / "performance.md"


def main() -> int:
    """Run, print, and return the exit code."""
    arguments = _arguments()
    console = Console()
    signal.signal(signal.SIGTERM, _stop)
    try:
        figures = _measure(QUICK if arguments.quick else FULL, arguments.dir)
    except BenchmarkError as error:
        print(f"benchmark failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("benchmark stopped", file=sys.stderr)
        return 130
    print_report(figures, console)
    if arguments.json is not None:
        Path(arguments.json).write_text(json.dumps(figures, indent=2) + "\n")
    if arguments.write:
        _PAGE.write_text(markdown(figures))
    return 1 if figures["faults"] else 0


def _stop(number: int, frame: object) -> None:
    """End as Ctrl-C does: what was started is ended and what was made is removed."""
    del number, frame
    raise KeyboardInterrupt


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="a short run, with less to rely on")
    parser.add_argument("--json", metavar="FILE", help="write the figures to FILE too")
    parser.add_argument("--write", action="store_true", help=f"write docs/{_PAGE.name}")
    parser.add_argument("--dir", metavar="FOLDER", help="where the databases are (not in memory)")
    return parser.parse_args()


def _measure(sizes: Sizes, chosen: str | None) -> Figures:
    folder, cores = machine.working_folder(chosen), Cores()
    cores.take_place()
    figures: Figures = {"sizes": sizes._asdict(), "machine": machine.conditions(folder, cores)}
    with (
        Steps(sizes.rounds + sizes.rounds_paced + 7) as steps,
        tempfile.TemporaryDirectory(prefix="sluicegate-bench-", dir=folder) as temporary,
    ):
        place = Path(temporary)
        with contextlib.ExitStack() as stack:
            sink = stack.enter_context(Worker.run("sink", core=cores.others))
            load = stack.enter_context(Worker.run("load", core=cores.others))
            sink_port = sink.ready["port"]
            relay_worker = stack.enter_context(
                Worker.run("relay", str(sink_port), core=cores.subject)
            )
            server = stack.enter_context(serving(place, core=cores.subject))
            run = Campaign(
                sizes, Bench(load, sink), Relay(relay_worker), Ours(server, sink_port), steps
            )
            figures["delivered"] = run.delivered()
            figures["took"] = run.took(median_per_s=figures["delivered"]["sluicegate"]["per_s"][0])
            figures["pause"] = run.pauses(server, sink_port, rate=figures["took"]["rate"])
            figures |= run.verify(server)
        steps.begin("memory")
        figures["memory"] = memory.measure(
            place,
            endpoints=sizes.endpoints,
            working=sizes.working,
            active=sizes.active,
            core=cores.subject,
            said=steps.say,
        )
        figures["machine"]["took_s"] = steps.elapsed_s
    figures["machine"]["load_after"] = machine.load_average()
    return figures


if __name__ == "__main__":
    sys.exit(main())
