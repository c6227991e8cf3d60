"""A process has one world at a time, and is as it was when that one has ended."""

import gc
import logging
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp.connector
import aiohttp.helpers
import pytest

from sluicegate.simulation import Simulation, explore


def process() -> tuple[object, ...]:
    """Return what a world changes in its process."""
    logger = logging.getLogger("sluicegate")
    connector, helpers = vars(aiohttp.connector), vars(aiohttp.helpers)
    return (
        connector["monotonic"],
        connector["random"],
        connector["sys"],
        helpers["time"],
        logger.level,
        logger.propagate,
        tuple(logger.handlers),
        gc.isenabled(),
    )


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder where worlds make theirs; the process must be as before in the end."""
    make = tempfile.mkdtemp

    def here(**options: Any) -> str:
        return str(make(**(options | {"dir": tmp_path})))

    monkeypatch.setattr(tempfile, "mkdtemp", here)
    before = process()
    yield tmp_path
    assert process() == before


def test_a_second_world_is_refused_while_one_is_open(folders: Path) -> None:
    """The refusal names the open one and what to do; afterwards all is as if it had never been."""
    with Simulation(41) as simulation:
        within = process()
        with pytest.raises(RuntimeError, match=r"seed 41 is still open.*close it first.*explore"):
            Simulation(42)
        with pytest.raises(RuntimeError, match="seed 41"):
            explore(lambda _: None)
        assert process() == within
        assert len(list(folders.iterdir())) == 1
        simulation.advance(1)
    assert not list(folders.iterdir())
    with Simulation(42):
        pass


@pytest.mark.parametrize(
    "wrong", [{"mishaps": 3}, {"mishaps": [3]}, {"faults": 3}], ids=["mishaps", "mishap", "faults"]
)
def test_a_world_that_cannot_be_made_leaves_nothing_behind(
    folders: Path, wrong: dict[str, Any]
) -> None:
    """Arguments are looked at first: no folder, no clock, no handler of it is there."""
    before = process()
    with pytest.raises(TypeError):
        Simulation(1, **wrong)
    assert process() == before
    assert not list(folders.iterdir())


def test_a_world_without_a_folder_leaves_nothing_behind(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is the user's; the next world can be made all the same."""

    def full(**_: object) -> str:
        raise OSError("no space")

    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "mkdtemp", full)
        with pytest.raises(OSError, match="no space"):
            Simulation(1)
    with Simulation(2):
        assert len(list(folders.iterdir())) == 1


def test_a_world_that_is_dropped_leaves_nothing_behind(folders: Path) -> None:
    """It warns, as everything does that should have been closed."""
    world = Simulation(7)
    assert list(folders.iterdir())
    with pytest.warns(ResourceWarning, match="unclosed simulation, seed 7"):
        del world
    assert not list(folders.iterdir())


@pytest.mark.parametrize("fork", [False, True], ids=["one process", "a fork ends first"])
def test_a_world_that_is_never_closed_is_removed_when_its_process_ends(
    tmp_path: Path,
    fork: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Also one with an engine in it, which its own loop keeps alive; and never by a fork."""
    forks = """
    import os, sys
    if pid := os.fork():
        os.waitpid(pid, 0)
    else:
        sys.exit()
    """
    program = f"""
    import os, tempfile
    make = tempfile.mkdtemp
    tempfile.mkdtemp = lambda **options: make(**(options | {{"dir": {str(tmp_path)!r}}}))
    from sluicegate.simulation import Simulation
    world = Simulation(7)
    engine = world.engine()
    {textwrap.indent(textwrap.dedent(forks), "    ").strip() if fork else ""}
    assert engine.create_endpoint(world.host("shop.example").url).id
    print(os.listdir({str(tmp_path)!r}))
    """
    options = ["-W", "error", "-W", "always:unclosed simulation:ResourceWarning"]
    ended = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, *options, "-c", textwrap.dedent(program)],
        capture_output=True,
        check=False,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert "sluicegate-simulation-" in ended.stdout
    assert ended.stderr.count("unclosed simulation, seed 7") == 1, ended.stderr
    assert "Exception ignored" not in ended.stderr
    assert not list(tmp_path.iterdir())
