"""How steps are drawn: weighted rules, each of which may give several steps that belong together.

Uniform rules hardly ever bring together what must meet for a bug to show: a pause with sends on
their way, a crash with an operation in flight, a replay of what has just failed.
"""

import random
from collections.abc import Callable, Iterator

import msgspec

from sluicegate.simulation.faults import CALM, STORM, Faults
from sluicegate.simulation.runs.compounds import COMPOUNDS
from sluicegate.simulation.runs.compounds_of_many import COMPOUNDS_OF_MANY
from sluicegate.simulation.runs.drawing import happens, someone
from sluicegate.simulation.runs.setup import draw_config
from sluicegate.simulation.runs.steps import (
    Behave,
    Crash,
    CrashAtWrite,
    CrashReceiver,
    CreateEndpoint,
    DeleteEndpoint,
    DiskFull,
    Heal,
    HoldAndRelease,
    JumpClock,
    Look,
    OnMessage,
    Part,
    Pass,
    Pause,
    PauseAmidSends,
    Reconfigure,
    Resend,
    Restart,
    Resume,
    RotateKey,
    Send,
    SendBatch,
    Step,
    TakeOver,
    Toggle,
    Weather,
)

__all__ = ["RULES", "draw_pass", "draw_steps"]

_SPANS = ((0.001, 0.1, 4), (0.1, 5.0, 3), (5.0, 60.0, 2), (60.0, 1000.0, 1))
"""How much time passes between steps, in seconds: from, to, and to how many digits."""
_SPANS_CUM = (0.3, 0.7, 0.87, 0.97, 1.0)
"""How often none does, or so much or less."""
_FAVOUR = (0.0, 0.3, 1.0, 1.0, 5.0)
_RARE_FAULTS = {
    "write_error": 0.1,
    "unknown_outcome": 0.05,
    "sync_error": 0.05,
    "open_error": 0.3,
    "disk_full": 0.05,
    "read_error": 0.1,
    "busy": 0.3,
    "slow_disk": 0.3,
    "bug": 0.3,
    "cancel": 0.5,
    "dns_hang": 0.3,
}
"""The highest rates of faults that would else be all that happens."""


def draw_steps(chance: random.Random, count: int) -> list[Step]:
    """Draw `count` steps or a few more."""
    steps: list[Step] = []
    # Each plan has favourites: what is done often meets itself; what is left out hides nothing.
    weights = [weight * chance.choice(_FAVOUR) for weight, _ in RULES]
    rules = [rule for _, rule in RULES]
    while len(steps) < count:
        [rule] = chance.choices(rules, weights)
        steps += rule(chance)
        steps += draw_pass(chance)
    return steps


def draw_pass(chance: random.Random) -> Iterator[Step]:
    """Draw whether, and for how long, time passes before the next step."""
    [span] = chance.choices((None, *_SPANS), cum_weights=_SPANS_CUM)
    if span is not None:
        least_s, most_s, digits = span
        yield Pass(seconds=round(chance.uniform(least_s, most_s), digits))


def _send(chance: random.Random) -> Iterator[Step]:
    yield Send(
        endpoint=someone(chance),
        count=chance.choice((1, 1, 1, 2, 3)),
        padding=chance.choice((0, 0, 100, 5000)),
        keyed=happens(chance, 0.4),
        headers=happens(chance, 0.2),
        kept_hours=chance.choice((None, None, None, 0, 1)),
        patience_s=chance.choice((None, None, None, round(chance.uniform(0, 0.03), 4))),
    )


def _burst(chance: random.Random) -> Iterator[Step]:
    yield Send(
        endpoint=someone(chance),
        count=chance.randint(4, 20),
        apart_s=chance.choice((0.0, 0.0, 0.001, 0.01, 0.2)),
    )


def _batch(chance: random.Random) -> Iterator[Step]:
    several = tuple(someone(chance) for _ in range(chance.randint(1, 8)))
    yield SendBatch(endpoints=several, keyed=happens(chance, 0.3))


