"""Measures how soon each planted bug is found, and writes the table of the documentation.

python -m tests.simulation.mutants docs/simulation-mutants.md --jobs 2
"""

import argparse
import sys
from pathlib import Path

from .catalogue import MUTANTS, Mutant
from .hunt import Find, hunters

_HEAD = """# Planted bugs

How soon the suite turns red when the engine has a bug. Each is planted by itself; then seeds are
run from 1 on, until one is red. *Seeds* is the first that was, with requests as values (direct)
and over the simulated network (http); `> n`: none of the first n was. The rule that showed it
first is named. *Bound* is what the tests demand, in direct mode. The engine as it is is
green on all of these seeds.

Made by `python -m tests.simulation.mutants docs/simulation-mutants.md`.

| planted bug | promise that it breaks | found by | seeds: direct | http | bound | seconds |
|---|---|---|--:|--:|--:|--:|
"""


def main() -> None:
    """Hunt every bug and write the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutants")
    parser.add_argument("file", type=Path)
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--seeds", type=int, default=300, help="how many seeds to run at most")
    parser.add_argument("--http-seeds", type=int, default=30, help="the same over HTTP; 0: none")
    options = parser.parse_args()
    with hunters(options.jobs) as them:
        direct, http = {}, {}
        for name in MUTANTS:
            direct[name] = them.begin(name, options.seeds)
            http[name] = them.begin(name, options.http_seeds, "http")
        lines = []
        for name, mutant in MUTANTS.items():
            found, over_http = direct[name].result(), http[name].result()
            cells = _cells(mutant, found, options.seeds, over_http, options.http_seeds)
            lines.append(f"| {' | '.join(cells)} |\n")
            sys.stderr.write(f"{lines[-1]}")
    options.file.write_text(_HEAD + "".join(lines), "utf-8")


def _cells(
    mutant: Mutant, found: Find, seeds: int, over_http: Find, http_seeds: int
) -> tuple[str, ...]:
    rule = (found.rules or over_http.rules or ("",))[0]
    return (
        mutant.name,
        mutant.promise,
        f"`{rule}`" if rule else "",
        _seeds(found, seeds),
        _seeds(over_http, http_seeds) if http_seeds else "",
        str(mutant.seeds_max),
        f"{found.took_s:.1f}",
    )


def _seeds(found: Find, seeds_max: int) -> str:
    return f"> {seeds_max}" if found.seed is None else str(found.seed)


if __name__ == "__main__":
    main()
