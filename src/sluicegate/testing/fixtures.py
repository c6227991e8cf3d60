"""Which engine and which receiver a test gets: what the plugin's fixtures ask."""

import inspect
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

import pytest

from sluicegate.engine.settings import Settings
from sluicegate.simulation import Simulation
from sluicegate.simulation.one_world import own_folder
from sluicegate.testing.deliveries import WebhookReceiver
from sluicegate.testing.loopback import RealReceiver
from sluicegate.testing.real import AsyncRealEngine, RealEngine, quick_settings
from sluicegate.testing.virtual import VirtualEngine, VirtualReceiver

__all__ = ["MARKER", "WebhookKit"]

MARKER = "webhook_engine"


class WebhookKit:
    """What one test gets, on the clock that its marker chooses; made when it is asked for.

    Without a marker a plain function has the virtual clock; a coroutine, whose loop is real, has
    the real one.
    """

    def __init__(self, request: pytest.FixtureRequest, until_end: ExitStack) -> None:
        """Read the marker.

        Args:
            request: the test's.
            until_end: is closed when the test has ended.
        """
        self._request = request
        self._until_end = until_end
        self._is_coroutine = inspect.iscoroutinefunction(request.function)
        self._settings: dict[str, object] = {}
        markers = list(request.node.iter_markers(MARKER))
        for marker in reversed(markers):  # the closest has the last word
            self._settings |= marker.kwargs
        by_default = "real" if self._is_coroutine else "virtual"
        self._clock = self._settings.pop("clock", by_default)
        if self._clock not in {"virtual", "real"} or any(each.args for each in markers):
            pytest.fail(
                f"pytest.mark.{MARKER} takes clock='virtual' or clock='real', and settings by name",
                pytrace=False,
            )
        if self._clock == "virtual" and self._is_coroutine:
            pytest.fail(
                "`webhook_engine` on the virtual clock runs its own event loop: write the test as"
                " a plain `def`, or take clock='real'",
                pytrace=False,
            )

    @cached_property
    def engine(self) -> VirtualEngine | RealEngine | AsyncRealEngine:
        """The engine; its receiver can ask it what was sent."""
        if self._clock == "virtual":
            virtual = VirtualEngine(self._simulation, **self._settings)
            self.receiver.ask_sent = virtual.sent_to
            return virtual
        real = RealEngine(self._folder, **self._settings)
        self._until_end.callback(real.close)
        self.receiver.ask_sent = real.sent_to
        return AsyncRealEngine(real) if self._is_coroutine else real

    @cached_property
    def receiver(self) -> WebhookReceiver:
        """The receiver."""
        if self._clock == "virtual":
            return VirtualReceiver(self._simulation)
        return self._until_end.enter_context(RealReceiver())

    @property
    def quick_settings(self) -> Settings:
        """Settings for an engine of the program's own, on the real clock, with the marker's."""
        return quick_settings(self._folder, **self._settings)

    @property
    def _simulation(self) -> Simulation:
        simulation: Simulation = self._request.getfixturevalue("simulation")
        return simulation

    @cached_property
    def _folder(self) -> Path:
        """Where files are: in memory, where the machine has a `/dev/shm`."""
        return self._until_end.enter_context(own_folder())
