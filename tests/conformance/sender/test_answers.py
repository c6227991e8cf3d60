"""What a sender makes of answers: status, headers, body, and how much of them it takes."""

import gzip
from typing import TYPE_CHECKING

import pytest

from sluicegate.engine.outcome import OutcomeKind
from sluicegate.engine.ports import Request
from sluicegate.engine.settings import Settings

if TYPE_CHECKING:
    from tests.conformance.sender.conftest import Behaviour, Link, MakeReceiver, MakeSender


def a_request(url: str, *, timeout_s: float = 30) -> Request:
    """Return a small request."""
    return Request(url=url, headers=(("X-A", "1"),), body=b"{}", timeout_s=timeout_s)


def answering(*pieces: bytes) -> "Behaviour":
    """Return a behaviour that reads one request, answers and waits for the end."""

    async def behave(link: "Link") -> None:
        await link.read_request()
        await link.send(*pieces)
        await link.gone()

    return behave


def ok(body: bytes = b"", *lines: bytes) -> bytes:
    """Return a 200 with a `Content-Length`."""
    head = b"".join(line + b"\r\n" for line in lines)
    return b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)


async def test_an_answer_is_told_as_it_came(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """Status, headers in order and case, body, address and raw Retry-After."""
    receiver = await make_receiver(
        answering(ok(b"thanks", b"X-One: 1", b"x-one: 2", b"Retry-After:  soon "))
    )
    outcome = await make_sender().post(a_request(receiver.url()))
    assert outcome.kind is OutcomeKind.ANSWERED
    assert outcome.status == 200
    assert outcome.error is None
    assert outcome.headers == (
        ("X-One", "1"),
        ("x-one", "2"),
        ("Retry-After", "soon"),
        ("Content-Length", "6"),
    )
    assert outcome.retry_after == "soon"
    assert outcome.body == b"thanks"
    assert not outcome.body_truncated
    assert outcome.resolved_ip == "127.0.0.1"


@pytest.mark.parametrize("status", [200, 201, 204, 299])
async def test_a_2xx_is_no_error(
    make_sender: "MakeSender", make_receiver: "MakeReceiver", status: int
) -> None:
    """Every 2xx is success; 204 has no body, and needs no length."""

    async def behave(link: "Link") -> None:
        await link.read_request()
        await link.send(b"HTTP/1.1 %d Fine\r\n\r\n" % status)  # and hangs up: the body's end

    receiver = await make_receiver(behave)
    outcome = await make_sender().post(a_request(receiver.url()))
    assert (outcome.kind, outcome.status) == (OutcomeKind.ANSWERED, status)
    assert outcome.error is None
    assert outcome.body == b""


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (302, "receiver answered 302 Found"),
        (404, "receiver answered 404 Not Found"),
        (410, "receiver answered 410 Gone"),
        (503, "receiver answered 503 Service Unavailable"),
        (599, "receiver answered 599"),
    ],
)
async def test_any_other_status_is_told_in_our_words(
    make_sender: "MakeSender", make_receiver: "MakeReceiver", status: int, text: str
) -> None:
    """The reason phrase is the receiver's, so it is not repeated."""
    line = b"HTTP/1.1 %d <script>\r\nContent-Length: 0\r\n\r\n" % status
    receiver = await make_receiver(answering(line))
    outcome = await make_sender().post(a_request(receiver.url()))
    assert (outcome.kind, outcome.status) == (OutcomeKind.ANSWERED, status)
    assert outcome.error == text


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(
    make_sender: "MakeSender", make_receiver: "MakeReceiver", status: int
) -> None:
    """A redirect could lead inside, or carry a signed body to a stranger."""
    elsewhere = await make_receiver(answering(ok()))
    receiver = await make_receiver(
        answering(
            b"HTTP/1.1 %d Go\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n"
            % (status, elsewhere.url().encode())
        )
    )
    outcome = await make_sender().post(a_request(receiver.url()))
    assert outcome.status == status
    assert elsewhere.connections == 0


