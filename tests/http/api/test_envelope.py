"""Contract sections 1 and 2: every answer is JSON in its envelope, whatever was asked."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sluicegate.engine.errors import StorageLockedError
from sluicegate.engine.model import Message
from sluicegate.storage import SqliteStorage

from .harness import WAIT_S, Api, running_api

MIB = 1_048_576


async def test_every_answer_carries_a_request_id_of_our_own(api: Api) -> None:
    """The id stands in `meta` and in `X-Request-Id`; the client's own is not taken over."""
    mine = {"X-Request-Id": "req_" + "a" * 32}
    answers = [
        await api.get("/healthz", headers=mine),
        await api.get("/v1/endpoints", headers=mine),
        await api.get("/v1/endpoints", headers=mine, key="wrong"),
        await api.get("/nothing", headers=mine),
        await api.request("PUT", "/v1/endpoints", headers=mine),
    ]
    ids = {answer.headers["X-Request-Id"] for answer in answers}
    assert len(ids) == len(answers)
    assert mine["X-Request-Id"] not in ids
    assert all(answer.meta["request_id"] in ids for answer in answers)


async def test_an_unknown_path_is_not_found(api: Api) -> None:
    """A path without a route answers 404 `NOT_FOUND` in the envelope."""
    for path in ("/", "/nothing", "/v1", "/v1/", "/v1/nothing", "/v1/endpoints/", "//v1/logs"):
        assert (await api.get(path)).refusal == (404, "NOT_FOUND"), path


async def test_a_stranger_learns_nothing_about_paths_under_v1(api: Api) -> None:
    """Without a key every path under /v1 answers 401, also those and methods that do not exist."""
    for method, path in (
        ("GET", "/v1"),
        ("GET", "/v1/nothing"),
        ("GET", "/v1/endpoints"),
        ("PUT", "/v1/endpoints"),
        ("OPTIONS", "/v1/endpoints"),
        ("GET", "/v1/endpoints/ep_malformed"),
        ("POST", "/v1/webhooks/send"),
        ("GET", "/%761/endpoints"),
    ):
        answer = await api.request(method, path, key="")
        assert answer.refusal == (401, "UNAUTHORIZED"), (method, path)
        assert answer.error["message"] == "Invalid or missing API key"
        assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a_wrong_method_is_told_which_are_right(api: Api) -> None:
    """405 names the allowed methods in `Allow` (RFC 9110 §15.5.6)."""
    answer = await api.request("PUT", "/v1/endpoints")
    assert answer.refusal == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    for path in ("/v1/webhooks/send", "/v1/messages/delete-all"):
        answer = await api.request("GET", path)
        assert answer.refusal == (405, "METHOD_NOT_ALLOWED")
        assert answer.headers["Allow"] == "OPTIONS, POST"
    answer = await api.request("DELETE", "/v1/messages/replay-batch")
    assert answer.refusal == (405, "METHOD_NOT_ALLOWED")


async def test_options_tells_the_methods(api: Api) -> None:
    """OPTIONS answers 204 with `Allow`, and changes nothing."""
    answer = await api.request("OPTIONS", "/v1/webhooks/send")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["Allow"] == "OPTIONS, POST"
    assert (await api.request("OPTIONS", "/healthz", key="")).status == 204


async def test_head_answers_as_get_without_a_body(api: Api) -> None:
    """HEAD has GET's status and headers (RFC 9110 §9.3.2)."""
    for path in ("/healthz", "/v1/endpoints", "/v1/endpoints/ep_x"):
        got, head = await api.get(path), await api.request("HEAD", path)
        assert head.status == got.status
        assert head.body == b""
        assert head.headers["Content-Length"] == got.headers["Content-Length"]


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nBad Header: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /v1/logs HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_answered_in_json(api: Api, request_bytes: bytes) -> None:
    """A request that cannot be parsed gets 400 in the envelope too."""
    head, body = await api.raw(request_bytes)
    assert b" 400 " in head.split(b"\r\n")[0]
    assert body["error"]["code"] == "INVALID_REQUEST"
    assert f"X-Request-Id: {body['meta']['request_id']}".encode() in head


