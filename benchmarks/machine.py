"""The conditions of a run: without them its figures say nothing."""

import importlib.metadata
import os
import platform
import sqlite3
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import psutil  # type: ignore[import-untyped] # comes without types
from workers import Cores

__all__ = ["conditions", "load_average", "processor", "working_folder"]

_IN_MEMORY = ("tmpfs", "ramfs")
_SYNCS = 50


def working_folder(chosen: str | None) -> Path:
    """Return where databases may be: on a disk, since one in memory syncs for nothing."""
    if chosen is not None:
        return Path(chosen)
    folder = Path(tempfile.gettempdir())
    return Path.cwd() if _file_system(folder) in _IN_MEMORY else folder


def load_average() -> list[float]:
    """Return the machine's load over the last 1, 5 and 15 minutes."""
    return [round(load, 2) for load in os.getloadavg()]


def conditions(folder: Path, cores: Cores) -> dict[str, object]:
    """Return what the figures depend on."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "machine": f"{platform.machine()}, {platform.system()} {platform.release()}",
        "processor": processor(),
        "cores": len(cores.available) or os.cpu_count(),
        "cores_apart": cores.apart,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "loop": _loop(),
        "aiohttp": importlib.metadata.version("aiohttp"),
        "sqlite": sqlite3.sqlite_version,
        "file_system": _file_system(folder),
        "sync_ms": round(_sync_ms(folder), 3),
        "load_before": load_average(),
    }


def processor() -> str:
    """Return the processor's name."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _loop() -> str:
    try:
        return f"uvloop {importlib.metadata.version('uvloop')}"
    except importlib.metadata.PackageNotFoundError:
        return "asyncio"


def _file_system(folder: Path) -> str:
    real = folder.resolve()
    mounts = {Path(each.mountpoint): each.fstype for each in psutil.disk_partitions(all=True)}
    return next((mounts[place] for place in (real, *real.parents) if place in mounts), "unknown")


def _sync_ms(folder: Path) -> float:
    """Return how long it takes to write 4 KiB and have them on the disk."""
    took_ms = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(_SYNCS):
            started_ns = time.perf_counter_ns()
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
            took_ms.append((time.perf_counter_ns() - started_ns) / 1e6)
    return median(took_ms)