def _resend(chance: random.Random) -> Iterator[Step]:
    if happens(chance, 0.5):
        yield Send(endpoint=someone(chance), keyed=True)
        yield from draw_pass(chance)
    yield Resend(
        which=chance.choice((0, 0, 0, 1, 2, chance.randrange(50))),
        times=chance.choice((1, 1, 2, 3)),
        altered=happens(chance, 0.2),
    )


def _pause(chance: random.Random) -> Iterator[Step]:
    yield Pause(endpoint=someone(chance), times=chance.choice((1, 1, 1, 2, 3)))


def _resume(chance: random.Random) -> Iterator[Step]:
    yield Resume(endpoint=someone(chance), times=chance.choice((1, 1, 1, 2)))


def _hold(chance: random.Random) -> Iterator[Step]:
    yield HoldAndRelease(
        endpoint=someone(chance),
        count=chance.randint(1, 12),
        held_s=chance.choice((0.0, 0.01, 1.0, 30.0)),
    )


def _pause_amid(chance: random.Random) -> Iterator[Step]:
    endpoint = someone(chance)
    yield PauseAmidSends(
        endpoint=endpoint,
        count=chance.randint(1, 12),
        after_s=round(chance.choice((0.0, chance.uniform(0, 0.01), chance.uniform(0, 0.1))), 4),
    )
    if happens(chance, 0.7):
        yield Pass(seconds=round(chance.choice((0.02, 0.5, 20.0)), 3))
        yield Resume(endpoint=endpoint)


def _toggle(chance: random.Random) -> Iterator[Step]:
    yield Toggle(endpoint=someone(chance), times=chance.randint(2, 6))


def _reconfigure(chance: random.Random) -> Iterator[Step]:
    config = draw_config(chance)
    name = chance.choice(sorted(config))
    endpoint = someone(chance)
    if happens(chance, 0.5):
        yield Send(endpoint=endpoint, count=chance.randint(1, 8))
    if happens(chance, 0.3):
        yield Reconfigure(endpoint=endpoint, receiver=someone(chance))
    else:
        yield Reconfigure(endpoint=endpoint, changes={name: config[name]})


def _rotate(chance: random.Random) -> Iterator[Step]:
    endpoint = someone(chance)
    yield RotateKey(endpoint=endpoint)
    if happens(chance, 0.6):
        yield Send(endpoint=endpoint, count=2)
        yield from draw_pass(chance)
        yield RotateKey(endpoint=endpoint, remove=True)


def _on_message(chance: random.Random) -> Iterator[Step]:
    operation, statuses = chance.choice(
        (
            ("replay", ("failed_permanent", "succeeded", "pending_retry", None)),
            ("replay", ("failed_permanent",)),
            ("retry_now", ("pending_retry", "pending_retry", "paused", None)),
            ("cancel", ("pending_retry", "pending_retry", "paused", None)),
            ("delete_message", ("pending_retry", "succeeded", "queued", "delivering", None)),
        )
    )
    yield OnMessage(
        endpoint=someone(chance),
        operation=operation,
        status=chance.choice(statuses),
        which=chance.choice((0, 0, 1, chance.randrange(20))),
        times=chance.choice((1, 1, 1, 2)),
    )


def _look(chance: random.Random) -> Iterator[Step]:
    yield Look(endpoint=someone(chance))


def _delete_endpoint(chance: random.Random) -> Iterator[Step]:
    endpoint = someone(chance)
    yield Send(endpoint=endpoint, count=chance.randint(1, 6))
    yield from draw_pass(chance)
    yield DeleteEndpoint(endpoint=endpoint)


def _create_endpoint(chance: random.Random) -> Iterator[Step]:
    yield CreateEndpoint(receiver=someone(chance), config=draw_config(chance))


def _one_fault(chance: random.Random) -> Faults:
    name = chance.choice([each for each in Faults.__struct_fields__ if each != "latency_s"])
    highest = _RARE_FAULTS.get(name, 0.9)
    return msgspec.structs.replace(CALM, **{name: round(chance.uniform(0.3 * highest, highest), 3)})


