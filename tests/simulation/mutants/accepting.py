"""Bugs between a send and its answer: durability, idempotency, the group commit."""

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

import msgspec

from sluicegate.engine.errors import IdempotencyMismatchError, SluicegateError
from sluicegate.engine.model import Accepted, Arrivals, NewMessage
from sluicegate.storage import appends, attempts, database, transactions, writer
from sluicegate.storage.message_storage import SqliteMessageStorage
from sluicegate.storage.sqlite_storage import SqliteStorage
from sluicegate.storage.writes import Gathered

from .mutant import Patch, planted

_DURABLE = "a message that was answered with 202 is durable"


@planted(promise=_DURABLE)
def answered_before_the_commit(patch: Patch) -> None:
    """A send is answered when it is queued for the writer, not when it is committed.

    The ids are known by then, and every benchmark is the better for it.
    """
    commit = writer.Writer.append

    def append(
        self: writer.Writer, write: Any, *, rows: int, size_bytes: int
    ) -> "asyncio.Future[list[Accepted | SluicegateError]]":
        committing = commit(self, write, rows=rows, size_bytes=size_bytes)
        committing.add_done_callback(lambda done: done.cancelled() or done.exception())
        answered = asyncio.get_running_loop().create_future()
        answered.set_result([Accepted(message_id=message.id) for message in write.messages])
        return answered

    patch.replace(writer.Writer, "append", append)


@planted(promise=_DURABLE)
def commits_are_not_synced(patch: Patch) -> None:
    """`synchronous = NORMAL`: the advice of every article about SQLite in WAL mode."""
    pragmas = tuple(each.replace("= FULL", "= NORMAL") for each in database._WRITER_PRAGMAS)
    assert pragmas != database._WRITER_PRAGMAS
    patch.replace(database, "_WRITER_PRAGMAS", pragmas)


@planted(promise=_DURABLE)
def a_failed_batch_wakes_everybody_alike(patch: Patch) -> None:
    """Whoever waits for a group commit is told that it has ended, and not how."""
    answer = writer.Writer._answer

    def told_well(self: writer.Writer, batch: list[Any], results: list[object]) -> None:
        if results and all(isinstance(result, SluicegateError) for result in results):
            results = [
                [Accepted(message_id=message.id) for message in waiting.write.messages]
                if isinstance(waiting.write, appends.Append)
                else None
                if isinstance(waiting.write, attempts.RecordAttempt)
                else result
                for waiting, result in zip(batch, results, strict=True)
            ]
        answer(self, batch, results)

    patch.replace(writer.Writer, "_answer", told_well)


@planted(promise="one idempotency key is one message")
def idempotency_keys_are_lost_at_a_restart(patch: Patch) -> None:
    """The keys seen lately are kept in memory, and nowhere else."""
    accept = appends.accept
    known: dict[Gathered, dict[tuple[str, str], tuple[str, bytes]]] = {}

    def remembered(
        db: sqlite3.Connection, gathered: Gathered, message: NewMessage, window_bytes_max: int
    ) -> Accepted:
        keys = known.setdefault(gathered, {})
        if message.idempotency_key is None:
            return accept(db, gathered, message, window_bytes_max)
        key = (message.endpoint_id, message.idempotency_key)
        if key in keys and keys[key][1] == message.payload_sha256:
            return Accepted(message_id=keys[key][0], duplicate=True)
        if key in keys:
            raise IdempotencyMismatchError
        keys[key] = (message.id, message.payload_sha256)
        unkeyed = msgspec.structs.replace(message, idempotency_key=None)
        return accept(db, gathered, unkeyed, window_bytes_max)

    patch.replace(appends, "accept", remembered)


@planted(promise="two sends with one key at the same moment make one message")
def idempotency_keys_are_looked_up_before_the_transaction(patch: Patch) -> None:
    """Of two sends in one batch the second does not see the first.

    A unique index would turn that into an error; so the second is stored without its key.
    """
    accept = appends.accept

    def alone(
        db: sqlite3.Connection, gathered: Gathered, message: NewMessage, window_bytes_max: int
    ) -> Accepted:
        key = message.idempotency_key
        if key is not None and any(key == known for _, known in gathered.keys):
            message = msgspec.structs.replace(message, idempotency_key=None)
        return accept(db, gathered, message, window_bytes_max)

    patch.replace(appends, "accept", alone)


@planted(promise="a cancelled send that was stored is delivered all the same")
def the_caller_gives_the_hint(patch: Patch) -> None:
    """The request's own coroutine tells the actor, after the commit.

    A client that has gone away leaves a durable message that nobody knows of.
    """
    append = SqliteMessageStorage.append

    def told(
        self: SqliteMessageStorage, messages: Sequence[NewMessage]
    ) -> Awaitable[list[Accepted | SluicegateError]]:
        async def append_and_tell() -> list[Accepted | SluicegateError]:
            answers = await append(self, messages)
            assert isinstance(self, SqliteStorage)
            tell(self, {message.endpoint_id: Arrivals(None, []) for message in messages})
            return answers

        return append_and_tell()

    tell = SqliteStorage._tell_accepted

    def silent(self: SqliteStorage, accepted: Mapping[str, Any]) -> None:
        del self, accepted

    patch.replace(SqliteMessageStorage, "append", told)
    patch.replace(SqliteStorage, "_tell_accepted", silent)


@planted(promise="after an fsync error the outcome is unknown: the process ends")
def an_unknown_outcome_passes_for_a_failure(patch: Patch) -> None:
    """A commit that reports an I/O error is taken for rolled back, and life goes on."""
    judged = transactions._judged

    def hopeful(error: sqlite3.Error, *, committing: bool) -> Exception:
        found = judged(error, committing=committing)
        return transactions._BusyError() if committing else found

    patch.replace(transactions, "_judged", hopeful)


@planted(promise="every write carries the owner's epoch and is refused when it is stale")
def the_epoch_is_not_checked(patch: Patch) -> None:
    """A process that was taken for dead goes on writing into the file of its successor."""

    def trusting(self: transactions.Transactions, db: sqlite3.Connection) -> None:
        del self, db

    patch.replace(transactions.Transactions, "_check_owner", trusting)


@planted(promise="the body is the payload, byte for byte, as the client wrote it")
def the_payload_is_written_anew(patch: Patch) -> None:
    """The payload is parsed and written again: `1.0` stays, white space and escapes do not."""
    accept = appends.accept

    def compact(
        db: sqlite3.Connection, gathered: Gathered, message: NewMessage, window_bytes_max: int
    ) -> Accepted:
        text = json.dumps(json.loads(message.payload), separators=(",", ":")).encode()
        anew = msgspec.structs.replace(message, payload=text)
        return accept(db, gathered, anew, window_bytes_max)

    patch.replace(appends, "accept", compact)
