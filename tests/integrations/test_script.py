"""The lines that the documents show for a program of one's own."""

import msgspec
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


@pytest.mark.usefixtures("endpoint_id")
def test_what_is_written_in_a_transaction_of_ones_own_arrives_once(
    settings: Settings, receiver: Receiver
) -> None:
    """With the documents' own lines; at once, or when the file is opened again."""
    code = block("docs/embedding.md", "In your own transaction")
    exec(compile(code, "docs/embedding.md", "exec"), {})  # noqa: S102 - our own document
    again = msgspec.structs.replace(settings, outboxes=("sqlite:///shop.db",))
    with SyncEngine(again) as engine:
        assert receiver.next_body() == b'{"event":"order.created"}'
        assert len(engine.list_logs().items) == 1
    assert receiver.bodies.empty()


def test_a_script_sends_with_three_lines() -> None:
    """And one that imports."""
    assert lines_of(block("README.md", "In a Python program")) == 1 + 3
