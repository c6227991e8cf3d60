"""Exports' records, and the pages that their files are made of."""

import csv
import io
from typing import TYPE_CHECKING

import msgspec
import pytest

from sluicegate.engine.errors import EndpointNotFoundError, InvalidRequestError
from sluicegate.engine.export_csv import COLUMNS
from sluicegate.engine.export_model import Export, ExportQuery, ExportStatus, NewExport
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import PauseReason
from sluicegate.engine.moments import from_ms, to_ms

if TYPE_CHECKING:
    from tests.conformance.storage.conftest import Bench

DAY_MS = 86_400_000
START_MS = 1_780_000_000_000


def new(bench: "Bench", **fields: object) -> NewExport:
    """Return an export of the day around the bench's clock."""
    export = NewExport(
        id=bench.chance.uuid7(),
        project_id=bench.project,
        start_at_ms=bench.clock.now_ms - DAY_MS,
        end_at_ms=bench.clock.now_ms + DAY_MS,
        status=None,
        endpoint_id=None,
        created_at_ms=bench.clock.now_ms,
    )
    return msgspec.structs.replace(export, **fields)


async def create(bench: "Bench", **fields: object) -> Export:
    """Store an export."""
    return await bench.storage.create_export(new(bench, **fields), live_max=1000)


async def begun(bench: "Bench", **fields: object) -> ExportQuery:
    """Store an export and begin it."""
    export = await create(bench, **fields)
    query = await bench.storage.begin_export(export.id, at_ms=bench.clock.now_ms)
    assert query is not None
    return query


async def read(
    bench: "Bench", query: ExportQuery, *in_flight: str, limit: int = 1000
) -> list[dict[str, str]]:
    """Read all pages."""
    lines: list[dict[str, str]] = []
    after_seq: int | None = query.seq_first - 1
    while after_seq is not None:
        page = await bench.storage.read_export_page(
            query, after_seq=after_seq, limit=limit, in_flight=set(in_flight)
        )
        text = io.StringIO(page.text.decode(), newline="")
        found = [dict(zip(COLUMNS, line, strict=True)) for line in csv.reader(text)]
        assert page.rows == len(found)
        lines += found
        after_seq = page.seq
    return lines


async def ids(bench: "Bench", query: ExportQuery, *in_flight: str, limit: int = 1000) -> list[str]:
    """Read the ids of the messages of all pages."""
    return [line["message_id"] for line in await read(bench, query, *in_flight, limit=limit)]


async def test_a_new_export_is_pending_and_tells_what_was_asked_for(bench: "Bench") -> None:
    """Nothing else is known of it; it is there after a restart."""
    endpoint = await bench.endpoint()
    asked = new(bench, status=MessageStatus.PAUSED, endpoint_id=endpoint)
    created = await bench.storage.create_export(asked, live_max=1)
    assert created == Export(
        id=asked.id,
        project_id=bench.project,
        status=ExportStatus.PENDING,
        filter_start_time=from_ms(START_MS - DAY_MS),
        filter_end_time=from_ms(START_MS + DAY_MS),
        filter_status=MessageStatus.PAUSED,
        filter_endpoint_id=endpoint,
        created_at=from_ms(START_MS),
    )
    await bench.reopen()
    assert await bench.storage.get_export(bench.project, asked.id) == created
    assert await bench.storage.find_export(asked.id) == created


async def test_another_projects_export_is_unknown(bench: "Bench") -> None:
    """It cannot be got, listed or deleted, and its endpoints cannot be named."""
    other = "proj_" + "2" * 32
    await bench.storage.create_project(other, "other", created_at_ms=0)
    export, endpoint = await create(bench), await bench.endpoint()
    assert await bench.storage.get_export(other, export.id) is None
    assert await bench.storage.list_exports(other, limit=10, before_no=None) == ([], None)
    assert not await bench.storage.delete_export(other, export.id)
    with pytest.raises(EndpointNotFoundError):
        await create(bench, project_id=other, endpoint_id=endpoint)
    assert await bench.storage.get_export(bench.project, export.id) == export


