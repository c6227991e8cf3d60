"""A request that comes in one piece is answered as aiohttp answers one that comes in two."""

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.model import Accepted, NewMessage
from sluicegate.http.answers import Answer, whole
from sluicegate.http.whole_reading import WholeRequests
from sluicegate.http.whole_requests import WholeRequest, written
from sluicegate.storage import SqliteStorage

from .harness import WAIT_S, Api, running_api

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
NAMES = re.compile(rb"req_[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f-]{27}|Date: [^\r]*")


class Client:
    """One connection, on which bytes are sent as they are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def write(self, data: bytes) -> None:
        """Send, in one piece."""
        self._writer.write(data)

    async def answer(self) -> bytes:
        """Return the next answer, head and body."""
        async with asyncio.timeout(WAIT_S):
            head = await self._reader.readuntil(b"\r\n\r\n")
            found = re.search(rb"(?i)content-length: (\d+)", head)
            return head + await self._reader.readexactly(int(found.group(1)) if found else 0)

    async def until_closed(self) -> None:
        """Wait until the server closes the connection by itself."""
        async with asyncio.timeout(WAIT_S):
            with contextlib.suppress(ConnectionError):
                assert await self._reader.read() == b""

    async def is_closed(self) -> bool:
        """Say whether the server closes now: whether an answer to more does not come."""
        self._writer.write(HEALTH)
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(WAIT_S):
                return await self._reader.read(1) == b""
        return True


@contextlib.asynccontextmanager
async def connected(api: Api) -> AsyncIterator[Client]:
    """Connect while the context lasts."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def request(
    body: bytes,
    *more: str,
    path: str = "/v1/webhooks/send",
    key: str = "KEY",
    version: str = "1.1",
    host: str = "Host: a",
) -> bytes:
    """Return the bytes of a POST; `KEY`, `ENDPOINT` and `ESCAPED`, the same, are put in later."""
    lines = [f"POST {path} HTTP/{version}", f"Authorization: Bearer {key}", *more]
    if host:
        lines.append(host)
    if not any(line.lower().startswith("transfer-encoding") for line in more):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


