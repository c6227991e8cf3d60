"""A walk through many messages, while others come, go and change."""

import asyncio
import random
import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tests.storage.conftest import PROJECT

from sluicegate.engine.lifecycle import WAITING, MessageStatus
from sluicegate.engine.model import PauseReason
from sluicegate.engine.operations import ReplayKind
from sluicegate.engine.ports import LogQuery
from sluicegate.storage import SqliteStorage
from sluicegate.storage.audit import miscounts
from sluicegate.storage.bridge import call

if TYPE_CHECKING:
    from tests.storage.conftest import Place

STORED = 100_000
ENDPOINTS = 5
ARRIVING = 50
"""Messages between two pages of the log: 10,000 during its walk."""

FILL = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
INSERT INTO messages (id, project_no, endpoint_no, status, accepted_at_ms, updated_at_ms,
    next_attempt_at_ms, retry_type, size_bytes, payload_sha256)
SELECT randomblob(16), e.project_no, e.no, s.status, i, i, iif(s.status = 'pending_retry', i, NULL),
    iif(s.status = 'pending_retry', 'slow', NULL), 2, zeroblob(32)
FROM n
JOIN endpoints e ON e.no = 1 + i % :endpoints
JOIN (SELECT 0 AS k, 'queued' AS status UNION ALL SELECT 1, 'pending_retry'
    UNION ALL SELECT 2, 'succeeded' UNION ALL SELECT 3, 'failed_permanent') s ON s.k = i / 7 % 4
"""
COUNT = """
UPDATE endpoint_loads SET
    queued_count = (SELECT count(*) FROM messages m
        WHERE m.endpoint_no = endpoint_loads.endpoint_no AND m.status = 'queued'),
    pending_retry_count = (SELECT count(*) FROM messages m
        WHERE m.endpoint_no = endpoint_loads.endpoint_no AND m.status = 'pending_retry'),
    failed_count = (SELECT count(*) FROM messages m
        WHERE m.endpoint_no = endpoint_loads.endpoint_no AND m.status = 'failed_permanent')
