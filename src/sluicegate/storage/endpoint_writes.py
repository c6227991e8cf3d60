"""Creating, configuring, pausing, resuming and deleting endpoints.

Each control write finds its endpoint by id among those that are not deleted, checks, writes, and
returns the endpoint's state as of its commit. None touches a message: what waits is counted in
`endpoint_loads`, so each costs the same whatever waits.
"""

import sqlite3
from collections.abc import Callable, Collection
from typing import ClassVar

import msgspec

from sluicegate.engine.errors import (
    AlreadyPausedError,
    DuplicateUrlError,
    EndpointNotFoundError,
    NotPausedError,
)
from sluicegate.engine.ids import shard_of
from sluicegate.engine.model import (
    Endpoint,
    EndpointConfig,
    EndpointState,
    PauseReason,
)
from sluicegate.engine.moments import from_ms
from sluicegate.engine.ports import EndpointRow
from sluicegate.storage.projects import project_no
from sluicegate.storage.rows import (
    config_columns,
    read_live_endpoint_no,
    read_state,
    waiting_seqs,
)
from sluicegate.storage.secret_box import SecretBox
from sluicegate.storage.signing_keys import insert_key
from sluicegate.storage.writes import Gathered

__all__ = ["CreateEndpoint", "DeleteEndpoint", "Pause", "Resume", "UpdateConfig", "state_after"]

_INSERT = """
INSERT INTO endpoints (id, project_no, shard, url, description, rate_limit_rps, burst, headers,
    ordered, max_in_flight, timeout_s, created_at_ms, updated_at_ms)
VALUES (:id, :project_no, :shard, :url, :description, :rate_limit_rps, :burst, :headers, :ordered,
    :max_in_flight, :timeout_s, :at_ms, :at_ms)
RETURNING no
"""
_UPDATE_CONFIG = """
UPDATE endpoints SET url = :url, description = :description, rate_limit_rps = :rate_limit_rps,
    burst = :burst, headers = :headers, ordered = :ordered, max_in_flight = :max_in_flight,
    timeout_s = :timeout_s, updated_at_ms = :at_ms
WHERE no = :no
"""


def state_after(db: sqlite3.Connection, endpoint_id: str, *, box: SecretBox) -> EndpointState:
    """Return the state of an endpoint that a write has just changed."""
    state = read_state(db, endpoint_id, box=box)
    assert state is not None, endpoint_id
    return state


class CreateEndpoint(msgspec.Struct, frozen=True):
    """Store an endpoint with its first signing key."""

    grows: ClassVar[bool] = True
    alone: ClassVar[bool] = True

    row: EndpointRow
    box: SecretBox

    def apply(self, db: sqlite3.Connection, _gathered: Gathered) -> Endpoint:
        """Insert its rows.

        Raises:
            NotFoundError: there is no such project.
            DuplicateUrlError: the project has an endpoint with this URL.
        """
        row = self.row
        project = project_no(db, row.project_id)
        _refuse_taken_url(db, row.config.url, project_no=project, endpoint_no=None)
        (no,) = db.execute(
            _INSERT,
            {
                "id": row.id,
                "project_no": project,
                "shard": shard_of(row.id),
                "at_ms": row.created_at_ms,
                **config_columns(row.config),
            },
        ).fetchone()
        db.execute("INSERT INTO endpoint_loads (endpoint_no) VALUES (?)", (no,))
        insert_key(db, row.key, endpoint_no=no, box=self.box)
        created_at = from_ms(row.created_at_ms)
        return Endpoint(
            id=row.id,
            project_id=row.project_id,
            config=row.config,
            paused_at=None,
            pause_reason=None,
            created_at=created_at,
            updated_at=created_at,
        )


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """Make a pause durable."""

    grows: ClassVar[bool] = False
    alone: ClassVar[bool] = True

    endpoint_id: str
    reason: PauseReason
    at_ms: int
    box: SecretBox

    def apply(self, db: sqlite3.Connection, _gathered: Gathered) -> EndpointState:
        """Write the endpoint's row.

        Raises:
            EndpointNotFoundError: there is no such endpoint.
            AlreadyPausedError: it is paused.
        """
        no = read_live_endpoint_no(db, self.endpoint_id)
        changed = db.execute(
            "UPDATE endpoints SET paused_at_ms = ?, pause_reason = ?, updated_at_ms = ?"
            " WHERE no = ? AND paused_at_ms IS NULL",
            (self.at_ms, self.reason, self.at_ms, no),
        ).rowcount
        if not changed:
            raise AlreadyPausedError
        return state_after(db, self.endpoint_id, box=self.box)


