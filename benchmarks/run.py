"""Measure Sluicegate against a bare aiohttp relay and others, in one run.

    python benchmarks/run.py [--quick] [--only PART ...] [--json FILE] [--write] [--dir FOLDER]
                             [--peers FOLDER]

A full run takes at most 15 minutes, a quick one a few. Everything runs on loopback, in processes
of its own. The exit code is 1 if a message was lost, repeated or unsigned, or if something did
not work; not if a goal is missed.
"""

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import Any

import machine
from parts import ON_REQUEST, PARTS
from peers.stock import default_folder
from report import markdown, print_report
from rich.console import Console
from run_context import Run
from steps import Steps
from workers import HERE, BenchmarkError

_PAGE = HERE.parent / "docs" / "performance.md"


def main() -> int:
    """Run, print, and return the exit code."""
    arguments = _arguments()
    console = Console()
    signal.signal(signal.SIGTERM, _stop)
    try:
        figures = _measure(arguments)
    except BenchmarkError as error:
        print(f"benchmark failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("benchmark stopped", file=sys.stderr)
        return 130
    print_report(figures, console)
    targets = [Path(arguments.json)] if arguments.json is not None else []
    if arguments.write and figures["faults"]:
        print(f"docs/{_PAGE.name} stays as it was: the run has faults", file=sys.stderr)
    elif arguments.write:
        _PAGE.write_text(markdown(figures), encoding="utf-8")
        targets.append(_PAGE.with_suffix(".json"))
    for target in targets:
        text = json.dumps(figures, indent=1, ensure_ascii=False)
        target.write_text(f"{text}\n", encoding="utf-8")
    return 1 if figures["faults"] else 0


def _stop(number: int, frame: object) -> None:
    """End as Ctrl-C does: what was started is ended and what was made is removed."""
    del number, frame
    raise KeyboardInterrupt


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="a short run, with less to rely on")
    parser.add_argument(
        "--only",
        metavar="PART",
        nargs="+",
        choices=PARTS,
        help=f"of: {', '.join(PARTS)} (the last one only if named)",
    )
    parser.add_argument("--json", metavar="FILE", help="write the figures to FILE too")
    parser.add_argument(
        "--write", action="store_true", help=f"write docs/{_PAGE.name}, with the figures beside it"
    )
    parser.add_argument("--dir", metavar="FOLDER", help="where the databases are (not in memory)")
    parser.add_argument(
        "--peers",
        metavar="FOLDER",
        default=str(default_folder()),
        help="where the packages of the peers are kept (default: in the user's cache)",
    )
    return parser.parse_args()


def _measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure the parts and return everything that is known of the run."""
    names = arguments.only or [name for name in PARTS if name not in ON_REQUEST]
    quick = arguments.quick
    with (
        Steps(len(names)) as steps,
        Run.opened(
            chosen=arguments.dir, peers_folder=Path(arguments.peers), steps=steps, quick=quick
        ) as run,
    ):
        conditions = machine.conditions(run.folder, run.cores)
        parts: dict[str, Any] = {}
        goals: dict[str, float] = {}
        took_s: dict[str, float] = {}
        for name in names:
            steps.begin(name)
            began_s = steps.elapsed_s
            try:
                parts[name] = PARTS[name].measure(run)
            except BenchmarkError as error:  # the others' figures are no worse for it
                steps.say(f"{name} failed")
                run.faults.append(f"{name} was not measured: {error}")
            else:
                goals |= PARTS[name].goals(parts[name])
            took_s[name] = round(steps.elapsed_s - began_s, 1)
    return {
        "machine": conditions
        | {
            "quick": quick,
            "took_s": steps.elapsed_s,
            "parts_took_s": took_s,
            "load_after": machine.load_average(),
        },
        "goals": goals,
        "parts": parts,
        "counts": run.counts,
        "accepted": run.rounds.accepted,
        "remarks": run.remarks,
        "faults": run.faults + run.rounds.faults,
    }


if __name__ == "__main__":
    sys.exit(main())
