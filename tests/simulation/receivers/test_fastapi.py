"""FastAPI applications, whose plain functions would run in threads."""

import asyncio
import threading
from collections.abc import Callable
from typing import Annotated, Any

import anyio.to_thread
from fastapi import BackgroundTasks, Depends, FastAPI, Request

from sluicegate.simulation import Simulation

Recorder = list[tuple[str, threading.Thread]]


def shop(seen: Recorder) -> FastAPI:
    """Make an application with functions of each kind."""
    app = FastAPI()

    def note(what: str) -> None:
        seen.append((what, threading.current_thread()))

    def connect() -> str:
        note("dependency")
        return "connected"

    @app.post("/plain")
    def plain(body: dict[str, Any], connection: Annotated[str, Depends(connect)]) -> dict[str, Any]:
        note(f"plain {connection} {body['n']}")
        return body

    @app.post("/later")
    async def later(request: Request, tasks: BackgroundTasks) -> dict[str, Any]:
        tasks.add_task(note, "background")
        note("answer")
        body: dict[str, Any] = await request.json()
        return body

    @app.post("/broken")
    def broken() -> None:
        raise LookupError("no such book")

    return app


def deliver(path: str, make: Callable[[], object], seed: int = 0) -> tuple[list[int], str]:
    """Deliver one payload; return the statuses answered and the digest."""
    with Simulation(seed) as simulation:
        host = simulation.host("shop.example", asgi=make)
        sluicegate = simulation.engine(attempts_max=1)
        endpoint = sluicegate.create_endpoint(host.url.replace("/hook", path))
        sluicegate.send(endpoint.id, {"n": 1})
        simulation.settle()
        return [answer.status for answer in host.answers], simulation.digest()


def test_plain_functions_run_inline() -> None:
    """No thread is started: everything happens at virtual moments, in the test's thread."""
    seen: Recorder = []
    before = threading.active_count()
    statuses, _ = deliver("/plain", lambda: shop(seen))
    assert statuses == [200]
    assert [what for what, _ in seen] == ["dependency", "plain connected 1"]
    assert {thread for _, thread in seen} == {threading.current_thread()}
    assert threading.active_count() == before


def test_plain_functions_do_not_cost_the_seed_its_trace() -> None:
    """A world with somebody's FastAPI in it still repeats, byte for byte."""
    assert deliver("/plain", lambda: shop([]), 5) == deliver("/plain", lambda: shop([]), 5)


def test_background_tasks_run_after_the_answer() -> None:
    """What an application does later is done in the life that answered."""
    seen: Recorder = []
    assert deliver("/later", lambda: shop(seen))[0] == [200]
    assert [what for what, _ in seen] == ["answer", "background"]


def test_background_tasks_die_with_their_process() -> None:
    """Work that was answered for and not done yet is lost in a crash, and nobody sends it again."""
    seen: Recorder = []
    with Simulation() as simulation:
        host = simulation.host("shop.example", asgi=lambda: shop(seen))
        host.crash_after_answer()
        sluicegate = simulation.engine()
        endpoint = sluicegate.create_endpoint(host.url.replace("/hook", "/later"))
        sluicegate.send(endpoint.id, {"n": 1})
        assert simulation.settle().finished
        assert len(host.requests) == 1
    assert [what for what, _ in seen] == ["answer"]


def test_an_exception_is_answered_with_500_and_told() -> None:
    """A test can see what its application raised."""
    with Simulation() as simulation:
        host = simulation.host("shop.example", asgi=shop([]))
        sluicegate = simulation.engine(attempts_max=1)
        endpoint = sluicegate.create_endpoint(host.url.replace("/hook", "/broken"))
        sluicegate.send(endpoint.id, 1)
        simulation.settle()
        assert [answer.status for answer in host.answers] == [500]
        (problem,) = host.problems
        assert isinstance(problem, LookupError)
        assert not simulation.loop.problems


def test_anyio_has_its_threads_again_after_a_simulation() -> None:
    """What a simulation changes it gives back, and meanwhile other loops never notice."""

    async def is_elsewhere() -> bool:
        return await anyio.to_thread.run_sync(threading.current_thread) is not here

    here = threading.current_thread()
    with Simulation() as simulation:
        host = simulation.host("shop.example", asgi=lambda: shop([]))
        assert asyncio.run(is_elsewhere())
        assert not simulation.loop.run(is_elsewhere(), life=host.life)
    assert asyncio.run(is_elsewhere())
