"""Counts what happens in one engine: the `Telemetry` port, kept for Prometheus."""

from collections.abc import Iterable

from prometheus_client.core import Metric

from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.model import AttemptResult, WaitingMessage
from sluicegate.engine.outcome import Outcome, OutcomeKind
from sluicegate.engine.ports import AddressUse, CircuitChange, StorageFault
from sluicegate.telemetry.series import Counter, Histogram

__all__ = ["Counting"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_REQUEST_SECONDS = (0.005, 0.025, 0.1, 0.5, 2.5, 10)
_COMMIT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
_LAG_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
_COUNTS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

_CLASSES = ("other", "1xx", "2xx", "3xx", "4xx", "5xx")
_ANSWERS = tuple(f"answered_{each}" for each in _CLASSES)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_OUTCOMES = (
    *(f"answered_{each}" for each in ("other", "3xx", "4xx", "5xx")),
    *(kind for kind in OutcomeKind if kind not in {OutcomeKind.ANSWERED, OutcomeKind.RECALLED}),
)
"""What a retry or a failure may come from."""


class Counting:
    """Implements `sluicegate.engine.ports.Telemetry`, and yields what it counted as metrics.

    Every series that can be known is there from the start, at 0: a rate over its first step
    would else be lost.
    """

    def __init__(self) -> None:
        """Begin with nothing counted."""
        self._accepted = Counter(
            "sluicegate_messages_accepted_total", "Messages stored; a repeated one counts once."
        )
        self._attempts = Counter(
            "sluicegate_attempts_total",
            "Attempts recorded, by what they came to and what follows for the message.",
            ("outcome", "result"),
        )
        self._unsent = Counter(
            "sluicegate_attempts_unsent_total",
            "Attempts put off because this machine had no file descriptors or memory for them, or "
            "could not read the payload.",
        )
        self._attempt_s = Histogram(
            "sluicegate_attempt_duration_seconds",
            "From the start of an attempt to the last byte read of its answer, or its failure.",
            _SECONDS,
        )
        self._delivery_s = Histogram(
            "sluicegate_delivery_duration_seconds",
            "From a message's acceptance to its delivery; without those that were replayed.",
            _SECONDS,
        )
        self._circuits = Counter(
            "sluicegate_circuit_changes_total",
            "Circuits opened, closed by a success, and endpoints paused as failing.",
            ("change",),
        )
        self._refused = Counter(
            "sluicegate_addresses_refused_total",
            "Addresses refused by the policy, for a new URL or when an attempt connected.",
            ("use",),
        )
        self._commit_s = Histogram(
            "sluicegate_commit_duration_seconds",
            "From handing writes to the writing thread until they are on the disk.",
            _COMMIT_SECONDS,
        )
        self._commit_writes = Histogram(
            "sluicegate_commit_writes", "Writes that one commit took together.", _COUNTS
        )
        self._commit_messages = Histogram(
            "sluicegate_commit_messages", "New messages that one commit took together.", _COUNTS
        )
        self._faults = Counter(
            "sluicegate_storage_failures_total",
            "What kept storage from doing what it was asked, by kind.",
            ("kind",),
        )
        self._restarts = Counter(
            "sluicegate_actor_restarts_total",
            "Actors started again from storage after their code failed: a bug of ours.",
        )
        self._parked = Counter(
            "sluicegate_endpoints_parked_total",
            "Endpoints left alone because their actors failed too often: a bug of ours.",
        )
        self._requests = Counter(
            "sluicegate_http_requests_total",
            "API requests answered, by the route's template.",
            ("route", "method", "status_class"),
        )
        self._request_s = Histogram(
            "sluicegate_http_request_duration_seconds",
            "From an API request's head to its answer being ready.",
            _REQUEST_SECONDS,
            ("route", "method"),
        )
        self._lag_s = Histogram(
            "sluicegate_event_loop_lag_seconds",
            "By how much the event loop was late for a timer; twice a second at work.",
            _LAG_SECONDS,
        )
        self._series = [
            each for each in vars(self).values() if isinstance(each, Counter | Histogram)
        ]
        self._make_known()

    def _make_known(self) -> None:
        self._attempts.add("answered_2xx", "succeeded", count=0)
        for outcome in _OUTCOMES:
            self._attempts.add(outcome, "retry", count=0)
            self._attempts.add(outcome, "failed", count=0)
        for series, kinds in (
            (self._circuits, CircuitChange),
            (self._refused, AddressUse),
            (self._faults, StorageFault),
        ):
            for kind in kinds:
                series.add(str(kind), count=0)

    def collect(self) -> Iterable[Metric]:
        """Yield everything as it stands: prometheus_client's `Collector`."""
        for each in self._series:
            yield each.family()

    # -- Telemetry ----------------------------------------------------------------------------

    def committed(self, *, writes: int, accepted: int, duration_s: float) -> None:
        """See `Telemetry.committed`."""
        self._accepted.add(count=accepted)
        self._commit_s.observe(duration_s)
        self._commit_writes.observe(writes)
        self._commit_messages.observe(accepted)

    def storage_failed(self, fault: StorageFault) -> None:
        """See `Telemetry.storage_failed`."""
        self._faults.add(fault.value)

    def attempt_finished(self, message: WaitingMessage, result: AttemptResult) -> None:
        """See `Telemetry.attempt_finished`."""
        outcome, status = result.outcome, result.verdict.status
        self._attempts.add(_label(outcome), _result(status))
        self._attempt_s.observe(outcome.timings.total_ms / 1000)
        replayed = message.attempt_count != message.cycle_attempts
        if status is MessageStatus.SUCCEEDED and not replayed:
            took_ms = result.finished_at_ms - result.accepted_at_ms
            self._delivery_s.observe(max(0, took_ms) / 1000)  # the wall clock may be set back

    def attempt_unsent(self) -> None:
        """See `Telemetry.attempt_unsent`."""
        self._unsent.add()

    def circuit_changed(self, change: CircuitChange) -> None:
        """See `Telemetry.circuit_changed`."""
        self._circuits.add(change.value)

    def address_refused(self, use: AddressUse) -> None:
        """See `Telemetry.address_refused`."""
        self._refused.add(use.value)

    def actor_restarted(self) -> None:
        """See `Telemetry.actor_restarted`."""
        self._restarts.add()

    def endpoint_parked(self) -> None:
        """See `Telemetry.endpoint_parked`."""
        self._parked.add()

    def request_finished(
        self, *, method: str, route: str | None, status: int, duration_s: float
    ) -> None:
        """See `Telemetry.request_finished`. What strangers make up is not counted by its name."""
        if route is None:
            route = "none"
        if method not in _METHODS:
            method = "other"
        self._requests.add(route, method, _class(status))
        self._request_s.observe(duration_s, route, method)

    def loop_lagged(self, late_s: float) -> None:
        """See `Telemetry.loop_lagged`."""
        self._lag_s.observe(late_s)


def _label(outcome: Outcome) -> str:
    if outcome.status is None:
        return outcome.kind
    hundreds = outcome.status // 100
    return _ANSWERS[hundreds] if 0 < hundreds < len(_ANSWERS) else _ANSWERS[0]


def _result(status: MessageStatus) -> str:
    if status is MessageStatus.SUCCEEDED:
        return "succeeded"
    return "retry" if status is MessageStatus.PENDING_RETRY else "failed"


def _class(status: int) -> str:
    hundreds = status // 100
    return _CLASSES[hundreds] if 0 < hundreds < len(_CLASSES) else "other"
