"""Endpoint URLs: what is accepted is read by the HTTP client exactly as by the check."""

from ipaddress import ip_address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from sluicegate.engine.errors import InvalidEndpointError
from sluicegate.engine.urls import CheckedUrl, check_url

GOOD = [
    ("https://a.b/c", "a.b", 443),
    ("https://example.com", "example.com", 443),
    ("https://Example.COM/Hook?x=1&y=%C3%A9", "example.com", 443),
    ("HTTPS://example.com:8443/", "example.com", 8443),
    ("https://example.com:65535?x", "example.com", 65535),
    ("https://example.com./hook", "example.com.", 443),
    ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443),
    ("https://my_service.internal/", "my_service.internal", 443),
    ("https://127.0.0.1/hook", "127.0.0.1", 443),
    ("https://8.8.8.8:1/", "8.8.8.8", 1),
    ("https://[::1]/hook", "::1", 443),
    ("https://[2001:DB8::1]:8443/hook", "2001:db8::1", 8443),
    ("https://[::ffff:127.0.0.1]/", "::ffff:127.0.0.1", 443),
    ("https://example.com/a@b", "example.com", 443),
    ("https://example.com/?to=https://u:p@evil.example/", "example.com", 443),
    ('https://example.com//a/../b;c=d?{x}|^`"<>', "example.com", 443),
    ("https://1.example.1a/", "1.example.1a", 443),
]

BAD = [
    "",
    "https://a.b",
    "https://" + "a" * 2041,
    "http://example.com/",
    "ftp://example.com/",
    "wss://example.com/",
    "javascript:alert(1)",
    "example.com/hook",
    "//example.com/hook",
    "https:example.com",
    "https:/example.com",
    "https:///example.com",
    "https://?x=example.com",
    "https://:443/example",
    "https://user@example.com/",
    "https://user:secret@example.com/",
    "https://@example.com/",
    "https://good.example@evil.example/",
    "https://good.example\\@evil.example/",
    "https://good.example\\evil/",
    "https://good.example/\\evil",
    "https://good.example/?\\",
    "https://example.com/#",
    "https://example.com/#fragment",
    "https://example.com#@evil.example/",
    "https://exam ple.com/",
    " https://example.com/",
    "https://example.com/ ",
    "https://example.com/a b",
    "https://example.com/\n",
    "https://example.com/\t",
    "https://example.com/\x00",
    "https://example.com/\x7f",
    "https://example.com\r\nX: y/",
    "https://example.com/\u00e9",
    "https://b\u00fccher.example/",
    "https://example\u3002com/",
    "https://ex\u0430mple.com/",
    "https://example.com\uff0f/evil",
    "https://example.com:/",
    "https://example.com:0/",
    "https://example.com:65536/",
    "https://example.com:99999/",
    "https://example.com:443443/",
    "https://example.com:0443/",
    "https://example.com:+443/",
    "https://example.com:-1/",
    "https://example.com:x/",
    "https://example.com:443:443/",
    "https://example.com:%34%34%33/",
    "https://ex%61mple.com/",
    "https://%31%32%37.0.0.1/",
    "https://example..com/",
    "https://.example.com/",
    "https://example.com../",
    "https://../hooks",
    "https://-example.com/",
    "https://example-.com/",
    "https://exa*mple.com/",
    "https://exa!mple.com/",
    "https://a,b.example/",
    "https://" + "a" * 64 + ".example/",
    "https://" + "a." * 126 + "ab/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://0177.0.0.1/",
    "https://127.0.0.01/",
    "https://127.1/hook",
    "https://127.0.0.1./",
    "https://127.0.0.0x1/",
    "https://127.0.0.256/",
    "https://127.0.0.1.1/",
    "https://example.123/",
    "https://example.0x/",
    "https://[::1/hook",
    "https://::1/hook",
    "https://[]/hooks",
    "https://[::1]x/hook",
    "https://[::1]]/hook",
    "https://[:::1]/hook",
    "https://[1::2::3]/",
    "https://[12345::1]/",
    "https://[127.0.0.1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[v1.fe]/hook",
    "https://[::1][::2]/",
]


@pytest.mark.parametrize(("url", "host", "port"), GOOD)
def test_a_plain_https_url_is_accepted_as_given(url: str, host: str, port: int) -> None:
    """The URL is kept to the letter; host and port are taken out of it."""
    assert check_url(url, dev=False) == CheckedUrl(url=url, host=host, port=port)


