"""Changes of exports' records."""

import sqlite3
from typing import ClassVar

import msgspec

from sluicegate.engine.errors import EndpointNotFoundError, InvalidRequestError
from sluicegate.engine.export_model import Export, NewExport
from sluicegate.storage.export_reads import read_export
from sluicegate.storage.projects import project_no
from sluicegate.storage.rows import id_blob, id_text
from sluicegate.storage.writes import Gathered

__all__ = [
    "EXPIRE",
    "FORGET",
    "LIVE",
    "BeginExport",
    "CompleteExport",
    "CreateExport",
    "DeleteExport",
    "ExpireExports",
    "FailExport",
    "ForgetExports",
    "ProgressExport",
]

_INSERT = """
INSERT INTO exports (id, project_no, filter_start_at_ms, filter_end_at_ms, filter_status,
    filter_endpoint_id, created_at_ms)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""
LIVE = """
SELECT count(*) FROM exports INDEXED BY exports_live
WHERE project_no = :project_no
    AND (status = 'pending' OR status = 'processing' OR status = 'completed')
"""
_BEGIN = """
UPDATE exports SET status = 'processing', started_at_ms = ?, row_count = 0, file_size_bytes = 0
WHERE id = ? AND (status = 'pending' OR status = 'processing')
"""
_PROGRESS = """
UPDATE exports SET row_count = ?, file_size_bytes = ? WHERE id = ? AND status = 'processing'
"""
_COMPLETE = """
UPDATE exports SET status = 'completed', row_count = ?, file_size_bytes = ?, completed_at_ms = ?,
    expires_at_ms = ?
WHERE id = ? AND status = 'processing'
"""
_FAIL = """
UPDATE exports SET status = 'failed', error_message = ?, completed_at_ms = ?
WHERE id = ? AND (status = 'pending' OR status = 'processing')
"""
EXPIRE = """
UPDATE exports SET status = 'expired' WHERE no IN (
    SELECT no FROM exports WHERE status = 'completed' AND expires_at_ms <= :at_ms
    ORDER BY expires_at_ms LIMIT :limit)
RETURNING id
"""
FORGET = """
DELETE FROM exports WHERE no IN (
    SELECT no FROM exports
    WHERE (status = 'failed' OR status = 'expired') AND created_at_ms < :created_before_ms
    ORDER BY created_at_ms LIMIT :limit)
"""


class CreateExport(msgspec.Struct, frozen=True, kw_only=True):
    """Store a new export, if the project may have one more."""

    grows: ClassVar[bool] = True
    alone: ClassVar[bool] = True

    export: NewExport
    live_max: int

    def apply(self, db: sqlite3.Connection, _gathered: Gathered) -> Export:
        """Insert it and return it.

        Raises:
            EndpointNotFoundError: the project never had the endpoint that it names.
            InvalidRequestError: the project has `live_max` already.
        """
        new = self.export
        no = project_no(db, new.project_id)
        if new.endpoint_id is not None:
            known = db.execute(
                "SELECT 1 FROM endpoints WHERE id = ? AND project_no = ?", (new.endpoint_id, no)
            ).fetchone()
            if known is None:
                raise EndpointNotFoundError
        (live,) = db.execute(LIVE, {"project_no": no}).fetchone()
        if live >= self.live_max:
            raise InvalidRequestError(
                f"the project has {live} exports, at most {self.live_max} are kept: "
                "delete some, or wait until they expire",
                details={"maximum": self.live_max},
            )
        blob = id_blob(new.id)
        db.execute(
            _INSERT,
            (
                blob,
                no,
                new.start_at_ms,
                new.end_at_ms,
                new.status,
                new.endpoint_id,
                new.created_at_ms,
            ),
        )
        created = read_export(db, new.id)
        assert created is not None
        return created


class BeginExport(msgspec.Struct, frozen=True, kw_only=True):
    """Begin the file of an unfinished export, or begin it anew."""

    grows: ClassVar[bool] = False
    alone: ClassVar[bool] = False

    export_id: str
    at_ms: int

    def apply(self, db: sqlite3.Connection, _gathered: Gathered) -> bool:
        """Update its row; return whether there was an unfinished one."""
        return db.execute(_BEGIN, (self.at_ms, id_blob(self.export_id))).rowcount == 1


class ProgressExport(msgspec.Struct, frozen=True, kw_only=True):
    """Record how far an export is."""

    grows: ClassVar[bool] = False
    alone: ClassVar[bool] = False

    export_id: str
    rows: int
    size_bytes: int

    def apply(self, db: sqlite3.Connection, _gathered: Gathered) -> None:
        """Update its row, if it is processing."""
        db.execute(_PROGRESS, (self.rows, self.size_bytes, id_blob(self.export_id)))


class CompleteExport(msgspec.Struct, frozen=True, kw_only=True):
    """Record that an export's file is whole."""

    grows: ClassVar[bool] = False
    alone: ClassVar[bool] = False

    export_id: str
    rows: int
    size_bytes: int
    at_ms: int
    expires_at_ms: int

    def apply(self, db: sqlite3.Connection, _gathered: Gathered) -> bool:
        """Update its row, if it is processing; return whether it was."""
        changed = db.execute(
            _COMPLETE,
            (self.rows, self.size_bytes, self.at_ms, self.expires_at_ms, id_blob(self.export_id)),
        )
        return changed.rowcount == 1


class FailExport(msgspec.Struct, frozen=True, kw_only=True):
    """Record why an export's file could not be written."""

    grows: ClassVar[bool] = False
    alone: ClassVar[bool] = False

    export_id: str
    error: str
    at_ms: int

    def apply(self, db: sqlite3.Connection, _gathered: Gathered) -> None:
        """Update its row, if it is unfinished."""
        db.execute(_FAIL, (self.error, self.at_ms, id_blob(self.export_id)))


class DeleteExport(msgspec.Struct, frozen=True, kw_only=True):
    """Forget an export."""

    grows: ClassVar[bool] = False
    alone: ClassVar[bool] = False

    project_id: str
    export_id: str

    def apply(self, db: sqlite3.Connection, _gathered: Gathered) -> bool:
        """Delete its row; return whether there was one."""
        deleted = db.execute(
            "DELETE FROM exports WHERE id = ?"
            " AND project_no = (SELECT no FROM projects WHERE id = ?)",
            (id_blob(self.export_id), self.project_id),
        )
        return deleted.rowcount == 1


class ExpireExports(msgspec.Struct, frozen=True, kw_only=True):
    """Mark completed exports whose time is over."""

    grows: ClassVar[bool] = False
    alone: ClassVar[bool] = False

    at_ms: int
    limit: int

    def apply(self, db: sqlite3.Connection, _gathered: Gathered) -> list[str]:
        """Update their rows; return their ids."""
        return [id_text(blob) for (blob,) in db.execute(EXPIRE, msgspec.structs.asdict(self))]


class ForgetExports(msgspec.Struct, frozen=True, kw_only=True):
    """Delete the records of old exports that have no file."""

    grows: ClassVar[bool] = False
    alone: ClassVar[bool] = False

    created_before_ms: int
    limit: int

    def apply(self, db: sqlite3.Connection, _gathered: Gathered) -> int:
        """Delete their rows; return how many."""
        return db.execute(FORGET, msgspec.structs.asdict(self)).rowcount
