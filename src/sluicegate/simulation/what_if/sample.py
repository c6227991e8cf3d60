"""Which part of an installation is played, and what it stands for.

A day of a large installation has more messages than can be played in a minute. Two things are
left out, and only what is alike:

* Endpoints. As many as the budget allows are played (one costs the messages that it gets, and a
  little for each look at it), each with its full own rate, as its retries, its circuit and its
  limits depend on that. Limits of the whole process shrink with their number. Each endpoint
  played stands for those that share its outages.
* Messages in quiet hours, when no receiver is down and nothing waits: one is sent for several.
"""

import itertools
import math
from collections.abc import Sequence

import msgspec

from sluicegate.simulation.what_if.scenario import Outage, RetryDelays, Scenario, ScenarioError

__all__ = ["Sample", "sample_of"]

LEAD_S = 300.0
"""So long before an outage the quiet hours end."""
_DRAIN_S = 1800.0
"""So long after the first retry that succeeds, it is guessed, they begin again."""
_QUIET_PART = 0.1
"""Messages of the quiet hours, as a part of the others."""
_MINUTE_S = 60
_TICKS_S = (1, 2, 5, 10)
_COARSE_TICKS_S = (*_TICKS_S, 20, 30)
"""For a sample, whose minutes are no more exact than that anyhow."""
_BATCH = 20
"""Messages that are handed over together are committed together, which is much faster."""
_OVERDRAFT = 3
_LOOK = 0.4
"""What it costs to look at an endpoint, which is done once a minute, as a part of a message."""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The part that is played."""

    endpoints: int
    """Of the installation."""
    stands_for: tuple[float, ...]
    """For each endpoint that is played: for how many it stands, itself included."""
    ranks: tuple[int, ...]
    """Its number in the installation, from 0: an outage of a share hits the first ones."""
    quiet_every: int
    """For how many messages one stands in quiet hours; 1 = all are sent."""
    tick_s: int
    """How often messages are handed over, in seconds; a divisor of a minute."""
    messages: int
    """About how many will be sent."""

    @property
    def scale(self) -> float:
        """The part of the endpoints that is played."""
        return len(self.stands_for) / self.endpoints

    @property
    def is_exact(self) -> bool:
        """Whether it is everything."""
        return self.scale == 1 and self.quiet_every == 1

    def is_hit(self, number: int, outage: Outage) -> bool:
        """Return whether an outage is one of the `number`-th endpoint that is played."""
        return self.ranks[number] < _hit(outage, self.endpoints)

    def text(self) -> str:
        """Say in a sentence what is played."""
        count = len(self.stands_for)
        if count == self.endpoints:
            text = f"all {count:,} endpoints simulated"
        else:
            factors = sorted(
                {
                    f"{each:,.3g}" if each < 1000 else f"{each:,.0f}"  # noqa: PLR2004 - digits
                    for each in self.stands_for
                }
            )
            text = (
                f"{count:,} of {self.endpoints:,} endpoints simulated; counts times "
                f"{' or '.join(factors)}"
            )
        if self.quiet_every > 1:
            text += f"; in quiet hours 1 message stands for {self.quiet_every:,}"
        return text


def sample_of(scenario: Scenario, schedules: Sequence[RetryDelays]) -> Sample:
    """Choose what is played of a scenario, within its budget of messages.

    Args:
        scenario: what is played.
        schedules: all that are compared: each is played with the same sample.

    Raises:
        ScenarioError: the budget is too small for even one endpoint of each kind.
    """
    busy_s = _busy_s(scenario, schedules)
    rate, endpoints, budget = scenario.rate_per_endpoint, scenario.endpoints, scenario.messages_max
    cuts = sorted({0, endpoints, *(_hit(each, endpoints) for each in scenario.outages)})
    looks = _LOOK * scenario.duration_s / _MINUTE_S
    every, each_sends, count = 1, rate * scenario.duration_s, endpoints
    if budget is not None and (each_sends + looks) * endpoints > budget:
        every = _quiet_every(rate, busy_s=busy_s, quiet_s=scenario.duration_s - busy_s)
        each_sends = rate * (busy_s + (scenario.duration_s - busy_s) / every)
        count = min(endpoints, max(len(cuts) - 1, round(budget / (each_sends + looks))))
        if count * (each_sends + looks) > _OVERDRAFT * budget:
            raise ScenarioError(
                f"{count} endpoint(s), the fewest that can stand for all, get some"
                f" {count * each_sends:,.0f} messages, and {budget:,} are allowed: allow more"
                " (--messages), let it take less time (--for), or a lower rate"
            )
    stands_for, ranks = _chosen(cuts, count)
    ticks_s = _TICKS_S if count == endpoints and every == 1 else _COARSE_TICKS_S
    tick_s = next((t for t in ticks_s if count * rate * t >= _BATCH), ticks_s[-1])
    return Sample(
        endpoints=endpoints,
        stands_for=stands_for,
        ranks=ranks,
        quiet_every=every,
        tick_s=tick_s,
        messages=round(len(stands_for) * each_sends),
    )


def _chosen(cuts: list[int], count: int) -> tuple[tuple[float, ...], tuple[int, ...]]:
    """Choose some of each stretch of endpoints that share their outages."""
    endpoints = cuts[-1]
    stands_for: list[float] = []
    ranks: list[int] = []
    for low, high in itertools.pairwise(cuts):
        size = high - low
        chosen = min(size, max(1, round(count * size / endpoints)))
        stands_for += [size / chosen] * chosen
        ranks += range(low, low + chosen)
    return tuple(stands_for), tuple(ranks)


def _hit(outage: Outage, endpoints: int) -> int:
    """Return how many endpoints an outage hits; at least one."""
    return max(1, round(outage.share * endpoints))


def _busy_s(scenario: Scenario, schedules: Sequence[RetryDelays]) -> float:
    """Return for how long it will not be quiet, as far as one can guess."""
    busy_s, reached_s = 0.0, 0.0
    for outage in sorted(scenario.outages, key=lambda each: each.from_s):
        begin_s = max(reached_s, outage.from_s - LEAD_S)
        ends_s = max(_first_success_s(outage, each.slow_s) for each in schedules) + _DRAIN_S
        reached_s = max(reached_s, min(scenario.duration_s, ends_s))
        busy_s += max(0.0, reached_s - begin_s)
    return busy_s


def _first_success_s(outage: Outage, slow_s: tuple[float, ...]) -> float:
    """Return when a message that failed at once succeeds, if its retries are not given up."""
    at_s = outage.from_s
    for delay_s in itertools.chain(slow_s, itertools.repeat(slow_s[-1] or 1, 1000)):
        if at_s >= outage.until_s:
            break
        at_s += delay_s
    return max(at_s, outage.until_s)


def _quiet_every(rate: float, *, busy_s: float, quiet_s: float) -> int:
    """Return for how many messages one is to stand; each endpoint still gets one a minute.

    If it can be, a whole number of them makes a minute: all minutes are then alike.
    """
    a_minute = int(rate * 60)
    wanted = math.ceil(quiet_s / (_QUIET_PART * busy_s)) if busy_s else a_minute
    return next((n for n in range(wanted, a_minute + 1) if a_minute % n == 0), max(1, a_minute))