async def test_a_compressed_body_is_not_inflated(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """A gzip bomb stays as small as it was sent."""
    bomb = gzip.compress(bytes(64 * 2**20))
    receiver = await make_receiver(answering(ok(bomb, b"Content-Encoding: gzip")))
    settings = Settings(response_read_bytes_max=2**20, response_keep_bytes_max=100)
    outcome = await make_sender(settings=settings).post(a_request(receiver.url()))
    assert outcome.body == bomb[:100]
    assert outcome.body_truncated


@pytest.mark.parametrize(
    ("size", "kept", "truncated"),
    [(0, 0, False), (9, 9, False), (10, 10, False), (11, 10, True), (20, 10, True)],
)
async def test_only_the_beginning_of_a_body_is_kept(
    make_sender: "MakeSender",
    make_receiver: "MakeReceiver",
    size: int,
    kept: int,
    truncated: bool,  # noqa: FBT001 - same
) -> None:
    """Exactly up to the limit, and it says whether there was more."""
    body = bytes(range(size))
    receiver = await make_receiver(answering(ok(body)))
    settings = Settings(response_read_bytes_max=20, response_keep_bytes_max=10)
    outcome = await make_sender(settings=settings).post(a_request(receiver.url()))
    assert outcome.body == body[:kept]
    assert outcome.body_truncated == truncated


async def test_a_body_that_was_not_read_to_its_end_is_truncated(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """Also when all that was read is kept."""
    receiver = await make_receiver(answering(ok(b"12345678")))
    settings = Settings(response_read_bytes_max=5, response_keep_bytes_max=10)
    outcome = await make_sender(settings=settings).post(a_request(receiver.url()))
    assert (outcome.body, outcome.body_truncated) == (b"12345", True)


async def test_an_endless_body_is_read_to_the_limit_and_hung_up_on(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """At most `response_read_bytes_max` are taken; then the connection is closed."""

    async def behave(link: "Link") -> None:
        await link.read_request()
        await link.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await link.send_until_gone(b"400\r\n" + b"x" * 1024 + b"\r\n")

    receiver = await make_receiver(behave)
    outcome = await make_sender().post(a_request(receiver.url()))
    assert outcome.kind is OutcomeKind.ANSWERED
    assert outcome.body == b"x" * Settings().response_keep_bytes_max
    assert outcome.body_truncated
    await receiver.idle()


async def test_headers_are_kept_up_to_a_limit(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """16 KiB of names and values, whole lines, in order."""
    lines = [b"X-%02d: %b" % (number, b"v" * 995) for number in range(20)]
    receiver = await make_receiver(answering(ok(b"", *lines)))
    outcome = await make_sender().post(a_request(receiver.url()))
    assert outcome.status == 200
    assert [name for name, _ in outcome.headers] == [f"X-{n:02}" for n in range(16)]


async def test_undecodable_header_bytes_are_replaced(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """What is stored and shown is valid text, whatever a receiver sends."""
    receiver = await make_receiver(answering(ok(b"", b"X-A: \xff\xe9", b"Retry-After: \xff")))
    outcome = await make_sender().post(a_request(receiver.url()))
    assert outcome.headers[0] == ("X-A", "\ufffd\ufffd")
    assert outcome.retry_after == "\ufffd"


async def test_interim_responses_are_passed_over(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """100 and 103 are no answer (RFC 9110 §15.2)."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    receiver = await make_receiver(answering(interim, ok(b"yes")))
    outcome = await make_sender().post(a_request(receiver.url()))
    assert (outcome.status, outcome.body) == (200, b"yes")


@pytest.mark.parametrize("end", ["close", "reset", "hang"])
async def test_an_answer_counts_though_its_body_does_not_end(
    make_sender: "MakeSender", make_receiver: "MakeReceiver", end: str
) -> None:
    """Who said 2xx has the message: sending it again would be a duplicate."""

    async def behave(link: "Link") -> None:
        await link.read_request()
        await link.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
        if end == "hang":
            await link.gone()
        elif end == "reset":
            link.reset()

    receiver = await make_receiver(behave)
    timeout_s = 2 if end == "hang" else 30  # in two seconds the head has come
    outcome = await make_sender().post(a_request(receiver.url(), timeout_s=timeout_s))
    assert (outcome.kind, outcome.status) == (OutcomeKind.ANSWERED, 200)
    assert outcome.error is None
    assert outcome.body in {b"part", b""}
    assert outcome.body_truncated


@pytest.mark.parametrize(
    ("head", "rest"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"3\r\nabc\r\nZZ\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", b"abc and more than was said"),
        (b"HTTP/1.1 102 P\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", b"abc\x00"),
    ],
    ids=["chunk", "length", "after interim"],
)
@pytest.mark.parametrize("piece", [1, 2, 3, 1000])
async def test_a_body_that_breaks_the_rules_does_not_unsay_the_status(
    make_sender: "MakeSender", make_receiver: "MakeReceiver", head: bytes, rest: bytes, piece: int
) -> None:
    """The head was complete, however the network cuts the bytes."""
    answer = head + rest
    receiver = await make_receiver(
        answering(*(answer[at : at + piece] for at in range(0, len(answer), piece)))
    )
    outcome = await make_sender().post(a_request(receiver.url()))
    assert (outcome.kind, outcome.status) == (OutcomeKind.ANSWERED, 200)
    assert outcome.body in {b"", b"abc"}
    assert outcome.error is None
    assert outcome.timings.total_ms < 20_000  # nobody waited for the rest, which would take 30 s


async def test_cookies_are_not_remembered(
    make_sender: "MakeSender", make_receiver: "MakeReceiver"
) -> None:
    """One endpoint's answer must not change another's request."""
    heads: list[bytes] = []

    async def behave(link: "Link") -> None:
        for _ in range(2):
            heads.append((await link.read_request())[0])
            await link.send(ok(b"", b"Set-Cookie: a=b; Path=/", b'Set-Cookie: "\\";=;;\xff'))

    receiver = await make_receiver(behave)
    sender = make_sender()
    for _ in range(2):
        await sender.post(a_request(receiver.url()))
    await receiver.idle()
    assert len(heads) == 2
    assert b"cookie" not in heads[1].lower()
