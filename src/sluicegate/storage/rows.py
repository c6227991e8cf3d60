"""How records look in the database, both ways."""

import sqlite3
import sys
from collections.abc import Collection, Mapping

import msgspec

from sluicegate.engine.errors import EndpointNotFoundError
from sluicegate.engine.model import EndpointConfig, EndpointState, Health, PauseReason
from sluicegate.storage.secret_box import SecretBox

__all__ = [
    "NO_HEADERS",
    "config_columns",
    "config_of",
    "encode_headers",
    "headers_of",
    "id_blob",
    "id_text",
    "in_flight_seqs",
    "read_live_endpoint_no",
    "read_state",
    "waiting_seqs",
    "with_dashes",
]

_encoder = msgspec.json.Encoder()
_headers_decoder = msgspec.json.Decoder(dict[str, str])

_ID_BYTES = 16
NO_HEADERS: dict[str, str] = {}
"""Shared by all in memory that has no headers: there may be very many, and none is changed."""


def id_blob(text: str) -> bytes | None:
    """Return the 16 bytes of a UUID with dashes; `None` for any other text."""
    try:
        blob = bytes.fromhex(text.replace("-", ""))
    except ValueError:
        return None
    return blob if len(blob) == _ID_BYTES and id_text(blob) == text else None


def id_text(blob: bytes) -> str:
    """Return a UUID's 16 bytes as lower-case text with dashes."""
    return with_dashes(blob.hex())


def with_dashes(text: str) -> str:
    """Return a UUID's 32 hexadecimal digits with its dashes."""
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def encode_headers(headers: Mapping[str, str]) -> str | None:
    """Return headers as compact JSON; `None` for none."""
    return _encoder.encode(headers).decode() if headers else None


def headers_of(text: str | None) -> dict[str, str]:
    """Return what `encode_headers` encoded."""
    return {} if text is None else _headers_decoder.decode(text)


def config_columns(config: EndpointConfig) -> dict[str, object]:
    """Return a configuration by the names of its columns."""
    return {
        "url": config.url,
        "description": config.description,
        "rate_limit_rps": config.rate_limit_rps,
        "burst": config.burst,
        "headers": encode_headers(config.headers),
        "ordered": int(config.ordered),
        "max_in_flight": config.max_in_flight,
        "timeout_s": config.timeout_s,
    }


def config_of(row: sqlite3.Row) -> EndpointConfig:
    """Return the configuration in a row of `endpoints`."""
    return EndpointConfig(
        url=row["url"],
        description=row["description"],
        rate_limit_rps=row["rate_limit_rps"],
        burst=row["burst"],
        headers=headers_of(row["headers"]),
        ordered=bool(row["ordered"]),
        max_in_flight=row["max_in_flight"],
        timeout_s=row["timeout_s"],
    )


def _config_of_actor(row: sqlite3.Row) -> EndpointConfig:
    config = config_of(row)
    return config if config.headers else msgspec.structs.replace(config, headers=NO_HEADERS)


def read_live_endpoint_no(db: sqlite3.Connection, endpoint_id: str) -> int:
    """Return the number of an endpoint.

    Raises:
        EndpointNotFoundError: there is no such endpoint, or it is deleted.
    """
    row = db.execute(
        "SELECT no FROM endpoints WHERE id = ? AND deleted_at_ms IS NULL", (endpoint_id,)
    ).fetchone()
    if row is None:
        raise EndpointNotFoundError
    return int(row[0])


def read_state(db: sqlite3.Connection, endpoint_id: str, *, box: SecretBox) -> EndpointState | None:
    """Return an endpoint's state, deleted or not; `None` when there never was one."""
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    row = cursor.execute(
        """
        SELECT e.*, p.id AS project_id, l.consecutive_failures, l.failing_since_ms
        FROM endpoints e
        JOIN projects p ON p.no = e.project_no
        JOIN endpoint_loads l ON l.endpoint_no = e.no
        WHERE e.id = ?
        """,
        (endpoint_id,),
    ).fetchone()
    if row is None:
        return None
    keys = db.execute(
        "SELECT id, secret FROM signing_keys WHERE endpoint_no = ? ORDER BY no DESC", (row["no"],)
    ).fetchall()
    reason = row["pause_reason"]
    return EndpointState(
        id=endpoint_id,
        project_id=sys.intern(row["project_id"]),  # the same in every actor of a project
        config=_config_of_actor(row),
        secrets=tuple(box.unseal(secret, owner=key_id) for key_id, secret in keys),
        paused=reason is not None,
        pause_reason=None if reason is None else PauseReason(reason),
        deleted=row["deleted_at_ms"] is not None,
        health=Health(
            consecutive_failures=row["consecutive_failures"],
            failing_since_ms=row["failing_since_ms"],
        ),
        release_no=row["release_no"],
    )


def waiting_seqs(
    db: sqlite3.Connection, message_ids: Collection[str], *, endpoint_no: int | None = None
) -> dict[int, str]:
    """Return `seq` → stored status of those of `message_ids` that wait; O(ids).

    Args:
        db: any connection.
        message_ids: normally those in flight; unknown ones are passed over.
        endpoint_no: count only messages of this endpoint.
    """
    found: dict[int, str] = {}
    for message_id in message_ids:
        row = db.execute(
            "SELECT seq, status, endpoint_no FROM messages WHERE id = ?", (id_blob(message_id),)
        ).fetchone()
        if row is None or row[1] not in {"queued", "pending_retry"}:
            continue
        if endpoint_no is None or row[2] == endpoint_no:
            found[row[0]] = row[1]
    return found


def in_flight_seqs(db: sqlite3.Connection, message_ids: Collection[str]) -> list[int]:
    """Return the `seq` of those of `message_ids` that read as delivering while in flight; O(ids).

    Those that wait, and those that were deleted during the attempt.
    """
    found: list[int] = []
    for message_id in message_ids:
        row = db.execute(
            "SELECT seq FROM messages WHERE id = ? AND (status IN ('queued', 'pending_retry')"
            " OR (status = 'failed_permanent' AND deleted_at_ms IS NOT NULL))",
            (id_blob(message_id),),
        ).fetchone()
        if row is not None:
            found.append(row[0])
    return found
