"""Make an attempt's result durable, whatever it takes, and then say so."""

import asyncio
from collections.abc import Callable

import msgspec

from sluicegate.actors.messages import AttemptFinished, Recorded
from sluicegate.actors.outstanding import Flight, Outstanding
from sluicegate.actors.parts import Parts
from sluicegate.engine.errors import UnavailableError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.log import log
from sluicegate.engine.model import AttemptResult, Health

__all__ = ["record"]

_AGAIN_S = 0.5


async def record(
    flight: Flight,
    result: AttemptResult,
    health: Callable[[], Health | None],
    parts: Parts,
    outstanding: Outstanding,
) -> None:
    """Write a result until it is durable; the receiver's answer must not be forgotten.

    Results become durable in the order in which they were judged, but for one that has to be
    written again: others have gone before it, so it brings the endpoint's health as it is by then.

    Runs as a task of its own. Cancelled (at the end of a drain), the message stays waiting and
    will be delivered again. A bug of ours leaves the flight as it was, for the actor to crash on:
    its successor records the same outcome, and nothing is sent again.
    """
    while True:
        try:
            await parts.storage.record_attempt(result)
            break
        except UnavailableError as error:
            log.warning(
                "attempt.unrecorded",
                message_id=result.message_id,
                endpoint_id=result.endpoint_id,
                error=error.message,
            )
            await asyncio.sleep(_AGAIN_S)
            result = msgspec.structs.replace(result, health=health())
        except Exception as error:  # noqa: BLE001 - the actor raises it again, and is restarted
            flight.settling, flight.crash = False, error
            outstanding.report(AttemptFinished(flight))
            return
    parts.telemetry.attempt_finished(flight.message, result)
    _log(result)
    if not outstanding.report(Recorded(flight, result.verdict, result.release_no, result.pause)):
        outstanding.remove(flight)


def _log(result: AttemptResult) -> None:
    outcome, verdict = result.outcome, result.verdict
    # What went well is in the history and the metrics; a line for each would cost as much as the
    # delivery itself.
    tell = log.debug if verdict.status is MessageStatus.SUCCEEDED else log.info
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
    if result.pause is not None:
        log.warning("endpoint.paused", endpoint_id=result.endpoint_id, reason=result.pause)
