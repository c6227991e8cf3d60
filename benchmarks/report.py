"""One run's figures as tables: for people, for a pipe, for the documentation."""

from collections.abc import Iterator
from typing import NamedTuple

from campaign import OTHERS_MAX, Figures
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["markdown", "print_report"]


_SHARES = ("its core", "load generator", "sink", "others")


class Section(NamedTuple):
    """A table and what must be known to read it."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    note: str


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
    yield f"{machine['at']}, the whole run took {machine['took_s']:.0f} s"
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
    yield _delivered(figures["delivered"])
    yield _took(figures["took"])
    yield _pauses(figures["pause"])
    yield _memory(figures["memory"])


def _delivered(part: Figures) -> Section:
    relay, ours = part["relay"], part["sluicegate"]
    rows: list[tuple[str, ...]] = [
        (
            name,
            _spread(each["per_s"], ",.0f"),
            _spread(each["cpu_us"], ",.0f"),
            *_shares(each["shares"]),
        )
        for name, each in (("aiohttp relay", relay), ("Sluicegate", ours))
    ]
    rows.append(
        ("ratio", _spread(part["ratio"], ".3f"), _spread(part["cpu_ratio"], ".2f"), *[""] * 4)
    )
    return Section(
        "Messages delivered end to end",
        ("", "messages/s", "CPU µs/message", *_SHARES),
        rows,
        f"Median (least to greatest) of {part['rounds']} rounds each, in turn, "
        f"{relay['messages']:,} and {ours['messages']:,} messages a round; "
        f"{part['payload_bytes']} B payload, {part['connections']} senders, at most "
        f"{part['connections']} attempts in flight. Sluicegate: HTTP accept, SQLite "
        "(synchronous=FULL), signed POST, result recorded. The relay: accept, POST; "
        "nothing stored, nothing signed. Then shares of a core: what is measured has one to "
        "itself; load generator and sink share the other, and are not the limit while together "
        "they stay well below 100%; others are programs that are no part of the run."
        + _discarded(part),
    )


def _took(part: Figures) -> Section:
    rows: list[tuple[str, ...]] = [
        (
            name,
            *(_spread(each[key], ".2f") for key in ("p50_ms", "p99_ms")),
            *_shares(each["shares"]),
            _number(each["late_p99_ms"]),
        )
        for name, each in (("aiohttp relay", part["relay"]), ("Sluicegate", part["sluicegate"]))
    ]
    ratio = part["ratio"]
    rows.append(("ratio", _spread(ratio["p50"], ".2f"), _spread(ratio["p99"], ".2f"), *[""] * 5))
    return Section(
        "From send to delivered",
        ("", "p50 ms", "p99 ms", *_SHARES, "load generator late, p99 ms"),
        rows,
        f"Both at {part['rate']:,.0f} messages/s, half of Sluicegate's median above, "
        f"{part['seconds']:.0f} s a round; median (least to greatest) of {part['rounds']} rounds "
        "each, in turn. From the moment the send is written to the moment the sink has the whole "
        "request, on the clock that both processes share." + _discarded(part),
    )


def _pauses(part: Figures) -> Section:
    rows = []
    for name, key in (
        ("idle", "idle"),
        ("at half of the measured rate", "half_load"),
        ("at the full rate", "full_load"),
        ("none held", "none_held"),
        (f"{part['held_count']:,} held", "held"),
    ):
        each = part[key]
        ms = [_number(each[what][p]) for what in ("pause_ms", "resume_ms") for p in ("p50", "p99")]
        rows.append((name, *ms, f"{each['count']:,}"))
    ratio = part["ratio"]
    rows.append(
        (
            "ratio, held to none held",
            *(f"{ratio[what][p]:.2f}" for what in ("pause", "resume") for p in ("p50", "p99")),
            "",
        )
    )
    return Section(
        "Pause and resume answered",
        ("", "pause p50 ms", "p99 ms", "resume p50 ms", "p99 ms", "answers"),
        rows,
        "Over HTTP, commit included, as the client sees it. Under load the paused endpoint is one "
        "of those that the load goes to. With and without messages held in turn; "
        f"{part['flowed']:,} of those held flowed between a resume and the next pause. Unlike the "
        "rounds above, nothing here is discarded or flagged when other programs took the core.",
    )


def _memory(part: Figures) -> Section:
    rows: list[tuple[str, ...]] = [
        ("no endpoint", "0", "0", _mib(part["empty_bytes"])),
        (
            "none has work",
            f"{part['endpoints']:,}",
            f"{part['idle_active']:,}",
            _mib(part["idle_bytes"]),
        ),
        (
            f"{part['working']:,} have work",
            f"{part['endpoints']:,}",
            f"{part['working_active']:,}",
            _mib(part["working_bytes"]),
        ),
        (
            f"{part['all_active']:,} have work",
            f"{part['endpoints']:,}",
            f"{part['all_active']:,}",
            _mib(part["all_bytes"]),
        ),
    ]
    per_idle = (part["idle_bytes"] - part["empty_bytes"]) / part["endpoints"]
    return Section(
        "Memory",
        ("", "endpoints stored", "active actors", "resident MiB"),
        rows,
        f"An active actor costs {part['per_actor_bytes']:,.0f} B resident "
        f"({part['per_actor_traced_bytes']:,.0f} B as Python counts what it allocated), its "
        f"message of {part['payload_bytes']} B included, which waits on a retry; "
        f"{part['all_active']:,} of them {_mib(part['all_bytes'] - part['idle_bytes'])} MiB. An "
        f"endpoint without work costs {max(per_idle, 0):,.0f} B. In a process of its own, with "
        "real storage and no HTTP server.",
    )


def _verdict(figures: Figures) -> Iterator[str]:
    counts = figures["counts"]
    yield (
        f"Sluicegate accepted {counts['accepted']:,} messages: {counts['succeeded']:,} delivered "
        f"and recorded, {counts['held']:,} held, {counts['lost']:,} lost. The relay accepted "
        f"{counts['relay_accepted']:,}."
    )
    others = max(
        figures[part][name]["shares"]["others"]
        for part in ("delivered", "took")
        for name in ("relay", "sluicegate")
    )
    if others > OTHERS_MAX:
        yield (
            f"DISTURBED: other programs took {others:.0%} of a core; "
            "rates and times say little, CPU per message and memory still do."
        )
    for fault in figures["faults"]:
        yield f"FAULT: {fault}"
    if not figures["faults"]:
        yield "Every round: each accepted message arrived exactly once, ours with its signature."


def _spread(spread: list[float], form: str) -> str:
    median, low, high = spread
    return f"{median:{form}} ({low:{form}} to {high:{form}})"


def _shares(shares: Figures) -> list[str]:
    return [f"{shares[name]:.0%}" for name in ("subject", "load", "sink", "others")]


def _discarded(part: Figures) -> str:
    if not part["discarded"]:
        return ""
    return (
        f" {part['discarded']} further pairs of rounds were discarded, in which other programs "
        f"took more than {OTHERS_MAX:.0%} of a core."
    )


def _number(ms: float) -> str:
    return f"{ms:.2f}"


def _mib(size_bytes: float) -> str:
    return f"{size_bytes / 2**20:.1f}"
