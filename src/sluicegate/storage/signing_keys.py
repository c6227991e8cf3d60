"""Signing keys; their secrets are stored sealed."""

import sqlite3
from typing import ClassVar

import msgspec

from sluicegate.engine.errors import (
    CannotDeleteLastKeyError,
    MaxSigningKeysReachedError,
    NotFoundError,
)
from sluicegate.engine.model import EndpointState, SigningKey
from sluicegate.engine.moments import from_ms
from sluicegate.engine.ports import SigningKeyRow
from sluicegate.storage.rows import read_live_endpoint_no, read_state
from sluicegate.storage.secret_box import SecretBox
from sluicegate.storage.writes import Gathered

__all__ = ["AddSigningKey", "RemoveSigningKey", "insert_key", "list_signing_keys"]

_KEYS_MAX = 2


def insert_key(
    db: sqlite3.Connection, key: SigningKeyRow, *, endpoint_no: int, box: SecretBox
) -> None:
    """Insert a key, its secret sealed for the key's id."""
    db.execute(
        "INSERT INTO signing_keys (id, endpoint_no, secret, key_hint, created_at_ms)"
        " VALUES (?, ?, ?, ?, ?)",
        (
            key.id,
            endpoint_no,
            box.seal(key.secret, owner=key.id),
            key.secret[-4:],
            key.created_at_ms,
        ),
    )


class AddSigningKey(msgspec.Struct, frozen=True, kw_only=True):
    """Add a signing key."""

    grows: ClassVar[bool] = True
    alone: ClassVar[bool] = True

    endpoint_id: str
    key: SigningKeyRow
    box: SecretBox

    def apply(self, db: sqlite3.Connection, _gathered: Gathered) -> EndpointState:
        """Insert it.

        Raises:
            EndpointNotFoundError: there is no such endpoint.
            MaxSigningKeysReachedError: there are two.
        """
        no = read_live_endpoint_no(db, self.endpoint_id)
        if len(_key_ids(db, no)) >= _KEYS_MAX:
            raise MaxSigningKeysReachedError
        insert_key(db, self.key, endpoint_no=no, box=self.box)
        return _touched(db, self.endpoint_id, no, at_ms=self.key.created_at_ms, box=self.box)


class RemoveSigningKey(msgspec.Struct, frozen=True, kw_only=True):
    """Remove a signing key."""

    grows: ClassVar[bool] = False
    alone: ClassVar[bool] = True

    endpoint_id: str
    key_id: str
    at_ms: int
    box: SecretBox

    def apply(self, db: sqlite3.Connection, _gathered: Gathered) -> EndpointState:
        """Delete it.

        Raises:
            EndpointNotFoundError: there is no such endpoint.
            NotFoundError: the endpoint has no such key.
            CannotDeleteLastKeyError: it is the only one.
        """
        no = read_live_endpoint_no(db, self.endpoint_id)
        key_ids = _key_ids(db, no)
        if self.key_id not in key_ids:
            raise NotFoundError("signing key not found")
        if len(key_ids) == 1:
            raise CannotDeleteLastKeyError
        db.execute("DELETE FROM signing_keys WHERE id = ?", (self.key_id,))
        return _touched(db, self.endpoint_id, no, at_ms=self.at_ms, box=self.box)


def list_signing_keys(
    db: sqlite3.Connection, project_id: str, endpoint_id: str
) -> list[SigningKey] | None:
    """Return an endpoint's keys, newest first; `None` when there is no such endpoint."""
    row = db.execute(
        "SELECT e.no FROM endpoints e JOIN projects p ON p.no = e.project_no"
        " WHERE e.id = ? AND p.id = ? AND e.deleted_at_ms IS NULL",
        (endpoint_id, project_id),
    ).fetchone()
    if row is None:
        return None
    keys = db.execute(
        "SELECT id, key_hint, created_at_ms FROM signing_keys WHERE endpoint_no = ?"
        " ORDER BY no DESC",
        row,
    )
    return [
        SigningKey(id=key_id, key_hint=key_hint, created_at=from_ms(created_at_ms))
        for key_id, key_hint, created_at_ms in keys
    ]


def _key_ids(db: sqlite3.Connection, endpoint_no: int) -> list[str]:
    rows = db.execute("SELECT id FROM signing_keys WHERE endpoint_no = ?", (endpoint_no,))
    return [key_id for (key_id,) in rows]


def _touched(
    db: sqlite3.Connection, endpoint_id: str, no: int, *, at_ms: int, box: SecretBox
) -> EndpointState:
    db.execute("UPDATE endpoints SET updated_at_ms = ? WHERE no = ?", (at_ms, no))
    state = read_state(db, endpoint_id, box=box)
    assert state is not None, endpoint_id
    return state