async def test_a_deleted_endpoint_can_be_exported_and_one_that_never_was_cannot(
    bench: "Bench",
) -> None:
    """Its messages are still listed."""
    endpoint = await bench.endpoint()
    [message] = await bench.send(endpoint)
    await bench.storage.delete_endpoint(endpoint, at_ms=bench.clock.now_ms)
    query = await begun(bench, endpoint_id=endpoint)
    assert await ids(bench, query) == [message]
    with pytest.raises(EndpointNotFoundError):
        await create(bench, endpoint_id="ep_" + "f" * 32)


async def test_a_project_has_so_many_live_exports_and_no_more(bench: "Bench") -> None:
    """Failed and expired ones do not count, nor do another project's."""
    other = "proj_" + "2" * 32
    await bench.storage.create_project(other, "other", created_at_ms=0)
    exports = [await bench.storage.create_export(new(bench), live_max=3) for _ in range(3)]
    with pytest.raises(InvalidRequestError) as refused:
        await bench.storage.create_export(new(bench), live_max=3)
    assert refused.value.details == {"maximum": 3}
    await bench.storage.create_export(new(bench, project_id=other), live_max=3)
    await bench.storage.fail_export(exports[0].id, error="x", at_ms=1)
    await bench.storage.create_export(new(bench), live_max=3)
    with pytest.raises(InvalidRequestError):
        await bench.storage.create_export(new(bench), live_max=3)


async def test_exports_are_listed_newest_first_in_pages(bench: "Bench") -> None:
    """None twice and none skipped while others are created."""
    made = [(await create(bench)).id for _ in range(5)]
    first, position = await bench.storage.list_exports(bench.project, limit=2, before_no=None)
    assert position is not None
    await create(bench)
    second, position = await bench.storage.list_exports(bench.project, limit=2, before_no=position)
    assert position is not None
    last, end = await bench.storage.list_exports(bench.project, limit=2, before_no=position)
    assert end is None
    assert [export.id for export in [*first, *second, *last]] == made[::-1]


async def test_the_next_export_is_one_that_was_begun_then_the_oldest(bench: "Bench") -> None:
    """Of all projects; what has ended is not one of them."""
    first, second, third = [(await create(bench)).id for _ in range(3)]

    async def following() -> str | None:
        export = await bench.storage.next_export()
        return None if export is None else export.id

    assert await following() == first
    await bench.storage.begin_export(second, at_ms=1)
    assert await following() == second
    await bench.storage.complete_export(second, rows=0, size_bytes=1, at_ms=2, expires_at_ms=3)
    assert await following() == first
    await bench.storage.fail_export(first, error="x", at_ms=1)
    assert await following() == third
    await bench.storage.delete_export(bench.project, third)
    assert await following() is None


async def test_an_export_goes_from_pending_to_expired(bench: "Bench") -> None:
    """And tells at each step what is known."""
    export_id = (await create(bench)).id

    async def seen() -> dict[str, object]:
        export = await bench.storage.find_export(export_id)
        assert export is not None
        names = [
            "status",
            "row_count",
            "file_size_bytes",
            "started_at",
            "completed_at",
            "expires_at",
        ]
        return {name: getattr(export, name) for name in names if getattr(export, name) is not None}

    await bench.storage.progress_export(export_id, rows=9, size_bytes=9)
    assert await seen() == {"status": "pending"}
    await bench.storage.begin_export(export_id, at_ms=1000)
    begun_at = {"started_at": from_ms(1000)}
    assert await seen() == {
        "status": "processing", "row_count": 0, "file_size_bytes": 0, **begun_at
    }  # fmt: skip
    await bench.storage.progress_export(export_id, rows=5, size_bytes=500)
    assert await seen() == {
        "status": "processing", "row_count": 5, "file_size_bytes": 500, **begun_at
    }  # fmt: skip
    await bench.storage.begin_export(export_id, at_ms=2000)
    assert (await seen())["row_count"] == 0
    assert await bench.storage.complete_export(
        export_id, rows=7, size_bytes=700, at_ms=3000, expires_at_ms=4000
    )
    done = {
        "row_count": 7,
        "file_size_bytes": 700,
        "started_at": from_ms(2000),
        "completed_at": from_ms(3000),
        "expires_at": from_ms(4000),
    }
    assert await seen() == {"status": "completed", **done}
    assert await bench.storage.export_times_ms() == (4000, None)
    assert await bench.storage.completed_exports([export_id, bench.chance.uuid7()]) == {export_id}
    assert await bench.storage.expire_exports(at_ms=3999, limit=10) == []
    assert await bench.storage.expire_exports(at_ms=4000, limit=10) == [export_id]
    assert await seen() == {"status": "expired", **done}
    created = await bench.storage.find_export(export_id)
    assert created is not None
    assert await bench.storage.export_times_ms() == (None, to_ms(created.created_at))
    assert await bench.storage.expire_exports(at_ms=9000, limit=10) == []
    assert await bench.storage.completed_exports([export_id]) == set()


