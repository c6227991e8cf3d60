"""Bugs of what bounds an endpoint: order, in-flight cap, rate, circuit, window."""

from collections.abc import Container
from typing import Any

from sluicegate.actors import endpoint, starting
from sluicegate.actors.order import Order
from sluicegate.actors.window import Window
from sluicegate.engine import circuit, rate_limit
from sluicegate.engine.model import EndpointState, Health, WaitingMessage
from sluicegate.engine.outcome import Outcome
from sluicegate.engine.rate_limit import TokenBucket

from .mutant import Patch, planted

_ORDER = "on an ordered endpoint a message starts only when all before it have ended"


@planted(promise="at most `max_in_flight` attempts at once")
def one_too_many_in_flight(patch: Patch) -> None:
    """`<=` where `<` belongs. Ordered endpoints are as they should be."""
    start_due = starting.start_due

    def one_more(state: EndpointState, in_flight_max: int, **others: Any) -> int | None:
        extra = 0 if state.config.ordered else 1
        return start_due(state, in_flight_max + extra, **others)

    patch.replace(endpoint, "start_due", one_more)


@planted(promise=_ORDER)
def an_ordered_endpoint_has_two_in_flight(patch: Patch) -> None:
    """The order of starts is kept, and the next does not wait for the one before it."""
    start_due = starting.start_due

    def side_by_side(state: EndpointState, in_flight_max: int, **others: Any) -> int | None:
        return start_due(state, 2 if state.config.ordered else in_flight_max, **others)

    patch.replace(endpoint, "start_due", side_by_side)


@planted(promise="what was accepted is delivered")
def an_ordered_endpoint_forgets_its_retries_at_a_restart(patch: Patch) -> None:
    """It knows of its retries from memory only; an actor that starts anew has none."""
    set_mode = Window.set_mode

    def from_memory(self: Window, *, strict: bool, release_no: int) -> None:
        before = self._strict, self._release_no
        set_mode(self, strict=strict, release_no=release_no)
        if (strict, release_no) != before:
            self._in_order.more = release_no > 0

    patch.replace(Window, "set_mode", from_memory)


@planted(promise=_ORDER)
def a_retry_loses_its_place(patch: Patch) -> None:
    """While a failed message waits for its retry, an ordered endpoint goes on with the next."""
    first = Window._first

    def next_best(self: Window, best: WaitingMessage | None, now_ms: int) -> Any:
        found = first(self, best, now_ms)
        if isinstance(found, int) and self._queued.rows:
            return self._queued.rows[0]
        return found

    patch.replace(Window, "_first", next_best)


@planted(promise="the rate limit: at most `burst + rate * span` attempts in any span")
def the_bucket_holds_one_token_too_many(patch: Patch) -> None:
    """The first token after a fill is free."""
    capacity = rate_limit._capacity

    def roomy(rate_per_s: int, burst: int) -> int:
        return capacity(rate_per_s, burst) + rate_limit._TOKEN

    patch.replace(rate_limit, "_capacity", roomy)


@planted(promise="the rate limit holds across a pause and a change of the configuration")
def the_bucket_is_filled_by_every_command(patch: Patch) -> None:
    """Adopting a state makes a new bucket, and a new bucket is full."""

    def anew(self: TokenBucket, *, rate_per_s: int, burst: int, now_s: float) -> None:
        self.__init__(rate_per_s=rate_per_s, burst=burst, now_s=now_s)  # type: ignore[misc]

    patch.replace(TokenBucket, "reconfigure", anew)


@planted(promise="after ten failures in a row an endpoint gets one probe at a time")
def the_circuit_never_opens(patch: Patch) -> None:
    """Failures are counted per message, and no message fails ten times."""
    after_attempt = circuit.after_attempt

    def bounded(health: Health, *, outcome: Outcome, at_ms: int) -> Health:
        after = after_attempt(health, outcome=outcome, at_ms=at_ms)
        return Health(
            consecutive_failures=min(1, after.consecutive_failures),
            failing_since_ms=after.failing_since_ms,
        )

    patch.replace(circuit, "after_attempt", bounded)


@planted(promise="a success closes the circuit and releases the rest")
def the_circuit_never_closes(patch: Patch) -> None:
    """A success ends the row of failures in the database, where the open circuit is not read."""
    after_attempt = circuit.after_attempt

    def stuck(health: Health, *, outcome: Outcome, at_ms: int) -> Health:
        after = after_attempt(health, outcome=outcome, at_ms=at_ms)
        return after if after.consecutive_failures else health

    patch.replace(circuit, "after_attempt", stuck)


@planted(promise="what was accepted is delivered")
def the_window_skips_a_row(patch: Patch) -> None:
    """The next read begins one row behind the last one's end."""
    extend = Window._extend

    def skipping(
        self: Window,
        order: Order,
        rows: list[WaitingMessage],
        touched: Container[int],
        flying: Container[int],
    ) -> None:
        extend(self, order, rows, touched, flying)
        if rows:
            order.cursor += 1

    patch.replace(Window, "_extend", skipping)
