"""A receiver that charges its customers twice, and how the simulation finds it.

    pytest examples/test_naive_receiver.py -s

Webhooks are delivered at least once: if the answer is lost, or either side dies at the wrong
moment, the sender cannot know that the receiver has acted, and sends again. The two receivers
below do not reckon with that. `explore` runs the real engine against them, on a virtual clock and
a simulated network, with a few faults that differ from seed to seed; it makes what it finds as
small as it gets, and tells it in plain words. `test_idempotent_receiver.py` shows the repair.
"""

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import FastAPI, Header

from sluicegate.simulation import CounterexampleError, MishapKind, Simulation, explore

ORDERS = ["apples", "bread", "cheese"]


def naive_app(charges: list[str]) -> FastAPI:
    """Charge whatever comes."""
    app = FastAPI()

    @app.post("/hook")
    async def receive(event: dict[str, Any]) -> None:
        charges.append(event["order"])

    return app


def forgetful_app(charges: list[str]) -> FastAPI:
    """Charge what was not seen before, as far as this process remembers."""
    app = FastAPI()
    seen: set[str] = set()

    @app.post("/hook")
    async def receive(event: dict[str, Any], webhook_id: Annotated[str, Header()]) -> None:
        if webhook_id not in seen:
            seen.add(webhook_id)
            charges.append(event["order"])

    return app


def each_order_is_charged_once(
    simulation: Simulation, make_app: Callable[[list[str]], FastAPI]
) -> None:
    """Sell three things; state what must hold, whatever goes wrong on the way."""
    charges: list[str] = []  # the bank's book: it outlives the receiver's process
    shop = simulation.host("shop.example", asgi=lambda: make_app(charges))
    sluicegate = simulation.engine()
    endpoint = sluicegate.create_endpoint(url=shop.url)
    for order in ORDERS:
        sluicegate.send(endpoint.id, {"order": order})
    simulation.settle()
    assert sorted(charges) == ORDERS, f"each order is charged once, not {sorted(charges)}"


def test_a_naive_receiver_charges_twice() -> None:
    """One lost answer is enough."""
    with pytest.raises(CounterexampleError) as found:
        explore(lambda simulation: each_order_is_charged_once(simulation, naive_app))
    print(f"\n{found.value.story}")
    (fault,) = found.value.mishaps
    assert fault.kind is MishapKind.ANSWER_LOST


def test_memory_is_not_enough() -> None:
    """Whoever remembers in memory stands a lost answer, but not a crash before the answer."""
    with pytest.raises(CounterexampleError) as found:
        explore(lambda simulation: each_order_is_charged_once(simulation, forgetful_app))
    print(f"\n{found.value.story}")
    (fault,) = found.value.mishaps
    assert fault.kind is MishapKind.CRASH_BEFORE_ANSWER


def test_a_single_fault_can_be_planned_by_hand(simulation: Simulation) -> None:
    """The `simulation` fixture is a fresh world, with the seed of `--simulation-seed`."""
    charges: list[str] = []
    shop = simulation.host("shop.example", asgi=lambda: naive_app(charges))
    shop.crash_before_answer(nth=1)
    sluicegate = simulation.engine()
    endpoint = sluicegate.create_endpoint(url=shop.url)
    sluicegate.send(endpoint.id, {"order": "apples"})
    simulation.settle()
    first, second = shop.requests
    assert first.message_id == second.message_id
    assert charges == ["apples", "apples"]