async def test_what_has_ended_or_is_gone_stays_so(bench: "Bench") -> None:
    """A job that comes too late changes nothing."""
    gone, failed = (await create(bench)).id, (await create(bench)).id
    assert await bench.storage.delete_export(bench.project, gone)
    assert not await bench.storage.delete_export(bench.project, gone)
    await bench.storage.fail_export(failed, error="the disk is full", at_ms=1000)
    before = await bench.storage.find_export(failed)
    assert before is not None
    assert (before.status, before.error_message) == (ExportStatus.FAILED, "the disk is full")
    for export_id in (gone, failed):
        assert await bench.storage.begin_export(export_id, at_ms=1) is None
        await bench.storage.progress_export(export_id, rows=1, size_bytes=1)
        assert not await bench.storage.complete_export(
            export_id, rows=1, size_bytes=1, at_ms=1, expires_at_ms=2
        )
        await bench.storage.fail_export(export_id, error="again", at_ms=2000)
    assert await bench.storage.find_export(failed) == before
    assert await bench.storage.find_export(gone) is None


async def test_the_records_of_old_exports_without_a_file_are_forgotten(bench: "Bench") -> None:
    """A few at a time; those that wait or have a file stay, however old."""
    old = [(await create(bench, created_at_ms=at_ms)).id for at_ms in (1, 2, 3, 4)]
    young = (await create(bench)).id
    for export_id in (*old[:3], young):
        await bench.storage.fail_export(export_id, error="x", at_ms=5)
    assert await bench.storage.export_times_ms() == (None, 1)
    assert await bench.storage.forget_exports(created_before_ms=100, limit=2) == 2
    assert await bench.storage.forget_exports(created_before_ms=100, limit=2) == 1
    assert await bench.storage.forget_exports(created_before_ms=100, limit=2) == 0
    exports, _ = await bench.storage.list_exports(bench.project, limit=10, before_no=None)
    assert [export.id for export in exports] == [young, old[3]]


async def test_a_line_tells_everything_about_a_message(bench: "Bench") -> None:
    """As `GET /v1/messages` does, with the endpoint's URL."""
    endpoint = await bench.endpoint(url="https://receiver.example/=x")
    [message_id] = await bench.send(endpoint, idempotency_key="-order")
    bench.clock.now_ms += 5
    await bench.attempt(endpoint, message_id)
    message = await bench.get(message_id)
    [line] = await read(bench, await begun(bench))
    assert line == {
        "message_id": message_id,
        "endpoint_id": endpoint,
        "endpoint": "https://receiver.example/=x",
        "status": "succeeded",
        "attempt_count": "1",
        "replay_count": "0",
        "created_at": "2026-05-28T20:26:40.000Z",
        "updated_at": "2026-05-28T20:26:40.035Z",
        "delivered_at": "2026-05-28T20:26:40.035Z",
        "next_attempt_at": "",
        "response_status": "200",
        "response_latency_ms": str(message.response_latency_ms),
        "last_error": "",
        "idempotency_key": "'-order",
        "size_bytes": "7",
        "payload_sha256": message.payload_sha256,
        "deleted_at": "",
    }


