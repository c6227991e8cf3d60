"""What a receiver can tell of a request."""

import pytest

from sluicegate.engine.signing import signature_headers
from sluicegate.simulation import ReceivedRequest

SECRET = "whsec_" + "A" * 43 + "="
OTHER = "whsec_" + "B" * 43 + "="


def request(**changed: str) -> ReceivedRequest:
    """Return a request signed with `SECRET`, with some headers changed (`_` stands for `-`)."""
    headers = dict(
        signature_headers(
            message_id="msg_1", timestamp_s=1_800_000_000, body=b"{}", secrets=[OTHER, SECRET]
        )
    )
    headers = {name: changed.get(name.replace("-", "_"), value) for name, value in headers.items()}
    return ReceivedRequest(
        at_s=0,
        host="shop.example",
        path="/hook?x=1",
        headers=(*headers.items(), ("X-Webhook-Attempt", "3")),
        body=b"{}",
    )


def test_a_signature_with_either_key_counts() -> None:
    """While keys are rotated a request is signed with both."""
    assert request().is_signed_with(SECRET)
    assert request().is_signed_with(OTHER)
    assert not request().is_signed_with("whsec_" + "C" * 43 + "=")


@pytest.mark.parametrize(
    "name",
    [
        "X_Webhook_Id",
        "X_Webhook_Timestamp",
        "X_Webhook_Signature",
        "webhook_id",
        "webhook_timestamp",
        "webhook_signature",
    ],
)
def test_each_header_of_a_signature_counts(name: str) -> None:
    """Both forms must be right, and speak of the same id and moment."""
    assert not request(**{name: "1800000001"}).is_signed_with(SECRET)


def test_a_request_tells_its_message_and_its_attempt() -> None:
    """Names of headers are read in whatever case; what is not there is `None`."""
    told = request()
    assert (told.message_id, told.attempt_no, told.json()) == ("msg_1", 3, {})
    assert told.header("WEBHOOK-ID") == "msg_1"
    assert told.header("x-nothing") is None
