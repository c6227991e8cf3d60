"""Small programs that embed the engine, run as processes of their own."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

__all__ = ["run_program"]

_BEGINNING = """\
import os, sys, threading
from sluicegate import Settings, SyncEngine
from sluicegate.engine.errors import StorageLockedError

def settings(**more):
    return Settings(database=sys.argv[1], dev=True, drain_s=5, **more)

"""


def run_program(
    text: str, database: Path, *args: str, beginning: str = _BEGINNING
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; one that does not end fails the test.

    Args:
        text: what follows the imports and `settings`; `sys.argv[1]` is the database.
        database: the file.
        *args: what else it is told.
        beginning: what it begins with, if not with those.
    """
    return subprocess.run(  # noqa: S603 - our own programs
        [sys.executable, "-c", beginning + dedent(text), str(database), *args],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "error,ignore::DeprecationWarning"},
    )
