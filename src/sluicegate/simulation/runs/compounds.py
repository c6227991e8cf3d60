"""Steps that belong together: what must meet for a bug to show, and hardly ever would by itself."""

import random
from collections.abc import Callable, Iterator

from sluicegate.simulation.faults import CALM, Faults
from sluicegate.simulation.runs.drawing import NEWEST, behave_everywhere, happens, someone
from sluicegate.simulation.runs.steps import (
    Crash,
    CreateEndpoint,
    Heal,
    OnMessage,
    Pass,
    Pause,
    PauseAmidSends,
    Reconfigure,
    Resend,
    Resume,
    RotateKey,
    Send,
    Step,
    Toggle,
    Weather,
)

__all__ = ["COMPOUNDS", "draw_ending"]

_ENDPOINTS = 6
_OPERATIONS = ("retry_now", "cancel", "replay", "delete_message")


def _fail_then(chance: random.Random) -> Iterator[Step]:
    """Let messages fail everywhere, and do something to them; then let their time come."""
    endpoint = someone(chance)
    yield Weather(faults=Faults(server_error=0.9))
    yield Send(endpoint=endpoint, count=chance.randint(1, 5))
    yield Pass(seconds=round(chance.uniform(0.05, 3), 3))
    for _ in range(chance.randint(1, 3)):
        operation = chance.choice(_OPERATIONS)
        yield OnMessage(
            endpoint=endpoint,
            operation=operation,
            status=chance.choice(("pending_retry", "pending_retry", "pending_retry", None)),
            which=chance.choice((0, 0, 1, 2)),
        )
    yield Pass(seconds=round(chance.uniform(0.02, 1), 3))
    yield Weather(faults=CALM)
    yield Pass(seconds=chance.choice((1.0, 8.0, 40.0)))


def _pause_what_fails(chance: random.Random) -> Iterator[Step]:
    """Let messages fail, pause, and send more; the retries come due while they are held."""
    endpoint = someone(chance)
    yield Weather(faults=Faults(server_error=0.9))
    yield Send(endpoint=endpoint, count=chance.randint(1, 5))
    yield Pass(seconds=round(chance.uniform(0.1, 3), 3))
    yield Pause(endpoint=endpoint)
    yield Pass(seconds=0.1)
    yield Weather(faults=CALM)
    yield Send(endpoint=endpoint, count=chance.randint(1, 5))
    yield Pass(seconds=chance.choice((0.1, 8.0, 70.0)))
    if happens(chance, 0.3):
        yield OnMessage(endpoint=endpoint, operation=chance.choice(_OPERATIONS), status="paused")
    yield Resume(endpoint=endpoint)
    yield Pass(seconds=round(chance.uniform(0.1, 2), 3))


def _pause_what_is_slow(chance: random.Random) -> Iterator[Step]:
    """Pause, resume and operate while attempts are in flight for seconds."""
    endpoint = someone(chance)
    yield Weather(faults=Faults(slow=0.9))
    yield Send(endpoint=endpoint, count=chance.randint(2, 8))
    yield Pass(seconds=round(chance.uniform(0.05, 0.5), 3))
    if happens(chance, 0.4):
        yield OnMessage(
            endpoint=endpoint,
            operation=chance.choice(("replay", "delete_message", "cancel")),
            status=chance.choice(("delivering", "delivering", None)),
        )
    yield Toggle(endpoint=endpoint, times=chance.choice((2, 2, 4)))
    yield Pass(seconds=round(chance.uniform(0.05, 2), 3))
    yield Weather(faults=CALM)


def _pause_what_connects(chance: random.Random) -> Iterator[Step]:
    """Pause while attempts are on their way to a connection, which takes long."""
    endpoint = someone(chance)
    yield Weather(faults=Faults(latency_s=(0.005, chance.choice((0.2, 0.9)))))
    yield PauseAmidSends(
        endpoint=endpoint,
        count=chance.randint(3, 12),
        after_s=round(chance.uniform(0.01, 0.3), 3),
    )
    yield Pass(seconds=round(chance.uniform(1, 5), 3))
    yield Weather(faults=CALM)
    yield Resume(endpoint=endpoint)


