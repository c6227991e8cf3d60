"""The parts of `docs/` that are made from the code: `make docs`, and a test that compares."""

import ast
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from sluicegate import __version__
from sluicegate.cli.config import ENVIRONMENT_PREFIX
from sluicegate.cli.openapi import openapi_text
from sluicegate.engine.lifecycle_diagram import mermaid
from sluicegate.engine.ports import Overview
from sluicegate.engine.setting_rules import allowed_text, setting_types
from sluicegate.engine.settings import Settings
from sluicegate.simulation.faults import STORM, Faults
from sluicegate.simulation.oracle.judge import RULES
from sluicegate.telemetry.counting import Counting
from sluicegate.telemetry.gauges import Live, gauges

__all__ = [
    "NOTHING_STORED",
    "settings_page",
    "with_faults",
    "with_lifecycle",
    "with_metrics",
    "with_rules",
    "write_docs",
]

_BEGIN = "<!-- {}:begin -->\n"
_END = "<!-- {}:end -->"

NOTHING_STORED = Overview(
    queued=0,
    pending_retry=0,
    held=0,
    failed=0,
    active=0,
    paused={},
    circuits_open=0,
    queued_since_ms=None,
    accepted_at_ms=None,
)
"""For a table of what may be told; the figures do not matter."""

_INTRODUCTION = """\
# Settings

<!-- Made by `make docs` from src/sluicegate/engine/settings.py; a test compares them. -->

Each setting can be given in four ways. The first of these that has it wins:

1. an option of `sluicegate serve` (`--host`, `--port`, `--database`, `--dev`);
2. an environment variable: `SLUICEGATE_` and the name in capitals, such as `SLUICEGATE_PORT`;
3. a key of a TOML file, named by `--config` or `SLUICEGATE_CONFIG`;
4. the default.

In Python every setting is a keyword: `Settings(port=9000)`.

In an environment variable, lists are separated by commas (`SLUICEGATE_RETRY_SLOW_S="60,300,3600"`),
yes and no are `true` or `false` (also `1`/`0`, `yes`/`no`, `on`/`off`), and an empty variable
counts as unset. In a TOML file, lists are arrays. A value that is not allowed stops the start
with one line and exit code 2; so does an unknown key in the file. An unknown variable that begins
with `SLUICEGATE_` is only warned of in the log.

In Kubernetes, a Service that is called `sluicegate` makes the variable `SLUICEGATE_PORT`, with a
URL in it, in every pod of its namespace. Set `enableServiceLinks: false` on the pod, or call the
Service something else.

The units: names that end in `_s` are seconds, in `_bytes_max` bytes. Bounds are included.
"""


def settings_page() -> str:
    """Return the page. Reads the source of `Settings`, where the descriptions are."""
    lines = [_INTRODUCTION]
    descriptions = dict(_descriptions(Settings))
    for field in msgspec.structs.fields(Settings):
        name = field.name
        lines += [
            f"## `{name}`",
            "",
            descriptions[name],
            "",
            f"- Allowed: {allowed_text(setting_types(Settings)[name])}",
            f"- Default: {_shown(field.default)}",
            f"- Environment: `{ENVIRONMENT_PREFIX}{name.upper()}`",
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


def _descriptions(record: type[msgspec.Struct]) -> Iterator[tuple[str, str]]:
    """Yield each field with what stands under it."""
    body = ast.parse(inspect.getsource(record)).body[0]
    assert isinstance(body, ast.ClassDef)
    for field, below in zip(body.body, body.body[1:], strict=False):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str() as text)),
            ):
                yield name, text
            case _:
                pass


def _shown(value: object) -> str:
    match value:
        case None:
            return "unset"
        case ():
            return "none"
        case bool():
            return f"`{str(value).lower()}`"
        case tuple():
            return f"`{','.join(map(str, value))}`"
        case _:
            return f"`{value}`"


def with_lifecycle(page: str) -> str:
    """Return `page` with the states of a message, as they are now, between its two markers.

    Raises:
        ValueError: a marker is missing.
    """
    return _with(page, "lifecycle", f"```mermaid\n{mermaid()}\n```\n")


def with_metrics(page: str) -> str:
    """Return `page` with a table of all metrics between its two markers.

    Raises:
        ValueError: a marker is missing.
    """
    live = Live(in_flight=lambda: 0, slots=list, actors=lambda: 0, version=__version__)
    families = [*Counting().collect(), *gauges(live, NOTHING_STORED, now_ms=0)]
    lines = ["| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for family in sorted(families, key=lambda each: each.name):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = ", ".join(f"`{each}`" for each in family._labelnames)  # type: ignore[attr-defined] # noqa: SLF001 - not told otherwise when there are no samples yet
        lines.append(f"| `{name}` | {family.type} | {labels} | {family.documentation} |")
    return _with(page, "metrics", "\n".join(lines) + "\n")


def with_faults(page: str) -> str:
    """Return `page` with a table of all that a simulation can let go wrong, in its place.

    Raises:
        ValueError: a marker is missing.
    """
    lines = ["| rate | of what, and what happens | in a storm |", "|---|---|---|"]
    for name, text in _descriptions(Faults):
        if isinstance(rate := getattr(STORM, name), float):
            lines.append(f"| `{name}` | {' '.join(text.split())} | {rate:g} |")
    return _with(page, "faults", "\n".join(lines) + "\n")


def with_rules(page: str) -> str:
    """Return `page` with a table of the oracle's rules, by theme, in its place.

    Raises:
        ValueError: a marker is missing.
    """
    lines = ["| about | rule | what it says |", "|---|---|---|"]
    theme = ""
    for rule in RULES:
        before, theme = theme, rule.__module__.rpartition(".")[2]
        sentence = inspect.cleandoc(rule.__doc__ or "").partition("\n")[0]
        lines.append(f"| {theme if theme != before else ''} | `{rule.__name__}` | {sentence} |")
    return _with(page, "rules", "\n".join(lines) + "\n")


def _with(page: str, part: str, text: str) -> str:
    begin = page.index(_BEGIN.format(part)) + len(_BEGIN.format(part))
    return page[:begin] + text + page[page.index(_END.format(part), begin) :]


def write_docs(folder: Path) -> None:
    """Write what is made from the code into `folder`. Blocks on small files."""
    (folder / "settings.md").write_text(settings_page(), encoding="utf-8")
    (folder / "openapi.json").write_text(openapi_text(), encoding="utf-8")
    for name, remade in (
        ("architecture.md", with_lifecycle),
        ("monitoring.md", with_metrics),
        ("simulation.md", with_faults),
        ("simulation.md", with_rules),
    ):
        page = folder / name
        page.write_text(remade(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write_docs(Path(sys.argv[1]))
