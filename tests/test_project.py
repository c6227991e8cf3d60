"""The project around the code: nothing of one machine in it, documents that say what is so."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from sluicegate.cli import main
from sluicegate.cli.generated_docs import (
    NOTHING_STORED,
    settings_page,
    with_faults,
    with_lifecycle,
    with_metrics,
    with_rules,
)
from sluicegate.cli.openapi import openapi_text
from sluicegate.telemetry.counting import Counting
from sluicegate.telemetry.gauges import Live, Process, gauges

ROOT = Path(__file__).parents[1]
LINES_MAX = 400


def tracked_files() -> list[Path]:
    """Return the project's own text files: those that git knows, or all where there is no git."""
    git = shutil.which("git")
    if git is not None and (ROOT / ".git").exists():
        listing = subprocess.run(  # noqa: S603 - our own checkout
            [git, "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        found = [ROOT / name for name in listing.split("\0") if name]
    else:
        folders = ("src", "tests", "docs", "benchmarks", "examples", "requirements")
        found = [
            *ROOT.glob("*.*"),
            *(each for name in folders for each in ROOT.glob(f"{name}/**/*")),
        ]
    return [each for each in found if each.is_file() and each.suffix not in {".pyc", ".db", ".gz"}]


FILES = tracked_files()
MODULES = [each for each in FILES if each.suffix == ".py" and "src" in each.parts]


def name_of(file: Path) -> str:
    """Return a file's name as it is shown in a test's id."""
    return str(file.relative_to(ROOT))


def test_no_file_holds_a_path_of_a_machine() -> None:
    """Absolute paths of homes, work folders and temporary files belong to one machine."""
    machine = re.compile(r"(?<![\w.~-])/(?:home|Users|root|work|tmp|opt)/[\w.-]+")
    assert [
        f"{name_of(file)}: {found[0]}"
        for file in FILES
        if (found := machine.search(file.read_text(encoding="utf-8")))
    ] == []


@pytest.mark.parametrize("lock", ["requirements/dev.txt", "benchmarks/peers/requirements.txt"])
def test_a_lock_names_no_registry_and_has_a_hash_for_every_package(lock: str) -> None:
    """A lock is installed from whatever registry pip is configured for, and checked."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    entries = re.split(r"\n(?=\S)", text.strip())
    assert entries
    assert [each.split()[0] for each in entries if "--hash=sha256:" not in each] == []


def test_the_lock_of_node_names_no_registry_and_has_a_hash_for_every_package() -> None:
    """It is installed from whatever registry npm is configured for, and checked."""
    text = (ROOT / "benchmarks/peers/bullmq_programs/package-lock.json").read_text(encoding="utf-8")
    own, *packages = json.loads(text)["packages"].items()
    assert own[0] == ""
    assert packages
    assert [name for name, each in packages if "resolved" in each or "integrity" not in each] == []


def test_the_lock_has_every_direct_dependency() -> None:
    """A dependency that is added to pyproject.toml is also locked."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [
        *table["project"]["dependencies"],
        *table["project"]["optional-dependencies"]["uvloop"],
        *table["dependency-groups"]["dev"],
    ]
    lock = (ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")
    locked = set(re.findall(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==", lock, re.MULTILINE))
    assert {re.split(r"[<>=;\[]", each)[0] for each in wanted} <= locked


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_a_module_is_short(module: Path) -> None:
    """No module is over 400 lines."""
    assert len(module.read_text(encoding="utf-8").splitlines()) <= LINES_MAX


def test_the_page_of_settings_is_up_to_date() -> None:
    """`docs/settings.md` is what `make docs` makes of the settings."""
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == settings_page()


def test_the_description_of_the_api_is_up_to_date() -> None:
    """`docs/openapi.json` is what `make docs` makes of the routes."""
    assert (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8") == openapi_text()


def test_the_diagram_of_the_states_is_up_to_date() -> None:
    """`docs/architecture.md` shows the lifecycle table as it is."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert "stateDiagram" in page
    assert page == with_lifecycle(page)


def test_the_table_of_the_metrics_is_up_to_date() -> None:
    """`docs/monitoring.md` has every metric there is, and no other."""
    page = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    assert "`sluicegate_attempts_total`" in page
    assert page == with_metrics(page)


def test_the_tables_of_the_simulation_are_up_to_date() -> None:
    """`docs/simulation.md` has every rule of the oracle and every fault, and no other."""
    page = (ROOT / "docs" / "simulation.md").read_text(encoding="utf-8")
    assert "| `nothing_starts_while_paused` |" in page
    assert "| `unknown_outcome` |" in page
    assert page == with_rules(with_faults(page))


def metrics_told() -> set[str]:
    """Return the names of all samples that a scrape may have."""
    live = Live(in_flight=lambda: 0, slots=list, actors=lambda: 0, version="")
    families = [*Counting().collect(), *gauges(live, NOTHING_STORED, now_ms=0)]
    families += Process(namespace="sluicegate", registry=None).collect()
    endings = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}
    return {f.name + ending for f in families for ending in endings[f.type]}


def test_the_page_on_monitoring_speaks_of_metrics_that_exist() -> None:
    """An alert on a name that is misspelt never fires."""
    page = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```(?:yaml|promql)\n(.*?)```", page, re.DOTALL))
    named = set(re.findall(r"\bsluicegate_[a-z_]+", code))
    assert len(named) > 10
    assert named <= metrics_told()
    process = {name for name in metrics_told() if name.startswith("sluicegate_process_")}
    assert {name for name in process if f"`{name}`" not in page} == set()


def make_targets() -> set[str]:
    """Return the targets of the Makefile that are meant for people."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):.*## ", text, re.MULTILINE))


PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_commands_that_a_page_names_exist(page: Path) -> None:
    """`make …` is a target, `sluicegate …` is a command, a link leads to a file."""
    text = page.read_text(encoding="utf-8")
    code = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL))
    code += "\n" + "\n".join(re.findall(r"`([^`\n]+)`", text))
    assert set(re.findall(r"^make ([a-z-]+)", code, re.MULTILINE)) <= make_targets()
    commands = set(re.findall(r"^sluicegate ([a-z-]+)", code, re.MULTILINE))
    assert commands <= set(main.list_commands(click.Context(main)))
    files = re.findall(r"^python3 (\S+)", code, re.MULTILINE)
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    assert [each for each in files if not (ROOT / each).is_file()] == []
    assert [each for each in links if not (page.parent / each).exists()] == []


def test_the_first_screen_of_the_readme_shows_demo_and_test() -> None:
    """A newcomer sees the two commands before anything else to be typed."""
    screen = "\n".join((ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:30])
    first = screen.partition("```sh\n")[2].partition("```")[0]
    typed = [line.split("#")[0].strip() for line in first.splitlines()]
    assert typed == ["make demo", "make test"]


def test_every_target_has_its_line_in_the_help() -> None:
    """`make` alone lists what can be made, and makes nothing."""
    make = shutil.which("make")
    assert make is not None
    environ = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(  # noqa: S603 - our own Makefile
        [make, "-C", str(ROOT)], capture_output=True, text=True, check=True, env=environ
    )
    listed = set(re.findall(r"^ +make ([a-z-]+) ", done.stdout, re.MULTILINE))
    assert listed == make_targets()
    assert {"demo", "run", "test", "check", "bench", "test-all", "lock", "clean"} <= listed


def test_the_package_stands_beside_the_standard_librarys_http() -> None:
    """Our `http` is inside the package; the standard library's stays what `http` means."""
    code = "import http.client, sluicegate.http; print(http.__file__)"
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "sluicegate" not in done.stdout


def test_a_server_does_not_bring_along_what_other_commands_need() -> None:
    """It costs time at each start, and memory for as long as the server runs."""
    code = "import sys, sluicegate.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603 - this interpreter
    loaded = set(done.stdout.split())
    assert "sluicegate.app" in loaded
    others = ("sluicegate.simulation", "sluicegate.cli.demo", "sluicegate.cli.doctor")
    assert not {name for name in loaded if name.startswith(others)}
    assert not loaded & {"sluicegate.cli.config_show", "sluicegate.cli.keys"}
