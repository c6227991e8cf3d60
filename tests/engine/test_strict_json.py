"""The strict JSON check: one reading for every reader, in time linear in the length."""

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sluicegate.engine import strict_json
from sluicegate.engine.errors import InvalidRequestError
from sluicegate.engine.strict_json import check_json

MIB = 1_048_576

GOOD = [
    b"null",
    b" \t\r\n true ",
    b"-0",
    b"0.0",
    b"1e400",
    b"-1.5E+10",
    b'""',
    b'"\\u0000\\b\\f\\n\\r\\t\\/\\"\\\\"',
    b'"\x7f"',
    b'"\\ud83d\\ude00"',
    b'"\\uD83D\\uDE00 \\ud83d\\ude00"',
    b'"\\\\ud800"',
    b'"\\\\\\\\ud800 \\\\\\" \\udbff\\udfff"',
    b'"\\ud7ff\\ue000"',
    b'"ud800"',
    '"\u2028 \ufeff \U0001f600"'.encode(),
    b"[]",
    b"{}",
    b'{"a":1,"A":1,"":1,"\\u0000":1}',
    b'[{"a":1},{"a":1}]',
    b'{"a":{"a":{"a":[]}}}',
    b"123456789012345678901234567890",
    b"-" + b"9" * 5000,
    b"9" * 5000 + b".5e5000",
    b'"' + b"[" * 1000 + b'"',
    b'{"[[[":"' + b'\\"[' * 1000 + b'"}',
]

BAD = [
    (b"", 0),
    (b" ", 1),
    (b"nul", 0),
    (b"True", 0),
    (b"01", 1),
    (b"1.", 1),
    (b".5", 0),
    (b"+1", 0),
    (b"-", 0),
    (b"1e", 1),
    (b"0x10", 1),
    (b"1 2", 2),
    (b"[1,]", 3),
    (b"[1 2]", 3),
    (b"[,1]", 1),
    (b"[1", 2),
    (b"1]", 1),
    (b"{", 1),
    (b'{"a"}', 4),
    (b'{"a":}', 5),
    (b'{"a":1 "b":2}', 7),
    (b"{a:1}", 1),
    (b"{'a':1}", 1),
    (b"{1:2}", 1),
    (b'{"a":1}}', 7),
    (b"[}", 1),
    (b'"', 0),
    (b'"\\"', 0),
    (b'"a\tb"', 2),
    (b'"a\nb"', 2),
    (b'"\x00"', 1),
    (b'"\\x41"', 1),
    (b'"\\u12g4"', 3),
    (b'"\\', 0),
    (b"\\", 0),
    (b"/* */1", 0),
    (b"1//", 1),
    (b"\x0c1", 0),
    ("\u00a01".encode(), 0),
    ("[\u0661]".encode(), 1),
    (b'["' + b"\xc3\xa9" * 10 + b'", x]', 25),
    (b"1\x00", 1),
]


def refusal_of(text: bytes, *, depth_max: int = 100) -> InvalidRequestError:
    """Return the error that `text` is refused with; it can be written into an answer."""
    with pytest.raises(InvalidRequestError) as caught:
        check_json(text, depth_max=depth_max)
    json.dumps(caught.value.details).encode("ascii")
    caught.value.message.encode("utf-8")
    return caught.value


@pytest.mark.parametrize("text", GOOD, ids=lambda text: repr(text[:24]))
def test_what_rfc_8259_allows_is_accepted(text: bytes) -> None:
    """Every JSON value passes, whatever the size of its numbers and its strings' content."""
    check_json(text)


@pytest.mark.parametrize(("text", "byte"), BAD, ids=lambda value: repr(value)[:24])
def test_what_is_not_json_is_refused_with_its_position(text: bytes, byte: int) -> None:
    """Malformed text is refused, and the error says near which byte (not character)."""
    error = refusal_of(text)
    assert error.details["reason"] == "malformed"
    found = error.details["byte"]
    assert isinstance(found, int)
    # Parsers of different Python versions point at a token, or at the comma before it.
    assert abs(found - byte) <= 2


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("form", ["%s", "[1,%s]", '{"a":%s}'])
def test_numbers_that_json_does_not_have_are_refused(name: str, form: str) -> None:
    """Python's json accepts NaN and the infinities; JSON does not have them."""
    assert name in refusal_of((form % name).encode()).message


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (b'{"a":1,"a":1}', "a"),
        (b'{"a":1,"b":2,"c":3,"a":4}', "a"),
        (b'{"a":1,"\\u0061":1}', "a"),
        (b'[[{"x":{"k":[],"k":[]}}]]', "k"),
        (b'{"":1,"":2}', ""),
        ('{"\u00e9":1,"\\u00e9":2}'.encode(), "\u00e9"),
        (b'{"\\ud800":1,"\\ud800":2}', "?"),
        (b'{"%s":1,"%s":2}' % (b"k" * MIB, b"k" * MIB), "k" * 64),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_a_key_twice_in_one_object_is_refused(text: bytes, key: str) -> None:
    """Two readers could take different values. Keys are compared after their escapes are read."""
    error = refusal_of(text)
    assert error.details == {"reason": "a key twice in one object", "key": key}