SEND = b'{"endpoint_id": "ENDPOINT", "payload": {"a": "\xc3\xa9"}}'
KINDS = {
    "a send": request(SEND),
    "a batch": request(b'{"messages": [' + SEND + b"]}", path="/v1/webhooks/send-batch"),
    "a send with a query": request(SEND, path="/v1/webhooks/send?a=b"),
    "an endpoint": request(b'{"url": "https://public.example/x"}', path="/v1/endpoints"),
    "a pause of no endpoint": request(b"", path="/v1/endpoints/ep_1/pause"),
    "a path with an escape": request(b"", path="/v1/endpoints/ESCAPED/pause"),
    "a path with an escaped slash": request(b"", path="/v1/endpoints/ep%2f1/pause"),
    "a path with a fragment": request(b"", path="/v1/endpoints/ep_1/pause#a"),
    "a path of other bytes": request(b"", path="/v1/endpoints/ep_\xe91/pause"),
    "another method": request(b"", path="/v1/endpoints/ep_1/pause").replace(b"POST", b"DELETE"),
    "another method of a send": request(SEND).replace(b"POST", b"PUT"),
    "no such route": request(SEND, path="/v1/webhooks/sent"),
    "a key nobody has": request(SEND, key="sg_live_nobody"),
    "no host": request(SEND, host=""),
    "two hosts": request(SEND, "Host: b"),
    "two keys": request(SEND, "Authorization: Bearer x"),
    "two lengths": request(SEND, f"Content-Length: {len(SEND)}"),
    "a header of other bytes": request(SEND, "X-Name: \xe9"),
    "a header without a name": request(SEND, ": a"),
    "a header with NUL": request(SEND, "X-Name: a\0b"),
    "a folded header": request(SEND, "X-Name: a\r\n b"),
    "white space around": request(SEND, key="  KEY\t "),
    "many headers": request(SEND, *(f"X-{number}: a" for number in range(140))),
    "a long head": request(SEND, "X-Long: " + "a" * 8300),
    "HTTP/1.0": request(SEND, version="1.0"),
    "HTTP/1.0 that stays": request(SEND, "Connection: keep-alive", version="1.0"),
    "the last one": request(SEND, "Connection: close"),
    "the last one by another name": request(SEND, "Proxy-Connection: close"),
    "a key of an old web socket": request(SEND, "Sec-WebSocket-Key1:"),
    "an upgrade": request(SEND, "Connection: upgrade", "Upgrade: websocket"),
    "an expectation": request(SEND, "Expect: wonders"),
    "an encoding": request(SEND, "Content-Encoding: gzip"),
    "chunks": request(b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
    "no body": request(b""),
    "no JSON": request(b"{"),
    "too large": request(b'{"payload": "' + b"a" * 150_000 + b'"}'),
}
"""As they are sent, by what is told of them."""


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """A server whose payloads may have 1000 bytes."""
    async with running_api(tmp_path, payload_bytes_max=1000, headers_bytes_max=1000) as api:
        yield api


class Patient(SqliteStorage):
    """Begins to store messages when it is told to."""

    asked: asyncio.Event
    told: asyncio.Event

    async def append(self, messages: Sequence[NewMessage]) -> list[Accepted | SluicegateError]:
        """Wait first."""
        self.asked.set()
        await self.told.wait()
        return await super().append(messages)


async def filled(api: Api, text: bytes) -> bytes:
    """Put in the key and a new endpoint, and mend the length."""
    endpoint = (await api.endpoint()).encode()
    grown = text.count(b"ENDPOINT") * (len(endpoint) - len(b"ENDPOINT"))
    return re.sub(
        rb"(Content-Length: )(\d+)",
        lambda found: found[1] + str(int(found[2]) + grown).encode(),
        text.replace(b"KEY", api.key.encode())
        .replace(b"ENDPOINT", endpoint)
        .replace(b"ESCAPED", b"%65" + endpoint.removeprefix(b"e")),
    )


def told(answer: bytes) -> tuple[Any, ...]:
    """Return what an answer says, without the names that are made for each."""
    head, _, body = NAMES.sub(b"NAME", answer).partition(b"\r\n\r\n")
    status, *headers = head.split(b"\r\n")
    if body:
        json.loads(body)
    return status, sorted(headers), re.sub(rb'"(id|key|secret|\w+_at|url)":"[^"]*"', b"", body)


async def test_in_one_piece_or_in_two_the_answer_is_the_same(api: Api) -> None:
    """Status, headers and body, and whether the connection stays."""
    found: dict[str, list[object]] = {}
    for number, (kind, pieces) in enumerate(product(KINDS, (1, 2))):
        text = await filled(api, KINDS[kind].replace(b"/x", b"/%d" % (number + 10)))
        async with connected(api) as client:
            if pieces == 2:  # what comes with another request is aiohttp's
                client.write(HEALTH + text[:9])
                assert b" 200 " in await client.answer()
                text = text[9:]
            client.write(text)
            answer = told(await client.answer())
            found.setdefault(kind, []).append((answer, await client.is_closed()))
    assert {kind: both for kind, both in found.items() if both[0] != both[1]} == {}


async def test_aiohttp_does_not_see_a_send_that_comes_in_one_piece(api: Api) -> None:
    """Nor the one after it; and what it sees does not keep it from the next."""
    assert api.runner.server is not None
    text = await filled(api, KINDS["a send"])
    async with connected(api) as client:
        seen = []
        for each in (text, text, HEALTH, text, text[:9], text[9:], text):
            client.write(each)
            if each != text[:9]:
                assert re.match(rb"HTTP/1.1 20[02] ", await client.answer())
                seen.append(api.runner.server.requests_count)
    assert [count - seen[0] for count in seen] in ([0, 0, 1, 1, 2, 2], [0, 0, 1, 1, 1, 1])


@given(cuts=st.sets(st.integers(1, 900), max_size=6), number=st.integers(1, 4))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_however_requests_are_cut_each_is_answered_once_and_in_turn(
    api: Api, cuts: set[int], number: int
) -> None:
    """What comes while another is answered waits, and nothing is lost between the two readers."""
    texts = [KINDS["a send"].replace(b"/send", b"/send" + b"x" * at) for at in range(number)]
    stream = b"".join([await filled(api, text) for text in texts]) + HEALTH
    places = sorted(cut for cut in cuts if cut < len(stream))
    async with connected(api) as client:
        for first, end in zip([0, *places], [*places, len(stream)], strict=True):
            client.write(stream[first:end])
            await asyncio.sleep(0)
        answers = [await client.answer() for _ in range(number + 1)]
    statuses = [int(answer.split(b" ")[1]) for answer in answers]
    assert statuses == [202, *[404] * (number - 1), 200]


async def test_while_the_server_ends_the_connection_is_closed_behind_the_answer(api: Api) -> None:
    """As aiohttp does when it is told so."""
    text = await filled(api, KINDS["a send"])
    api.engine.readiness.ready = False
    async with connected(api) as client:
        client.write(text)
        answer = await client.answer()
        assert b" 503 " in answer
        assert b"\r\nConnection: close\r\n" in answer
        assert await client.is_closed()


@pytest.fixture
async def patient(tmp_path: Path) -> AsyncIterator[Api]:
    """A server that stores nothing until `Patient.told` is set."""
    Patient.asked, Patient.told = asyncio.Event(), asyncio.Event()
    async with running_api(tmp_path, storage_type=Patient) as api:
        yield api


async def test_a_send_that_is_under_way_is_answered_before_the_end(
    patient: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing the server waits for it, and no longer; then the connection is closed."""
    monkeypatch.setattr(patient.runner, "_shutdown_timeout", 2 * WAIT_S)
    text = await filled(patient, KINDS["a send"])
    async with connected(patient) as client:
        client.write(text)
        await Patient.asked.wait()
        closing = asyncio.create_task(patient.runner.cleanup())
        await asyncio.sleep(0)
        Patient.told.set()
        assert b" 202 " in await client.answer()
        assert await client.is_closed()
        async with asyncio.timeout(WAIT_S):
            await closing


@pytest.mark.parametrize("pieces", [0, 1, 2])
async def test_what_comes_meanwhile_is_answered_afterwards(patient: Api, pieces: int) -> None:
    """Whoever answers the first, and however whole the second is; then the connection goes on."""
    text = await filled(patient, KINDS["a send"])
    create = await filled(patient, KINDS["an endpoint"])
    async with connected(patient) as client:
        if pieces != 1:  # what comes with another request is aiohttp's
            cut = 9 if pieces else len(text)
            client.write(HEALTH + text[:cut])
            await client.answer()
            text = text[cut:]
        client.write(text)
        await Patient.asked.wait()
        client.write(create)
        for _ in range(5):  # long enough for the server to have read it
            assert (await patient.get("/healthz")).status == 200
        Patient.told.set()
        statuses = [(await client.answer()).split(b" ")[1] for _ in range(2)]
        assert statuses == [b"202", b"201"]
        client.write(HEALTH)
        assert b" 200 " in await client.answer()


async def test_while_one_is_answered_no_more_than_one_piece_is_read(patient: Api) -> None:
    """Whoever sends on and on fills its own buffers, not our memory."""
    text = await filled(patient, KINDS["a send"])

    def stopped() -> int:
        assert patient.runner.server is not None
        readers = (each.transport for each in patient.runner.server.connections)
        return sum(
            isinstance(each, asyncio.Transport) and not each.is_reading() for each in readers
        )

    async with connected(patient) as client:
        client.write(text)
        await Patient.asked.wait()
        client.write(HEALTH)
        for _ in range(5):  # long enough for the server to have read it
            assert (await patient.get("/healthz")).status == 200
        assert stopped() == 1
        Patient.told.set()
        assert b" 202 " in await client.answer()
        assert b" 200 " in await client.answer()
        assert stopped() == 0


async def test_a_connection_is_not_idle_while_a_request_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays for as long as the answer takes; one that has nothing to wait for is closed."""
    monkeypatch.setattr("sluicegate.http.server._CONNECTION", {"keepalive_timeout": 2})
    Patient.asked, Patient.told = asyncio.Event(), asyncio.Event()
    async with (
        running_api(tmp_path, storage_type=Patient) as api,
        connected(api) as client,
        connected(api) as idle,
    ):
        text = await filled(api, KINDS["a send"])
        client.write(HEALTH)
        assert b" 200 " in await client.answer()
        client.write(text)
        await Patient.asked.wait()
        idle.write(await filled(api, KINDS["an endpoint"]))
        assert b" 201 " in await idle.answer()
        await idle.until_closed()
        Patient.told.set()
        assert b" 202 " in await client.answer()
        await client.until_closed()


async def test_a_bug_of_ours_ends_the_one_connection(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for an answer that does not come; the server goes on."""
    text = await filled(api, KINDS["a send"])

    def broken(*_: object, **__: object) -> bytes:
        raise RuntimeError("planted")

    async with connected(api) as client:
        with monkeypatch.context() as patch:
            patch.setattr("sluicegate.http.connections.written", broken)
            client.write(text)
            await client.until_closed()
    async with connected(api) as client:
        client.write(text)
        assert b" 202 " in await client.answer()


def test_only_what_is_one_whole_usual_request_is_read() -> None:
    """Behind what is not whole, the next one that is whole is found again."""
    requests = WholeRequests()
    post = b"POST /a HTTP/1.1\r\nHost: b\r\nContent-Length: 2\r\n\r\n{}"
    first = requests.read(post)
    assert first is not None
    assert (first.method, first.path, first.body) == ("POST", "/a", b"{}")
    assert dict(first.headers) == {"Host": "b", "Content-Length": "2"}
    for pieces in ((post + post,), (post + post[:5], post[5:]), (post[:-1], post[-1:])):
        assert [requests.read(piece) for piece in pieces] == [None] * len(pieces)
        assert requests.read(post) is not None
    assert requests.read(b"nonsense\r\n\r\n") is None
    assert requests.read(post) is None, "who knows where it begins?"


NEXT = (
    b"POST /a HTTP/1.1\r\nHost: b\r\nContent-Length: 2\r\nX-Name: c\r\n\r\n{}",
    b"POST /a HTTP/1.1\r\nHost: b\r\nX-Name: c\r\ncontent-length:   11\r\n\r\n{'a': '\r\nb'}",
    b"POST /a HTTP/1.1\r\nContent-Length: 2\r\nHost: b\r\nConnection: keep-alive\r\n\r\n{}",
    b"POST /a HTTP/1.1\r\nContent-Length: 2\r\nHost: b\r\nConnection: close\r\n\r\n{}",
    b"GET /a HTTP/1.1\r\nHost: b\r\n\r\n",
)


@st.composite
def altered(draw: st.DrawFn) -> bytes:
    """Return a request, most often with a piece of it put in place of another."""
    text = draw(st.sampled_from(NEXT))
    body = draw(st.sampled_from((b"", b"{}", b"[1]", b"1234567890", b"12345678901", b"x" * 102)))
    if draw(st.booleans()):
        length = draw(st.sampled_from((b"%d" % len(body), b"0%d" % len(body), b"+2", b"2 ", b"")))
        head = re.sub(rb"(?i)(length: *)\d+", lambda found: found[1] + length, text)
        text = head.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + body
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(text)))
        piece = draw(st.sampled_from((b"", b"\r\n", b" ", b"a", b"\xe9", b"0", b":", b"\0")))
        text = text[:at] + piece + text[at + draw(st.integers(0, 3)) :]
    return text


def seen(found: WholeRequest | None) -> object:
    """Return what a request is found to be."""
    if found is None:
        return None
    return found.method, found.path, sorted(found.headers.items()), found.body


@given(texts=st.lists(altered(), min_size=2, max_size=6))
@settings(max_examples=300, deadline=None)
def test_a_head_that_came_before_is_read_as_if_it_were_new(texts: list[bytes]) -> None:
    """However much alike two requests are: what is taken from the one is what the next says."""
    remembering, forgetful = WholeRequests(), WholeRequests()
    for text in texts:
        forgetful._head = None  # noqa: SLF001 - all that is remembered
        assert seen(remembering.read(text)) == seen(forgetful.read(text))


def test_a_head_that_came_before_is_not_parsed_again() -> None:
    """What is made of a head alone is made once; the length is the new one's."""
    requests = WholeRequests()
    made: list[str] = []

    def make(request: WholeRequest) -> int:
        made.append(request.path)
        return len(made)

    for length in (2, 2, 10, 103):
        text = b"POST /a HTTP/1.1\r\nHost: b\r\nContent-Length: %d\r\n\r\n" % length
        found = requests.read(text + b"x" * length)
        assert found is not None
        assert found.headers["Content-Length"] == str(length)
        assert found.once(make) == 1
    assert made == ["/a"]


@pytest.mark.parametrize("white_space", [0, 70_000])
async def test_a_send_that_is_not_stored_in_time_is_given_up_at_the_end(
    patient: Api, white_space: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closing the server takes as long as it is told to; what is stored later harms nobody.

    A long body is read by a task, which ends too.
    """
    monkeypatch.setattr(patient.runner, "_shutdown_timeout", 0.05)
    text = await filled(patient, request(SEND.replace(b"{", b"{" + b" " * white_space, 1)))
    async with connected(patient) as client:
        client.write(text)
        await Patient.asked.wait()
        async with asyncio.timeout(WAIT_S):
            await patient.runner.cleanup()
        await client.until_closed()
        assert "_await_whole" not in repr(asyncio.all_tasks())
        Patient.told.set()


async def test_a_body_counts_until_its_request_is_answered(tmp_path: Path) -> None:
    """Beyond what may be in memory at once a send is refused; then there is room again."""
    Patient.asked, Patient.told = asyncio.Event(), asyncio.Event()
    async with (
        running_api(tmp_path, storage_type=Patient, pending_bytes_max=1_048_576) as api,
        connected(api) as client,
    ):
        text = await filled(api, KINDS["a send"])
        large = await filled(api, request(SEND.replace(b"{", b"{" + b" " * 60_000, 1)))
        async with contextlib.AsyncExitStack() as stack:
            holders = [await stack.enter_async_context(connected(api)) for _ in range(18)]
            for holder in holders:
                holder.write(large)
            statuses = []
            for pending in asyncio.as_completed([holder.answer() for holder in holders]):
                statuses.append((await pending).split(b" ")[1])
                if len(statuses) == 1:
                    Patient.told.set()
        assert statuses == [b"503", *[b"202"] * 17]
        for _ in range(3):
            client.write(text)
            assert b" 202 " in await client.answer()


async def test_who_does_not_read_its_answers_is_not_read_either(api: Api) -> None:
    """Answers wait in the buffers of the network, and no more than a few in ours."""
    items = b",".join([b'{"endpoint_id": 1, "payload": 1}'] * 1000)
    text = await filled(
        api, request(b'{"messages": [' + items + b"]}", path="/v1/webhooks/send-batch")
    )
    async with connected(api) as client:
        client.write(text)
        size = len(await client.answer())
        for _ in range(100):
            client.write(text)
            for _ in range(2):  # long enough for the server to have read it, if it does
                assert (await api.get("/healthz")).status == 200
        assert api.runner.server is not None
        transports = [each.transport for each in api.runner.server.connections]
        held = max(each.get_write_buffer_size() for each in transports if each is not None)
        assert 0 < held < 3 * size
        for _ in range(100):
            assert len(await client.answer()) == size


def test_an_answer_that_is_a_stream_is_none_to_a_whole_request() -> None:
    """A stream has an end that nobody knows yet."""
    with pytest.raises(TypeError):
        whole(web.StreamResponse())


def test_an_answer_without_content_has_no_length() -> None:
    """RFC 9110 section 8.6; any other has one, if it is empty."""
    assert b"Content-Length" not in written(Answer(204, {}), keep_alive=True)
    assert b"Content-Length: 0" in written(Answer(200, {}), keep_alive=True)
