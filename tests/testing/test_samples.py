"""Signed samples: each is right, or wrong in one way."""

import urllib.error
import urllib.request

import pytest
from flask import Flask

from sluicegate import verify
from sluicegate.engine.errors import VerificationError
from sluicegate.integrations.receiving.flask import receive
from sluicegate.testing import (
    FORGERIES,
    Answer,
    VirtualEngine,
    WebhookReceiver,
    WebhookSamples,
)

ORDER = {"order": "apples"}
TOLD = {
    "expired": "s ago; 300 s are allowed",
    "early": "s in the future",
    "tampered": "no signature is of this body",
    "wrong_key": "no signature is of this body",
    "downgraded": "does not sign the message id",
    "unsigned": "webhook-signature is missing",
}


def test_every_forgery_is_told_of() -> None:
    """Each has the words of its refusal here, and one that is unknown is no forgery."""
    assert set(TOLD) == set(FORGERIES)
    with pytest.raises(ValueError, match="kind: 'good' is not allowed: one of expired, early"):
        WebhookSamples().forged("good", ORDER)


@pytest.mark.webhook_engine(clock="real")
@pytest.mark.parametrize("variant", ["good", "rotated", *TOLD])
def test_each_sample_is_right_or_wrong_in_one_way(
    webhook_receiver: WebhookReceiver, webhook_samples: WebhookSamples, variant: str
) -> None:
    """Posted as it is to a receiver that verifies; its own answer is for what is right."""
    webhook_receiver.trust(webhook_samples.secret)
    webhook_receiver.script(Answer(status=201, headers=(("X-Who", "me"),), body=b"thanks"))
    sample = getattr(webhook_samples, variant)(ORDER)
    request = urllib.request.Request(  # noqa: S310 - our own receiver's
        webhook_receiver.url, data=sample.body, headers=sample.headers
    )
    if variant in TOLD:
        with pytest.raises(urllib.error.HTTPError, match="401") as refused:
            urllib.request.urlopen(request)  # noqa: S310 - the same
        assert TOLD[variant] in refused.value.read().decode()
        refused.value.close()
    else:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - the same
            assert (answer.status, answer.headers["X-Who"], answer.read()) == (201, "me", b"thanks")
    (arrived,) = webhook_receiver.deliveries
    assert arrived.is_accepted == (variant not in TOLD)
    assert (arrived.fault is None) == (variant not in TOLD)
    assert arrived.json() == ORDER


def test_in_a_simulation_samples_and_verify_have_its_time(
    webhook_engine: VirtualEngine, webhook_samples: WebhookSamples
) -> None:
    """By the machine's clock whatever a simulated engine signs would be long expired."""
    sample = webhook_samples.good(ORDER)
    assert verify(webhook_samples.secret, sample.headers, sample.body).message_id == "sample-1"
    webhook_engine.advance(301)
    with pytest.raises(VerificationError, match="301 s ago"):
        verify(webhook_samples.secret, sample.headers, sample.body)


def test_a_receiving_application_verifies_what_a_simulated_engine_sends(
    webhook_engine: VirtualEngine,
) -> None:
    """Flask's adapter, unchanged, as a host of the world; no delivery is refused."""
    app, secrets, received = Flask("warehouse"), list[str](), list[object]()

    @app.post("/hook")
    def hook() -> str:
        received.append(receive(secrets[0]).json())
        return "thanks"

    warehouse = webhook_engine.simulation.host("warehouse.example", wsgi=app)
    endpoint = webhook_engine.create_endpoint(warehouse.url)
    secrets.append(endpoint.signing_secret)
    webhook_engine.send(endpoint.id, ORDER)
    webhook_engine.drain()
    assert received == [ORDER]
