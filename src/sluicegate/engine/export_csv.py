"""The text of an export: CSV (RFC 4180), with cells that no spreadsheet takes for formulas.

A spreadsheet runs a cell that begins with `=`, `+`, `-` or `@` as a formula, whoever wrote it
(OWASP, CSV injection). Cells whose text comes from clients or receivers are therefore *guarded*:
one that might be run, or begins with an apostrophe itself, gets an apostrophe in front. So the
text of any cell that begins with an apostrophe is what follows it, and nothing is lost. Numbers,
moments and the ids that Sluicegate makes never begin that way and are written as they are.
"""

import csv
import io
import re
from collections.abc import Iterable
from functools import lru_cache

from sluicegate.engine.export_model import ExportRow
from sluicegate.engine.moments import format_ms

__all__ = ["COLUMNS", "csv_header", "csv_lines", "guarded"]

COLUMNS: tuple[str, ...] = (
    "message_id",
    "endpoint_id",
    "endpoint",
    "status",
    "attempt_count",
    "replay_count",
    "created_at",
    "updated_at",
    "delivered_at",
    "next_attempt_at",
    "response_status",
    "response_latency_ms",
    "last_error",
    "idempotency_key",
    "size_bytes",
    "payload_sha256",
    "deleted_at",
)
"""The first line."""

# White space, quotes and what cannot be seen are skipped by one spreadsheet or another before the
# sign; the signs have full-width forms. A tab or line break at the front moves into the next cell.
_RISKY = re.compile(
    r"""['\t\r\n]|["'\s\x00-\x20\x7f-\xa0\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]*"""
    r"[=+\-@\u2212\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20]"
)


def guarded(text: str) -> str:
    """Return a cell's text so that no spreadsheet takes it for a formula."""
    return f"'{text}" if _RISKY.match(text) is not None else text


def csv_header() -> bytes:
    """Return the first line: the names of the columns."""
    return _encoded([COLUMNS])


def csv_lines(rows: Iterable[ExportRow]) -> bytes:
    """Return one line for each message, in UTF-8, each ended by CR LF."""
    return _encoded(_cells(row) for row in rows)


def _encoded(lines: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(lines)
    return text.getvalue().encode()


def _cells(row: ExportRow) -> tuple[object, ...]:
    return (
        row.message_id,
        row.endpoint_id,
        guarded(row.endpoint),
        row.status.value,
        row.attempt_count,
        row.replay_count,
        _moment(row.created_at_ms),
        _moment(row.updated_at_ms),
        _moment(row.delivered_at_ms),
        _moment(row.next_attempt_at_ms),
        row.response_status,
        row.response_latency_ms,
        None if row.last_error is None else guarded(row.last_error),
        None if row.idempotency_key is None else guarded(row.idempotency_key),
        row.size_bytes,
        row.payload_sha256,
        _moment(row.deleted_at_ms),
    )


def _moment(at_ms: int | None) -> str | None:
    if at_ms is None:
        return None
    second, ms = divmod(at_ms, 1000)
    return f"{_second(second)}{ms:03}Z"


@lru_cache(maxsize=1024)
def _second(second: int) -> str:
    """Return a second up to its fraction. Lines that follow one another share most of them."""
    return format_ms(second * 1000).removesuffix("000Z")