def _command_what_waits_for_its_rate(chance: random.Random) -> Iterator[Step]:
    """Give a rate-limited endpoint commands, while more waits than it may send."""
    endpoint = someone(chance)
    rate = {"rate_limit_rps": chance.choice((1, 3)), "burst": chance.choice((1, 3, 5))}
    yield Reconfigure(endpoint=endpoint, changes={**rate, "ordered": False, "max_in_flight": 16})
    yield Pass(seconds=1)
    yield Send(endpoint=endpoint, count=chance.randint(10, 20))
    for _ in range(chance.randint(2, 4)):
        yield Pass(seconds=round(chance.uniform(0.02, 0.2), 3))
        yield chance.choice(
            (
                RotateKey(endpoint=endpoint, remove=happens(chance, 0.5)),
                Reconfigure(endpoint=endpoint, changes={"description": "again"}),
                OnMessage(endpoint=endpoint, operation="delete_message", status="queued", which=-1),
            )
        )
    yield Pass(seconds=1)


def _rotate_amid_sends(chance: random.Random) -> Iterator[Step]:
    """Add a key, remove the old one, and send before, between and after."""
    endpoint = someone(chance)
    for remove in (False, True):
        yield Send(endpoint=endpoint)
        yield RotateKey(endpoint=endpoint, remove=remove)
        yield Pass(seconds=round(chance.uniform(0.03, 1), 3))
    yield Send(endpoint=endpoint, count=2)
    yield Pass(seconds=round(chance.uniform(0.03, 1), 3))


def _create_in_calm(chance: random.Random) -> Iterator[Step]:
    """Create an endpoint that nothing holds up, and let an old trouble's aftermath be over."""
    yield Weather(faults=CALM)
    yield CreateEndpoint(receiver=someone(chance), config={})
    yield Pass(seconds=100)


def _hasten_in_calm(chance: random.Random) -> Iterator[Step]:
    """Ask for an attempt of what has failed once, when nothing else is wrong."""
    yield from _create_in_calm(chance)
    yield from behave_everywhere(500, 1)
    yield Send(endpoint=NEWEST)
    yield Pass(seconds=0.3)
    yield from behave_everywhere(200, 0)
    operation = chance.choice(("retry_now", "retry_now", "replay"))
    yield OnMessage(endpoint=NEWEST, operation=operation, status="pending_retry")
    yield Pass(seconds=60)


def _trickle_in_calm(chance: random.Random) -> Iterator[Step]:
    """Send now and then, when nothing is wrong: nothing else wakes what is forgotten."""
    yield from _create_in_calm(chance)
    apart_s = chance.choice((0.001, 0.002, 0.003))
    for _ in range(chance.randint(2, 4)):
        yield Send(endpoint=NEWEST, count=chance.randint(2, 6), apart_s=apart_s)
        yield Pass(seconds=20)


def _replay_what_is_tried_again(chance: random.Random) -> Iterator[Step]:
    """Replay a message whose second attempt is in flight."""
    endpoint = someone(chance)
    yield from behave_everywhere(500, 2)
    yield Send(endpoint=endpoint, count=2)
    yield Pass(seconds=0.3)
    yield from behave_everywhere(200, 0)
    yield Weather(faults=Faults(slow=0.9))
    yield OnMessage(endpoint=endpoint, operation="retry_now", status="pending_retry")
    yield Pass(seconds=0.2)
    for operation in ("replay", "cancel", "retry_now"):
        yield OnMessage(endpoint=endpoint, operation=operation, status="delivering")
    yield Pass(seconds=10)
    yield Weather(faults=CALM)


def _replay_what_goes_on_failing(chance: random.Random) -> Iterator[Step]:
    """Replay a message that succeeded, to a receiver that fails from then on."""
    endpoint = someone(chance)
    yield Send(endpoint=endpoint)
    yield Pass(seconds=1)
    yield Weather(faults=Faults(server_error=1.0))
    yield OnMessage(endpoint=endpoint, operation="replay", status="succeeded")
    yield Pass(seconds=chance.choice((30.0, 1000.0)))
    yield Weather(faults=CALM)


