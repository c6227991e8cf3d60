"""Bugs of outcomes: what counts as a success, when a failure is repeated, and how often."""

import copy
from typing import Any

import msgspec

from sluicegate.actors import attempt, endpoint
from sluicegate.actors.messages import AttemptFinished
from sluicegate.actors.parts import Parts
from sluicegate.actors.recording import record
from sluicegate.engine import circuit, decision, retry_after
from sluicegate.engine.errors import UnavailableError
from sluicegate.engine.model import EndpointState, Health, RetryType, Verdict
from sluicegate.engine.outcome import Outcome, OutcomeKind
from sluicegate.engine.ports import Request
from sluicegate.engine.schedule import RetrySchedule, retry_delay_ms
from sluicegate.storage import recordings

from .mutant import Patch, planted


@planted(promise="at least once")
def delivered_before_it_is_sent(patch: Patch) -> None:
    """A success is recorded when the request is ready, to save a commit later."""
    prepare = attempt._request

    async def recorded(
        flight: Any, *, state: EndpointState, parts: Parts, may_start: Any
    ) -> Request | None:
        request = await prepare(flight, state=state, parts=parts, may_start=may_start)
        if request is not None:
            success = Outcome(kind=OutcomeKind.ANSWERED, status=200)
            result = attempt.judge(flight, success, state=state, parts=parts)
            await parts.storage.record_attempt(result)
        return request

    patch.replace(attempt, "_request", recorded)


@planted(promise="an attempt that nobody answered is repeated")
def a_timeout_is_a_success(patch: Patch) -> None:
    """The request was written to the end, so it will have arrived."""
    classify = decision.classify

    def hopeful(outcome: Outcome) -> decision.OutcomeClass:
        if outcome.kind is OutcomeKind.TIMEOUT:
            return decision.OutcomeClass.SUCCESS
        return classify(outcome)

    patch.replace(decision, "classify", hopeful)


@planted(promise="408, 425, 429 and 5xx are retryable")
def an_unavailable_receiver_is_given_up(patch: Patch) -> None:
    """503 is missing among what is repeated."""
    classify = decision.classify

    def strict(outcome: Outcome) -> decision.OutcomeClass:
        if outcome.status == 503:
            return decision.OutcomeClass.PERMANENT
        return classify(outcome)

    patch.replace(decision, "classify", strict)


@planted(promise="`Retry-After` is a minimum")
def retry_after_is_ignored(patch: Patch) -> None:
    """The header is stored with the attempt, and not looked at."""

    def as_planned(
        schedule: RetrySchedule,
        retry_type: RetryType,
        *,
        nth: int,
        retry_after_s: int | None,
        chance: float,
    ) -> int:
        del retry_after_s
        return retry_delay_ms(schedule, retry_type, nth=nth, retry_after_s=None, chance=chance)

    patch.replace(decision, "retry_delay_ms", as_planned)


@planted(promise="`Retry-After` is a minimum, in seconds or as a date")
def a_date_in_retry_after_is_read_wrongly(patch: Patch) -> None:
    """A date is taken for local time, in a place where it is an hour later."""
    parse = retry_after._parse_date

    def local(text: str, *, now_ms: int) -> int | None:
        at_ms = parse(text, now_ms=now_ms)
        return None if at_ms is None else at_ms - 3_600_000

    patch.replace(retry_after, "_parse_date", local)


@planted(promise="an endpoint is paused after so long without one success")
def a_success_does_not_end_a_failing_stretch(patch: Patch) -> None:
    """The circuit closes, and since when the endpoint has been failing is remembered."""
    after_attempt = circuit.after_attempt

    def unforgiving(health: Health, *, outcome: Outcome, at_ms: int) -> Health:
        after = after_attempt(health, outcome=outcome, at_ms=at_ms)
        return msgspec.structs.replace(
            after, failing_since_ms=after.failing_since_ms or health.failing_since_ms
        )

    patch.replace(circuit, "after_attempt", unforgiving)


@planted(promise="a retry comes no sooner than its schedule says")
def jitter_shortens_the_delay(patch: Patch) -> None:
    """The jitter is spread around the delay, not behind it."""

    def around(
        schedule: RetrySchedule,
        retry_type: RetryType,
        *,
        nth: int,
        retry_after_s: int | None,
        chance: float,
    ) -> int:
        plain, delay_ms = (
            retry_delay_ms(schedule, retry_type, nth=nth, retry_after_s=None, chance=each)
            for each in (0.0, chance)
        )
        return max(2 * plain - delay_ms, (retry_after_s or 0) * 1000)

    patch.replace(decision, "retry_delay_ms", around)


@planted(promise="a mixed run of failures walks the fast and the slow schedule separately")
def the_schedule_does_not_grow(patch: Patch) -> None:
    """Every retry is the first: the count begins anew with each attempt."""

    def flat(
        schedule: RetrySchedule,
        retry_type: RetryType,
        *,
        nth: int,
        retry_after_s: int | None,
        chance: float,
    ) -> int:
        del nth
        return retry_delay_ms(
            schedule, retry_type, nth=1, retry_after_s=retry_after_s, chance=chance
        )

    patch.replace(decision, "retry_delay_ms", flat)


@planted(promise="at most so many attempts a cycle as is configured")
def one_attempt_too_many(patch: Patch) -> None:
    """The first attempt is not counted: so many *re*tries are made."""
    decide = decision.decide

    def generous(outcome: Outcome, *, schedule: RetrySchedule, **facts: Any) -> Verdict:
        longer = msgspec.structs.replace(schedule, attempts_max=schedule.attempts_max + 1)
        return decide(outcome, schedule=longer, **facts)

    patch.replace(attempt, "decide", generous)


@planted(promise="at most so many attempts a cycle; a message that fails for good says so")
def attempts_are_counted_from_zero_after_a_restart(patch: Patch) -> None:
    """How often a message was tried in this cycle is known to the actor, and not stored."""
    forgetful, counts = copy.copy(recordings._MOVE_ON), "cycle_attempts = cycle_attempts + 1,"
    assert all(counts in text for text in forgetful._texts.values())
    forgetful._texts = {size: text.replace(counts, "") for size, text in forgetful._texts.items()}
    patch.replace(recordings, "_MOVE_ON", forgetful)


@planted(promise="a jump of the wall clock loses nothing and bursts nothing")
def retries_go_by_the_wall_clock(patch: Patch) -> None:
    """The moment of a retry is taken from the clock that people set."""
    decide = decision.decide

    def by_the_wall(outcome: Outcome, *, now_ms: int, wall_ms: int, **facts: Any) -> Verdict:
        del now_ms
        return decide(outcome, now_ms=wall_ms, wall_ms=wall_ms, **facts)

    patch.replace(attempt, "decide", by_the_wall)


@planted(promise="a result is recorded, however often storage is busy")
def a_result_that_cannot_be_written_is_dropped(patch: Patch) -> None:
    """When the result of an attempt cannot be recorded at once, the attempt is made again."""

    def once(flight: Any, result: Any, state: Any, parts: Any, outstanding: Any) -> None:
        outstanding.write(tried(flight, result, state, parts, outstanding))

    async def tried(flight: Any, result: Any, state: Any, parts: Any, outstanding: Any) -> None:
        try:
            await parts.storage.record_attempt(result)
        except UnavailableError:
            flight.outcome, flight.settling = None, False
            flight.task = None
            outstanding.report(AttemptFinished(flight))
            return
        record(flight, result, state, parts, outstanding)

    patch.replace(endpoint, "record", once)
