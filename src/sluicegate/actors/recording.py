"""Make an attempt's result durable, whatever it takes, and then say so."""

import asyncio
from collections.abc import Callable
from logging import DEBUG

import msgspec

from sluicegate.actors.announcing import tell_result
from sluicegate.actors.messages import AttemptFinished, Crashed, Recorded
from sluicegate.actors.outstanding import Flight, Outstanding
from sluicegate.actors.parts import Parts
from sluicegate.engine.errors import UnavailableError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.log import log
from sluicegate.engine.model import AttemptResult, EndpointState
from sluicegate.turns.prompt_future import when_done

__all__ = ["record"]

_AGAIN_S = 0.5


def record(
    flight: Flight,
    result: AttemptResult,
    state: Callable[[], EndpointState | None],
    parts: Parts,
    outstanding: Outstanding,
) -> None:
    """Write a result until it is durable, then report it: the answer must not be forgotten.

    Results become durable in the order in which they were judged, and the urgent ones before each
    command that is given afterwards. Not so one that has to be written again: others have gone
    before it, so it brings the endpoint's health as it is by then. One that was judged before a
    resume and becomes durable after it says nothing of the endpoint any more.

    Cut at the end of a drain, the message stays waiting and will be delivered again. A bug of
    ours leaves the flight as it was, for the actor to crash on: its successor records the same
    outcome, and nothing is sent again.

    Args:
        flight: the attempt.
        result: what it came to.
        state: tells the endpoint's as it is when it is asked.
        parts: what all actors share.
        outstanding: where the write is noted.
    """

    def ended(write: asyncio.Future[bool]) -> None:
        outstanding.end_write(write)
        if write.cancelled():
            return
        error = write.exception()
        if isinstance(error, UnavailableError):
            _log_unrecorded(result, error)
            again = _record_again(flight, result, state, parts, outstanding)
            outstanding.write(again)
        elif error is not None:
            flight.settling, flight.crash = False, error
            outstanding.report(AttemptFinished(flight))
        else:
            _tell(flight, result, parts, outstanding, paused=write.result())

    urgent = _is_urgent(result, state(), flying=len(outstanding.flights))
    # No task: most often there is nothing to do but to wait for the commit.
    write = asyncio.ensure_future(parts.storage.record_attempt(result, urgent=urgent))
    flight.recording = write
    outstanding.begin_write(write)
    when_done(write, ended)


def _is_urgent(result: AttemptResult, state: EndpointState | None, *, flying: int) -> bool:
    """Whether something waits for a result: the next attempt for its place, or a judgement."""
    if state is None or result.verdict.status is not MessageStatus.SUCCEEDED or result.health:
        return True
    return flying >= (1 if state.config.ordered else state.config.max_in_flight)


async def _record_again(
    flight: Flight,
    result: AttemptResult,
    state: Callable[[], EndpointState | None],
    parts: Parts,
    outstanding: Outstanding,
) -> None:
    await asyncio.sleep(_AGAIN_S)
    now = state()
    later = msgspec.structs.replace(result, health=None if now is None else now.health)
    record(flight, later, state, parts, outstanding)


def _tell(
    flight: Flight, result: AttemptResult, parts: Parts, outstanding: Outstanding, *, paused: bool
) -> None:
    """Say that a result is durable, and whether it has paused its endpoint."""
    try:
        parts.telemetry.attempt_finished(flight.message, result)
        _log(result, paused=paused)
        if parts.events.wanted:
            tell_result(parts.events, result, paused=paused)
    except Exception as error:  # noqa: BLE001 - a bug of ours crashes the actor, by message
        if not outstanding.report(Crashed(error)):
            log.error("attempt.untold", message_id=result.message_id, exc_info=error)
        return
    recorded = Recorded(flight, result.verdict, result.release_no, result.pause, paused)
    if not outstanding.report(recorded):
        outstanding.remove(flight)


def _log_unrecorded(result: AttemptResult, error: UnavailableError) -> None:
    log.warning(
        "attempt.unrecorded",
        message_id=result.message_id,
        endpoint_id=result.endpoint_id,
        error=error.message,
    )


def _log(result: AttemptResult, *, paused: bool) -> None:
    outcome, verdict = result.outcome, result.verdict
    # What went well is in the history and the metrics; a line for each costs a seventh more CPU.
    succeeded = verdict.status is MessageStatus.SUCCEEDED
    if not succeeded or log.isEnabledFor(DEBUG):
        tell = log.debug if succeeded else log.info
        tell(
            "attempt.finished",
            message_id=result.message_id,
            endpoint_id=result.endpoint_id,
            attempt_no=result.attempt_no,
            outcome=outcome.kind,
            response_status=outcome.status,
            latency_ms=round(outcome.timings.total_ms, 3),
            status=verdict.status,
            next_attempt_at_ms=verdict.next_attempt_at_ms,
            error=verdict.last_error,
        )
    if verdict.status is MessageStatus.FAILED_PERMANENT:
        log.warning(
            "message.dead_lettered",
            message_id=result.message_id,
            endpoint_id=result.endpoint_id,
            attempts=result.attempt_no,
            error=verdict.last_error,
        )
    if paused:
        log.warning("endpoint.paused", endpoint_id=result.endpoint_id, reason=result.pause)
