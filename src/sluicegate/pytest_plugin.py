"""The pytest plugin: worlds with a seed and what to do when one fails; engines and receivers.

    def test_one_order_per_event(simulation):
        shop = simulation.host("shop.example", asgi=make_app)
        ...

Whoever does not use the fixtures pays nothing: what they need is imported when it is asked for.
See docs/simulation.md, and for `webhook_engine` and its like docs/testing-your-program.md.
"""

import inspect
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sluicegate.engine.settings import Settings
    from sluicegate.simulation import Simulation
    from sluicegate.testing import (
        AsyncRealEngine,
        RealEngine,
        VirtualEngine,
        WebhookReceiver,
        WebhookSamples,
    )
    from sluicegate.testing.fixtures import WebhookKit

__all__ = [
    "simulation",
    "simulation_seed",
    "webhook_engine",
    "webhook_kit",
    "webhook_receiver",
    "webhook_samples",
    "webhook_settings",
]

_SEED = "simulation_seed"
_MARKER = "simulation"
_TRACE_LINES = 50
_WORLD: "pytest.StashKey[Simulation | None]" = pytest.StashKey()
"""The world of a test's fixture, whoever asked for it; until the last report of the test."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the two options."""
    group = parser.getgroup("sluicegate", "simulated webhook deliveries (sluicegate)")
    group.addoption(
        "--simulation-seed",
        type=int,
        default=0,
        metavar="N",
        help="seed of the `simulation` fixture (default: 0); the same seed gives the same run",
    )
    group.addoption(
        "--simulation-soak",
        type=int,
        default=1,
        metavar="N",
        help="run each test that uses the `simulation` fixture with N seeds, from the seed on",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Tell of the marker."""
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(**options): options of this test's `Simulation` by name, such as faults=STORM",
    )
    config.addinivalue_line(
        "markers",
        "webhook_engine(clock='virtual' | 'real', **settings): the clock and the settings of this"
        " test's `webhook_engine`",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test many seeds, if it is asked for and does not choose its own."""
    count: int = metafunc.config.getoption("simulation_soak")
    if count <= 1 or _SEED not in metafunc.fixturenames:
        return
    if any(_SEED in _names(mark) for mark in metafunc.definition.iter_markers("parametrize")):
        return
    first: int = metafunc.config.getoption("simulation_seed")
    seeds = range(first, first + count)
    metafunc.parametrize(_SEED, seeds, ids=[_id(seed) for seed in seeds])


@pytest.fixture
def simulation_seed(request: pytest.FixtureRequest) -> int:
    """The seed of this test's simulation, for fixtures that make their own."""
    seed: int = request.config.getoption("simulation_seed")
    return seed


@pytest.fixture
def simulation(request: pytest.FixtureRequest, simulation_seed: int) -> "Iterator[Simulation]":
    """A world of its own for each test: see `sluicegate.simulation.Simulation`.

    It has an event loop of its own, so the test is a plain function. With Hypothesis's `@given`,
    which calls one test many times, make a `Simulation` in the test instead.
    """
    from sluicegate.simulation import Simulation  # noqa: PLC0415 - see the module's docstring

    if inspect.iscoroutinefunction(request.function):
        pytest.fail(
            "`simulation` runs its own event loop: write the test as a plain `def`,"
            " and run coroutines by `simulation.run(...)`",
            pytrace=False,
        )
    marker = request.node.get_closest_marker(_MARKER)
    options = marker.kwargs if marker is not None else {}
    if marker is not None and marker.args:
        pytest.fail(
            f"pytest.mark.simulation takes options of `Simulation` by name, such as faults=STORM,"
            f" and not {', '.join(map(repr, marker.args))}",
            pytrace=False,
        )
    if "seed" in options:
        pytest.fail(
            "pytest.mark.simulation takes no seed: give --simulation-seed, or parametrize"
            " `simulation_seed`",
            pytrace=False,
        )
    with Simulation(simulation_seed, **options) as world:
        request.node.stash[_WORLD] = world
        yield world


@pytest.fixture
def webhook_kit(request: pytest.FixtureRequest) -> "Iterator[WebhookKit]":
    """What the next ones have in common; ask for those."""
    from sluicegate.testing.fixtures import WebhookKit  # noqa: PLC0415 - see the module's docstring

    with ExitStack() as until_end:
        yield WebhookKit(request, until_end)


@pytest.fixture
def webhook_engine(webhook_kit: "WebhookKit") -> "VirtualEngine | RealEngine | AsyncRealEngine":
    """An engine: see `sluicegate.testing`. Its calls block in a plain test, else are awaited."""
    return webhook_kit.engine


@pytest.fixture
def webhook_receiver(webhook_kit: "WebhookKit") -> "WebhookReceiver":
    """A receiver that records, verifies and answers what it is told."""
    return webhook_kit.receiver


@pytest.fixture
def webhook_settings(webhook_kit: "WebhookKit") -> "Settings":
    """Settings for an engine of the program's own: a temporary file, loopback, quick retries."""
    return webhook_kit.quick_settings


@pytest.fixture
def webhook_samples() -> "WebhookSamples":
    """Webhooks signed with `sluicegate.testing.SAMPLE_SECRET`: good ones, and wrong ones."""
    from sluicegate.testing.samples import WebhookSamples  # noqa: PLC0415 - see the module's docstring

    return WebhookSamples()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure which seed it was, how to repeat it, and what happened last.

    Also before and after the test itself: what nobody handled is raised when the world ends.
    """
    report = yield
    if report.failed:
        for world in _worlds(item):
            report.sections.append((f"simulation, seed {world.seed}", _account(item, world)))
    if call.when == "teardown":
        item.stash[_WORLD] = None
    return report


def _worlds(item: pytest.Item) -> "list[Simulation]":
    """Return the fixture's simulation, and those among the test's other fixtures."""
    module = sys.modules.get("sluicegate.simulation")
    if module is None or not isinstance(item, pytest.Function):
        return []
    worlds = [item.stash.get(_WORLD, None), *item.funcargs.values()]
    found = [each for each in worlds if isinstance(each, module.Simulation)]
    return list(dict.fromkeys(found))


def _account(item: pytest.Item, world: "Simulation") -> str:
    test = item.nodeid
    for part in (f"[{_id(world.seed)}]", f"-{_id(world.seed)}", f"{_id(world.seed)}-"):
        test = test.replace(part, "")
    lines = world.trace.tail(_TRACE_LINES)
    return "\n".join(
        (
            f'to repeat it: pytest "{test}" --simulation-seed {world.seed}',
            f"the last {len(lines)} of {world.trace.count} lines of its trace, in virtual seconds:",
            *lines,
        )
    )


def _id(seed: int) -> str:
    return f"seed={seed}"


def _names(mark: pytest.Mark) -> list[str]:
    """Return what a `parametrize` gives values to."""
    names = mark.kwargs.get("argnames", mark.args[0] if mark.args else ())
    return [each.strip() for each in names.split(",")] if isinstance(names, str) else list(names)
