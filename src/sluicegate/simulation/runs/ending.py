"""The end of a run: everything heals and finishes, then everything is read."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from sluicegate.simulation.oracle.history import EventKind, MessageView
from sluicegate.simulation.runs.asking import Asking
from sluicegate.simulation.runs.client import RefusedError
from sluicegate.simulation.runs.inspection import inspect_actors
from sluicegate.simulation.runs.scene import KnownEndpoint, Scene

__all__ = ["end_run"]

_COMES_UP_S = 5.0
_ANSWERS_S = 900.0
_TIMES_MAX = 10
_AGAIN_S = 5.0
_SLOWEST_S = 300.0
"""Everything that may hold an attempt for a time: timeouts, name servers, kernels, restarts."""
_RETRY_AFTER_S = 60.0
_EACH_S = 0.1


def end_run(scene: Scene, asking: Asking) -> None:
    """Heal, resume what should run, let everything finish, and read it."""
    scene.heal()
    scene.simulation.advance(_COMES_UP_S)
    scene.engine.start()
    scene.simulation.advance(_COMES_UP_S)
    alive = [each for each in scene.endpoints if not each.deleted]
    for endpoint in alive:
        if endpoint.number not in scene.setup.left_paused:
            _finish(scene, partial(_resume, scene, asking, endpoint))
    for endpoint in alive:
        if any("endpoint.parked" in line and endpoint.id in line for line in scene.logged):
            # An operator who saw the alarm: a command revives it.
            _finish(scene, partial(asking.ask_update, endpoint, {"description": "seen"}))
    _inspect(scene)
    scene.simulation.advance(_bound_s(scene))
    _inspect(scene)
    scene.recorder.event(EventKind.SETTLED)
    for endpoint in scene.endpoints:
        _finish(scene, partial(_read, scene, endpoint))


def _inspect(scene: Scene) -> None:
    if scene.engine.is_up:
        for text in inspect_actors(scene.engine.engine):
            scene.recorder.problem(text)


def _finish(scene: Scene, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    if not scene.finish(work, within_s=_ANSWERS_S):
        scene.recorder.problem("a client was not answered, with nothing wrong any more")


async def _resume(scene: Scene, asking: Asking, endpoint: KnownEndpoint) -> None:
    """Resume an endpoint if it is paused. One that runs is left alone: it must run by itself."""
    try:
        if await scene.client.is_paused(endpoint.id):
            await asking.ask_resume(endpoint)
    except RefusedError as error:
        scene.recorder.problem(f"reading {endpoint.name}: {error.code}")


async def _read(scene: Scene, endpoint: KnownEndpoint) -> None:
    views: list[MessageView] = []
    try:
        for each in await scene.client.messages(endpoint.id):
            outcomes = await scene.client.outcomes(each.id)
            views.append(
                MessageView(
                    id=each.id,
                    endpoint_id=endpoint.id,
                    status=each.status,
                    attempts=len(outcomes),
                    outcomes=outcomes,
                )
            )
    except RefusedError as error:
        scene.recorder.problem(f"reading the messages of {endpoint.name}: {error.code}")
    scene.recorder.history.messages += reversed(views)


def _bound_s(scene: Scene) -> float:
    """Return after how long everything must be over, as the schedule has it."""
    history = scene.recorder.history
    longest_s = max((*history.retry_slow_s, *history.retry_fast_s, _RETRY_AFTER_S))
    slowest_rps = 1  # the lowest rate limit that is drawn
    messages_s = len(history.calls) * (_EACH_S + 1 / slowest_rps)
    return longest_s * (1 + history.retry_jitter) + _SLOWEST_S + scene.jumped_s + messages_s
