"""The text of exports: whatever stands in a cell comes back whole, and nothing runs."""

import csv
import io

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.engine.export_csv import COLUMNS, csv_header, csv_lines, guarded
from sluicegate.engine.export_model import ExportRow
from sluicegate.engine.lifecycle import MessageStatus

SIGNS = "=+-@\uff1d\uff0b\uff0d\uff20"
SKIPPED = " \t\r\n\"'\xa0\ufeff\u200b\x00"
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
RISKY = st.tuples(st.text(st.sampled_from(SKIPPED)), st.sampled_from(SIGNS), ANY).map("".join)
PLAIN = ExportRow(
    message_id="019603a1-7c3e-7d42-9b1a-5f6e8d7c4b3a",
    endpoint_id="ep_" + "0" * 32,
    endpoint="https://receiver.example/hook",
    status=MessageStatus.PENDING_RETRY,
    attempt_count=3,
    replay_count=1,
    created_at_ms=1_780_000_000_001,
    updated_at_ms=1_780_000_000_999,
    delivered_at_ms=None,
    next_attempt_at_ms=1_780_000_060_000,
    response_status=503,
    response_latency_ms=12,
    last_error="HTTP 503",
    idempotency_key="order-1",
    size_bytes=42,
    payload_sha256="ab" * 32,
    deleted_at_ms=None,
)


def parsed(text: bytes) -> list[list[str]]:
    """Return the cells as any CSV reader finds them."""
    return list(csv.reader(io.StringIO(text.decode(), newline=""), strict=True))


def unguarded(cell: str) -> str:
    """Read a cell as the documents say."""
    return cell.removeprefix("'")


def first_visible(cell: str) -> str:
    """Return what a spreadsheet may look at first, once it has skipped what it skips."""
    return cell.lstrip(SKIPPED.replace("'", ""))[:1]


def test_a_line_has_the_columns_in_their_order_and_times_as_the_contract_writes_them() -> None:
    """What is not known is an empty cell; lines end in CR LF (RFC 4180 §2)."""
    text = csv_header() + csv_lines([PLAIN])
    assert text.count(b"\r\n") == 2
    assert text.endswith(b"\r\n")
    header, line = parsed(text)
    assert tuple(header) == COLUMNS
    assert dict(zip(header, line, strict=True)) == {
        "message_id": "019603a1-7c3e-7d42-9b1a-5f6e8d7c4b3a",
        "endpoint_id": "ep_" + "0" * 32,
        "endpoint": "https://receiver.example/hook",
        "status": "pending_retry",
        "attempt_count": "3",
        "replay_count": "1",
        "created_at": "2026-05-28T20:26:40.001Z",
        "updated_at": "2026-05-28T20:26:40.999Z",
        "delivered_at": "",
        "next_attempt_at": "2026-05-28T20:27:40.000Z",
        "response_status": "503",
        "response_latency_ms": "12",
        "last_error": "HTTP 503",
        "idempotency_key": "order-1",
        "size_bytes": "42",
        "payload_sha256": "ab" * 32,
        "deleted_at": "",
    }


def test_moments_before_1970_are_written_too() -> None:
    """A client may have asked for any year, and clocks have been wrong."""
    row = msgspec.structs.replace(PLAIN, created_at_ms=-1)
    [line] = parsed(csv_lines([row]))
    assert line[COLUMNS.index("created_at")] == "1969-12-31T23:59:59.999Z"


@given(st.lists(st.tuples(ANY | RISKY, ANY | RISKY | st.none()), max_size=5))
def test_every_text_comes_back_whole(texts: list[tuple[str, str | None]]) -> None:
    """Parsed again and with the guard taken off: separators, quotes, line breaks, NUL and all."""
    rows = [
        msgspec.structs.replace(PLAIN, endpoint=url, last_error=error, idempotency_key=error)
        for url, error in texts
    ]
    lines = parsed(csv_lines(rows))
    at = [COLUMNS.index(name) for name in ("endpoint", "last_error", "idempotency_key")]
    assert [tuple(unguarded(line[i]) for i in at) for line in lines] == [
        (url, error or "", error or "") for url, error in texts
    ]
    assert all(line[0] == PLAIN.message_id and len(line) == len(COLUMNS) for line in lines)


@given(RISKY)
def test_no_cell_begins_as_a_formula(text: str) -> None:
    """Not after white space, quotes or what cannot be seen either."""
    cell = guarded(text)
    assert cell == f"'{text}"


@given(ANY | RISKY)
def test_a_cell_is_guarded_or_harmless(text: str) -> None:
    """One that is as it was begins with no sign, tab or line break, and with no apostrophe."""
    cell = guarded(text)
    if cell == text:
        assert not cell or (first_visible(cell) not in tuple(SIGNS))
        assert not cell.startswith(("\t", "\r", "\n", "'"))
    assert unguarded(cell) == text


@pytest.mark.parametrize(
    "text",
    ["HTTP 503", "https://receiver.example/?a=1&b=-2", "a@b", "1-2", "5e3", "key_-x", "", "é=1"],
)
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    """A sign inside a text is no formula."""
    assert guarded(text) == text


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-2-3", "@SUM(A1)", "\t=1", "\r=1", "\nx", ' "=1', "'=1", "'", "\ufeff=1"],
)
def test_what_a_spreadsheet_may_run_is_guarded(text: str) -> None:
    """An apostrophe in front; OWASP's list and its disguises."""
    assert guarded(text) == "'" + text
