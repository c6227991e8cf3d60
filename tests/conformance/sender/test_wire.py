"""What goes over the wire, byte for byte, and when nothing may."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from sluicegate.engine.outcome import OutcomeKind
from sluicegate.engine.ports import Request

if TYPE_CHECKING:
    from tests.conformance.sender.conftest import Link, MakeReceiver, MakeSender

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Recorder:
    """Keeps what was asked and says 200, request after request."""

    def __init__(self) -> None:
        self.requests: list[tuple[bytes, bytes]] = []

    async def behave(self, link: "Link") -> None:
        """Answer until the sender hangs up."""
        while True:
            self.requests.append(await link.read_request())
            await link.send(OK)


@pytest.fixture
def recorder() -> Recorder:
    """Return what keeps this test's requests."""
    return Recorder()


async def test_a_request_is_sent_byte_for_byte(
    make_sender: "MakeSender", make_receiver: "MakeReceiver", recorder: Recorder
) -> None:
    """Headers in the given order and case, one Host, one Content-Length, and nothing of ours."""
    receiver = await make_receiver(recorder.behave)
    body = b'{"a": 1.0, "b": "\xc3\xa9"}\r\n\x00'
    outcome = await make_sender().post(
        Request(
            url=receiver.url("/hook/%7Ea?b=%2f&c=%C3%A9+d"),
            headers=(
                ("Content-Type", "application/json"),
                ("User-Agent", "Sluicegate/1"),
                ("x-lower", "1"),
                ("X-UPPER", "a  b"),
                ("webhook-id", "m"),
            ),
            body=body,
            timeout_s=5,
        )
    )
    assert outcome.status == 200
    head, got = recorder.requests[0]
    assert got == body
    assert head.decode() == (
        "POST /hook/%7Ea?b=%2f&c=%C3%A9+d HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{receiver.port}\r\n"
        "Content-Type: application/json\r\n"
        "User-Agent: Sluicegate/1\r\n"
        "x-lower: 1\r\n"
        "X-UPPER: a  b\r\n"
        "webhook-id: m\r\n"
        f"Content-Length: {len(body)}\r\n"
        "\r\n"
    )


@pytest.mark.parametrize("size", [0, 1, 65536, 2**20, 2**20 + 1, 3 * 2**20])
async def test_a_body_of_any_size_arrives_whole(
    make_sender: "MakeSender", make_receiver: "MakeReceiver", recorder: Recorder, size: int
) -> None:
    """Always with a Content-Length, never chunked; nothing is added for an empty one."""
    receiver = await make_receiver(recorder.behave)
    body = bytes(number % 251 for number in range(size))
    request = Request(url=receiver.url(), headers=(), body=body, timeout_s=10)
    outcome = await make_sender().post(request)
    assert outcome.status == 200
    head, got = recorder.requests[0]
    assert got == body
    assert [line.partition(b":")[0] for line in head.split(b"\r\n")[1:-2]] == [
        b"Host",
        b"Content-Length",
    ]


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("", b"/"),
        ("?a=b", b"/?a=b"),
        ("/a/../b/./c", b"/a/../b/./c"),
        ("/a b", b"/a%20b"),
        ("/\u00e9", b"/%C3%A9"),
        ("/%zz", b"/%25zz"),
        ('/"<>|', b"/%22%3C%3E%7C"),
    ],
)
async def test_a_url_is_sent_as_it_was_written_if_that_is_lawful(
    make_sender: "MakeSender",
    make_receiver: "MakeReceiver",
    recorder: Recorder,
    path: str,
    target: bytes,
) -> None:
    """Else what RFC 3986 does not allow is quoted, and a request line stays one line."""
    receiver = await make_receiver(recorder.behave)
    request = Request(url=receiver.url(path), headers=(), body=b"", timeout_s=5)
    assert (await make_sender().post(request)).status == 200
    assert recorder.requests[0][0].split(b"\r\n")[0] == b"POST %b HTTP/1.1" % target


async def test_an_ipv6_literal_is_sent_to_and_named_in_brackets(
    make_sender: "MakeSender", make_receiver: "MakeReceiver", recorder: Recorder
) -> None:
    """RFC 3986 §3.2.2; the outcome names the address without them."""
    receiver = await make_receiver(recorder.behave, address="::1")
    request = Request(url=receiver.url(host="[::1]"), headers=(), body=b"", timeout_s=5)
    outcome = await make_sender().post(request)
    assert outcome.status == 200
    assert outcome.resolved_ip == "::1"
    assert b"\r\nHost: [::1]:%d\r\n" % receiver.port in recorder.requests[0][0]


async def test_the_environment_does_not_choose_a_proxy_or_a_user(
    make_sender: "MakeSender",
    make_receiver: "MakeReceiver",
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Proxies and .netrc of the host program are none of ours."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    receiver = await make_receiver(recorder.behave)
    request = Request(url=receiver.url(), headers=(), body=b"", timeout_s=5)
    assert (await make_sender().post(request)).status == 200


async def test_a_recalled_request_is_not_sent(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """`may_start` is asked once, when the connection stands; on no, not one byte goes out."""
    got: list[bytes] = []
    asked: list[int] = []

    async def behave(link: "Link") -> None:
        got.append(await link.gone())

    receiver = await make_receiver(behave)

    def may_start() -> bool:
        asked.append(1)
        return False

    sender = make_sender()
    outcome = await sender.post(
        Request(url=receiver.url(), headers=(), body=b"x", timeout_s=5, may_start=may_start)
    )
    assert outcome.kind is OutcomeKind.RECALLED
    assert asked == [1]
    await sender.close()
    await asyncio.wait_for(receiver.idle(), 30)
    assert got == [b""]


async def test_a_request_that_may_start_is_sent_also_on_a_reused_connection(
    make_sender: "MakeSender", make_receiver: "MakeReceiver", recorder: Recorder
) -> None:
    """Each request asks for itself, whether its connection is new or not."""
    receiver = await make_receiver(recorder.behave)
    sender, answers = make_sender(), iter([True, False, True])
    outcomes = [
        await sender.post(
            Request(
                url=receiver.url(),
                headers=(),
                body=b"x",
                timeout_s=5,
                may_start=lambda: next(answers),
            )
        )
        for _ in range(3)
    ]
    assert [each.kind for each in outcomes] == ["answered", "recalled", "answered"]
    assert len(recorder.requests) == 2
