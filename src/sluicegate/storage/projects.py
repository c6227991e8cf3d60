"""Projects and their API keys."""

import sqlite3
from collections.abc import Sequence
from typing import ClassVar

import msgspec

from sluicegate.engine.errors import CannotDeleteLastKeyError, NotFoundError
from sluicegate.engine.model import ApiKey, Principal
from sluicegate.engine.moments import from_ms
from sluicegate.engine.ports import ApiKeyRow
from sluicegate.storage.writes import Gathered

__all__ = [
    "CreateApiKey",
    "CreateProject",
    "DeleteApiKey",
    "TouchApiKeys",
    "api_key_labels",
    "default_project",
    "find_api_key",
    "list_api_keys",
    "project_no",
]


_FORMER_MAX = 10_000
"""Labels of deleted keys that are kept, of one project."""
_FORGET_FORMER = """
DELETE FROM former_api_keys WHERE no IN (
    SELECT no FROM former_api_keys WHERE project_no = ? ORDER BY no DESC LIMIT -1 OFFSET ?)
"""
_LABEL = """
SELECT k.label FROM api_keys k JOIN projects p ON p.no = k.project_no
WHERE k.id = :key_id AND p.id = :project_id
UNION ALL
SELECT f.label FROM former_api_keys f JOIN projects p ON p.no = f.project_no
WHERE f.id = :key_id AND p.id = :project_id
"""


def project_no(db: sqlite3.Connection, project_id: str) -> int:
    """Return the number of a project.

    Raises:
        NotFoundError: there is no such project.
    """
    row = db.execute("SELECT no FROM projects WHERE id = ?", (project_id,)).fetchone()
    if row is None:
        raise NotFoundError("project not found")
    return int(row[0])


class CreateProject(msgspec.Struct, frozen=True, kw_only=True):
    """Create a project."""

    grows: ClassVar[bool] = True
    alone: ClassVar[bool] = True

    project_id: str
    label: str
    created_at_ms: int

    def apply(self, db: sqlite3.Connection, _gathered: Gathered) -> None:
        """Insert it."""
        db.execute(
            "INSERT INTO projects (id, label, created_at_ms) VALUES (?, ?, ?)",
            (self.project_id, self.label, self.created_at_ms),
        )


class CreateApiKey(msgspec.Struct, frozen=True):
    """Store a key's hash."""

    grows: ClassVar[bool] = True
    alone: ClassVar[bool] = True

    row: ApiKeyRow

    def apply(self, db: sqlite3.Connection, _gathered: Gathered) -> None:
        """Insert it.

        Raises:
            NotFoundError: there is no such project.
        """
        row = self.row
        db.execute(
            "INSERT INTO api_keys (id, project_no, key_sha256, prefix, label, created_at_ms)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                row.id,
                project_no(db, row.project_id),
                row.key_sha256,
                row.prefix,
                row.label,
                row.created_at_ms,
            ),
        )


class DeleteApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """Delete a key, unless it is its project's last; keep only what it was called."""

    grows: ClassVar[bool] = False
    alone: ClassVar[bool] = True

    project_id: str
    key_id: str

    def apply(self, db: sqlite3.Connection, _gathered: Gathered) -> None:
        """Delete it.

        Raises:
            NotFoundError: the project has no such key.
            CannotDeleteLastKeyError: it is the only one.
        """
        row = db.execute(
            "SELECT k.no, (SELECT count(*) FROM api_keys WHERE project_no = k.project_no),"
            " k.project_no, k.label FROM api_keys k JOIN projects p ON p.no = k.project_no"
            " WHERE k.id = ? AND p.id = ?",
            (self.key_id, self.project_id),
        ).fetchone()
        if row is None:
            raise NotFoundError("API key not found")
        no, count, of_project, label = row
        if count == 1:
            raise CannotDeleteLastKeyError
        db.execute("DELETE FROM api_keys WHERE no = ?", (no,))
        db.execute(
            "INSERT INTO former_api_keys (id, project_no, label) VALUES (?, ?, ?)",
            (self.key_id, of_project, label),
        )
        db.execute(_FORGET_FORMER, (of_project, _FORMER_MAX))


class TouchApiKeys(msgspec.Struct, frozen=True):
    """Record when keys were last used; an earlier moment than the stored one is passed over."""

    grows: ClassVar[bool] = False
    alone: ClassVar[bool] = True

    used_at_ms: dict[str, int]

    def apply(self, db: sqlite3.Connection, _gathered: Gathered) -> None:
        """Update those keys that still exist."""
        db.executemany(
            "UPDATE api_keys SET last_used_at_ms = max(coalesce(last_used_at_ms, 0), ?)"
            " WHERE id = ?",
            [(used_at_ms, key_id) for key_id, used_at_ms in self.used_at_ms.items()],
        )


def default_project(db: sqlite3.Connection) -> str | None:
    """Return the oldest project's id."""
    row = db.execute("SELECT id FROM projects ORDER BY no LIMIT 1").fetchone()
    return None if row is None else str(row[0])


def list_api_keys(db: sqlite3.Connection, project_id: str) -> list[ApiKey]:
    """Return the project's keys, newest first."""
    rows = db.execute(
        "SELECT k.id, k.label, k.prefix, k.created_at_ms, k.last_used_at_ms"
        " FROM projects p JOIN api_keys k ON k.project_no = p.no"
        " WHERE p.id = ? ORDER BY k.no DESC",
        (project_id,),
    )
    return [
        ApiKey(
            key_id=key_id,
            label=label,
            prefix=prefix,
            created_at=from_ms(created_at_ms),
            last_used_at=None if used_at_ms is None else from_ms(used_at_ms),
        )
        for key_id, label, prefix, created_at_ms, used_at_ms in rows
    ]


def api_key_labels(
    db: sqlite3.Connection, project_id: str, key_ids: Sequence[str]
) -> dict[str, str | None]:
    """Return the labels of the project's keys, deleted ones too; unknown ids are absent."""
    found: dict[str, str | None] = {}
    for key_id in key_ids:
        row = db.execute(_LABEL, {"key_id": key_id, "project_id": project_id}).fetchone()
        if row is not None:
            found[key_id] = row[0]
    return found


def find_api_key(db: sqlite3.Connection, key_sha256: bytes) -> Principal | None:
    """Return whom a key stands for."""
    row = db.execute(
        "SELECT p.id, k.id FROM api_keys k JOIN projects p ON p.no = k.project_no"
        " WHERE k.key_sha256 = ?",
        (key_sha256,),
    ).fetchone()
    return None if row is None else Principal(project_id=row[0], api_key_id=row[1])
