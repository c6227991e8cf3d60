"""How much room there is on a disk."""

import os
from collections.abc import Callable
from pathlib import Path

__all__ = ["FreeBytes", "free_bytes"]

FreeBytes = Callable[[Path], int]
"""Returns how many bytes may still be stored in a folder. May raise `OSError`."""


def free_bytes(folder: Path) -> int:
    """Return how many bytes this program may still store in a folder; asks the file system."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize
