"""What many endpoints' actors must know to begin: read together, in one row of one answer."""

import sqlite3
import sys
from collections.abc import Sequence

import msgspec

from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import (
    EndpointConfig,
    EndpointState,
    Health,
    PauseReason,
    WaitingMessage,
)
from sluicegate.engine.ports import Head
from sluicegate.storage.rows import NO_HEADERS, headers_of, id_text
from sluicegate.storage.secret_box import SecretBox

__all__ = ["LOAD_HEADS", "load_heads"]

_WAITING = """json((
        SELECT json_group_array(json_array(seq, id, accepted_at_ms, next_attempt_at_ms, release_no,
            attempt_count, cycle_attempts, fast_retries, headers, body))
        FROM (
            SELECT m.seq, hex(m.id) AS id, m.accepted_at_ms, m.next_attempt_at_ms, m.release_no,
                m.attempt_count, m.cycle_attempts, m.fast_retries, m.headers, {body} AS body
            FROM messages m {payloads}
            WHERE m.endpoint_no = e.no AND m.status = '{status}' ORDER BY {order} LIMIT :limit
        )
    ))"""
_QUEUED = _WAITING.format(
    body="hex(p.body)",
    payloads="LEFT JOIN payloads p ON p.seq = m.seq AND m.size_bytes <= :bytes_max",
    status="queued",
    order="m.seq",
)
_DUE = _WAITING.format(
    body="NULL", payloads="", status="pending_retry", order="m.next_attempt_at_ms, m.seq"
)
LOAD_HEADS = f"""
SELECT json_group_array(json_array(e.id, p.id, e.url, e.description, e.rate_limit_rps, e.burst,
    e.headers, e.ordered, e.max_in_flight, e.timeout_s, e.pause_reason,
    e.deleted_at_ms IS NOT NULL, e.release_no, l.consecutive_failures, l.failing_since_ms,
    json((
        SELECT json_group_array(json_array(id, secret))
        FROM (
            SELECT k.id, hex(k.secret) AS secret FROM signing_keys k
            WHERE k.endpoint_no = e.no ORDER BY k.no DESC
        )
    )),
    CASE WHEN e.paused_at_ms IS NULL AND e.deleted_at_ms IS NULL AND l.queued_count > 0
        THEN {_QUEUED} END,
    CASE WHEN e.paused_at_ms IS NULL AND e.deleted_at_ms IS NULL AND l.pending_retry_count > 0
        THEN {_DUE} END))
FROM json_each(:endpoint_ids) AS wanted
JOIN endpoints e ON e.id = wanted.value
JOIN projects p ON p.no = e.project_no
JOIN endpoint_loads l ON l.endpoint_no = e.no
"""  # noqa: S608 - put together from the constants above
"""In one row: each row of an answer is a step of its own, in which the event loop may run."""


class _Message(msgspec.Struct, array_like=True, gc=False):
    """A waiting message as the answer has it."""

    seq: int
    id: str
    accepted_at_ms: int
    next_attempt_at_ms: int | None
    release_no: int
    attempt_count: int
    cycle_attempts: int
    fast_retries: int
    headers: str | None
    body: str | None
    """In hexadecimal; empty or absent without a payload, which is never empty itself."""


class _Endpoint(msgspec.Struct, array_like=True, gc=False):
    """An endpoint as the answer has it; moments in milliseconds."""

    id: str
    project_id: str
    url: str
    description: str | None
    rate_limit_rps: int
    burst: int
    headers: str | None
    ordered: int
    max_in_flight: int
    timeout_s: float
    pause_reason: str | None
    deleted: int
    release_no: int
    consecutive_failures: int
    failing_since_ms: int | None
    secrets: list[tuple[str, str]]
    """Each key's id and, in hexadecimal, its sealed secret; newest first."""
    queued: list[_Message] | None
    due: list[_Message] | None


_DECODER = msgspec.json.Decoder(list[_Endpoint])


def load_heads(
    db: sqlite3.Connection,
    endpoint_ids: Sequence[str],
    *,
    limit: int,
    bytes_max: int,
    box: SecretBox,
) -> dict[str, Head]:
    """Return what is known of these endpoints, in one snapshot; payloads up to `bytes_max`."""
    wanted = msgspec.json.encode(endpoint_ids).decode()
    parameters = {"endpoint_ids": wanted, "limit": limit, "bytes_max": bytes_max}
    (text,) = db.execute(LOAD_HEADS, parameters).fetchone()
    return {found.id: _head(found, limit, box) for found in _DECODER.decode(text)}


def _head(found: _Endpoint, limit: int, box: SecretBox) -> Head:
    return Head(
        state=EndpointState(
            id=found.id,
            project_id=sys.intern(found.project_id),  # the same in every actor of a project
            config=EndpointConfig(
                url=found.url,
                description=found.description,
                rate_limit_rps=found.rate_limit_rps,
                burst=found.burst,
                headers=NO_HEADERS if found.headers is None else headers_of(found.headers),
                ordered=bool(found.ordered),
                max_in_flight=found.max_in_flight,
                timeout_s=found.timeout_s,
            ),
            secrets=tuple(
                box.unseal(bytes.fromhex(secret), owner=key_id) for key_id, secret in found.secrets
            ),
            paused=found.pause_reason is not None,
            pause_reason=None if found.pause_reason is None else PauseReason(found.pause_reason),
            deleted=bool(found.deleted),
            health=Health(
                consecutive_failures=found.consecutive_failures,
                failing_since_ms=found.failing_since_ms,
            ),
            release_no=found.release_no,
        ),
        queued=_waiting(found.queued, MessageStatus.QUEUED),
        due=_waiting(found.due, MessageStatus.PENDING_RETRY),
        limit=limit,
    )


def _waiting(found: list[_Message] | None, status: MessageStatus) -> list[WaitingMessage]:
    return [
        WaitingMessage(
            seq=each.seq,
            id=id_text(bytes.fromhex(each.id)),
            status=status,
            accepted_at_ms=each.accepted_at_ms,
            next_attempt_at_ms=each.next_attempt_at_ms,
            release_no=each.release_no,
            attempt_count=each.attempt_count,
            cycle_attempts=each.cycle_attempts,
            fast_retries=each.fast_retries,
            headers=NO_HEADERS if each.headers is None else headers_of(each.headers),
            payload=bytes.fromhex(each.body) if each.body else None,
        )
        for each in found or ()
    ]
