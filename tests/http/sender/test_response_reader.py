"""What a reader of responses bears: whatever comes, it takes no more than it may."""

import pytest

from sluicegate.http.outbound.response_reader import ResponseReader

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def a_reader() -> ResponseReader:
    """Return a reader that reads 1000 bytes of a body and keeps 10."""
    return ResponseReader(read_bytes_max=1000, keep_bytes_max=10, now_s=lambda: 0.0)


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"HTTP/1.1 200 ", b"x" * 100),
        (HEAD + b"X-A: ", b"x" * 100),
        (HEAD + b"X-A", b"x" * 100),
        (HEAD, b"X-A: b\r\n"),
        (HEAD + b"X-A: b\r\n", b" folded\r\n"),
        (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
        (CHUNKED + b"5;", b"x" * 100),
        (CHUNKED + b"0\r\nX-A: ", b"x" * 100),
        (CHUNKED + b"0\r\n", b"X-A: b\r\n"),
        (CHUNKED, b"1\r\nx\r\n"),
        (HEAD + b"\r\n", b"x" * 100),
    ],
)
@pytest.mark.parametrize("size", [1, 100_000])
def test_what_has_no_end_is_given_up_soon(begin: bytes, piece: bytes, size: int) -> None:
    """The parser keeps an unfinished line for as long as it comes: nobody else sets it a bound."""
    endless = begin + piece * (200_000 // len(piece))
    reader = a_reader()
    for at in range(0, len(endless), size):
        if reader.feed(endless[at : at + size]):
            break
    else:
        pytest.fail("it was borne to its end")
    assert at <= max(17_000, size)
    assert not reader.reusable
    assert len(reader.body) <= 10
    assert (reader.fault is None) == (reader.status is not None)


def test_headers_beyond_the_limit_are_not_kept_and_retry_after_is_found_behind_them() -> None:
    """16 KiB are kept, and 1 MiB may come."""
    reader = a_reader()
    lines = b"".join(b"X-%03d: %b\r\n" % (number, b"v" * 8000) for number in range(100))
    answer = HEAD + lines + b"Retry-After: 7\r\nContent-Length: 0\r\n\r\n"
    over = [reader.feed(answer[at : at + 5000]) for at in range(0, len(answer), 5000)]
    assert over.index(True) == len(over) - 1
    assert [name for name, _ in reader.headers] == ["X-000", "X-001"]
    assert reader.retry_after == "7"
    assert reader.reusable


def test_nothing_of_one_response_shows_in_the_next() -> None:
    """Nor of its trailers, nor of an interim response."""
    reader = a_reader()
    interim = b"HTTP/1.1 103 Early\r\nRetry-After: 9\r\nLink: </a>\r\n\r\n"
    trailers = b"5\r\nhello\r\n0\r\nRetry-After: 8\r\nX-T: a\r\n\r\n"
    assert reader.feed(interim + CHUNKED + trailers)
    assert (bytes(reader.body), reader.retry_after, reader.reusable) == (b"hello", None, True)
    assert reader.headers == [("Transfer-Encoding", "chunked")]
    reader.begin()
    assert reader.feed(b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n")
    assert (reader.status, reader.headers, bytes(reader.body)) == (204, [("X-A", "b")], b"")
    assert not reader.truncated


def test_a_response_that_was_all_read_but_is_longer_than_may_be_read_ends_its_connection() -> None:
    """Whether it came in one piece must not decide."""
    reader = a_reader()
    assert reader.feed(HEAD + b"Content-Length: 1001\r\n\r\n" + b"x" * 1001)
    assert reader.truncated
    assert not reader.reusable
