"""A receiver that acts once, whatever befalls it: the repair of `test_naive_receiver.py`.

    pytest examples/test_idempotent_receiver.py
    pytest examples/test_idempotent_receiver.py --simulation-soak 100

Two things are enough: the message id (`webhook-id`), which is the same on every attempt, and one
place that outlives the process, where the id and the effect are written down together.
"""

import sqlite3
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Header, HTTPException

from sluicegate.simulation import Faults, Mishap, MishapKind, Simulation, explore

ORDERS = ["apples", "bread", "cheese"]


@pytest.fixture
def books() -> Iterator[sqlite3.Connection]:
    """The shop's database. It is the test's, not the receiver's: crashes do not touch it."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.execute("CREATE TABLE charges (message_id TEXT PRIMARY KEY, customer_order TEXT)")
    yield db
    db.close()


def idempotent_app(books: sqlite3.Connection) -> FastAPI:
    """Charge once for each message: its id and the charge are one row, written or not written."""
    app = FastAPI()

    @app.post("/hook")
    def receive(event: dict[str, Any], webhook_id: Annotated[str, Header()]) -> None:
        if "order" not in event:
            raise HTTPException(422)
        books.execute(
            "INSERT INTO charges VALUES (?, ?) ON CONFLICT DO NOTHING", (webhook_id, event["order"])
        )

    return app


def each_order_is_charged_once(simulation: Simulation, books: sqlite3.Connection) -> None:
    """Sell three things; state what must hold, whatever goes wrong on the way."""
    books.execute("DELETE FROM charges")
    shop = simulation.host("shop.example", asgi=lambda: idempotent_app(books))
    sluicegate = simulation.engine()
    endpoint = sluicegate.create_endpoint(url=shop.url)
    for order in ORDERS:
        sluicegate.send(endpoint.id, {"order": order})
    simulation.settle()
    charged = [order for (order,) in books.execute("SELECT customer_order FROM charges ORDER BY 1")]
    assert charged == ORDERS, f"each order is charged once, not {charged}"
    secret = endpoint.signing_secret
    assert all(request.is_signed_with(secret) for request in shop.requests)


def test_an_idempotent_receiver_charges_once(books: sqlite3.Connection) -> None:
    """The search that broke the naive receiver within seconds finds nothing."""
    explored = explore(
        lambda simulation: each_order_is_charged_once(simulation, books), seeds=range(20)
    )
    print(f"\n{explored.mishaps} faults in {explored.runs} runs, {explored.repeated} repetitions")
    assert explored.repeated > 0


@pytest.mark.parametrize("kind", [MishapKind.ANSWER_LOST, MishapKind.CRASH_BEFORE_ANSWER])
def test_what_broke_the_naive_receivers_does_not_break_it(
    books: sqlite3.Connection, kind: MishapKind
) -> None:
    """A counterexample says how to repeat it: that makes a regression test."""
    with Simulation(1, mishaps=[Mishap(host="shop.example", request=1, kind=kind)]) as simulation:
        each_order_is_charged_once(simulation, books)


@pytest.mark.simulation(faults=Faults(answer_lost=0.3, server_error=0.2, receiver_crash=0.1))
def test_it_stands_bad_weather(simulation: Simulation, books: sqlite3.Connection) -> None:
    """Faults can also come by chance. `--simulation-soak 100` tries a hundred seeds."""
    each_order_is_charged_once(simulation, books)
