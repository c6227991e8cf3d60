"""What the telemetry counts, and under which names."""

import msgspec
import pytest
from prometheus_client import REGISTRY

from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import AttemptResult, Verdict, WaitingMessage
from sluicegate.engine.outcome import Outcome, OutcomeKind, Timings
from sluicegate.engine.ports import AddressUse, CircuitChange, StorageFault
from sluicegate.telemetry.counting import Counting

MESSAGE = WaitingMessage(
    seq=1,
    id="m",
    status=MessageStatus.QUEUED,
    accepted_at_ms=1_000,
    next_attempt_at_ms=None,
    release_no=0,
    attempt_count=0,
    cycle_attempts=0,
    fast_retries=0,
    headers={},
    payload=None,
)


def result(
    outcome: Outcome,
    status: MessageStatus = MessageStatus.SUCCEEDED,
    *,
    finished_at_ms: int = 1_030,
) -> AttemptResult:
    """Return a recorded attempt of `MESSAGE`."""
    return AttemptResult(
        attempt_id="a",
        seq=1,
        message_id="m",
        endpoint_id="e",
        attempt_no=1,
        started_at_ms=1_010,
        finished_at_ms=finished_at_ms,
        accepted_at_ms=1_000,
        request_headers=(),
        outcome=outcome,
        verdict=Verdict(status=status),
        release_no=0,
    )


def answered(status: int, *, total_ms: float = 20.0) -> Outcome:
    """Return what a receiver that answered made of an attempt."""
    return Outcome(kind=OutcomeKind.ANSWERED, status=status, timings=Timings(total_ms=total_ms))


def value(counting: Counting, sample: str, **labels: str) -> float | None:
    """Return a sample's value; `None` when there is none."""
    for family in counting.collect():
        for each in family.samples:
            if each.name == sample and each.labels == labels:
                return each.value
    return None


@pytest.mark.parametrize(
    ("status", "label"),
    [
        (200, "2xx"),
        (299, "2xx"),
        (302, "3xx"),
        (404, "4xx"),
        (503, "5xx"),
        (99, "other"),
        (0, "other"),
        (600, "other"),
        (999, "other"),
    ],
)
def test_an_answer_is_counted_by_the_class_of_its_status(status: int, label: str) -> None:
    """A receiver can make up any status; it must not be able to make up series."""
    counting = Counting()
    counting.attempt_finished(MESSAGE, result(answered(status)))
    labels = {"outcome": f"answered_{label}", "result": "succeeded"}
    assert value(counting, "sluicegate_attempts_total", **labels) == 1


@pytest.mark.parametrize(
    "kind", sorted(set(OutcomeKind) - {OutcomeKind.ANSWERED, OutcomeKind.RECALLED})
)
@pytest.mark.parametrize(
    ("status", "label"),
    [(MessageStatus.PENDING_RETRY, "retry"), (MessageStatus.FAILED_PERMANENT, "failed")],
)
def test_what_got_no_answer_is_counted_by_its_kind(
    kind: OutcomeKind, status: MessageStatus, label: str
) -> None:
    """Each series is there from the start, at 0: a rate would miss its first step."""
    counting, labels = Counting(), {"outcome": str(kind), "result": label}
    assert value(counting, "sluicegate_attempts_total", **labels) == 0
    counting.attempt_finished(MESSAGE, result(Outcome(kind=kind), status))
    assert value(counting, "sluicegate_attempts_total", **labels) == 1


def test_an_attempt_falls_into_the_bucket_that_its_duration_ends_in() -> None:
    """Bounds are included, buckets are cumulative, and there is one for the rest."""
    counting, name = Counting(), "sluicegate_attempt_duration_seconds"
    for total_ms in (5.0, 5.1, 70_000.0):
        counting.attempt_finished(MESSAGE, result(answered(200, total_ms=total_ms)))
    buckets = {le: value(counting, f"{name}_bucket", le=le) for le in ("0.005", "0.01", "60.0")}
    assert buckets == {"0.005": 1, "0.01": 2, "60.0": 2}
    assert value(counting, f"{name}_bucket", le="+Inf") == 3
    assert value(counting, f"{name}_count") == 3
    assert value(counting, f"{name}_sum") == pytest.approx(70.0101)


