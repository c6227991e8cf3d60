"""Where a URL leads to, for the lean sender: two lines of a request, whatever the URL is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.http.outbound.target import InvalidTargetError, as_written, target_of


@pytest.mark.parametrize(
    "url",
    [
        "http://user:pass@a.test/",
        "http://user@a.test/",
        "http://:pass@a.test/",
        "ftp://a.test/",
        "//a.test/",
        "/a",
        "",
        "http://",
        "http://a.test:99999/",
        "http://[::1/",
        "http://a b/",
    ],
)
def test_a_url_that_is_not_for_us_is_refused(url: str) -> None:
    """Credentials too: what an endpoint's URL has of them would go out in a header."""
    with pytest.raises(InvalidTargetError) as refused:
        target_of(url)
    assert "a.test" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "key", "head"),
    [
        ("HTTPS://A.test", (True, "a.test", 443), b"POST / HTTP/1.1\r\nHost: A.test\r\n"),
        ("http://a.test:80/x#y", (False, "a.test", 80), b"POST /x HTTP/1.1\r\nHost: a.test\r\n"),
        ("http://[::1]:81/", (False, "::1", 81), b"POST / HTTP/1.1\r\nHost: [::1]:81\r\n"),
        (
            "http://a.test/a\r\nX-B: 1",
            (False, "a.test", 80),
            b"POST /aX-B:%201 HTTP/1.1\r\nHost: a.test\r\n",
        ),
        (
            "http://b\u00fccher.test/?" + "q" * 100_000,
            (False, "xn--bcher-kva.test", 80),
            b"POST /?%b HTTP/1.1\r\nHost: xn--bcher-kva.test\r\n" % (b"q" * 100_000),
        ),
    ],
)
def test_a_url_leads_to_one_place(url: str, key: tuple[bool, str, int], head: bytes) -> None:
    """Those that lead to the same place share connections."""
    target = target_of(url)
    assert target.key == key
    assert target.head == head


_NEARLY_PLAIN = st.from_regex(
    r"https?://[a-z0-9]([a-z0-9.-]{0,6}[a-z0-9])?(:(80|443|[0-9]{1,5}))?(/[a-zA-Z0-9._~!$&'()*+,;=:@/%?#-]{0,12})?",
    fullmatch=True,
)


@given(url=_NEARLY_PLAIN)
def test_a_plain_url_is_read_as_the_library_reads_it(url: str) -> None:
    """Most are taken apart without it."""
    try:
        read = as_written(url)
        port = read.port
    except ValueError:
        with pytest.raises(InvalidTargetError):
            target_of(url)
        return
    if read.raw_user is not None or read.raw_host is None:
        return
    target = target_of(url)
    host = read.raw_host.rstrip(".") + "." if read.raw_host.endswith("..") else read.raw_host
    assert target.key == (read.scheme == "https", host, port)
    head = f"POST {read.raw_path_qs} HTTP/1.1\r\nHost: {read.host_port_subcomponent}\r\n"
    assert target.head == head.encode()


@given(rest=st.text(max_size=40))
def test_no_url_adds_a_line_to_a_request(rest: str) -> None:
    """It is refused, or quoted."""
    try:
        head = target_of(f"http://a.test{rest}").head
    except InvalidTargetError:
        return
    assert head.count(b"\r\n") == head.count(b"\r") == head.count(b"\n") == 2
    assert head.count(b" ") == 3
