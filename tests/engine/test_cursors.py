"""Cursors: they come back as they were, and fit one list only."""

import base64
import hashlib
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sluicegate.engine.cursors import decode_cursor, encode_cursor
from sluicegate.engine.errors import InvalidRequestError
from sluicegate.engine.lifecycle import MessageStatus

POSITIONS = st.integers(0, 2**63 - 1)
SCOPES = st.text(max_size=40)
VALUES = st.none() | st.text(max_size=20) | st.integers(-(2**63), 2**63 - 1) | st.booleans()
FILTERS = st.dictionaries(st.text(max_size=10), VALUES, max_size=5)


def given_of(filters: dict[str, object]) -> dict[str, tuple[object, type]]:
    """Return the filters that filter anything, `True` and 1 told apart."""
    return {name: (value, type(value)) for name, value in filters.items() if value is not None}


@given(scope=SCOPES, filters=FILTERS, position=POSITIONS)
def test_a_cursor_gives_its_position_back(
    scope: str, filters: dict[str, object], position: int
) -> None:
    """For the same list; it is short and can stand in a URL as it is."""
    cursor = encode_cursor(scope, filters, position)
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", cursor)
    assert decode_cursor(cursor, scope, filters) == position


@given(scope=SCOPES, filters=FILTERS, position=POSITIONS)
def test_the_order_of_the_filters_and_empty_ones_do_not_matter(
    scope: str, filters: dict[str, object], position: int
) -> None:
    """They are the same list, however a client writes its query."""
    reordered = dict(reversed(filters.items())) | {"not given": None}
    assert decode_cursor(encode_cursor(scope, filters, position), scope, reordered) == position


@given(ours=st.tuples(SCOPES, FILTERS), theirs=st.tuples(SCOPES, FILTERS), position=POSITIONS)
def test_a_cursor_of_another_list_is_refused(
    ours: tuple[str, dict[str, object]], theirs: tuple[str, dict[str, object]], position: int
) -> None:
    """Another scope or other filters: the position would mean nothing there."""
    assume((ours[0], given_of(ours[1])) != (theirs[0], given_of(theirs[1])))
    cursor = encode_cursor(*ours, position)
    with pytest.raises(InvalidRequestError):
        decode_cursor(cursor, *theirs)


def test_a_filter_is_told_from_a_similar_one() -> None:
    """Neither the value, nor the field that holds it, nor its type may be swapped."""
    filters: dict[str, object] = {"endpoint_id": "a", "status": MessageStatus.QUEUED, "limit": 1}
    cursor = encode_cursor("logs", filters, 5)
    assert decode_cursor(cursor, "logs", filters | {"status": "queued"}) == 5
    for other in ({"endpoint_id": "b"}, {"status": "paused"}, {"limit": "1"}, {"limit": None}):
        with pytest.raises(InvalidRequestError):
            decode_cursor(cursor, "logs", filters | other)


@given(position=POSITIONS, place=st.integers(0, 31), character=st.sampled_from("Aa0_-/+= \u00e9"))
def test_a_damaged_cursor_is_refused(position: int, place: int, character: str) -> None:
    """One changed character, wherever it is, is noticed."""
    cursor = encode_cursor("logs", {}, position)
    damaged = cursor[:place] + character + cursor[place + 1 :]
    assume(damaged != cursor)
    with pytest.raises(InvalidRequestError) as caught:
        decode_cursor(damaged, "logs", {})
    assert caught.value.details == {"field": "cursor"}


@given(text=st.text(max_size=50) | st.text(st.sampled_from("Aa0_-"), min_size=32, max_size=32))
def test_no_other_text_is_a_cursor(text: str) -> None:
    """Whatever a client sends is refused like any wrong value, never with another error."""
    with pytest.raises(InvalidRequestError):
        decode_cursor(text, "logs", {})


def test_a_forged_position_that_no_row_can_have_is_refused() -> None:
    """Whoever knows how cursors are made still gets no number that storage cannot take."""
    for position, lawful in ((2**63 - 1, True), (2**63, False), (2**64 - 1, False)):
        packed = position.to_bytes(8, "big")
        digest = hashlib.sha256(packed + b'["logs",{}]').digest()[:16]
        forged = base64.urlsafe_b64encode(packed + digest).decode()
        if lawful:
            assert forged == encode_cursor("logs", {}, position)
            continue
        with pytest.raises(InvalidRequestError):
            decode_cursor(forged, "logs", {})


@pytest.mark.parametrize("position", [-1, 2**63])
def test_a_position_that_no_row_can_have_is_a_bug(position: int) -> None:
    """Row numbers are signed 64-bit and begin at 1."""
    with pytest.raises(AssertionError):
        encode_cursor("logs", {}, position)