class Resume(msgspec.Struct, frozen=True, kw_only=True):
    """Make a resume durable: held messages are due by the raised `release_no`."""

    grows: ClassVar[bool] = False
    alone: ClassVar[bool] = True

    endpoint_id: str
    at_ms: int
    in_flight: Collection[str]
    box: SecretBox

    def apply(self, db: sqlite3.Connection, _gathered: Gathered) -> tuple[EndpointState, int]:
        """Write the endpoint's row and count what was held.

        Raises:
            EndpointNotFoundError: there is no such endpoint.
            NotPausedError: it is not paused.
        """
        no = read_live_endpoint_no(db, self.endpoint_id)
        changed = db.execute(
            "UPDATE endpoints SET paused_at_ms = NULL, pause_reason = NULL, updated_at_ms = ?,"
            " release_no = release_no + 1 WHERE no = ? AND paused_at_ms IS NOT NULL",
            (self.at_ms, no),
        ).rowcount
        if not changed:
            raise NotPausedError
        (waiting,) = db.execute(
            "UPDATE endpoint_loads SET consecutive_failures = 0, failing_since_ms = NULL"
            " WHERE endpoint_no = ? RETURNING queued_count + pending_retry_count",
            (no,),
        ).fetchone()
        held = waiting - len(waiting_seqs(db, self.in_flight, endpoint_no=no))
        return state_after(db, self.endpoint_id, box=self.box), held


class UpdateConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Apply a change to the stored configuration. `change` runs on the writing thread."""

    grows: ClassVar[bool] = False
    alone: ClassVar[bool] = True

    endpoint_id: str
    change: Callable[[EndpointConfig], EndpointConfig]
    at_ms: int
    box: SecretBox

    def apply(self, db: sqlite3.Connection, _gathered: Gathered) -> EndpointState:
        """Rewrite the endpoint's row.

        Raises:
            EndpointNotFoundError: there is no such endpoint.
            DuplicateUrlError: the project has another endpoint with the new URL.
        """
        no = read_live_endpoint_no(db, self.endpoint_id)
        before = state_after(db, self.endpoint_id, box=self.box)
        config = self.change(before.config)
        if config.url != before.config.url:
            project = project_no(db, before.project_id)
            _refuse_taken_url(db, config.url, project_no=project, endpoint_no=no)
        db.execute(_UPDATE_CONFIG, {"no": no, "at_ms": self.at_ms, **config_columns(config)})
        return state_after(db, self.endpoint_id, box=self.box)


class DeleteEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Mark an endpoint deleted; its messages read so from then on."""

    grows: ClassVar[bool] = False
    alone: ClassVar[bool] = True

    endpoint_id: str
    at_ms: int
    box: SecretBox

    def apply(self, db: sqlite3.Connection, gathered: Gathered) -> EndpointState:
        """Write the endpoint's row.

        Raises:
            EndpointNotFoundError: there is no such endpoint, or it is deleted.
        """
        changed = db.execute(
            "UPDATE endpoints SET deleted_at_ms = ?, updated_at_ms = ?"
            " WHERE id = ? AND deleted_at_ms IS NULL",
            (self.at_ms, self.at_ms, self.endpoint_id),
        ).rowcount
        if not changed:
            raise EndpointNotFoundError
        gathered.forget_endpoint(self.endpoint_id)
        return state_after(db, self.endpoint_id, box=self.box)


def _refuse_taken_url(
    db: sqlite3.Connection, url: str, *, project_no: int, endpoint_no: int | None
) -> None:
    """Check that no other endpoint of the project has the URL.

    Raises:
        DuplicateUrlError: one has.
    """
    row = db.execute(
        "SELECT no FROM endpoints WHERE project_no = ? AND url = ? AND deleted_at_ms IS NULL",
        (project_no, url),
    ).fetchone()
    if row is not None and row[0] != endpoint_no:
        raise DuplicateUrlError
