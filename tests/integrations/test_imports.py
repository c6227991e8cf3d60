"""What a program that embeds the engine does not pay for."""

import subprocess
import sys

PROGRAM = """
import sys
import sluicegate, sluicegate.integrations
sluicegate.Engine, sluicegate.Settings, sluicegate.SyncEngine
import sqlite3
from sluicegate import Engine
Engine(mode="enqueue").outbox(sqlite3.connect(":memory:")).create_tables()
print(sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_importing_the_package_imports_no_framework() -> None:
    """Neither its names nor the integrations' package load what a host may not have."""
    done = subprocess.run(  # noqa: S603 - our own interpreter, the program above
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    assert "'sluicegate'" in done.stdout
    for framework in (
        "celery",
        "django",
        "fastapi",
        "flask",
        "psycopg",
        "pytest",
        "sqlalchemy",
        "starlette",
    ):
        assert f"'{framework}'" not in done.stdout
