"""One run's figures as tables: for people, for a pipe, for the documentation."""

from collections.abc import Iterator
from typing import Any

from goals import goals_section
from parts import PARTS
from rich.console import Console
from rich.table import Table
from rich.text import Text
from section import Section

__all__ = ["markdown", "print_report"]


Figures = dict[str, Any]


def print_report(figures: Figures, console: Console) -> None:
    """Print the tables: drawn on a terminal, tab-separated lines elsewhere."""
    for line in _machine(figures["machine"]):
        console.print(line, highlight=False, soft_wrap=True)
    for section in _sections(figures):
        console.print()
        if console.is_terminal:
            console.print(_table(section))
        else:
            _print_plain(section, console)
        console.print(Text(section.note, style="dim"), soft_wrap=not console.is_terminal)
    console.print()
    for line in _verdict(figures):
        console.print(line, highlight=False, soft_wrap=True, markup=False)


def markdown(figures: Figures) -> str:
    """Return the tables as the documentation's page."""
    lines = [
        "# Performance",
        "",
        'Written by `make bench ARGS="--write"`: one run, unedited. Ratios compare what was',
        "measured in turn in that run, so they say more than the figures themselves, which are",
        "that machine's.",
        "",
        *(f"- {line}" for line in _machine(figures["machine"])),
    ]
    for section in _sections(figures):
        lines += ["", f"## {section.title}", "", _row(section.columns)]
        lines.append(_row(["---"] + ["---:"] * (len(section.columns) - 1)))
        lines += [_row(row) for row in section.rows]
        lines += ["", section.note]
    lines += ["", "## Verified", "", *_verdict(figures), ""]
    return "\n".join(lines)


def _row(cells: tuple[str, ...] | list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _table(section: Section) -> Table:
    table = Table(title=section.title, title_justify="left", title_style="bold")
    for at, column in enumerate(section.columns):
        table.add_column(column, justify="left" if at == 0 else "right")
    for row in section.rows:
        table.add_row(*row, style="bold" if row[0].startswith("ratio") else "")
    return table


def _print_plain(section: Section, console: Console) -> None:
    console.print(section.title)
    for row in [section.columns, *section.rows]:
        console.out("\t".join(row), highlight=False)


def _machine(machine: Figures) -> Iterator[str]:
    apart = "what is measured on one, everything else on the other"
    if not machine["cores_apart"]:
        apart = "everything shares it: read nothing into these figures"
    each = ", ".join(f"{name} {took:.0f}" for name, took in machine["parts_took_s"].items())
    yield f"{machine['at']}, the whole run took {machine['took_s']:.0f} s ({each})"
    yield (
        f"{machine['processor']}, {machine['cores']} cores ({apart}), "
        f"{machine['memory_gib']} GiB, {machine['machine']}"
    )
    yield (
        f"{machine['python']}, {machine['loop']}, aiohttp {machine['aiohttp']}, "
        f"SQLite {machine['sqlite']}"
    )
    yield (
        f"database on {machine['file_system']}; 4 KiB written and synced in "
        f"{machine['sync_ms']} ms (median)"
    )
    yield f"load average before {machine['load_before']}, after {machine['load_after']}"


def _sections(figures: Figures) -> Iterator[Section]:
    yield goals_section(
        figures["goals"],
        quick=figures["machine"]["quick"],
        doubts=len(figures["remarks"] + figures["faults"]),
    )
    for name, part in PARTS.items():
        if name in figures["parts"]:
            yield from part.sections(figures["parts"][name])


def _verdict(figures: Figures) -> Iterator[str]:
    counts = figures["counts"]
    yield (
        f"Sluicegate accepted {counts['accepted']:,} messages: {counts['succeeded']:,} delivered "
        f"and recorded, {counts['held']:,} held, {counts['lost']:,} lost. "
        f"All that was measured accepted {sum(figures['accepted'].values()):,}."
    )
    yield from figures["remarks"]
    for fault in figures["faults"]:
        yield f"FAULT: {fault}"
    if not figures["faults"]:
        yield "Every round: each accepted message arrived exactly once, ours with its signature."
