"""One attempt: sign, post, and say what follows from what came back."""

import asyncio
from collections.abc import Callable

import msgspec

from sluicegate.actors.messages import AttemptFinished
from sluicegate.actors.outstanding import Flight, Outstanding
from sluicegate.actors.parts import Parts
from sluicegate.actors.slots import Slot
from sluicegate.engine import circuit
from sluicegate.engine.decision import (
    ENDPOINT_DELETED,
    MESSAGE_DELETED,
    OutcomeClass,
    classify,
    decide,
    pause_reason,
)
from sluicegate.engine.errors import UnavailableError
from sluicegate.engine.headers import request_headers
from sluicegate.engine.log import log
from sluicegate.engine.model import (
    AttemptResult,
    EndpointState,
    PauseReason,
    RetryType,
    Verdict,
    WaitingMessage,
)
from sluicegate.engine.outcome import Outcome, OutcomeKind
from sluicegate.engine.ports import Request
from sluicegate.engine.signing import signature_headers

__all__ = ["begin", "judge", "rescheduled"]


def begin(
    message: WaitingMessage,
    *,
    slot: Slot,
    state: EndpointState,
    parts: Parts,
    outstanding: Outstanding,
    may_start: Callable[[], bool],
) -> None:
    """Begin an attempt of `message`, in a slot that was taken for it: a task of its own."""
    try:
        attempt_id, started_at_ms = parts.random.uuid7(), parts.clock.wall_ms()
    except BaseException:
        slot.end()
        raise
    flight = Flight(message, attempt_id=attempt_id, started_at_ms=started_at_ms)
    outstanding.add(flight)
    loop, before = asyncio.get_running_loop(), outstanding.turn
    if before is not None and before.done():
        before = outstanding.turn = None
    if message.payload is None or before is not None:
        flight.turn = outstanding.turn = loop.create_future()
    flight.task = loop.create_task(
        _attempt(
            flight,
            slot=slot,
            state=state,
            parts=parts,
            outstanding=outstanding,
            may_start=may_start,
            before=before,
        )
    )


async def _attempt(
    flight: Flight,
    *,
    slot: Slot,
    state: EndpointState,
    parts: Parts,
    outstanding: Outstanding,
    may_start: Callable[[], bool],
    before: asyncio.Future[None] | None,
) -> None:
    """Run one attempt to its end, leave its outcome on the flight and report it.

    Runs as a task of its own on the engine's loop. It never raises: a bug of ours is left on
    the flight for the actor to crash on. Cancelled (at the end of a drain), it reports
    nothing and the message stays as it is stored.

    Attempts start in acceptance order (contract, section 7): one that has to read its payload
    holds those behind it back until the sender has it.
    """
    try:
        request = await _request(flight, state=state, parts=parts, may_start=may_start)
        if before is not None:
            await asyncio.wait([before])
        if request is not None:
            flight.posting = True
            _pass_turn(flight)
            flight.outcome = await parts.sender.post(request)
    except UnavailableError as error:
        flight.outcome = None
        parts.telemetry.attempt_unsent()
        log.error(
            "attempt.unsent",
            message_id=flight.message.id,
            endpoint_id=state.id,
            error=error.message,
        )
    except Exception as error:  # noqa: BLE001 - left on the flight: the actor raises it, and is restarted
        flight.crash = error
        if flight.posting:  # recorded and spaced like any failure: nothing is repeated at once
            flight.outcome = Outcome(kind=OutcomeKind.CONNECTION_ERROR, error="internal error")
    finally:
        _pass_turn(flight)
        flight.finished_at_ms = parts.clock.wall_ms()
        _end(slot, flight.outcome, in_flight_max=state.config.max_in_flight)
    outstanding.report(AttemptFinished(flight))


def _end(slot: Slot, outcome: Outcome | None, *, in_flight_max: int) -> None:
    kind = OutcomeClass.NO_ATTEMPT if outcome is None else classify(outcome)
    if kind is OutcomeClass.NO_ATTEMPT:
        slot.end()
    else:
        slot.end_attempt(succeeded=kind is OutcomeClass.SUCCESS, in_flight_max=in_flight_max)