def _crash_actors(chance: random.Random) -> Iterator[Step]:
    """Let our own code fail while other attempts are in flight, or being recorded slowly."""
    endpoint = someone(chance)
    slow, slow_disk = chance.choice(((0.8, 0.0), (0.0, 0.6), (0.3, 0.3)))
    yield Weather(faults=Faults(bug=0.25, slow=slow, slow_disk=slow_disk))
    yield Send(
        endpoint=endpoint, count=chance.randint(5, 12), apart_s=chance.choice((0.0, 0.05, 0.4))
    )
    yield Pass(seconds=chance.choice((5.0, 15.0)))
    yield Weather(faults=CALM)
    yield Pass(seconds=round(chance.uniform(1, 10), 3))


def _send_again_with_the_key(chance: random.Random) -> Iterator[Step]:
    """Send with a key, and again: at the same moment, or with an end of the process between."""
    yield Send(endpoint=someone(chance), keyed=True)
    if happens(chance, 0.5):
        yield Resend(which=0, times=2)
        return
    yield Pass(seconds=0.1)
    yield Crash(power_loss=happens(chance, 0.5))
    yield Pass(seconds=2)
    yield Resend(which=0)


def _open_and_close_a_circuit(chance: random.Random) -> Iterator[Step]:
    """Let an endpoint fail until its circuit is open, and its probes be slow; then let it succeed.

    It has succeeded before, and fails in time: else it had one attempt at a time in any case.
    """
    endpoint = NEWEST
    yield Weather(faults=CALM)
    yield CreateEndpoint(receiver=someone(chance), config={})
    yield Pass(seconds=1)
    yield Send(endpoint=endpoint)
    yield Pass(seconds=1)
    yield from behave_everywhere(500, 60)
    yield Send(endpoint=endpoint, count=chance.randint(10, 16))
    yield Pass(seconds=2)
    yield Weather(faults=Faults(slow=0.9))
    yield Pass(seconds=chance.choice((30.0, 70.0)))
    yield from behave_everywhere(200, 0)
    yield Weather(faults=CALM)
    yield Pass(seconds=100)
    yield OnMessage(endpoint=endpoint, operation="retry_now", status="pending_retry")
    yield Send(endpoint=endpoint)
    yield Pass(seconds=1)
    yield from behave_everywhere(500, 1)
    yield Send(endpoint=endpoint)
    yield Pass(seconds=round(chance.uniform(0.1, 1), 3))
    yield from behave_everywhere(200, 0)
    yield Send(endpoint=endpoint, count=2)
    yield Pass(seconds=40)


COMPOUNDS: tuple[tuple[float, Callable[[random.Random], Iterator[Step]]], ...] = (
    (6, _fail_then),
    (2, _pause_what_fails),
    (4, _pause_what_is_slow),
    (2, _pause_what_connects),
    (1, _command_what_waits_for_its_rate),
    (1.5, _rotate_amid_sends),
    (3, _open_and_close_a_circuit),
    (3, _send_again_with_the_key),
    (2, _crash_actors),
    (2, _hasten_in_calm),
    (2, _trickle_in_calm),
    (2, _replay_what_is_tried_again),
    (2, _replay_what_goes_on_failing),
)
"""How often each is drawn, in proportion to the simple rules."""


def draw_ending(chance: random.Random) -> Iterator[Step]:
    """Draw the last that happens to each endpoint: whatever is forgotten now, nothing brings back.

    What comes later would wake the endpoint, and hide that it had not been woken.
    """
    if happens(chance, 0.4):  # some runs end in the middle of things
        return
    yield Heal()
    for endpoint in range(_ENDPOINTS):
        yield Resume(endpoint=endpoint)
    yield Pass(seconds=chance.choice((5.0, 100.0)))
    for endpoint in range(_ENDPOINTS):
        [last] = chance.choices(("hasty", "replay", "in doubt", "plain"), (5, 2, 1, 2))
        if last == "hasty":
            yield Send(endpoint=endpoint, patience_s=round(chance.uniform(0.0005, 0.006), 4))
        elif last == "replay":
            yield OnMessage(
                endpoint=endpoint, operation="replay", status="succeeded", which=someone(chance)
            )
        elif last == "in doubt":
            yield Weather(faults=Faults(unknown_outcome=0.4))
            yield Send(endpoint=endpoint, count=2)
            yield Pass(seconds=0.1)
            yield Weather(faults=CALM)
        else:
            yield Send(endpoint=endpoint)
        yield Pass(seconds=round(chance.uniform(0.01, 0.5), 3))