@pytest.mark.parametrize("url", BAD)
def test_anything_else_is_refused(url: str) -> None:
    """Section 2 of the contract, and each spelling by which two readers come to two hosts."""
    with pytest.raises(InvalidEndpointError) as caught:
        check_url(url, dev=False)
    assert caught.value.details["field"] == "url"


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://user:secret@example.com/", "credentials"),
        ("https://example.com/#a", "fragment"),
        ("https://example.com:65536/", "port"),
        ("http://example.com/", "valid HTTPS URL"),
        ("https://b\u00fccher.example/", "ASCII"),
    ],
)
def test_the_error_says_what_is_wrong_and_repeats_no_secret(url: str, fault: str) -> None:
    """A URL can hold a password, and errors are logged."""
    with pytest.raises(InvalidEndpointError, match=fault) as caught:
        check_url(url, dev=False)
    assert "secret" not in caught.value.message + repr(caught.value.details)


@pytest.mark.parametrize("url", [url for url in BAD if not url.startswith("http://")])
def test_development_allows_http_and_nothing_else(url: str) -> None:
    """The flag opens one scheme; every other rule stays."""
    assert check_url("http://localhost:9/", dev=True).port == 9
    assert check_url("http://localhost/", dev=True).port == 80
    assert check_url("https://localhost/", dev=True).port == 443
    with pytest.raises(InvalidEndpointError):
        check_url(url, dev=True)
    if url.startswith("https:"):
        with pytest.raises(InvalidEndpointError):
            check_url(url.replace("https:", "http:", 1), dev=True)


@pytest.mark.parametrize(("length", "fits"), [(11, False), (12, True), (2048, True), (2049, False)])
def test_a_url_has_12_to_2048_characters(length: int, *, fits: bool) -> None:
    """Both ends belong to what is allowed, and the error names them."""
    url = "http://a.b/".ljust(length, "c")
    if fits:
        assert check_url(url, dev=True).host == "a.b"
    else:
        with pytest.raises(InvalidEndpointError) as caught:
            check_url(url, dev=True)
        assert caught.value.details == {"field": "url", "length_min": 12, "length_max": 2048}


def assert_read_alike(url: str) -> None:
    """Check that a URL is refused, or means to yarl (and so to aiohttp) what it means to us."""
    try:
        checked = check_url(url, dev=True)
    except InvalidEndpointError:
        return
    read = URL(url)
    assert read.host is not None
    if ":" in checked.host:
        assert ip_address(read.host) == ip_address(checked.host)
    else:
        assert (read.host, read.raw_host) == (checked.host, checked.host)
    assert read.port == checked.port
    assert read.scheme in ("http", "https")
    assert read.user is None
    assert read.password is None
    assert not read.fragment
    assert "#" not in str(read)


@example(url="https://a.b\\@c.d/")
@example(url="https://[::ffff:1.2.3.4]/")
@given(
    url=st.builds(
        "".join,
        st.tuples(
            st.sampled_from(["https://", "http://", "HTTPS://"]),
            st.text(st.sampled_from("aB1x0-_.:[]@%#?/\\!$&'()*+,;=~^|`{}<>\" \u00e9\u3002\u212a")),
            st.sampled_from(["", ".com", ".example:80", ":443", ".0x1", "]"]),
            st.sampled_from(["", "/", "?", "/hook", "/a?b=c#d", "//@e/"]),
        ),
    )
)
def test_whatever_is_accepted_the_http_client_reads_alike(url: str) -> None:
    """No spelling, however odd, has one host for the check and another for the connection."""
    assert_read_alike(url)


@given(
    labels=st.lists(st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True), min_size=1, max_size=4),
    port=st.none() | st.integers(0, 70_000),
)
def test_ordinary_hosts_and_ports_are_read_alike(labels: list[str], port: int | None) -> None:
    """The same for what looks like a host name, where most of the input is accepted."""
    assert_read_alike(f"https://{'.'.join(labels)}{'' if port is None else f':{port}'}/hook")


@given(address=st.ip_addresses(v=6), port=st.integers(1, 65535))
def test_every_ipv6_address_is_read_alike(address: object, port: int) -> None:
    """Whatever way an address is written, it stays the same address."""
    url = f"https://[{address}]:{port}/hook"
    assert check_url(url, dev=False).host == str(address)
    assert_read_alike(url)


@given(host=st.from_regex(r"((0x)?[0-9a-f]{1,4}\.){0,4}(0x)?[0-9a-f]{1,4}", fullmatch=True))
def test_a_host_that_ends_in_a_number_is_a_dotted_quad(host: str) -> None:
    """Nothing reaches a resolver that it could take for another spelling of an address."""
    try:
        accepted = check_url(f"https://{host}/hook", dev=False).host
    except InvalidEndpointError:
        return
    last = accepted.rpartition(".")[2]
    if last.isdigit() or last.startswith("0x"):
        assert str(ip_address(accepted)) == accepted