def _weather(chance: random.Random) -> Iterator[Step]:
    faults = chance.choice((CALM, CALM, STORM, _one_fault(chance), _one_fault(chance)))
    everywhere = happens(chance, 0.7)
    yield Weather(faults=faults, receiver=None if everywhere else someone(chance))


def _behave(chance: random.Random) -> Iterator[Step]:
    yield Behave(
        receiver=someone(chance),
        status=chance.choice((500, 429, 404, 302, 410, 503, 408)),
        count=chance.choice((1, 2, 5, 20)),
    )


def _crash(chance: random.Random) -> Iterator[Step]:
    if happens(chance, 0.5):
        yield Send(endpoint=someone(chance), count=chance.randint(1, 8))
        yield Pass(seconds=round(chance.uniform(0.001, 0.05), 4))
    yield Crash(power_loss=happens(chance, 0.4))


_AMID: tuple[Callable[[random.Random], Iterator[Step]], ...] = (
    _send,
    _burst,
    _batch,
    _pause,
    _pause,
    _resume,
    _toggle,
    _pause_amid,
    _on_message,
    _rotate,
    _reconfigure,
)


def _crash_at_write(chance: random.Random) -> Iterator[Step]:
    amid: list[Step] = []
    for _ in range(chance.choice((1, 1, 2, 3))):
        amid += [each for each in chance.choice(_AMID)(chance) if not isinstance(each, Pass)]
    yield CrashAtWrite(
        nth=chance.choice((1, 1, 1, 2, 2, 3, 4, 6)),
        power_loss=happens(chance, 0.5),
        amid=tuple(amid),
    )
    yield Pass(seconds=round(chance.uniform(0.01, 4), 3))


def _restart(chance: random.Random) -> Iterator[Step]:
    yield Restart(down_s=chance.choice((0.0, 1.0, 60.0)))


def _part(chance: random.Random) -> Iterator[Step]:
    yield Part(
        receiver=someone(chance),
        seconds=chance.choice((0.5, 5.0, 60.0)),
        clients=happens(chance, 0.3),
    )


def _jump_clock(chance: random.Random) -> Iterator[Step]:
    yield JumpClock(seconds=chance.choice((-600.0, -30.0, -1.0, 1.0, 30.0, 600.0)))


def _crash_receiver(chance: random.Random) -> Iterator[Step]:
    yield CrashReceiver(receiver=someone(chance), down_s=chance.choice((0.1, 3.0, 60.0)))


def _disk_full(chance: random.Random) -> Iterator[Step]:
    yield DiskFull(seconds=chance.choice((0.5, 5.0, 60.0)))
    yield Send(endpoint=someone(chance), count=2)


def _take_over(chance: random.Random) -> Iterator[Step]:
    yield TakeOver()
    yield Send(endpoint=someone(chance), count=2)


def _heal(_: random.Random) -> Iterator[Step]:
    yield Heal()


RULES: tuple[tuple[float, Callable[[random.Random], Iterator[Step]]], ...] = (
    (10, _send),
    (8, _burst),
    (4, _batch),
    (4, _resend),
    (5, _pause),
    (6, _resume),
    (5, _hold),
    (5, _pause_amid),
    (3, _toggle),
    (4, _reconfigure),
    (2, _rotate),
    (6, _on_message),
    (3, _look),
    (1, _delete_endpoint),
    (1, _create_endpoint),
    (6, _weather),
    (3, _behave),
    (2, _crash),
    (5, _crash_at_write),
    (1, _restart),
    (1, _part),
    (0.7, _jump_clock),
    (1, _crash_receiver),
    (0.7, _disk_full),
    (1.5, _take_over),
    (2, _heal),
    *COMPOUNDS,
    *COMPOUNDS_OF_MANY,
)
"""How often each rule is drawn, in proportion."""
