"""Both sides of a webhook under test: a shop that announces orders, a warehouse that receives them.

pytest examples/test_shop_with_webhooks.py
"""

import pytest
from flask import Flask
from flask.testing import FlaskClient

from sluicegate import SyncEngine
from sluicegate.integrations.receiving.flask import receive
from sluicegate.testing import (
    FORGERIES,
    SAMPLE_SECRET,
    RealEngine,
    VirtualEngine,
    WebhookReceiver,
    WebhookSamples,
    assert_delivered,
)


class Shop:
    """What is tested: it announces each order."""

    def __init__(self, engine: SyncEngine, endpoint_id: str) -> None:
        """Take the engine that it has in production, too."""
        self._engine, self._endpoint_id = engine, endpoint_id

    def order(self, what: str) -> None:
        """Take an order."""
        self._engine.send(self._endpoint_id, {"order": what})


@pytest.mark.webhook_engine(clock="real")
def test_the_shop_announces_an_order(
    webhook_engine: RealEngine, webhook_receiver: WebhookReceiver
) -> None:
    """The receiver is down twice; the order is announced all the same, and once."""
    webhook_receiver.script(500, 500, 200)
    shop = Shop(webhook_engine, webhook_engine.create_endpoint(webhook_receiver).id)
    shop.order("apples")
    webhook_engine.drain()
    assert_delivered(webhook_receiver, {"order": "apples"}, attempts=3)


def test_a_night_without_the_receiver_is_survived(
    webhook_engine: VirtualEngine, webhook_receiver: WebhookReceiver
) -> None:
    """On the virtual clock eight hours take no time."""
    webhook_receiver.script(503)
    endpoint = webhook_engine.create_endpoint(webhook_receiver)
    webhook_engine.send(endpoint.id, {"order": "bread"})
    webhook_engine.advance(8 * 3600)
    assert_delivered(webhook_receiver, {"order": "bread"}, times=0)
    webhook_receiver.script(200)
    webhook_engine.drain()
    assert_delivered(webhook_receiver, {"order": "bread"})


@pytest.fixture
def warehouse() -> FlaskClient:
    """The receiving side: it takes what its secret has signed."""
    app = Flask("warehouse")

    @app.post("/hook")
    def hook() -> str:
        return f"packed {receive(SAMPLE_SECRET).message_id}"

    return app.test_client()


def test_the_warehouse_packs_what_is_signed(
    warehouse: FlaskClient, webhook_samples: WebhookSamples
) -> None:
    """A webhook as Sluicegate would send it."""
    sample = webhook_samples.good({"order": "apples"})
    answer = warehouse.post("/hook", data=sample.body, headers=sample.headers)
    assert answer.text == "packed sample-1"


@pytest.mark.parametrize("kind", FORGERIES)
def test_the_warehouse_packs_nothing_else(
    warehouse: FlaskClient, webhook_samples: WebhookSamples, kind: str
) -> None:
    """Each is wrong in one way."""
    sample = webhook_samples.forged(kind, {"order": "apples"})
    answer = warehouse.post("/hook", data=sample.body, headers=sample.headers)
    assert answer.status_code in {400, 401}
    assert "packed" not in answer.text