@pytest.mark.parametrize(
    ("text", "byte"),
    [
        (b'"\\ud800"', 1),
        (b'"\\udfff"', 1),
        (b'"ab\\uD83D"', 3),
        (b'"\\ud83d\\ud83d\\ude00"', 1),
        (b'"\\ud83d\\ude00\\ude00"', 13),
        (b'"\\ud83d\\n\\ude00"', 1),
        (b'"\\ud83d \\ude00"', 1),
        (b'"\\\\\\ud800"', 3),
        (b'["\\ud83d","\\ude00"]', 2),
        (b'{"\\udead":1}', 2),
        (b'{"a":{"b\\ud83d\\\\ude00":1}}', 8),
    ],
)
def test_half_of_a_surrogate_pair_is_refused(text: bytes, byte: int) -> None:
    """Such a string has no UTF-8 form, so a receiver may choke on it; in keys and in values."""
    assert refusal_of(text).details == {"reason": "half of a surrogate pair", "byte": byte}


@pytest.mark.parametrize(
    ("text", "byte"),
    [
        (b'"\xff"', 1),
        (b'"\xc0\x80"', 1),
        (b'"\xed\xa0\x80"', 1),
        (b'"\xf4\x90\x80\x80"', 1),
        (b'"\xe2\x82"', 1),
        ('"a"'.encode("utf-16-le") + b"\xff\xfe", 6),
    ],
)
def test_what_is_not_utf_8_is_refused(text: bytes, byte: int) -> None:
    """Not even where a parser would guess another encoding (RFC 8259 §8.1)."""
    assert refusal_of(text).details == {"reason": "not UTF-8", "byte": byte}


@pytest.mark.parametrize(
    ("encoding", "reason"),
    [
        ("utf-8-sig", "begins with a byte order mark"),
        ("utf-16", "not UTF-8"),
        ("utf-32", "not UTF-8"),
    ],
)
def test_a_byte_order_mark_is_refused(encoding: str, reason: str) -> None:
    """RFC 8259 §8.1 forbids senders to add one; the payload is passed on as it came."""
    error = refusal_of('{"a":1}'.encode(encoding))
    assert error.details == {"reason": reason, "byte": 0}


@pytest.mark.parametrize(
    ("opening", "closing"),
    [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"]":"\\\\","a\\"[":', b"}]")],
)
@pytest.mark.parametrize("depth_max", [1, 2, 100, 200])
def test_nesting_is_counted_exactly(opening: bytes, closing: bytes, depth_max: int) -> None:
    """`depth_max` levels are accepted and one more is refused, whatever the strings contain."""
    step = opening.count(b"{") + (opening[:1] == b"[")
    times = depth_max // step
    text = opening * times + b"1" + closing * times
    text = b"[" + text + b"]" if times * step < depth_max else text
    check_json(text, depth_max=depth_max)
    check_json(b" " + text, depth_max=depth_max)
    error = refusal_of(b"[1," + text + b"]", depth_max=depth_max)
    assert error.details["depth_max"] == depth_max


@pytest.mark.parametrize("slice_bytes", range(1, 12))
@pytest.mark.parametrize(
    ("text", "depth"),
    [
        (b'["[[[[[[[[","]]",[" [ ",[1]]]', 3),
        (b'[["a","b[[[[[[[","c"],{"[[[[[[":"[[[["}]', 2),
        (b'["\\"[[[[[[[","\\\\",[["\\\\\\"[[[[[["]]]', 3),
        (b'[1,[2,[3,[4,[5]]]],"]]]]]]]]",[[[[6]]]]]', 5),
        (b'["\\\\\\\\",["[[[[[[\\\\"]]', 2),
    ],
)
def test_nesting_is_counted_exactly_over_the_edges_of_slices(
    monkeypatch: pytest.MonkeyPatch, text: bytes, depth: int, slice_bytes: int
) -> None:
    """Strings, escapes and brackets may begin in one and end in another."""
    monkeypatch.setattr(strict_json, "_SLICE_BYTES", slice_bytes)
    check_json(text, depth_max=depth)
    refusal_of(text, depth_max=depth - 1)


