"""Headers of clients: what would break or forge a delivery never gets into one."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sluicegate.engine.errors import InvalidHeadersError
from sluicegate.engine.headers import check_headers, request_headers

FORBIDDEN = [
    "Host",
    "Authorization",
    "Cookie",
    "Content-Length",
    "Content-Type",
    "Content-Encoding",
    "Transfer-Encoding",
    "Connection",
    "Keep-Alive",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Upgrade",
    "Expect",
    "X-Webhook-Id",
    "X-Webhook-Anything",
    "Webhook-Signature",
    "X-Forwarded-For",
    "Forwarded",
]

TCHAR = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
NAMES = st.text(st.sampled_from(TCHAR), min_size=1, max_size=20).map(lambda name: f"A{name}")
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E) | st.just("\t")).map(
    lambda value: value.strip(" \t")
)
HEADERS = st.dictionaries(NAMES, VALUES, max_size=5).filter(
    lambda headers: len({name.lower() for name in headers}) == len(headers)
)


def refusal_of(
    headers: dict[str, str], *, count_max: int = 50, bytes_max: int = 8192
) -> InvalidHeadersError:
    """Return the error that headers are refused with; it can be written into an answer."""
    with pytest.raises(InvalidHeadersError) as caught:
        check_headers(headers, count_max=count_max, bytes_max=bytes_max)
    json.dumps(caught.value.details, ensure_ascii=False).encode("utf-8")
    caught.value.message.encode("utf-8")
    return caught.value


@given(headers=HEADERS)
def test_ordinary_headers_pass_unchanged(headers: dict[str, str]) -> None:
    """Token names and printable values come back as they were, in their order."""
    assume(not any(name.lower() == "authorization" for name in headers))
    checked = check_headers(headers, count_max=50, bytes_max=8192)
    assert list(checked.items()) == list(headers.items())
    assert checked is not headers


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_reserved_name_is_refused_in_any_case(name: str) -> None:
    """Section 3 of the contract; the error has the name as it was given."""
    for spelling in (name, name.lower(), name.upper(), name.swapcase()):
        error = refusal_of({"X-Fine": "1", spelling: "x"})
        assert error.message == f"header {spelling!r} is forbidden and cannot be overridden"
        assert error.details == {"header": spelling}


@pytest.mark.parametrize(
    "name", ["X-Webhook", "Webhook", "Proxy", "X-Forwarded", "Hosts", "X-Host", "My-Webhook-Id"]
)
def test_a_name_that_only_resembles_a_reserved_one_is_fine(name: str) -> None:
    """Only whole names and whole prefixes are reserved."""
    assert check_headers({name: "x"}, count_max=1, bytes_max=100) == {name: "x"}


@pytest.mark.parametrize(
    "name",
    [
        *("", " ", "X A", "X:", "X-A ", " X-A", "X\r\nY", "X\n", "X\x00", "X\t", "X\x7f"),
        *("(x)", "X/Y", '"X"', "{X}", "X,Y", "X;Y", "X=Y", "X@Y"),
        *("\u00e9", "\u212aey", "\ud800", "X" * 100 + ":"),
    ],
)
def test_a_name_that_is_no_token_is_refused(name: str) -> None:
    """RFC 9110 §5.6.2. The error shows at most the name's beginning."""
    shown = refusal_of({name: "x"}).details["header"]
    assert isinstance(shown, str)
    assert len(shown) <= 64


@given(name=st.text(max_size=10), value=st.text(max_size=10))
def test_nothing_gets_through_that_could_split_a_request(name: str, value: str) -> None:
    """Whatever is accepted is one line of visible ASCII, spaces and tabs, as it was given."""
    try:
        check_headers({name: value}, count_max=1, bytes_max=100)
    except InvalidHeadersError:
        return
    assert name
    assert set(name) <= set(TCHAR)
    assert all(character == "\t" or " " <= character <= "~" for character in value)
    assert value == value.strip()


