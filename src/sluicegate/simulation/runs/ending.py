"""The end of a run: everything heals and finishes, then everything is read."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from sluicegate.simulation.oracle.history import EndpointView, EventKind, MessageView
from sluicegate.simulation.runs.asking import Asking
from sluicegate.simulation.runs.asking_many import AskingMany
from sluicegate.simulation.runs.client import RefusedError
from sluicegate.simulation.runs.inspection import inspect_actors
from sluicegate.simulation.runs.scene import KnownEndpoint, Scene

__all__ = ["end_run"]

_T = TypeVar("_T")

_COMES_UP_S = 5.0
_ANSWERS_S = 900.0
_TIMES_MAX = 10
_AGAIN_S = 1.0
_SLOWEST_S = 300.0
"""Everything that may hold an attempt for a time: timeouts, name servers, kernels, restarts."""
_RETRY_AFTER_S = 400.0
_EACH_S = 0.1


def end_run(scene: Scene, asking: Asking, asking_many: AskingMany) -> None:
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
        if scene.buggy:
            # An operator who saw the alarms: a command revives what is parked.
            _finish(scene, partial(asking.ask_update, endpoint, {"description": "seen"}))
    _inspect(scene)
    scene.simulation.advance(_bound_s(scene))
    _inspect(scene)
    scene.recorder.event(EventKind.SETTLED)
    for endpoint in scene.endpoints:
        _finish(scene, partial(_read, scene, endpoint))
    if scene.endpoints:
        _finish(scene, partial(_read_dead_letters, scene, asking_many))


def _inspect(scene: Scene) -> None:
    if scene.engine.is_up:
        for text in inspect_actors(scene.engine.engine):
            scene.recorder.problem(text)


def _finish(scene: Scene, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    if not scene.finish(work, within_s=_ANSWERS_S):
        scene.recorder.problem("a client was not answered, with nothing wrong any more")


async def _resume(scene: Scene, asking: Asking, endpoint: KnownEndpoint) -> None:
    """Resume an endpoint if it is paused. One that runs is left alone: it must run by itself."""
    for _ in range(_TIMES_MAX):
        shown = await _persist(scene, endpoint, scene.client.paused)
        if shown is None or not shown[0]:
            return
        await asking.ask_resume(endpoint)
    scene.recorder.problem(f"{endpoint.name} stays paused, with nothing wrong any more")


async def _read(scene: Scene, endpoint: KnownEndpoint) -> None:
    views: list[MessageView] = []
    for each in await _persist(scene, endpoint, scene.client.messages) or ():
        ask = partial(_outcomes, scene, each.id)
        outcomes = await _persist(scene, endpoint, ask) or ()
        views.append(
            MessageView(
                id=each.id,
                endpoint_id=endpoint.id,
                status=each.status,
                attempts=len(outcomes),
                outcomes=outcomes,
            )
        )
    scene.recorder.history.messages += reversed(views)
    if not endpoint.deleted:
        shown = await _persist(scene, endpoint, scene.client.paused)
        if shown is not None:
            paused, reason = shown
            view = EndpointView(name=endpoint.name.strip("/"), paused=paused, reason=reason)
            scene.recorder.history.endpoints.append(view)


async def _read_dead_letters(scene: Scene, asking_many: AskingMany) -> None:
    began_s = scene.loop.time()
    found = await _persist(scene, scene.endpoints[0], lambda _: scene.client.dead_letters())
    if found is not None:
        asking_many.saw(began_s, found, whole=True)


async def _outcomes(scene: Scene, message_id: str, _: str) -> tuple[str, ...]:
    return await scene.client.outcomes(message_id)


async def _persist(
    scene: Scene, endpoint: KnownEndpoint, ask: Callable[[str], Awaitable[_T]]
) -> _T | None:
    """Ask until there is an answer: connections may have been broken, which only use tells."""
    error = ""
    for _ in range(_TIMES_MAX):
        try:
            return await ask(endpoint.id)
        except RefusedError as refused:
            error = refused.code
            await asyncio.sleep(_AGAIN_S)
    scene.recorder.problem(f"reading {endpoint.name}: {error}")
    return None


def _bound_s(scene: Scene) -> float:
    """Return after how long everything must be over, as the schedule has it."""
    history = scene.recorder.history
    longest_s = max((*history.retry_slow_s, *history.retry_fast_s, _RETRY_AFTER_S))
    slowest_rps = 1  # the lowest rate limit that is drawn
    replayed = sum(len(call.answer.outcomes) for call in history.calls if call.answer is not None)
    messages_s = (len(history.calls) + replayed) * (_EACH_S + 1 / slowest_rps)
    return longest_s * (1 + history.retry_jitter) + _SLOWEST_S + scene.jumped_s + messages_s
