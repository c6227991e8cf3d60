"""Ids and keys: their forms are the contract's, and a shard never changes."""

import re
from random import Random as SeededRandom
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.engine.errors import InvalidRequestError
from sluicegate.engine.ids import (
    SHARDS,
    is_api_key_id,
    is_endpoint_id,
    is_idempotency_key,
    is_message_id,
    is_signing_key_id,
    new_api_key,
    new_api_key_id,
    new_endpoint_id,
    new_project_id,
    new_request_id,
    new_signing_key_id,
    shard_of,
)


class Chance:
    """Bytes from a seed."""

    def __init__(self, seed: int) -> None:
        self._seeded = SeededRandom(seed)

    def random(self) -> float:
        """Return a float in [0, 1)."""
        return self._seeded.random()

    def token_bytes(self, size: int, /) -> bytes:
        """Return `size` bytes."""
        return self._seeded.randbytes(size)

    def uuid7(self) -> str:
        """Return the text of a UUID."""
        return str(UUID(bytes=self._seeded.randbytes(16)))


CHANCE = st.integers().map(Chance)


@given(chance=CHANCE)
def test_new_ids_have_the_contracts_form(chance: Chance) -> None:
    """Section 1 of the contract gives each kind of id a prefix and 32 hexadecimal digits."""
    assert re.fullmatch(r"ep_[a-f0-9]{32}", new_endpoint_id(chance))
    assert re.fullmatch(r"proj_[a-f0-9]{32}", new_project_id(chance))
    assert re.fullmatch(r"sk_[a-f0-9]{32}", new_signing_key_id(chance))
    assert re.fullmatch(r"key_[a-f0-9]{32}", new_api_key_id(chance))
    assert re.fullmatch(r"req_[a-f0-9]{32}", new_request_id(chance))


@given(chance=CHANCE)
def test_new_ids_are_recognised_as_their_own_kind_only(chance: Chance) -> None:
    """Each check accepts the ids of its kind and no other's."""
    endpoint_id, signing_key_id = new_endpoint_id(chance), new_signing_key_id(chance)
    api_key_id = new_api_key_id(chance)
    checks = {
        is_endpoint_id: endpoint_id,
        is_signing_key_id: signing_key_id,
        is_api_key_id: api_key_id,
        is_message_id: "01890a5d-ac96-774b-bcce-b302099a8057",
    }
    for check, own in checks.items():
        assert [text for text in checks.values() if check(text)] == [own]


@given(chance=CHANCE, mode=st.sampled_from(["live", "test"]))
def test_an_api_key_says_its_mode_and_holds_256_bits(chance: Chance, mode: str) -> None:
    """A key is `sg_<mode>_` and 43 URL-safe characters, all of them from the Random port."""
    first, second = new_api_key(chance, mode=mode), new_api_key(chance, mode=mode)
    assert re.fullmatch(rf"sg_{mode}_[A-Za-z0-9_-]{{43}}", first)
    assert first != second


@pytest.mark.parametrize("mode", ["", "prod", "LIVE", "live "])
def test_an_unknown_mode_is_refused(mode: str) -> None:
    """There are two modes, and the error says which field is wrong."""
    with pytest.raises(InvalidRequestError) as caught:
        new_api_key(Chance(0), mode=mode)
    assert caught.value.details["field"] == "mode"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ep_",
        "ep_nonexistent_12345",
        "ep_" + "a" * 31,
        "ep_" + "a" * 33,
        "ep_" + "A" * 32,
        "ep_" + "g" * 32,
        "EP_" + "a" * 32,
        " ep_" + "a" * 32,
        "ep_" + "a" * 32 + "\n",
        "ep_" + "\u0661" * 32,
    ],
)
def test_a_malformed_endpoint_id_is_not_one(text: str) -> None:
    """`ep_` and exactly 32 lower-case hexadecimal digits, ASCII, and nothing after them."""
    assert not is_endpoint_id(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "01890a5dac96774bbcceb302099a8057",
        "01890A5D-AC96-774B-BCCE-B302099A8057",
        "01890a5d-ac96-474b-bcce-b302099a8057",
        "01890a5d-ac96-774b-ccce-b302099a8057",
        "{01890a5d-ac96-774b-bcce-b302099a8057}",
        "01890a5d-ac96-774b-bcce-b302099a8057\n",
    ],
)
def test_only_a_uuid_of_version_7_is_a_message_id(text: str) -> None:
    """RFC 9562 §5.7: version 7, variant 10, with dashes, in lower case."""
    assert not is_message_id(text)


@given(text=st.text(st.sampled_from("azAZ09_-"), min_size=1, max_size=255))
def test_an_idempotency_key_is_letters_digits_underscore_and_dash(text: str) -> None:
    """1 to 255 of them; one more, or any other character, is no key."""
    assert is_idempotency_key(text)
    assert not is_idempotency_key(text + "-" * (256 - len(text)))
    for other in (" ", ".", "\n", "\u00e9", "\u0661", "\x00"):
        assert not is_idempotency_key(text[:254] + other)


def test_an_empty_idempotency_key_is_not_one() -> None:
    """A key that everybody shares would join what does not belong together."""
    assert not is_idempotency_key("")


def test_an_endpoints_shard_never_changes() -> None:
    """Shards are stored, so these values hold for ever and in every process."""
    assert shard_of("ep_" + "0" * 32) == 108
    assert shard_of("ep_" + "f" * 32) == 3413
    assert shard_of("ep_0123456789abcdef0123456789abcdef") == 4017


def test_endpoints_spread_evenly_over_the_shards() -> None:
    """40,960 endpoints leave no shard empty and none with four times its share."""
    chance = Chance(7)
    counts = [0] * SHARDS
    for _ in range(10 * SHARDS):
        counts[shard_of(new_endpoint_id(chance))] += 1
    assert SHARDS == 4096
    assert min(counts) > 0
    assert max(counts) < 40
