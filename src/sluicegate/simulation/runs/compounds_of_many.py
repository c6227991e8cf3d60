"""Steps that belong together around many messages: replays and deletions in bulk, of the DLQ."""

import random
from collections.abc import Callable, Iterator

from sluicegate.simulation.faults import CALM, Faults
from sluicegate.simulation.runs.drawing import NEWEST, behave_everywhere, happens, someone
from sluicegate.simulation.runs.steps import (
    Crash,
    CreateEndpoint,
    OnDeadLetter,
    OnMany,
    OnMessage,
    Pass,
    Pause,
    Resume,
    Send,
    Step,
    Weather,
)

__all__ = ["COMPOUNDS_OF_MANY", "draw_two"]

_LIMITS = (1000, 1000, 1000, 1, 2)


def _many(chance: random.Random, endpoint: int, operation: str, status: str | None) -> OnMany:
    anywhere = operation.endswith("_all") and happens(chance, 0.2)
    return OnMany(
        operation=operation,
        endpoint=None if anywhere else endpoint,
        status=status,
        limit=chance.choice(_LIMITS),
        times=chance.choice((1, 1, 2, 3)),
        stranger=happens(chance, 0.5),
    )


def _on_many(chance: random.Random) -> Iterator[Step]:
    """Do something to many messages, however they are."""
    operation, statuses = chance.choice(
        (
            ("replay_all", ("failed_permanent", "pending_retry")),
            ("replay_batch", ("failed_permanent", "succeeded", "pending_retry", "paused", None)),
            ("delete_all", ("succeeded", "failed_permanent", "pending_retry", "queued", "paused")),
            ("delete_batch", ("succeeded", "pending_retry", "delivering", "queued", None)),
        )
    )
    yield _many(chance, someone(chance), operation, chance.choice(statuses))


def _on_dead_letter(chance: random.Random) -> Iterator[Step]:
    """Replay what is in the dead letter queue, from there."""
    yield OnDeadLetter(which=chance.randrange(8), times=chance.choice((1, 1, 2)))


def _replay_what_failed(chance: random.Random) -> Iterator[Step]:
    """Let several fail for good, and replay them: all, by id, or one from the dead letter queue.

    While they are held, while others of them are in flight, or twice at once.
    """
    endpoint, count = someone(chance), chance.randint(2, 8)
    yield Weather(faults=CALM)
    yield from behave_everywhere(chance.choice((404, 404, 302)), count)
    yield Send(endpoint=endpoint, count=count)
    yield Pass(seconds=chance.choice((0.3, 2.0)))
    yield from behave_everywhere(200, 0)
    how = chance.choice(("at once", "held", "slow", "held"))
    if how == "held":
        yield Pause(endpoint=endpoint)
        yield Pass(seconds=0.1)
    elif how == "slow":
        yield Weather(faults=Faults(slow=0.9))
    for _ in range(chance.choice((1, 2, 2))):
        operation = chance.choice(("replay_all", "replay_batch", "dead letter"))
        if operation == "dead letter":
            yield OnDeadLetter(which=chance.choice((0, 0, 1, 2)), times=chance.choice((1, 2)))
        else:
            yield _many(chance, endpoint, operation, "failed_permanent")
        yield Pass(seconds=round(chance.choice((0.0, 0.05, chance.uniform(0, 1))), 3))
    if happens(chance, 0.2):
        yield Crash(power_loss=happens(chance, 0.5))
    yield Pass(seconds=chance.choice((0.5, 10.0)))
    yield Weather(faults=CALM)
    if how == "held":
        yield Resume(endpoint=endpoint)
        yield Pass(seconds=0.5)


def _delete_what_waits(chance: random.Random) -> Iterator[Step]:
    """Let several wait, be held, be in flight or be over, and delete them all; then let time pass.

    Their time would come then, if they were not deleted.
    """
    endpoint, count = someone(chance), chance.randint(2, 8)
    how = chance.choice(("pending_retry", "paused", "delivering", "failed_permanent"))
    if how == "paused":
        yield Pause(endpoint=endpoint)
        yield Pass(seconds=0.1)
    elif how == "delivering":
        yield Weather(faults=Faults(slow=0.9))
    else:
        yield from behave_everywhere(500 if how == "pending_retry" else 404, count)
    yield Send(endpoint=endpoint, count=count, keyed=happens(chance, 0.5))
    yield Pass(seconds=round(chance.uniform(0.05, 1), 3))
    yield from behave_everywhere(200, 0)
    operation = chance.choice(("delete_all", "delete_all", "delete_batch"))
    yield _many(chance, endpoint, operation, chance.choice((how, how, None)))
    if happens(chance, 0.5):
        yield Pass(seconds=round(chance.uniform(0.0, 0.3), 3))
        yield _many(chance, endpoint, chance.choice(("delete_all", "replay_batch")), how)
    yield Pass(seconds=0.1)
    yield Weather(faults=CALM)
    yield Resume(endpoint=endpoint)
    yield Pass(seconds=chance.choice((1.0, 8.0, 40.0)))


