"""The lines that the documents show for a program of one's own."""

import pytest

from sluicegate import Settings, SyncEngine

from .conftest import Receiver
from .documented import block, lines_of

_DOCUMENTED = {
    "README.md": "In a Python program",
    "docs/embedding.md": "asyncio",
}


@pytest.mark.parametrize("document", _DOCUMENTED)
def test_what_a_documented_program_sends_arrives_once(
    settings: Settings, receiver: Receiver, document: str
) -> None:
    """It is durable: it arrives at once, or when the file is opened again."""
    code = block(document, _DOCUMENTED[document]).replace(":9000/", f":{receiver.port}/")
    exec(compile(code, document, "exec"), {})  # noqa: S102 - our own document
    with SyncEngine(settings) as engine:
        assert len(engine.list_logs().items) == 1
        assert receiver.next_body() == b'{"event":"order.created"}'
    assert receiver.bodies.empty()


def test_a_script_sends_with_three_lines() -> None:
    """And one that imports."""
    assert lines_of(block("README.md", "In a Python program")) == 1 + 3
