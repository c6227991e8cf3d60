"""Which engine and which receiver a test gets: what the plugin's fixtures ask."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from sluicegate.simulation import Simulation
from sluicegate.testing.deliveries import WebhookReceiver
from sluicegate.testing.real import AsyncRealEngine, RealEngine, RealReceiver
from sluicegate.testing.virtual import VirtualEngine, VirtualReceiver

__all__ = ["MARKER", "WebhookKit", "webhook_kit"]

MARKER = "webhook_engine"


class WebhookKit(msgspec.Struct, frozen=True, kw_only=True):
    """What one test gets."""

    engine: VirtualEngine | RealEngine | AsyncRealEngine
    receiver: WebhookReceiver


@contextmanager
def webhook_kit(request: pytest.FixtureRequest) -> Iterator[WebhookKit]:
    """Give a test an engine and a receiver, on the clock that its marker chooses.

    Without a marker a plain function has the virtual clock; a coroutine, whose loop is real, has
    the real one.
    """
    is_coroutine = inspect.iscoroutinefunction(request.function)
    clock, settings = _chosen(request, by_default="real" if is_coroutine else "virtual")
    if clock == "virtual":
        if is_coroutine:
            pytest.fail(
                "`webhook_engine` on the virtual clock runs its own event loop: write the test as"
                " a plain `def`, or take clock='real'",
                pytrace=False,
            )
        simulation: Simulation = request.getfixturevalue("simulation")
        engine = VirtualEngine(simulation, **settings)
        yield WebhookKit(engine=engine, receiver=VirtualReceiver(simulation))
        return
    folder: Path = request.getfixturevalue("tmp_path")
    with RealReceiver() as receiver:
        blocking = RealEngine(folder, **settings)
        try:
            real = AsyncRealEngine(blocking) if is_coroutine else blocking
            yield WebhookKit(engine=real, receiver=receiver)
        finally:
            blocking.close()


def _chosen(request: pytest.FixtureRequest, *, by_default: str) -> tuple[str, dict[str, object]]:
    marker = request.node.get_closest_marker(MARKER)
    if marker is None:
        return by_default, {}
    settings = dict(marker.kwargs)
    clock = settings.pop("clock", by_default)
    if marker.args or clock not in {"virtual", "real"}:
        pytest.fail(
            f"pytest.mark.{MARKER} takes clock='virtual' or clock='real', and settings by name",
            pytrace=False,
        )
    return clock, settings
