"""Signatures: checked as receivers check them, by other code than ours."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from random import Random as SeededRandom

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from sluicegate.engine.signing import key_hint, new_secret, signature_headers

NAMES = (
    "X-Webhook-Id",
    "X-Webhook-Timestamp",
    "X-Webhook-Signature",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
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
        """Never asked for here."""
        raise AssertionError


SECRETS = st.integers().map(lambda seed: new_secret(Chance(seed)))
MESSAGE_IDS = st.uuids().map(str)
TIMESTAMPS_S = st.integers(0, 4_102_444_800)


@given(seed=st.integers())
def test_a_secret_is_whsec_and_the_base64_of_32_random_bytes(seed: int) -> None:
    """The form of section 4 of the contract; all of its bits come from the Random port."""
    secret = new_secret(Chance(seed))
    assert secret.startswith("whsec_")
    decoded = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    assert decoded == SeededRandom(seed).randbytes(32)
    assert key_hint(secret) == secret[-4:]
    assert len(key_hint(secret)) == 4


@given(
    message_id=MESSAGE_IDS,
    timestamp_s=TIMESTAMPS_S,
    body=st.text().map(str.encode),
    secrets=st.lists(SECRETS, min_size=1, max_size=2, unique=True),
)
def test_the_standard_form_is_what_standardwebhooks_signs(
    message_id: str, timestamp_s: int, body: bytes, secrets: list[str]
) -> None:
    """Each active key signs, newest first, as the Standard Webhooks package does."""
    headers = dict(
        signature_headers(
            message_id=message_id, timestamp_s=timestamp_s, body=body, secrets=secrets
        )
    )
    moment = datetime.fromtimestamp(timestamp_s, tz=UTC)
    expected = [Webhook(secret).sign(message_id, moment, body.decode()) for secret in secrets]
    assert headers["webhook-signature"] == " ".join(expected)
    assert headers["webhook-id"] == message_id
    assert headers["webhook-timestamp"] == str(timestamp_s)


@given(
    message_id=MESSAGE_IDS,
    timestamp_s=TIMESTAMPS_S,
    body=st.binary(),
    secrets=st.lists(SECRETS, min_size=1, max_size=2, unique=True),
)
def test_the_sha256_form_is_keyed_with_the_secrets_whole_text(
    message_id: str, timestamp_s: int, body: bytes, secrets: list[str]
) -> None:
    """HMAC-SHA256 over timestamp, dot and raw body, `whsec_` being part of the key."""
    headers = signature_headers(
        message_id=message_id, timestamp_s=timestamp_s, body=body, secrets=secrets
    )
    assert tuple(name for name, _ in headers) == NAMES
    values = dict(headers)
    assert values["X-Webhook-Id"] == message_id
    assert values["X-Webhook-Timestamp"] == f"{timestamp_s}"
    signatures = values["X-Webhook-Signature"].split(",")
    assert len(signatures) == len(secrets)
    for signature, secret in zip(signatures, secrets, strict=True):
        mac = hmac.new(secret.encode(), digestmod=hashlib.sha256)
        mac.update(f"{timestamp_s}.".encode())
        mac.update(body)
        assert signature == f"sha256={mac.hexdigest()}"


@given(key=st.binary(min_size=24, max_size=64), body=st.binary())
def test_a_key_signs_its_later_messages_as_its_first(key: bytes, body: bytes) -> None:
    """It is worked in when it is used again; keys have 24 to 64 bytes, their texts up to 94."""
    secret = "whsec_" + base64.b64encode(key).decode()
    text = hmac.digest(secret.encode(), b"1." + body, "sha256").hex()
    standard = base64.b64encode(hmac.digest(key, b"m.1." + body, "sha256")).decode()
    for _ in range(3):
        headers = dict(
            signature_headers(message_id="m", timestamp_s=1, body=body, secrets=[secret])
        )
        assert headers["X-Webhook-Signature"] == f"sha256={text}"
        assert headers["webhook-signature"] == f"v1,{standard}"


def test_a_known_delivery_has_these_signatures() -> None:
    """Fixed values, so that no change of ours and of the oracle's together goes unseen."""
    headers = dict(
        signature_headers(
            message_id="01890a5d-ac96-774b-bcce-b302099a8057",
            timestamp_s=1_775_399_591,
            body=b'{"a":1.0}',
            secrets=["whsec_" + base64.b64encode(bytes(range(32))).decode()],
        )
    )
    assert (
        headers["X-Webhook-Signature"]
        == "sha256=c6a9e39899105f4bb9de7a5d3e9c15ae4b813ca02f294b43cde5ea4db4f3724d"
    )
    assert headers["webhook-signature"] == "v1,SeZn7N6xn/t9PC2mgs7CUziVJZwGDUVyaOqiRCNE1e4="


@pytest.mark.parametrize("secret", ["", "whsec_!", "whsec_YQ", "YWJj", "WHSEC_YWJj"])
def test_a_secret_that_is_none_is_our_bug(secret: str) -> None:
    """A damaged secret signs nothing: the attempt fails loudly instead."""
    with pytest.raises(ValueError, match=r"."):
        signature_headers(message_id="m", timestamp_s=1, body=b"", secrets=[secret])


def test_no_delivery_goes_out_unsigned() -> None:
    """An endpoint always has a key; none at all is a bug."""
    with pytest.raises(AssertionError):
        signature_headers(message_id="m", timestamp_s=1, body=b"", secrets=[])
