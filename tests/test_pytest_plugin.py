"""The pytest plugin, as its users have it: in a pytest of their own, found by its entry point."""

import subprocess
import sys
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

pytestmark = pytest.mark.timeout(180)  # whole runs of pytest, with all that is installed

ROOT = Path(__file__).parents[1]
PLAIN = ("-pno:cacheprovider", "-pno:schemathesis", "-pno:cov", "-pno:randomly")


def run(pytester: pytest.Pytester, test: str, *options: str) -> pytest.RunResult:
    """Run a file of tests in a process of its own, with everything that is installed."""
    pytester.makepyfile(test)
    pytester.makeini(
        """
        [pytest]
        asyncio_mode = auto
        asyncio_default_fixture_loop_scope = function
        filterwarnings = error
        """
    )
    return pytester.runpytest_subprocess(*PLAIN, *options)


def test_the_plugin_is_installed() -> None:
    """It is an entry point of the package, so nobody needs to name it."""
    (found,) = entry_points(group="pytest11", name="sluicegate")
    assert found.value == "sluicegate.pytest_plugin"


def test_the_plugin_is_in_the_wheel(tmp_path: Path) -> None:
    """Who installs the package has the plugin and the kit."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)  # noqa: S603 - our own build
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (points,) = (each for each in names if each.endswith("entry_points.txt"))
        assert b"[pytest11]\nsluicegate = sluicegate.pytest_plugin\n" in archive.read(points)
    assert "sluicegate/pytest_plugin.py" in names
    assert "sluicegate/simulation/receivers/asgi.py" in names
    assert "sluicegate/testing/samples.py" in names


def test_its_options_are_in_the_help(pytester: pytest.Pytester) -> None:
    """`pytest --help` tells of both."""
    told = pytester.runpytest_subprocess(*PLAIN, "--help").stdout.str()
    assert "--simulation-seed=N" in told
    assert "--simulation-soak=N" in told


def test_it_costs_nothing_to_those_who_do_not_use_it(pytester: pytest.Pytester) -> None:
    """No part of the engine is imported unless a test asks for the fixture."""
    result = run(
        pytester,
        """
        import sys

        def test_nothing_is_there():
            there = {name for name in sys.modules if name.startswith("sluicegate")}
            assert there <= {
                "sluicegate", "sluicegate.engine", "sluicegate.engine.version",
                "sluicegate.pytest_plugin",
            }
            assert "aiosqlite" not in sys.modules
        """,
    )
    result.assert_outcomes(passed=1)


SHOP = """
    import pytest
    from sluicegate.simulation import CALM, Simulation

    @pytest.mark.parametrize("count", [1, 2])
    def test_shop(simulation, count):
        shop = simulation.host("shop.example")
        sluicegate = simulation.engine()
        endpoint = sluicegate.create_endpoint(url=shop.url)
        shop.crash_before_answer()
        sluicegate.pause(endpoint.id)
        for number in range(count):
            sluicegate.send(endpoint.id, {"number": number})
        assert sluicegate.resume(endpoint.id) == count
        assert simulation.settle().finished
        print("seed", simulation.seed, simulation.digest())
        assert len(shop.requests) == CONDITION
    """


def test_a_test_gets_a_world_with_the_seed_that_is_asked_for(pytester: pytest.Pytester) -> None:
    """Each parametrized case has its own; its engine answers plain calls."""
    result = run(pytester, SHOP.replace("CONDITION", "count + 1"), "-s", "--simulation-seed=7")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*seed 7 *", "*seed 7 *"])


def test_a_soak_runs_each_test_with_many_seeds(pytester: pytest.Pytester) -> None:
    """One test for each seed, and its seed in its name; other tests are run once."""
    another = "\n    def test_other():\n        pass\n"
    result = run(
        pytester,
        SHOP.replace("CONDITION", "count + 1") + another,
        "--simulation-soak=3",
        "--simulation-seed=5",
        "-v",
    )
    result.assert_outcomes(passed=7)
    result.stdout.fnmatch_lines(
        ["*::test_shop?seed=5-1? PASSED*", "*::test_shop?seed=7-2? PASSED*"]
    )


def test_a_failure_shows_its_seed_its_repetition_and_its_trace(pytester: pytest.Pytester) -> None:
    """What a reader needs to see the same failure again is in the report; and it does it."""
    failing = SHOP.replace("CONDITION", "(count if simulation.seed == 6 else count + 1)")
    result = run(pytester, failing, "--simulation-soak=2", "--simulation-seed=5", "-k", "1")
    result.assert_outcomes(passed=1, failed=1, deselected=2)
    result.stdout.fnmatch_lines(
        [
            "*- simulation, seed 6 -*",
            'to repeat it: pytest "*.py::test_shop?1?" --simulation-seed 6',
            "*lines of its trace, in virtual seconds:",
            "*request.received shop.example*",
        ]
    )
    (command,) = (each for each in result.outlines if each.startswith("to repeat it: pytest"))
    test = command.split('"')[1]
    again = pytester.runpytest_subprocess(*PLAIN, test, "--simulation-seed", "6")
    again.assert_outcomes(failed=1)


def test_a_failure_around_a_test_shows_the_same(pytester: pytest.Pytester) -> None:
    """What nobody handled is raised when the world ends; another fixture may fail before that."""
    result = run(
        pytester,
        """
        import pytest

        def test_unhandled(simulation):
            def fail():
                raise ValueError("nobody handles this")
            simulation.loop.call_soon(fail)
            simulation.advance(1)

        @pytest.fixture
        def shop(simulation):
            shop = simulation.host("shop.example")
            raise ValueError("no shop")

        def test_never_begun(simulation, shop):
            pass
        """,
        "--simulation-seed=6",
    )
    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at teardown of test_unhandled*",
            "*- simulation, seed 6 -*",
            'to repeat it: pytest "*.py::test_unhandled" --simulation-seed 6',
            "*loop.problem*",
            "*ERROR at setup of test_never_begun*",
            "*- simulation, seed 6 -*",
        ]
    )


def test_the_marker_takes_options_by_name_only(pytester: pytest.Pytester) -> None:
    """What it would ignore is refused, with what was meant; a seed comes from elsewhere."""
    result = run(
        pytester,
        """
        import pytest
        from sluicegate.simulation import STORM

        @pytest.mark.simulation(STORM)
        def test_positional(simulation):
            pass

        @pytest.mark.simulation(seed=7)
        def test_seed(simulation):
            pass
        """,
    )
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(
        [
            "*takes options of `Simulation` by name, such as faults=STORM, and not Faults(*",
            "*takes no seed: give --simulation-seed*",
        ]
    )


def test_it_lives_beside_asyncio_and_hypothesis(pytester: pytest.Pytester) -> None:
    """Asynchronous tests go on as they were, and `@given` tests make their own worlds."""
    result = run(
        pytester,
        """
        import asyncio
        import pytest
        from hypothesis import given, settings, strategies
        from sluicegate.simulation import STORM, Simulation

        async def test_asynchronous():
            await asyncio.sleep(0)

        @settings(max_examples=3, deadline=None)
        @given(seed=strategies.integers(0, 1000))
        def test_property(seed):
            with Simulation(seed, direct=True) as simulation:
                shop = simulation.host("shop.example")
                endpoint = simulation.engine().create_endpoint(url=shop.url)

        async def test_wrong(simulation):
            pass

        @pytest.mark.simulation(faults=STORM, direct=True)
        def test_marked(simulation):
            assert simulation.network.faults is STORM
            assert simulation.seed == 0
        """,
    )
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(["*write the test as a plain `def`*"])
