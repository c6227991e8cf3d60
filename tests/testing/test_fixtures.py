"""The fixtures in a pytest of somebody else's: beside xdist, with anyio, with none, in failures."""

import re
from pathlib import Path

import pytest

from sluicegate.testing import AsyncRealEngine, RealEngine

pytest_plugins = ["pytester"]

pytestmark = pytest.mark.timeout(180)  # a whole run of pytest, with all that is installed

PAGE = Path(__file__).parents[2] / "docs" / "testing-your-program.md"

TESTS = """
import sys
import threading

import pytest

from sluicegate.testing import HANG, assert_delivered

opened = []
sys.addaudithook(lambda event, _: opened.append(event) if event.startswith("socket.") else None)


@pytest.fixture(autouse=True)
def nothing_opened_before_and_left_behind():
    opened.clear()
    yield
    left = {each.name for each in threading.enumerate()}
    assert not left & {"sluicegate-engine", "webhook-receiver"}


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.mark.anyio
async def test_anyio(webhook_engine, webhook_receiver):
    endpoint = await webhook_engine.create_endpoint(webhook_receiver)
    await webhook_engine.send(endpoint.id, {"n": 1})
    await webhook_engine.drain()
    assert_delivered(webhook_receiver, {"n": 1})
    assert "socket.connect" in opened


@pytest.mark.parametrize("n", range(3))
def test_no_network(webhook_engine, webhook_receiver, n):
    endpoint = webhook_engine.create_endpoint(webhook_receiver)
    webhook_engine.send(endpoint.id, {"n": n})
    webhook_engine.drain()
    assert_delivered(webhook_receiver, {"n": n})
    assert opened == []


def test_own_engine(webhook_receiver, simulation):
    simulation.engine()


@pytest.mark.webhook_engine(clock="real")
def test_fails_while_a_delivery_hangs(webhook_engine, webhook_receiver):
    webhook_receiver.script(HANG)
    endpoint = webhook_engine.create_endpoint(webhook_receiver, timeout_s=120)
    webhook_engine.send(endpoint.id, {"n": 1})
    while not webhook_receiver.deliveries:
        pass
    assert_delivered(webhook_receiver, {"n": 1})


def test_fails_on_the_virtual_clock(webhook_engine):
    raise ValueError("as meant")


@pytest.mark.anyio
@pytest.mark.webhook_engine(clock="virtual")
async def test_virtual(webhook_engine):
    pass


@pytest.mark.webhook_engine(clock="sundial")
def test_clock(webhook_engine):
    pass


@pytest.mark.webhook_engine(retries=3)
def test_setting(webhook_engine):
    pass
"""


CONFTEST = """
import flask
import pytest

from sluicegate.integrations.receiving.flask import receive
from sluicegate.testing import SAMPLE_SECRET


@pytest.fixture
def client():
    app = flask.Flask("warehouse")
    app.add_url_rule("/hook", view_func=lambda: receive(SAMPLE_SECRET).message_id, methods=["POST"])
    return app.test_client()
"""


def test_the_fixtures_work_beside_xdist_and_refuse_what_cannot_be(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run without pytest-asyncio, on two processes, where every warning is an error.

    It has what the page about it shows, too.
    What hangs when its test fails keeps nothing: the run would last for its two minutes.
    """
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    plugins = ("xdist", "anyio", "sluicegate.pytest_plugin")
    pytester.makeconftest(CONFTEST)
    shown = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    pytester.makepyfile(TESTS, **{f"test_shown_{n}": code for n, code in enumerate(shown)})
    result = pytester.runpytest_subprocess(
        *(f"-p{each}" for each in plugins), "-pno:cacheprovider", "-n2", "-Werror", timeout=100
    )
    result.assert_outcomes(passed=13, failed=2, errors=3)
    result.stdout.fnmatch_lines_random(
        [
            '*{"n":1} is delivering, 0 attempts*',
            '*attempt 1: {"n":1} -> no answer',
            'to repeat it: pytest "*::test_fails_on_the_virtual_clock" --simulation-seed 0',
            "*write the test as a plain `def`, or take clock='real'*",
            "*takes clock='virtual' or clock='real', and settings by name*",
            "*'retries' is not a setting*",
        ]
    )


def test_a_loop_that_is_not_asyncios_is_told_of(tmp_path: Path) -> None:
    """Trio's, say: the first step of a call, with no loop of asyncio around it."""
    with RealEngine(tmp_path) as blocking:
        call = AsyncRealEngine(blocking).send("ep_1", {"n": 1})
        with pytest.raises(RuntimeError, match='`anyio_backend` return "asyncio"'):
            call.send(None)
