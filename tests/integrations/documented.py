"""The Python that documents show, to be run as it stands there."""

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def blocks(document: str, heading: str) -> list[str]:
    """Return the blocks of Python between a heading of a document and the next one."""
    text = (ROOT / document).read_text(encoding="utf-8")
    section = re.search(
        rf"^#+ {re.escape(heading)}$(.*?)(?=^##+ |\Z)", text, re.MULTILINE | re.DOTALL
    )
    assert section, f"{document} has no heading {heading!r}"
    found = re.findall(r"^```python\n(.*?)^```$", section[1], re.MULTILINE | re.DOTALL)
    assert found, f"{document} shows no Python below {heading!r}"
    return found


def block(document: str, heading: str) -> str:
    """Return the first of them."""
    return blocks(document, heading)[0]


def lines_of(code: str) -> int:
    """Count the lines that are not empty."""
    return sum(bool(line.strip()) for line in code.splitlines())


def run_as_module(code: str, folder: Path) -> dict[str, object]:
    """Run it as a file in a folder; return its names."""
    file = folder / "documented_app.py"
    file.write_text(code, encoding="utf-8")
    return runpy.run_path(str(file))
