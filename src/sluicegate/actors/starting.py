"""What of an endpoint's backlog may start now, and its start."""

import math
from collections.abc import Callable

from sluicegate.actors.attempt import begin
from sluicegate.actors.command_queue import CommandQueue
from sluicegate.actors.outstanding import Outstanding
from sluicegate.actors.parts import Parts
from sluicegate.actors.slots import Turn
from sluicegate.actors.window import NotLoaded, Window
from sluicegate.engine.model import EndpointState

__all__ = ["due_ms", "start_due"]


def start_due(
    state: EndpointState,
    in_flight_max: int,
    *,
    window: Window,
    commands: CommandQueue,
    turn: Turn,
    parts: Parts,
    outstanding: Outstanding,
    may_start: Callable[[], bool],
) -> int | None:
    """Start attempts while window, commands, rate and caps allow.

    Args:
        state: the endpoint.
        in_flight_max: how many of its attempts may be in flight at once.
        window: its backlog; what starts is taken from it.
        commands: a message that one of them is about does not start.
        turn: its place at the process-wide slots.
        parts: what all actors share.
        outstanding: its attempts; those that start are added.
        may_start: asked once more before an attempt is sent.

    Returns:
        When to look again, on the steady clock; `None`: when something happens.
    """
    clock, bucket = parts.clock, outstanding.bucket
    in_flight_max = turn.width(in_flight_max)
    while len(outstanding.flights) < in_flight_max:
        found = window.next(clock.steady_ms())
        if found is None or isinstance(found, int):
            return found
        if isinstance(found, NotLoaded) or commands.holds(found.id):
            return None
        wait_s = bucket.wait_s(clock.monotonic_s())
        if wait_s > 0:
            return clock.steady_ms() + math.ceil(wait_s * 1000)
        slot = turn.take()
        if slot is None:
            return None
        bucket.try_take(clock.monotonic_s())
        window.take(found)
        begin(
            found,
            slot=slot,
            state=state,
            parts=parts,
            outstanding=outstanding,
            may_start=may_start,
        )
    return None


def due_ms(window: Window, now_ms: int) -> int | None:
    """Return when something of a backlog may start: now, or later; `None` if nothing waits."""
    found = window.next(now_ms)
    return found if found is None or isinstance(found, int) else now_ms
