"""An export that has no room fails alone: the kernel refuses to let its file grow."""

import asyncio
import subprocess
import sys
from pathlib import Path

CHILD = Path(__file__).with_name("child_that_exports.py")


async def test_an_export_without_room_fails_and_harms_nothing(tmp_path: Path) -> None:
    """Its part is removed and the reason told; messages are accepted and delivered meanwhile."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, CHILD, tmp_path / "place.db", stdout=subprocess.PIPE
    )
    output, _ = await child.communicate()
    assert child.returncode == 0
    failed, completed = output.decode().splitlines()
    assert failed == "failed the file cannot be written: File too large"
    assert completed == "completed 3 False"
    [left] = (tmp_path / "place.db.exports").iterdir()
    assert left.suffix == ".csv"