async def test_an_export_holds_what_was_accepted_in_its_span(bench: "Bench") -> None:
    """The start is in it, the end is not; older and newer messages are not."""
    endpoint = await bench.endpoint()
    sent: dict[int, str] = {}
    for minute in range(-3, 4):
        bench.clock.now_ms = START_MS + minute * 60_000
        [sent[minute]] = await bench.send(endpoint)
    query = await begun(bench, start_at_ms=START_MS - 60_000, end_at_ms=START_MS + 120_000)
    assert await ids(bench, query) == [sent[-1], sent[0], sent[1]]
    late = await begun(bench, start_at_ms=START_MS - 59_999, end_at_ms=START_MS + 120_001)
    assert await ids(bench, late) == [sent[0], sent[1], sent[2]]
    for span in ((0, 1000), (START_MS + DAY_MS, START_MS + 2 * DAY_MS)):
        nothing = await begun(bench, start_at_ms=span[0], end_at_ms=span[1])
        assert await ids(bench, nothing) == []


async def test_an_export_of_an_empty_database_is_empty(bench: "Bench") -> None:
    """There is no message at all."""
    assert await ids(bench, await begun(bench)) == []


@pytest.mark.parametrize("status", list(MessageStatus))
async def test_a_status_is_the_one_that_a_reader_sees(
    bench: "Bench", status: MessageStatus
) -> None:
    """The same messages as the log shows for it, oldest first, in any size of page."""
    live, held, gone = [await bench.endpoint() for _ in range(3)]
    flying: list[str] = []
    for endpoint in (live, held, gone):
        sent = await bench.send(endpoint, 5)
        await bench.attempt(endpoint, sent[0])
        await bench.attempt(endpoint, sent[1], MessageStatus.FAILED_PERMANENT)
        await bench.attempt(endpoint, sent[2], MessageStatus.PENDING_RETRY)
        flying.append(sent[3])
    await bench.storage.pause(held, reason=PauseReason.MANUAL, at_ms=1)
    await bench.storage.delete_endpoint(gone, at_ms=1)
    expected = (await bench.logged(*flying, status=status))[::-1]
    assert expected
    query = await begun(bench, status=status)
    for limit in (1, 4, 1000):
        lines = await read(bench, query, *flying, limit=limit)
        assert [line["message_id"] for line in lines] == expected
        assert {line["status"] for line in lines} == {status.value}


async def test_an_endpoints_export_holds_its_messages_only(bench: "Bench") -> None:
    """Pages of others' messages are passed over without an end in between."""
    one, two = await bench.endpoint(), await bench.endpoint()
    first = await bench.send(one)
    others = await bench.send(two, 7)
    last = await bench.send(one)
    query = await begun(bench, endpoint_id=one)
    assert await ids(bench, query, limit=2) == [*first, *last]
    assert await ids(bench, await begun(bench), limit=2) == [*first, *others, *last]


async def test_another_projects_messages_are_not_in_it(bench: "Bench") -> None:
    """Though they were accepted in between."""
    other = "proj_" + "2" * 32
    await bench.storage.create_project(other, "other", created_at_ms=0)
    mine, theirs = await bench.endpoint(), await bench.endpoint(other)
    first = await bench.send(mine)
    foreign = await bench.send(theirs, 3, project_id=other)
    last = await bench.send(mine)
    assert await ids(bench, await begun(bench), limit=2) == [*first, *last]
    assert await ids(bench, await begun(bench, project_id=other), limit=2) == foreign


async def test_what_arrives_or_changes_meanwhile_moves_nothing(bench: "Bench") -> None:
    """Each message that stood at the start is in the file once, as it is when it is read."""
    endpoint = await bench.endpoint()
    sent = await bench.send(endpoint, 10)
    query = await begun(bench)
    lines: list[str] = []
    after_seq: int | None = query.seq_first - 1
    while after_seq is not None:
        page = await bench.storage.read_export_page(
            query, after_seq=after_seq, limit=3, in_flight=set()
        )
        lines += page.text.decode().splitlines()
        after_seq = page.seq
        await bench.send(endpoint)
        if len(lines) == 3:
            await bench.attempt(endpoint, sent[0])
            await bench.attempt(endpoint, sent[9])
    found = [line.split(",") for line in lines]
    assert [line[0] for line in found] == sent
    assert [line[3] for line in found] == ["queued"] * 9 + ["succeeded"]