@given(
    before=VALUES,
    character=st.characters(max_codepoint=0x1F, exclude_characters="\t")
    | st.characters(min_codepoint=0x7F),
    after=VALUES,
)
def test_a_value_outside_printable_ascii_is_refused(
    before: str, character: str, after: str
) -> None:
    """Control characters could end the line; other characters have no agreed encoding."""
    refusal_of({"X-A": before + character + after}, bytes_max=10_000)


@pytest.mark.parametrize("value", [" ", "\t", " x", "x ", "\tx", "x\t", "x\n"])
def test_a_value_with_white_space_at_an_end_is_refused(value: str) -> None:
    """A receiver would strip it (RFC 9110 §5.5) and get another value than was sent."""
    refusal_of({"X-A": value})


@pytest.mark.parametrize("value", ["", "x", "a b", "a\tb", "a  \t b", "~!", "Bearer x,y;q=0.5"])
def test_a_value_may_be_empty_and_have_white_space_inside(value: str) -> None:
    """All of it stays as it is."""
    assert check_headers({"X-A": value}, count_max=1, bytes_max=100) == {"X-A": value}


def test_two_names_that_differ_in_case_are_refused() -> None:
    """They are one header (RFC 9110 §5.1), and only one of the values could be sent."""
    for first, second in (("X-Token", "x-token"), ("x-token", "X-TOKEN")):
        error = refusal_of({first: "1", second: "2"})
        assert error.details == {"header": second}
        assert "twice" in error.message


def test_as_many_headers_as_allowed_and_no_more() -> None:
    """The count's limit belongs to what is allowed, and the error names it."""
    headers = {f"X-{no}": "" for no in range(50)}
    assert check_headers(headers, count_max=50, bytes_max=8192) == headers
    assert refusal_of(headers, count_max=49).details == {"headers_max": 49}
    assert check_headers({}, count_max=0, bytes_max=0) == {}


def test_as_many_bytes_as_allowed_and_no_more() -> None:
    """Names and values count together."""
    headers = {"X-A": "12345", "X-B": "67"}
    assert check_headers(headers, count_max=50, bytes_max=13) == headers
    assert refusal_of(headers, bytes_max=12).details == {"bytes_max": 12}


SIGNATURE = (("X-Webhook-Id", "m"), ("webhook-id", "m"))


def test_a_delivery_carries_its_headers_in_this_order() -> None:
    """Ours, the endpoint's, the message's, the signature, the attempt's number."""
    assert request_headers(
        user_agent="Sluicegate/1",
        endpoint_headers={"X-E": "1", "X-Both": "endpoint"},
        message_headers={"x-both": "message", "X-M": "2"},
        signature=SIGNATURE,
        attempt_no=3,
    ) == (
        ("Content-Type", "application/json"),
        ("User-Agent", "Sluicegate/1"),
        ("X-E", "1"),
        ("x-both", "message"),
        ("X-M", "2"),
        *SIGNATURE,
        ("X-Webhook-Attempt", "3"),
    )


@pytest.mark.parametrize("whose", ["endpoint_headers", "message_headers"])
def test_a_client_may_choose_the_user_agent(whose: str) -> None:
    """It is not reserved; exactly one is sent."""
    chosen: dict[str, dict[str, str]] = {"endpoint_headers": {}, "message_headers": {}}
    chosen[whose] = {"USER-AGENT": "theirs"}
    sent = request_headers(user_agent="ours", signature=SIGNATURE, attempt_no=1, **chosen)
    assert [value for name, value in sent if name.lower() == "user-agent"] == ["theirs"]


@given(endpoint_headers=HEADERS, message_headers=HEADERS)
def test_each_name_is_sent_once_and_the_message_wins(
    endpoint_headers: dict[str, str], message_headers: dict[str, str]
) -> None:
    """Case makes no difference to what is one name."""
    sent = request_headers(
        user_agent="ours",
        endpoint_headers=endpoint_headers,
        message_headers=message_headers,
        signature=SIGNATURE,
        attempt_no=1,
    )
    names = [name.lower() for name, _ in sent]
    assert len(set(names)) == len(names)
    got = {name.lower(): value for name, value in sent}
    expected = {name.lower(): value for name, value in endpoint_headers.items()}
    expected |= {name.lower(): value for name, value in message_headers.items()}
    assert got.items() >= expected.items()
