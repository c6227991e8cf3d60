"""`split_batch`: an array taken apart without reading what is in it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.engine.errors import InvalidRequestError
from sluicegate.http.batches import split_batch

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(values=st.lists(VALUES, max_size=8), space=st.sampled_from(["", " ", "\n\t", "\r\n "]))
def test_the_items_keep_their_text(values: list[Any], space: str) -> None:
    """Whatever is in them and around them."""
    items = [json.dumps(value) for value in values]
    array = f"[{space}{f'{space},{space}'.join(items)}{space}]".encode()
    assert split_batch(array, items_max=100) == [item.encode() for item in items]


def test_what_is_beyond_the_limit_is_not_looked_at() -> None:
    """One more than the limit comes back, so that the caller knows, and no more."""
    assert split_batch(b"[" + b"1," * 100_000 + b"1]", items_max=3) == [b"1"] * 4


def test_an_enormous_number_is_not_converted() -> None:
    """Its digits are text here."""
    assert split_batch(b"[" + b"9" * 100_000 + b"]", items_max=3) == [b"9" * 100_000]


@pytest.mark.parametrize("value", [b"{}", b"1", b'"[]"', b"null"])
def test_what_is_no_array_is_refused(value: bytes) -> None:
    """The field is named."""
    with pytest.raises(InvalidRequestError) as caught:
        split_batch(value, items_max=3)
    assert caught.value.details == {"field": "messages"}