def test_a_delivery_is_timed_from_acceptance_once_it_succeeds() -> None:
    """A retry is not the end; a wall clock that was set back makes no negative time."""
    counting, name = Counting(), "sluicegate_delivery_duration_seconds"
    counting.attempt_finished(MESSAGE, result(answered(503), MessageStatus.PENDING_RETRY))
    assert value(counting, f"{name}_count") == 0
    counting.attempt_finished(MESSAGE, result(answered(200)))
    counting.attempt_finished(MESSAGE, result(answered(200), finished_at_ms=500))
    assert value(counting, f"{name}_count") == 2
    assert value(counting, f"{name}_sum") == pytest.approx(0.03)


def test_a_replayed_message_is_not_timed_from_its_acceptance() -> None:
    """It may have been accepted weeks ago; that was no delay of ours."""
    counting = Counting()
    replayed = msgspec.structs.replace(MESSAGE, attempt_count=3, cycle_attempts=0)
    counting.attempt_finished(replayed, result(answered(200)))
    assert value(counting, "sluicegate_delivery_duration_seconds_count") == 0
    assert value(counting, "sluicegate_attempt_duration_seconds_count") == 1


def test_everything_else_is_counted_under_its_name() -> None:
    """Each report moves its own series by what it says."""
    counting = Counting()
    counting.committed(writes=7, accepted=3, duration_s=0.002)
    counting.storage_failed(StorageFault.FULL)
    counting.attempt_unsent()
    counting.circuit_changed(CircuitChange.OPENED)
    counting.address_refused(AddressUse.CONNECT)
    counting.actor_restarted()
    counting.endpoint_parked()
    counting.loop_lagged(0.25)
    seen = {
        "sluicegate_messages_accepted_total": value(counting, "sluicegate_messages_accepted_total"),
        "writes": value(counting, "sluicegate_commit_writes_sum"),
        "messages": value(counting, "sluicegate_commit_messages_sum"),
        "commit": value(counting, "sluicegate_commit_duration_seconds_sum"),
        "full": value(counting, "sluicegate_storage_failures_total", kind="full"),
        "busy": value(counting, "sluicegate_storage_failures_total", kind="busy"),
        "unsent": value(counting, "sluicegate_attempts_unsent_total"),
        "opened": value(counting, "sluicegate_circuit_changes_total", change="opened"),
        "closed": value(counting, "sluicegate_circuit_changes_total", change="closed"),
        "connect": value(counting, "sluicegate_addresses_refused_total", use="connect"),
        "endpoint": value(counting, "sluicegate_addresses_refused_total", use="endpoint"),
        "restarts": value(counting, "sluicegate_actor_restarts_total"),
        "parked": value(counting, "sluicegate_endpoints_parked_total"),
        "lag": value(counting, "sluicegate_event_loop_lag_seconds_sum"),
    }
    assert seen == {
        "sluicegate_messages_accepted_total": 3,
        "writes": 7,
        "messages": 3,
        "commit": 0.002,
        "full": 1,
        "busy": 0,
        "unsent": 1,
        "opened": 1,
        "closed": 0,
        "connect": 1,
        "endpoint": 0,
        "restarts": 1,
        "parked": 1,
        "lag": 0.25,
    }


def test_a_client_cannot_make_up_series() -> None:
    """Methods and paths that exist nowhere are counted together."""
    counting = Counting()
    for method in ("BREW", "PROPFIND", "X" * 100):
        counting.request_finished(method=method, route=None, status=404, duration_s=0.001)
    labels = {"route": "none", "method": "other"}
    requests = "sluicegate_http_requests_total"
    assert value(counting, requests, **labels, status_class="4xx") == 3
    assert value(counting, "sluicegate_http_request_duration_seconds_count", **labels) == 3


def test_the_default_registry_is_left_alone() -> None:
    """A program that embeds an engine keeps its own metrics to itself."""
    Counting()
    names = {family.name for family in REGISTRY.collect()}
    assert not [name for name in names if "sluicegate" in name]
