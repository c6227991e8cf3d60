"""Bad input of every kind: a clear 400, never a 500, and nothing stored."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .harness import Api

MIB = 1_048_576
JUNK = {
    "empty": b"",
    "white space": b"  \n",
    "malformed": b'{"endpoint_id": ',
    "trailing comma": b'{"payload": [1,]}',
    "single quotes": b"{'payload': 1}",
    "comment": b'{"payload": 1} // no',
    "two values": b'{"payload": 1}{"payload": 2}',
    "NaN": b'{"payload": NaN}',
    "infinity": b'{"payload": -Infinity}',
    "not UTF-8": b'{"payload": "\xff"}',
    "overlong UTF-8": b'{"payload": "\xc0\x80"}',
    "encoded surrogate": b'{"payload": "\xed\xa0\x80"}',
    "UTF-16": '{"payload": 1}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "duplicate key": b'{"payload": 1, "payload": 1}',
    "duplicate key inside": b'{"payload": {"a": [{"b": 1, "b": 2}]}}',
    "duplicate key by escape": b'{"payload": {"a": 1, "\\u0061": 2}}',
    "lone high surrogate": b'{"payload": "\\ud800"}',
    "lone low surrogate": b'{"payload": "\\udc00"}',
    "lone surrogate in a key": b'{"payload": {"\\ud800": 1}}',
    "surrogates in the wrong order": b'{"payload": "\\udc00\\ud800"}',
    "control character": b'{"payload": "\x01"}',
    "bad escape": b'{"payload": "\\x41"}',
    "leading zero": b'{"payload": 01}',
    "hexadecimal": b'{"payload": 0x10}',
    "101 levels": b'{"payload": ' + b"[" * 100 + b"]" * 100 + b"}",
    "a mebibyte of brackets": b"[" * MIB,
    "a mebibyte of braces": b'{"a":' * (MIB // 5),
    "array": b"[]",
    "string": b'"x"',
    "number": b"1" * 5000,
    "null": b"null",
    "form": b"endpoint_id=ep_1&payload=1",
    "NUL": b"\x00",
}
"""Bodies that are no request, whatever the route; each without the fields it would need."""

ROUTES = ["/v1/webhooks/send", "/v1/webhooks/send-batch", "/v1/endpoints", "/v1/exports"]


@pytest.mark.parametrize("kind", JUNK)
@pytest.mark.parametrize("path", ROUTES)
async def test_junk_is_refused(api: Api, path: str, kind: str) -> None:
    """400 `INVALID_REQUEST`, nothing stored, and the server goes on."""
    answer = await api.post(path, body=JUNK[kind])
    assert answer.refusal == (400, "INVALID_REQUEST")
    assert (api.stored("messages"), api.stored("endpoints")) == (0, 0)


@pytest.mark.parametrize("kind", [kind for kind in JUNK if kind != "empty"])
async def test_junk_changes_nothing(api: Api, kind: str) -> None:
    """The same for changes and for keys; an empty body of the latter is `{}`."""
    endpoint_id = await api.endpoint()
    path = f"/v1/endpoints/{endpoint_id}"
    before = (await api.get(path)).data
    answer = await api.request("PATCH", path, body=JUNK[kind])
    assert answer.refusal == (400, "INVALID_REQUEST")
    assert (await api.get(path)).data == before
    assert (await api.post("/v1/api-keys", body=JUNK[kind])).refusal == (400, "INVALID_REQUEST")
    assert api.stored("api_keys") == 1


INSIDE = [
    kind
    for kind, body in JUNK.items()
    if body.startswith(b'{"payload": ') and not body.endswith((b"no", b"2}"))
]


@pytest.mark.parametrize("kind", INSIDE)
async def test_a_bad_payload_is_refused_though_all_else_is_good(api: Api, kind: str) -> None:
    """The endpoint exists and every field is there: only the payload is wrong."""
    endpoint_id = await api.endpoint()
    body = b'{"endpoint_id": "%s", ' % endpoint_id.encode() + JUNK[kind][1:]
    answer = await api.post("/v1/webhooks/send", body=body)
    assert answer.refusal == (400, "INVALID_REQUEST")
    assert api.stored("messages") == 0


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=8), inner, max_size=4
        )
    ),
    max_leaves=12,
)
SEND_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "endpoint_id": JSON | st.just("ep_" + "0" * 32),
        "payload": JSON,
        "headers": JSON | st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
        "idempotency_key": JSON,
        "retention_hours": JSON,
        "messages": JSON,
    },
)
ENDPOINT_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "url": JSON | st.text(min_size=12, max_size=40).map("https://".__add__),
        "description": JSON,
        "rate_limit_rps": JSON,
        "burst": JSON,
        "headers": JSON,
        "ordered": JSON,
        "max_in_flight": JSON,
        "timeout_s": JSON,
    },
)
EXPECTED = {
    "INVALID_REQUEST": 400,
    "INVALID_HEADERS": 400,
    "INVALID_ENDPOINT": 400,
    "ENDPOINT_BLOCKED": 400,
    "ENDPOINT_UNREACHABLE": 400,
    "ENDPOINT_NOT_FOUND": 404,
}


def _utf8(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


a_few = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@a_few
@given(path=st.sampled_from(ROUTES), body=st.binary(max_size=200))
async def test_random_bytes_are_never_a_crash(api: Api, path: str, body: bytes) -> None:
    """Bytes that no JSON writer made."""
    answer = await api.post(path, body=body)
    assert answer.refusal == (400, "INVALID_REQUEST")


@a_few
@given(body=SEND_FIELDS)
async def test_random_sends_are_never_a_crash(api: Api, body: dict[str, Any]) -> None:
    """Well-formed JSON with random values in the fields of a send, alone and as a batch."""
    for path, sent in (
        ("/v1/webhooks/send", body),
        ("/v1/webhooks/send-batch", body),
        ("/v1/webhooks/send-batch", {"messages": [body]}),
    ):
        answer = await api.post(path, body=_utf8(sent))
        if answer.status == 202:
            assert "messages" in sent
            for slot in answer.data:
                assert slot["error"]["code"] in EXPECTED
        else:
            status, code = answer.refusal
            assert EXPECTED[code] == status
    assert api.stored("messages") == 0


@a_few
@given(body=ENDPOINT_FIELDS)
async def test_random_endpoints_are_never_a_crash(api: Api, body: dict[str, Any]) -> None:
    """Well-formed JSON with random values in the fields of an endpoint; no such name resolves."""
    answer = await api.post("/v1/endpoints", body=_utf8(body))
    status, code = answer.refusal
    assert EXPECTED[code] == status
    assert api.stored("endpoints") == 0


@a_few
@given(
    path=st.text(
        st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="?#"), max_size=40
    ),
    query=st.text(
        st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), max_size=40
    ),
    prefix=st.sampled_from(
        ["", "v1/", "v1/endpoints/", "v1/messages/", "v1/logs?", "v1/endpoints?"]
    ),
)
async def test_random_targets_are_never_a_crash(
    api: Api, path: str, query: str, prefix: str
) -> None:
    """Any request target gets an answer in the envelope, below 500."""
    target = f"/{prefix}{path}?{query}"
    head, body = await api.raw(
        f"GET {target} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {api.key}\r\n\r\n".encode()
    )
    assert int(head.split(b" ")[1]) < 500
    assert set(body) <= {"data", "error", "meta"}
