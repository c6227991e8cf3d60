"""`split_batch`: a batch taken apart and checked piece by piece."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.engine.errors import InvalidRequestError
from sluicegate.engine.strict_json import check_json
from sluicegate.http.batches import split_batch

LONG = " " * 70_000
"""White space that makes a batch too long to be checked as a whole."""
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


def split(body: str | bytes, items_max: int = 100) -> list[bytes | None]:
    """Split with limits that suit these tests."""
    text = body if isinstance(body, bytes) else body.encode()
    return split_batch(text, items_max=items_max, item_bytes_max=200_000, depth_max=10)


def refusal_of(body: str | bytes, items_max: int = 100) -> InvalidRequestError:
    """Return the error that a batch is refused with."""
    with pytest.raises(InvalidRequestError) as caught:
        split(body, items_max)
    return caught.value


@given(
    values=st.lists(VALUES, max_size=8),
    beside=st.dictionaries(st.text(max_size=4), VALUES, max_size=3),
    space=st.sampled_from(["", " ", "\n\t", "\r\n "]),
    long=st.sampled_from(["", LONG]),
)
def test_the_items_keep_their_text(
    values: list[Any], beside: dict[str, Any], space: str, long: str
) -> None:
    """Whatever is in them, around them and beside them, long or short."""
    items = [json.dumps(value) for value in values]
    array = f"[{space}{f'{space},{space}'.join(items)}{space}{long}]"
    fields = [f"{json.dumps(key)}{space}:{json.dumps(value)}" for key, value in beside.items()]
    fields.insert(len(fields) // 2, f'"messages":{space}{array}')
    body = f"{space}{{{space}{f'{space},{space}'.join(fields)}{space}}}{space}"
    assert split(body) == [item.encode() for item in items]


def test_too_many_items_are_refused() -> None:
    """However many they are; the limit is named."""
    assert refusal_of('{"messages":[' + "1," * 100_000 + "1]}", 3).details["maximum"] == 3
    assert split('{"messages":[1,2,3]}', 3) == [b"1", b"2", b"3"]


def test_an_enormous_number_is_not_converted() -> None:
    """Its digits are text here."""
    assert split('{"messages":[' + "9" * 100_000 + "]}") == [b"9" * 100_000]


def test_in_place_of_an_item_that_is_too_long_stands_nothing() -> None:
    """The others are as they were."""
    assert split('{"messages":[1,"' + "a" * 200_000 + '",2]}') == [b"1", None, b"2"]


@pytest.mark.parametrize("value", ["{}", "1", '"[]"', "null"])
@pytest.mark.parametrize("long", ["", LONG[:65_000]])
def test_what_is_no_array_is_refused(value: str, long: str) -> None:
    """The field is named."""
    error = refusal_of(f'{{"messages":{value}, "x": "{long}"}}')
    assert error.details == {"field": "messages"}


@pytest.mark.parametrize(
    "body",
    [
        '{"messages":[1,{"a":1,"a":2}#]}',
        '{"messages":[1,"\\ud800"#]}',
        '{"messages":[1,NaN#]}',
        '{"messages":[1,#]}',
        '{"messages":[1#]} x',
        '{"messages":[#',
        '{"messages":[1#],"messages":[2]}',
        '{"messages":[1],"messages":[2#]}',
        '{"messages":[1#],"mess\\u0061ges":[1#]}',
        '{"x":1,"x":[1#],"messages":[1#]}',
        '{"x":{"y":1,"y":1},"messages":[1#]}',
        '{"messages":[1#],"x":"\\ud800"}',
        '{"messages":[' + "[" * 11 + "]" * 11 + "#]}",
        "{}#",
        "[#]",
        "#",
        b'{"messages":["\xff"#]}',
        b'{"x":"\xff","messages":[#]}',
        b'\xef\xbb\xbf{"messages":[#]}',
    ],
)
def test_a_long_batch_is_refused_as_strictly_as_a_short_one(body: str | bytes) -> None:
    """Taking it apart lets nothing through that the check of the whole would refuse."""
    text = body if isinstance(body, bytes) else body.encode()
    short, long = text.replace(b"#", b""), text.replace(b"#", LONG.encode())
    for each in (short, long):
        refusal_of(each)


def test_the_error_of_a_long_batch_says_where_it_is() -> None:
    """The byte is counted from the beginning of the body."""
    body = ('{"é":1,"messages":[' + LONG + '1,"é",{"a":"').encode() + b'\xff"}]}'
    with pytest.raises(InvalidRequestError) as whole:
        check_json(body)
    assert refusal_of(body).details == whole.value.details


def test_what_stands_beside_the_messages_is_bounded() -> None:
    """It is never used, so there is no reason for much of it."""
    assert refusal_of('{"x":[' + "[]," * 100_000 + '1],"messages":[]}').details["maximum"] == 65_536
