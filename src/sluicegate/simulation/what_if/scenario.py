"""What is played: endpoints, messages, outages, and the settings that matter to them."""

from enum import StrEnum
from typing import Any

import msgspec

from sluicegate.engine.drafts import MAX_IN_FLIGHT, RATE_LIMIT_RPS, TIMEOUT_S
from sluicegate.engine.settings import Settings

__all__ = [
    "Arrivals",
    "Outage",
    "OutageKind",
    "RetryDelays",
    "Scenario",
    "ScenarioError",
]

DAY_S = 86_400.0
_DURATION_S_MAX = 14 * DAY_S
_ENDPOINTS_MAX = 100_000
_RATE_PER_S_MAX = 1_000_000
_OUTAGES_MAX = 20


class ScenarioError(ValueError):
    """A scenario that cannot be played; says what is wrong, where, and what is allowed."""


class OutageKind(StrEnum):
    """How a receiver that is down shows it."""

    REFUSED = "refused"
    """Nobody listens: the connection is refused at once."""
    ERROR = "503"
    """It answers 503 to everything."""
    HANG = "hang"
    """It takes the request and never answers, until the attempt's timeout."""


class Arrivals(StrEnum):
    """How an endpoint's messages are spread over the time."""

    EVEN = "even"
    """All the same time apart."""
    POISSON = "poisson"
    """As if from many independent people: the times between are drawn from the seed."""


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which receivers are down."""

    from_s: float
    """Seconds from the beginning."""
    until_s: float
    """Seconds from the beginning; later than `from_s`."""
    share: float = 1.0
    """Of the endpoints, above 0 and at most 1. Outages of less hit the same ones first."""
    kind: OutageKind = OutageKind.ERROR


class RetryDelays(msgspec.Struct, frozen=True, kw_only=True):
    """A slow retry schedule that is compared with others."""

    label: str
    slow_s: tuple[float, ...]
    """As the setting `retry_slow_s`."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One day, or another time, of an installation.

    All endpoints are alike: each gets the same part of the rate.
    """

    endpoints: int
    rate_per_s: float
    """Messages a second, of all endpoints together."""
    outages: tuple[Outage, ...] = ()
    duration_s: float = DAY_S
    arrivals: Arrivals = Arrivals.EVEN
    seed: int = 0
    answer_s: float = 0.1
    """Seconds that a receiver takes to answer."""
    messages_max: int | None = 30_000
    """About how many messages one run may take; `None`: all there are."""
    rate_limit_rps: int = 0
    """Attempts a second to one endpoint; 0 = no limit."""
    max_in_flight: int = 16
    """Attempts to one endpoint at once."""
    timeout_s: float = 30.0
    """Seconds for a whole attempt."""
    settings: dict[str, object] = {}
    """Settings of the engine that are not the defaults, such as `attempts_max`."""

    @property
    def rate_per_endpoint(self) -> float:
        """Messages a second to one endpoint."""
        return self.rate_per_s / self.endpoints

    @property
    def last_end_s(self) -> float | None:
        """When the last outage ends; `None` without outages."""
        return max((each.until_s for each in self.outages), default=None)

    def check(self) -> None:
        """Refuse what cannot be played.

        Raises:
            ScenarioError: a value is out of its bounds.
        """
        _within("endpoints", self.endpoints, 1, _ENDPOINTS_MAX)
        _within("rate", self.rate_per_s, 1e-6, _RATE_PER_S_MAX, unit="messages a second")
        _within("duration", self.duration_s, 60, _DURATION_S_MAX, unit="seconds (up to 14 days)")
        _within("answer time", self.answer_s, 0, 600, unit="seconds")
        _within("outages", len(self.outages), 0, _OUTAGES_MAX)
        if self.messages_max is not None:
            _within("messages", self.messages_max, 1, 1_000_000_000)
        for name, value, limits in (
            ("rate limit of an endpoint", self.rate_limit_rps, RATE_LIMIT_RPS),
            ("attempts in flight of an endpoint", self.max_in_flight, MAX_IN_FLIGHT),
            ("timeout", self.timeout_s, TIMEOUT_S),
        ):
            _within(name, value, limits.minimum, limits.maximum)
        for outage in self.outages:
            if not 0 <= outage.from_s < outage.until_s:
                raise ScenarioError("an outage must end after it begins")
            if outage.until_s > self.duration_s:
                raise ScenarioError(
                    f"an outage ends {outage.until_s:g} s after the beginning, when the scenario"
                    f" of {self.duration_s:g} s is over: let it last longer (--for)"
                )

    def settings_for(self, delays: RetryDelays, *, scale: float = 1.0) -> dict[str, Any]:
        """Return the engine's settings; limits of the whole process are scaled.

        Args:
            delays: the retry schedule.
            scale: the part of the installation that is played, above 0 and at most 1.

        Raises:
            SettingError: a setting has a value that is not allowed.
        """
        values: dict[str, Any] = {"retry_slow_s": delays.slow_s, **self.settings}
        whole = Settings(**values)
        return values | {
            "in_flight_max": max(1, round(whole.in_flight_max * scale)),
            "in_flight_late_max": max(1, round(whole.in_flight_late_max * scale)),
            "pending_bytes_max": max(1, round(whole.pending_bytes_max * scale)),
        }


def _within(name: str, value: float, low: float, high: float, *, unit: str = "") -> None:
    if not low <= value <= high:
        shown = value if isinstance(value, int) else f"{value:g}"  # an int may be too long for `g`
        text = f"{name}: {shown} is not allowed: a number from {low:g} to {high:,g}"
        raise ScenarioError(f"{text} {unit}".rstrip())
