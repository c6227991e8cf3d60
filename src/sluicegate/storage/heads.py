"""What many endpoints' actors must know to begin: read together, in few rows."""

import sqlite3
import sys
from collections import defaultdict
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
from sluicegate.storage.rows import NO_HEADERS, headers_of, with_dashes
from sluicegate.storage.secret_box import SecretBox

__all__ = ["DUE", "ENDPOINTS", "KEYS", "QUEUED", "load_heads"]

ENDPOINTS = """
SELECT json_group_array(json_array(e.no, e.id, p.id, e.url, e.description, e.rate_limit_rps,
    e.burst, e.headers, e.ordered, e.max_in_flight, e.timeout_s, e.pause_reason,
    e.deleted_at_ms IS NOT NULL, e.release_no, l.consecutive_failures, l.failing_since_ms,
    l.queued_count, l.pending_retry_count)), NULL
FROM json_each(:wanted) AS wanted
JOIN endpoints e ON e.id = wanted.value
JOIN projects p ON p.no = e.project_no
JOIN endpoint_loads l ON l.endpoint_no = e.no
"""
"""All in one row: each row of an answer is a step of its own, in which the event loop may run.
And one statement for each table: JSON within JSON is parsed again by each layer around it."""
KEYS = """
SELECT json_group_array(json_array(k.endpoint_no, k.no, k.id, hex(k.secret))), NULL
FROM json_each(:wanted) AS wanted
CROSS JOIN signing_keys k ON k.endpoint_no = wanted.value
"""
_MESSAGES = """
SELECT json_group_array(json_array(m.endpoint_no, m.seq, lower(hex(m.id)), m.accepted_at_ms,
    m.next_attempt_at_ms, m.release_no, m.attempt_count, m.cycle_attempts, m.fast_retries,
    m.headers, {size})), {bodies}
FROM json_each(:wanted) AS wanted
CROSS JOIN messages m ON m.seq IN (
    SELECT seq FROM messages
    WHERE messages.endpoint_no = wanted.value AND status = '{status}'
    ORDER BY {order} LIMIT :limit
)
{payloads}
"""
QUEUED = _MESSAGES.format(
    size="length(p.body)",
    bodies="CAST(group_concat(p.body, '') AS BLOB)",  # byte for byte, in the order of the array
    status="queued",
    order="seq",
    payloads="LEFT JOIN payloads p ON p.seq = m.seq AND m.size_bytes <= :bytes_max",
)
DUE = _MESSAGES.format(
    size="NULL",
    bodies="NULL",
    status="pending_retry",
    order="next_attempt_at_ms, seq",
    payloads="",
)


class _Message(msgspec.Struct, array_like=True, gc=False):
    """A waiting message as the answer has it."""

    endpoint_no: int
    seq: int
    id: str
    """In hexadecimal."""
    accepted_at_ms: int
    next_attempt_at_ms: int | None
    release_no: int
    attempt_count: int
    cycle_attempts: int
    fast_retries: int
    headers: str | None
    body_bytes: int | None
    """Of its payload among all of the answer; `None` without one."""


class _Endpoint(msgspec.Struct, array_like=True, gc=False):
    """An endpoint as the answer has it; moments in milliseconds."""

    no: int
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
    queued_count: int
    pending_retry_count: int

    @property
    def held(self) -> bool:
        """Whether nothing of its backlog is wanted."""
        return self.pause_reason is not None or bool(self.deleted)


_Key = tuple[int, int, str, str]
"""The numbers of its endpoint and of itself, its id and, in hexadecimal, its sealed secret."""

_ENDPOINTS = msgspec.json.Decoder(list[_Endpoint])
_KEYS = msgspec.json.Decoder(list[_Key])
_WAITING = msgspec.json.Decoder(list[_Message])


def load_heads(
    db: sqlite3.Connection,
    endpoint_ids: Sequence[str],
    *,
    limit: int,
    bytes_max: int,
    box: SecretBox,
) -> dict[str, Head]:
    """Return what is known of these endpoints, in one snapshot; payloads up to `bytes_max`."""
    db.execute("BEGIN")
    try:
        text, _ = _ask(db, ENDPOINTS, endpoint_ids)
        endpoints = _ENDPOINTS.decode(text)
        text, _ = _ask(db, KEYS, [each.no for each in endpoints])
        keys = _KEYS.decode(text)
        flowing = [each for each in endpoints if not each.held]
        queued = [each.no for each in flowing if each.queued_count]
        due = [each.no for each in flowing if each.pending_retry_count]
        queued_rows = _ask(db, QUEUED, queued, limit=limit, bytes_max=bytes_max) if queued else None
        due_rows = _ask(db, DUE, due, limit=limit) if due else None
    finally:
        db.execute("ROLLBACK")
    secrets: defaultdict[int, list[str]] = defaultdict(list)
    for no, _, key_id, sealed in sorted(keys, reverse=True):  # newest first
        secrets[no].append(box.unseal(bytes.fromhex(sealed), owner=key_id))
    queued_of = _waiting(queued_rows, MessageStatus.QUEUED)
    due_of = _waiting(due_rows, MessageStatus.PENDING_RETRY)
    return {
        each.id: Head(
            state=_state(each, secrets[each.no]),
            queued=queued_of.get(each.no, []),
            due=due_of.get(each.no, []),
            limit=limit,
        )
        for each in endpoints
    }


def _ask(
    db: sqlite3.Connection, sql: str, wanted: Sequence[object], **parameters: int
) -> tuple[str, bytes | None]:
    """Return the rows that are wanted, as JSON, and their payloads, if any, without a gap."""
    answer: tuple[str, bytes | None] = db.execute(
        sql, {"wanted": msgspec.json.encode(wanted).decode(), **parameters}
    ).fetchone()
    return answer


def _state(found: _Endpoint, secrets: Sequence[str]) -> EndpointState:
    return EndpointState(
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
        secrets=tuple(secrets),
        paused=found.pause_reason is not None,
        pause_reason=None if found.pause_reason is None else PauseReason(found.pause_reason),
        deleted=bool(found.deleted),
        health=Health(
            consecutive_failures=found.consecutive_failures,
            failing_since_ms=found.failing_since_ms,
        ),
        release_no=found.release_no,
    )


def _waiting(
    answer: tuple[str, bytes | None] | None, status: MessageStatus
) -> dict[int, list[WaitingMessage]]:
    """Return messages by the number of their endpoint, in the order in which they may go."""
    heads: defaultdict[int, list[WaitingMessage]] = defaultdict(list)
    if answer is None:
        return heads
    text, bodies = answer
    at = 0
    for each in _WAITING.decode(text):
        payload = None
        if each.body_bytes and bodies is not None:
            payload = bodies[at : at + each.body_bytes]
            at += each.body_bytes
        heads[each.endpoint_no].append(
            WaitingMessage(
                seq=each.seq,
                id=with_dashes(each.id),
                status=status,
                accepted_at_ms=each.accepted_at_ms,
                next_attempt_at_ms=each.next_attempt_at_ms,
                release_no=each.release_no,
                attempt_count=each.attempt_count,
                cycle_attempts=each.cycle_attempts,
                fast_retries=each.fast_retries,
                headers=NO_HEADERS if each.headers is None else headers_of(each.headers),
                payload=payload,
            )
        )
    for rows in heads.values():
        rows.sort(key=_turn)
    return heads


def _turn(message: WaitingMessage) -> tuple[int, int]:
    return message.next_attempt_at_ms or 0, message.seq
