"""The Python that documents show, to be run as it stands there."""

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]


def block(document: str, heading: str) -> str:
    """Return the first block of Python below a heading of a document."""
    text = (ROOT / document).read_text(encoding="utf-8")
    found = re.search(
        rf"^#+ {re.escape(heading)}$(?:(?!^#).)*?^```python\n(.*?)^```$",
        text,
        re.MULTILINE | re.DOTALL,
    )
    assert found, f"{document} shows no Python below {heading!r}"
    return found[1]


def lines_of(code: str) -> int:
    """Count the lines that are not empty."""
    return sum(bool(line.strip()) for line in code.splitlines())


def run_as_module(code: str, folder: Path) -> dict[str, object]:
    """Run it as a file in a folder; return its names."""
    file = folder / "documented_app.py"
    file.write_text(code, encoding="utf-8")
    return runpy.run_path(str(file))