def test_brackets_side_by_side_are_not_nesting() -> None:
    """A long list of short ones has two levels."""
    check_json(b"[" + b",".join([b"[]"] * 10_000) + b"]", depth_max=2)
    check_json(b"[" + b",".join([b'{"a":{}}'] * 10_000) + b"]", depth_max=3)
    refusal_of(b"[" + b",".join([b'{"a":{}}'] * 10_000) + b"]", depth_max=2)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text",
    [
        b"[" * MIB,
        b'{"a":' * (MIB // 5),
        b'"\\' * (MIB // 2),
        b"]" * MIB + b"[" * MIB,
        b"(" + b"[]" * (MIB // 2),
        b'["' + b"\\" * (MIB - 1),
        b'"\\ud800' * (MIB // 7),
        b"[" + b"[1]," * (MIB // 4),
        b"-" * MIB,
        b'"' * MIB,
        b"1" * MIB + b"x",
    ],
    ids=lambda text: repr(text[:12]),
)
def test_a_large_bad_text_costs_no_stack_and_no_quadratic_time(text: bytes) -> None:
    """A MiB of anything is refused without recursion, within the test's time limit."""
    refusal_of(text)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text",
    [
        b"9" * MIB,
        b"-0." + b"9" * MIB,
        b'"' + b"\\ud83d\\ude00" * (MIB // 12) + b'"',
        b'"' + b"\\\\" * (MIB // 2) + b'"',
        b"[" + b",".join([b"[" * 99 + b"]" * 99] * (MIB // 200)) + b"]",
        b"{" + b",".join(b'"%d":%d' % (i, i) for i in range(MIB // 16)) + b"}",
    ],
    ids=lambda text: repr(text[:12]),
)
def test_a_large_good_text_passes_in_linear_time(text: bytes) -> None:
    """No number is converted and no pattern backtracks, within the test's time limit."""
    check_json(text)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=5)
    ),
    max_leaves=30,
)


@given(value=JSON_VALUES, ascii_only=st.booleans(), indent=st.none() | st.integers(0, 3))
def test_whatever_json_dumps_writes_is_accepted(
    value: object, *, ascii_only: bool, indent: int | None
) -> None:
    """Every value that JSON can hold passes, in each way of writing it."""
    check_json(json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode())


def nesting_of(value: object) -> int:
    """Count the levels of a parsed value."""
    if isinstance(value, list):
        return 1 + max(map(nesting_of, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(nesting_of, value.values()), default=0)
    return 0


def strict_reading(text: bytes) -> object:
    """Read `text` with json.loads and the rules written out; raise ValueError if it is refused."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in items}) != len(items):
            raise ValueError("duplicate")
        return dict(items)

    def constant(name: str) -> None:
        raise ValueError(name)

    value = json.loads(text.decode("utf-8"), object_pairs_hook=pairs, parse_constant=constant)
    json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


SCRAPS = [
    *b'[ ] { } , : " \\ \\\\ \\" "a" "b":1 "": \\ud83d \\ude00 \\n 1 -0.5e3 null NaN x'.split(),
    *(b" ", b"\n", b"\xc3\xa9", b"\xff", b'{"a":', b"[1]"),
]


@example(text=b'[" \\ud800\\u0041", 1]', depth_max=1, slice_bytes=7)
@example(text=b'{"a":[],"a":{}}', depth_max=2, slice_bytes=7)
@example(text=b'["[[[",[["]]]"]]]', depth_max=2, slice_bytes=3)
@example(text=b"[1,[1,[1]]]", depth_max=2, slice_bytes=3)
@given(
    text=st.lists(
        st.sampled_from(SCRAPS),
        max_size=25,
    ).map(b"".join),
    depth_max=st.integers(1, 4),
    slice_bytes=st.sampled_from((1, 2, 3, 7, 65_536)),
)
def test_any_text_is_judged_as_the_rules_written_out_judge_it(
    text: bytes, depth_max: int, slice_bytes: int
) -> None:
    """The fast check and a plain reading with json.loads agree on scraps of JSON.

    However long the slices are in which it looks how deep they are nested.
    """
    try:
        value = strict_reading(text)
        good = nesting_of(value) <= depth_max
    except ValueError:
        good = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strict_json, "_SLICE_BYTES", slice_bytes)
        if good:
            check_json(text, depth_max=depth_max)
        else:
            refusal_of(text, depth_max=depth_max)


@given(value=JSON_VALUES, cut=st.floats(0, 1, exclude_max=True))
def test_an_object_cut_short_is_refused(value: object, cut: float) -> None:
    """No beginning of a JSON object is a JSON object."""
    text = json.dumps({"value": value}).encode()
    refusal_of(text[: math.floor(len(text) * cut)])


def test_the_error_names_what_was_checked() -> None:
    """The sentence speaks of the request body, or of what the caller says it is."""
    assert refusal_of(b"x").message == "request body must be valid JSON: malformed"
    with pytest.raises(InvalidRequestError, match=r"^payload must be valid JSON: malformed$"):
        check_json(b"x", what="payload")
