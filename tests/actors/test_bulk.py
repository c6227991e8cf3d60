"""One command for many messages of many endpoints: what comes of each."""

import asyncio

import pytest

from sluicegate.actors.bulk import for_each_endpoint
from sluicegate.engine.errors import InvalidStatusError, SluicegateError, UnavailableError
from sluicegate.engine.operations import Moved


class Owners:
    """Answers for endpoints; a test says which pieces fail."""

    def __init__(self, failing: dict[str, Exception] | None = None) -> None:
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self._failing = failing or {}
        self.meet: asyncio.Barrier | None = None

    async def ask(self, endpoint_id: str, ids: tuple[str, ...]) -> list[Moved | SluicegateError]:
        """Answer with a slot for each message, unless one of them is to fail the piece."""
        self.asked.append((endpoint_id, ids))
        if self.meet is not None:
            await self.meet.wait()
        for each in ids:
            if each in self._failing:
                raise self._failing[each]
        return [moved(each) for each in ids]


def moved(message_id: str) -> Moved:
    """Return the slot of a message."""
    return Moved(seq=int(message_id[1:]), message_id=message_id)


async def test_messages_are_asked_for_in_pieces_and_in_order() -> None:
    """Each slot is that of its message, whatever piece it was in."""
    owners = Owners()
    owned = {"a": [f"m{number}" for number in range(7)], "b": ["m9"]}
    slots = await for_each_endpoint(owned, owners.ask, at_once=3)
    assert slots == {each: moved(each) for ids in owned.values() for each in ids}
    of_a = [ids for endpoint_id, ids in owners.asked if endpoint_id == "a"]
    assert of_a == [("m0", "m1", "m2"), ("m3", "m4", "m5"), ("m6",)]
    assert ("b", ("m9",)) in owners.asked
    assert await for_each_endpoint({}, owners.ask, at_once=3) == {}


async def test_endpoints_are_asked_at_once() -> None:
    """One that hangs keeps no other waiting: all are asked before any has answered."""
    owners = Owners()
    owners.meet = asyncio.Barrier(3)
    owned = {"a": ["m1"], "b": ["m2"], "c": ["m3"]}
    async with asyncio.timeout(10):
        assert len(await for_each_endpoint(owned, owners.ask, at_once=1)) == 3


async def test_an_error_is_the_answer_of_its_piece_and_of_those_behind_it() -> None:
    """They are not asked for any more; what came before, and other endpoints, have theirs."""
    error = UnavailableError("full")
    owners = Owners({"m3": error})
    owned = {"a": [f"m{number}" for number in range(7)], "b": ["m9"]}
    slots = await for_each_endpoint(owned, owners.ask, at_once=2)
    assert {each for each, slot in slots.items() if slot is error} == {"m2", "m3", "m4", "m5", "m6"}
    assert [slots[each] for each in ("m0", "m1", "m9")] == [moved("m0"), moved("m1"), moved("m9")]
    assert [ids for endpoint_id, ids in owners.asked if endpoint_id == "a"] == [
        ("m0", "m1"),
        ("m2", "m3"),
    ]


async def test_a_slot_may_hold_an_error_of_its_own() -> None:
    """Then the pieces behind it are asked for all the same."""
    refused = InvalidStatusError()

    async def ask(_endpoint_id: str, ids: tuple[str, ...]) -> list[Moved | SluicegateError]:
        return [refused if each == "m0" else moved(each) for each in ids]

    slots = await for_each_endpoint({"a": ["m0", "m1"]}, ask, at_once=1)
    assert slots == {"m0": refused, "m1": moved("m1")}


async def test_a_fault_of_ours_is_not_taken_for_an_answer() -> None:
    """It ends everything, and is seen."""
    owners = Owners({"m1": RuntimeError("bug")})
    with pytest.raises(ExceptionGroup) as caught:
        await for_each_endpoint({"a": ["m1"], "b": ["m2"]}, owners.ask, at_once=1)
    assert caught.group_contains(RuntimeError)