async def test_an_unknown_expectation_is_refused_in_json(api: Api) -> None:
    """What aiohttp itself would answer as text is answered in the envelope."""
    head, body = await api.raw(b"GET /healthz HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\n\r\n")
    assert b" 400 " in head.split(b"\r\n")[0]
    assert body["error"]["code"] == "INVALID_REQUEST"


async def test_a_crash_of_ours_is_told_without_its_traceback(tmp_path: Path) -> None:
    """500 `INTERNAL_ERROR`; the traceback goes to the log, nothing of it to the client."""

    class Broken(SqliteStorage):
        async def get_message(self, *_: object, **__: object) -> Message | None:
            raise RuntimeError("secret inside")

    async with running_api(tmp_path, storage_type=Broken) as api:
        answer = await api.get("/v1/messages/01890a5d-ac96-774b-bcce-b302099a8057")
        assert answer.refusal == (500, "INTERNAL_ERROR")
        assert b"secret" not in answer.body
        assert (await api.get("/healthz")).status == 200


async def test_the_log_has_the_traceback_of_a_crash(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the request id that the client was told."""

    class Broken(SqliteStorage):
        async def get_message(self, *_: object, **__: object) -> Message | None:
            raise RuntimeError("inside")

    async with running_api(tmp_path, storage_type=Broken) as api:
        answer = await api.get("/v1/messages/01890a5d-ac96-774b-bcce-b302099a8057?token=hidden")
    crashes = [record for record in caplog.records if "request.crashed" in record.getMessage()]
    assert len(crashes) == 1
    assert answer.meta["request_id"] in crashes[0].getMessage()
    assert "hidden" not in caplog.text


async def test_each_request_is_one_line_of_the_debug_log(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    """`request.finished` has id, route and status; no key, no id of the path, no query."""
    with caplog.at_level("DEBUG", logger="sluicegate"):
        answer = await api.get("/v1/messages/not-to-be-logged?token=hidden")
    [line] = [text for text in caplog.messages if "request.finished" in text]
    assert answer.meta["request_id"] in line
    assert "/v1/messages/{message_id}" in line
    assert "404" in line
    for secret in ("not-to-be-logged", "hidden", api.key):
        assert secret not in line


async def test_a_compressed_body_is_refused(api: Api) -> None:
    """A small compressed body may be a huge one: it is refused unread, whatever is in it."""
    bomb = gzip.compress(b"0" * 50 * MIB)
    for path in ("/v1/webhooks/send", "/v1/endpoints"):
        for encoding in ("gzip", "deflate", "br", "GZIP"):
            answer = await api.post(path, body=bomb, headers={"Content-Encoding": encoding})
            assert answer.refusal == (400, "INVALID_REQUEST")
            assert "Content-Encoding" in answer.error["message"]


async def test_a_huge_body_is_refused_by_its_announced_length(api: Api) -> None:
    """The refusal comes before the body: `PAYLOAD_TOO_LARGE` on send, else `INVALID_REQUEST`."""
    for path, code in (
        ("/v1/webhooks/send", "PAYLOAD_TOO_LARGE"),
        ("/v1/webhooks/send-batch", "INVALID_REQUEST"),
        ("/v1/endpoints", "INVALID_REQUEST"),
        ("/v1/api-keys", "INVALID_REQUEST"),
    ):
        head, body = await api.raw(
            f"POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {api.key}\r\n"
            f"Content-Length: 10000000000\r\n\r\n".encode()
        )
        assert b" 400 " in head.split(b"\r\n")[0]
        assert body["error"]["code"] == code


async def test_a_huge_chunked_body_is_refused_on_the_way(api: Api) -> None:
    """A body without a length is read no further than the limit."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b" " * MIB

    try:
        answer = await api.post("/v1/webhooks/send", body=endless())
    except ConnectionError:
        pass  # the server may close while the client still writes
    else:
        assert answer.refusal == (400, "PAYLOAD_TOO_LARGE")
    assert api.stored("messages") == 0


async def test_a_chunk_that_is_none_is_refused(api: Api) -> None:
    """A chunked body with a broken frame is the client's mistake, not a crash."""
    head, body = await api.raw(
        f"POST /v1/webhooks/send HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {api.key}\r\n"
        'Transfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\nZZ\r\n\r\n'.encode()
    )
    assert b" 400 " in head.split(b"\r\n")[0]
    assert body["error"]["code"] == "INVALID_REQUEST"


async def test_a_client_that_leaves_in_the_middle_is_no_crash(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is there to be answered, and nothing is logged as a fault of ours."""
    with caplog.at_level("DEBUG", logger="sluicegate"):
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        writer.write(
            f"POST /v1/webhooks/send HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {api.key}\r\n"
            "Expect: 100-continue\r\nContent-Length: 50\r\n\r\n".encode()
        )
        async with asyncio.timeout(WAIT_S):
            assert b" 100 " in await reader.readuntil(b"\r\n\r\n")
        writer.write(b'{"endpoint_id"')
        writer.close()
        await writer.wait_closed()
        async with asyncio.timeout(WAIT_S):
            while not any("webhooks/send" in text for text in caplog.messages):
                assert (await api.get("/healthz")).status == 200
    assert "crashed" not in caplog.text
    assert "Unhandled" not in caplog.text


async def test_an_error_that_is_not_for_clients_is_told_without_its_words(tmp_path: Path) -> None:
    """A code without an HTTP status is a fault of ours: 500, whatever it says."""

    class Broken(SqliteStorage):
        async def get_message(self, *_: object, **__: object) -> Message | None:
            raise StorageLockedError("/secret/path", details={"path": "/secret/path"})

    async with running_api(tmp_path, storage_type=Broken) as api:
        answer = await api.get("/v1/messages/01890a5d-ac96-774b-bcce-b302099a8057")
        assert answer.refusal == (500, "INTERNAL_ERROR")
        assert b"secret" not in answer.body


async def test_bodies_in_memory_are_bounded_in_all(tmp_path: Path) -> None:
    """Over the memory budget a send gets 503 with an integer `Retry-After`; nothing is stored."""
    async with running_api(tmp_path, pending_bytes_max=300) as api:
        endpoint_id = await api.endpoint()
        answer = await api.send(endpoint_id=endpoint_id, payload="x" * 400)
        assert answer.refusal == (503, "UNAVAILABLE")
        assert int(answer.headers["Retry-After"]) >= 1
        assert api.stored("messages") == 0
        answer = await api.get("/v1/endpoints")
        assert answer.status == 200


async def test_a_drain_refuses_writes_and_tells_the_balancer(api: Api) -> None:
    """While draining: /readyz and writes 503 with `Retry-After`, reads go on, connections close."""
    endpoint_id = await api.endpoint()
    assert (await api.get("/readyz", key="")).data == {"status": "ready"}
    api.engine.readiness.ready = False
    for method, path in (
        ("GET", "/readyz"),
        ("POST", "/v1/webhooks/send"),
        ("POST", "/v1/endpoints"),
        ("PATCH", f"/v1/endpoints/{endpoint_id}"),
        ("DELETE", f"/v1/endpoints/{endpoint_id}"),
        ("POST", f"/v1/endpoints/{endpoint_id}/resume"),
    ):
        answer = await api.request(method, path)
        assert answer.refusal == (503, "UNAVAILABLE"), path
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.headers["Connection"] == "close"
    assert (await api.get("/v1/endpoints")).status == 200
    assert (await api.get("/healthz", key="")).data == {"status": "ok"}


async def test_no_body_is_needed_where_nothing_is_said(api: Api) -> None:
    """Pause, resume and the like take no body, an empty JSON one, or nonsense that is not read."""
    endpoint_id = await api.endpoint(paused=False)
    json_type = {"Content-Type": "application/json"}
    for body in (None, b"", b"{}", b"not json"):
        for operation in ("pause", "resume"):
            answer = await api.post(
                f"/v1/endpoints/{endpoint_id}/{operation}", body=body, headers=json_type
            )
            assert answer.status == 200