def _replay_behind_a_rate_limit(chance: random.Random) -> Iterator[Step]:
    """Let several replays wait for a rate limit while new messages come.

    To an actor that has read nothing yet, if it was idle for long: so seed 2135 found its bug.
    """
    rate: dict[str, object] = {"rate_limit_rps": 1, "burst": 1, "ordered": happens(chance, 0.2)}
    yield CreateEndpoint(receiver=someone(chance), config=rate)
    yield Pass(seconds=1)
    count = chance.randint(2, 4)
    yield Send(endpoint=NEWEST, count=count)
    yield Pass(seconds=chance.choice((6.0, 20.0, 70.0)))
    if happens(chance, 0.5):
        yield OnMany(operation="replay_batch", endpoint=NEWEST, status="succeeded")
    else:
        for which in range(count):
            yield OnMessage(endpoint=NEWEST, operation="replay", status="succeeded", which=which)
    yield Pass(seconds=round(chance.choice((0.02, chance.uniform(0.02, 1.5))), 3))
    yield Send(endpoint=NEWEST, count=chance.randint(1, 3), apart_s=chance.choice((0.0, 0.3)))
    yield Pass(seconds=chance.choice((1.0, 15.0)))


def _wait_as_asked(chance: random.Random) -> Iterator[Step]:
    """Let receivers ask to be left alone, in seconds and in dates, and take them by their word."""
    endpoint = someone(chance)
    busy = chance.choice((Faults(too_many=0.9), Faults(server_error=0.6, too_many=0.4)))
    yield Weather(faults=busy)
    yield Send(endpoint=endpoint, count=chance.randint(2, 5))
    yield Pass(seconds=round(chance.uniform(0.5, 5), 3))
    yield Weather(faults=CALM)
    yield Pass(seconds=chance.choice((8.0, 25.0, 70.0)))


def _crash_an_actor_while_it_writes(chance: random.Random) -> Iterator[Step]:
    """Let our own code fail at one attempt while the result of another is being written slowly.

    A rate limit keeps them a second apart: the first has come to its end before anything is wrong
    but the disk, so that a second delivery of it has no excuse.
    """
    config: dict[str, object] = {"rate_limit_rps": 1, "burst": 1}
    yield CreateEndpoint(receiver=someone(chance), config=config)
    yield Weather(faults=CALM)
    yield Pass(seconds=1)
    yield Send(endpoint=NEWEST, count=chance.randint(4, 7))
    yield Pass(seconds=round(chance.uniform(0.3, 0.8), 3))
    yield Weather(faults=Faults(slow_disk=chance.choice((0.7, 1.0))))
    yield Pass(seconds=round(chance.uniform(0.4, 0.9), 3))
    yield Weather(faults=Faults(slow_disk=chance.choice((0.0, 0.5)), bug=1.0))
    yield Pass(seconds=round(chance.uniform(0.5, 1.5), 3))
    yield Weather(faults=CALM)
    yield Pass(seconds=chance.choice((5.0, 15.0)))


COMPOUNDS_OF_MANY: tuple[tuple[float, Callable[[random.Random], Iterator[Step]]], ...] = (
    (3, _on_many),
    (3, _on_dead_letter),
    (4, _replay_what_failed),
    (4, _delete_what_waits),
    (4, _replay_behind_a_rate_limit),
    (3, _wait_as_asked),
    (2, _crash_an_actor_while_it_writes),
)
"""How often each is drawn, in proportion to the simple rules."""

_SURE = (
    _replay_what_failed,
    _replay_what_failed,
    _delete_what_waits,
    _replay_behind_a_rate_limit,
    _wait_as_asked,
    _crash_an_actor_while_it_writes,
)


def draw_two(chance: random.Random) -> list[list[Step]]:
    """Draw two of the larger ones, for every plan: a plan draws some fifteen of fifty rules."""
    return [list(compound(chance)) for compound in chance.sample(_SURE, 2)]