"""


def fill(db: sqlite3.Connection) -> list[tuple[str, str, str]]:
    """Store messages; return id, endpoint and stored status of each, newest first."""
    db.execute("BEGIN")
    db.execute(FILL, {"rows": STORED, "endpoints": ENDPOINTS})
    db.execute("INSERT INTO payloads (seq, body) SELECT seq, x'7b7d' FROM messages")
    db.execute(COUNT)
    db.execute("COMMIT")
    return db.execute(
        "SELECT substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-' || substr(h, 13, 4) || '-'"
        " || substr(h, 17, 4) || '-' || substr(h, 21), owner, status FROM (SELECT"
        " lower(hex(m.id)) AS h, e.id AS owner, m.status, m.seq FROM messages m"
        " JOIN endpoints e ON e.no = m.endpoint_no ORDER BY m.seq DESC)"
    ).fetchall()


class Walk:
    """One listing, page by page."""

    def __init__(self, storage: SqliteStorage, query: LogQuery, *, dead: bool = False) -> None:
        self._storage = storage
        self._query = query
        self._dead = dead
        self._position: int | None = None
        self.seen: list[str] = []
        self.ended = False

    async def step(self) -> None:
        """Read the next page, if there is one."""
        if self.ended:
            return
        query = LogQuery(
            project_id=PROJECT,
            limit=self._query.limit,
            status=self._query.status,
            deleted=self._query.deleted,
            before_seq=self._position,
        )
        if self._dead:
            letters, self._position = await self._storage.list_dead_letters(query, in_flight=set())
            entries = [letter.entry for letter in letters]
            assert all(entry.deleted_at is None for entry in entries)
        else:
            entries, self._position = await self._storage.list_logs(query, in_flight=set())
        if query.status is not None:
            assert {entry.status for entry in entries} <= {query.status}
        self.seen += [entry.message_id for entry in entries]
        self.ended = self._position is None

    def check(self, at_start: Sequence[str], touched: set[str]) -> None:
        """Check that nobody was seen twice, and nobody skipped that stood there all the time."""
        places = {message_id: place for place, message_id in enumerate(at_start)}
        assert len(self.seen) == len(set(self.seen))
        old = [places[message_id] for message_id in self.seen if message_id in places]
        assert old == sorted(old)
        missing = places.keys() - touched - set(self.seen)
        assert not missing


class Changes:
    """What goes on while a listing is read."""

    def __init__(
        self, place: "Place", storage: SqliteStorage, messages: list[tuple[str, str, str]]
    ) -> None:
        self._place = place
        self._storage = storage
        self._chance = random.Random(7)
        self._endpoints = sorted({owner for _, owner, _ in messages})
        self._left = {
            status: [(each, owner) for each, owner, stored in messages if stored == status]
            for status in MessageStatus
        }
        for left in self._left.values():
            self._chance.shuffle(left)
        self.touched: set[str] = set()

    def _take(self, status: MessageStatus) -> tuple[str, str]:
        message_id, owner = self._left[status].pop()
        self.touched.add(message_id)
        return message_id, owner

    async def step(self) -> None:
        """Let some arrive, and some be replayed, cancelled, deleted and delivered."""
        place, storage = self._place, self._storage
        place.clock.now_ms += 1000
        owners = self._chance.choices(self._endpoints, k=ARRIVING)
        replayed = [self._take(MessageStatus.FAILED_PERMANENT) for _ in range(3)]
        replayed += [self._take(MessageStatus.SUCCEEDED), self._take(MessageStatus.PENDING_RETRY)]
        deleted = [self._take(status) for status in MessageStatus if self._left[status]]
        cancelled, owner = self._take(MessageStatus.PENDING_RETRY)
        finished = self._chance.choice(self._endpoints)
        head = await storage.load_queued(finished, after_seq=0, limit=3)
        self.touched |= {message.id for message in head}
        await asyncio.gather(
            storage.append([place.message(endpoint) for endpoint in owners]),
            storage.cancel_message(owner, cancelled, in_flight=set(), at_ms=1),
            *(
                storage.replay_messages(
                    owner, [each], kind=ReplayKind.COUNTED, in_flight=set(), at_ms=1
                )
                for each, owner in replayed
            ),
            *(
                storage.delete_messages(owner, [each], deleted_by=None, at_ms=1)
                for each, owner in deleted
            ),
            *(storage.record_attempt(place.result(finished, message)) for message in head),
        )


async def test_a_walk_skips_nobody_and_sees_nobody_twice(place: "Place") -> None:
    """Through 100,000 messages while 10,000 arrive, and others leave what is listed."""
    storage = await place.opened()
    for _ in range(ENDPOINTS):
        await place.endpoint(storage)
    messages = await call(place.connections[0], fill)
    paused = messages[0][1]
    await storage.pause(paused, reason=PauseReason.MANUAL, at_ms=1)

    def at_start(*statuses: MessageStatus, of: bool | None = None) -> list[str]:
        return [
            each
            for each, owner, status in messages
            if status in statuses and of in {None, owner == paused}
        ]

    failed = MessageStatus.FAILED_PERMANENT
    log = Walk(storage, LogQuery(project_id=PROJECT, limit=500))
    page = LogQuery(project_id=PROJECT, limit=200, status=failed, deleted=False)
    filtered = {Walk(storage, page, dead=True): at_start(failed)}
    for status, listed in (
        (failed, at_start(failed)),
        (MessageStatus.QUEUED, at_start(MessageStatus.QUEUED, of=False)),
        (MessageStatus.PAUSED, at_start(*WAITING, of=True)),
    ):
        filtered[Walk(storage, LogQuery(project_id=PROJECT, limit=200, status=status))] = listed
    changes = Changes(place, storage, messages)
    steps = 0
    while not all(walk.ended for walk in (log, *filtered)):
        await asyncio.gather(log.step(), *(walk.step() for walk in filtered))
        await changes.step()
        steps += 1
    assert steps * ARRIVING >= 10_000
    log.check([each for each, _, _ in messages], set())
    assert len(log.seen) == STORED
    for walk, ids in filtered.items():
        assert len(ids) > 5_000
        walk.check(ids, changes.touched)
    assert await call(place.connections[0], miscounts) == []
