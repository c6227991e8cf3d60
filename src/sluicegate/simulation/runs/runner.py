"""Runs one world from its beginning to its end, and has it judged."""

import traceback
from collections import Counter
from collections.abc import Iterator
from typing import Literal, TypeAlias

import msgspec

from sluicegate.simulation.oracle import Violation, judge
from sluicegate.simulation.oracle.history import History
from sluicegate.simulation.runs.ending import end_run
from sluicegate.simulation.runs.inspection import inspect_file
from sluicegate.simulation.runs.logged import unexplained
from sluicegate.simulation.runs.plan import Plan, draw_plan
from sluicegate.simulation.runs.player import Player
from sluicegate.simulation.runs.scene import Scene
from sluicegate.simulation.simulation import Simulation

__all__ = ["Mode", "Run", "judged", "mode_of", "run"]

Mode: TypeAlias = Literal["direct", "http"]

_HTTP_EVERY = 10
_TAIL_LINES = 50


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One world, when it is over."""

    seed: int
    mode: Mode
    plan: Plan
    history: History
    violations: tuple[Violation, ...]
    digest: str
    """Stands for everything that happened."""
    tail: tuple[str, ...]
    """The last lines of the trace."""
    virtual_s: float
    callbacks: int
    """What the loop had to run."""
    requests: int
    """That receivers got whole."""
    messages: int
    """That were accepted."""
    judged: dict[str, int]
    """By a rule's name, how many of its cases nothing excused."""

    @property
    def rules(self) -> frozenset[str]:
        """The rules that were broken."""
        return frozenset(each.rule for each in self.violations)


def mode_of(seed: int) -> Mode:
    """Return how a seed is run if nothing else is said: one of ten over HTTP."""
    return "http" if seed % _HTTP_EVERY == 0 else "direct"


def run(seed: int, *, mode: Mode | None = None, plan: Plan | None = None) -> Run:
    """Run a seed: the same seed, mode and plan give the same run, byte for byte.

    Args:
        seed: what everything is drawn from.
        mode: `direct`, clients in the engine's process and requests as values; `http`, clients
            and receivers over the simulated network. By default as `mode_of` says.
        plan: what happens; by default the seed's own.
    """
    mode = mode_of(seed) if mode is None else mode
    plan = draw_plan(seed) if plan is None else plan
    violations: list[Violation] = []
    counts: Counter[str] = Counter()
    with Simulation(seed, direct=mode == "direct") as simulation:
        history = History()
        try:
            scene = Scene(simulation, plan.setup, history, http=mode == "http")
            _play(scene, plan)
        except Exception:  # noqa: BLE001 - whatever it is, it is a finding
            text = traceback.format_exc().strip()
            at_s = simulation.loop.time()
            violations.append(Violation(rule="run_crashed", at_s=at_s, text=text))
        else:
            violations += judged(scene, counts)
        digest, tail = simulation.digest(), simulation.trace.tail(_TAIL_LINES)
        return Run(
            seed=seed,
            mode=mode,
            plan=plan,
            history=history,
            violations=tuple(violations),
            digest=digest,
            tail=tuple(tail),
            virtual_s=simulation.loop.time(),
            callbacks=simulation.loop.steps,
            requests=len(history.exchanges),
            judged=dict(counts),
            messages=len({call.message_id for call in history.calls if call.payload}),
        )


def _play(scene: Scene, plan: Plan) -> None:
    player = Player(scene)
    player.begin(plan.faults)
    for step in plan.steps:
        player.play(step)
    end_run(scene, player.asking, player.asking_many)
    scene.close()


def judged(scene: Scene, counts: Counter[str] | None = None) -> Iterator[Violation]:
    """Yield all that is wrong in a world that has ended: what was seen, its file, loop and log.

    Args:
        scene: the world.
        counts: by a rule's name, the number of its cases that nothing excused is added here.
    """
    yield from judge(scene.recorder.history, counts)
    at_s = scene.loop.time()
    found = [("file", each) for each in inspect_file(scene.simulation.disk.database)]
    found += [("client", each) for each in scene.recorder.problems]
    for problem in scene.loop.problems:
        error = problem.get("exception")
        found.append(("unhandled", f"{problem['message']}: {type(error).__name__}: {error}"))
    found += [("log", each) for each in unexplained(scene)]
    for rule, text in found:
        yield Violation(rule=rule, at_s=at_s, text=text)