def _pass_turn(flight: Flight) -> None:
    if flight.turn is not None and not flight.turn.done():
        flight.turn.set_result(None)


async def _request(
    flight: Flight, *, state: EndpointState, parts: Parts, may_start: Callable[[], bool]
) -> Request | None:
    """Return the signed request; `None` if nothing is to be sent."""
    message = flight.message
    payload = message.payload
    if payload is None:
        payload = await parts.storage.get_payload_by_seq(message.seq)
    if payload is None:
        await parts.storage.give_up_message(
            state.id, message.seq, error="payload is gone", at_ms=parts.clock.wall_ms()
        )
        flight.given_up = True
        return None

    def may_post() -> bool:
        return may_start() and not flight.deleted

    if not may_post():
        flight.outcome = Outcome(kind=OutcomeKind.RECALLED)
        return None
    flight.request_headers = request_headers(
        user_agent=parts.user_agent,
        endpoint_headers=state.config.headers,
        message_headers=message.headers,
        signature=signature_headers(
            message_id=message.id,
            timestamp_s=flight.started_at_ms // 1000,
            body=payload,
            secrets=state.secrets,
        ),
        attempt_no=flight.attempt_no,
    )
    return Request(
        url=state.config.url,
        headers=flight.request_headers,
        body=payload,
        timeout_s=state.config.timeout_s,
        may_start=may_post,
    )


def judge(flight: Flight, outcome: Outcome, *, state: EndpointState, parts: Parts) -> AttemptResult:
    """Decide what an outcome does to its message and its endpoint. Pure but for the ports."""
    settings, message = parts.settings, flight.message
    now_ms = parts.clock.steady_ms()
    verdict = decide(
        outcome,
        schedule=parts.schedule,
        cycle_attempts=message.cycle_attempts + 1,
        fast_retries=message.fast_retries,
        now_ms=now_ms,
        wall_ms=parts.clock.wall_ms(),
        chance=parts.random.random(),
        circuit_open=circuit.is_open(state.health, failures_max=settings.circuit_failures),
        withdrawn=_withdrawn(flight, state),
    )
    health = circuit.after_attempt(state.health, outcome=outcome, at_ms=now_ms)
    pause: PauseReason | None = None
    if not state.paused and not state.deleted:
        pause = pause_reason(outcome)
        if pause is None and circuit.is_given_up(
            health, at_ms=now_ms, pause_after_s=settings.circuit_pause_after_s
        ):
            pause = PauseReason.FAILING
    changed = health != state.health
    if changed or pause is not None:
        change = circuit.change(
            state.health, health, pause=pause, failures_max=settings.circuit_failures
        )
        if change is not None:
            parts.telemetry.circuit_changed(change)
    return AttemptResult(
        attempt_id=flight.attempt_id,
        seq=message.seq,
        message_id=message.id,
        endpoint_id=state.id,
        attempt_no=flight.attempt_no,
        started_at_ms=flight.started_at_ms,
        finished_at_ms=flight.finished_at_ms,
        accepted_at_ms=message.accepted_at_ms,
        request_headers=flight.request_headers,
        outcome=outcome,
        verdict=verdict,
        release_no=state.release_no,
        health=health if changed else None,
        pause=pause,
    )


def _withdrawn(flight: Flight, state: EndpointState) -> str | None:
    """Return why a failure would not be repeated, whatever the schedule says."""
    if flight.deleted:
        return MESSAGE_DELETED
    return ENDPOINT_DELETED if state.deleted else None


def rescheduled(message: WaitingMessage, verdict: Verdict, *, release_no: int) -> WaitingMessage:
    """Return a message as its row reads after a retryable attempt was recorded."""
    return msgspec.structs.replace(
        message,
        payload=None,  # it may wait for days: the attempt reads it
        status=verdict.status,
        next_attempt_at_ms=verdict.next_attempt_at_ms,
        release_no=release_no,
        attempt_count=message.attempt_count + 1,
        cycle_attempts=message.cycle_attempts + 1,
        fast_retries=message.fast_retries + (verdict.retry_type is RetryType.FAST),
    )
