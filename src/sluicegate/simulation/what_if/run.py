"""A scenario, played by the real engine on virtual time."""

import asyncio
import logging
import random
from collections.abc import Callable, Iterator

import msgspec

from sluicegate.app import Engine
from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.model import EndpointCounts
from sluicegate.engine.ports import Sender
from sluicegate.simulation.lives import Life
from sluicegate.simulation.simulation import Simulation
from sluicegate.simulation.what_if.course import Course, recovery_of
from sluicegate.simulation.what_if.receivers import Receivers
from sluicegate.simulation.what_if.sample import LEAD_S, Sample, sample_of
from sluicegate.simulation.what_if.scenario import Arrivals, RetryDelays, Scenario

__all__ = ["play"]

_BATCH_MAX = 1000
_MINUTE_S = 60
_REPORT_EVERY_S = 300.0


class _World(Simulation):
    """A simulation whose engine delivers to the receivers of a scenario.

    A subclass, for this is the one place where something stands for the network as a whole: an
    option of `Simulation` would offer to every test what takes away most of its faults.
    """

    receivers: Receivers

    def direct_sender(self, life: Life) -> Sender | None:
        """Return the receivers themselves, in the place of HTTP."""
        del life
        return self.receivers


class _Looks(msgspec.Struct, frozen=True):
    """What the engine told at the beginnings of minutes."""

    backlog: list[float]
    dead_letters: list[float]


def play(
    scenario: Scenario,
    delays: RetryDelays,
    *,
    sample: Sample | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> Course:
    """Play a scenario with a retry schedule; blocks, up to about a minute for a day.

    It makes an event loop of its own, so it must not be called from a running one.

    Args:
        scenario: what is played.
        delays: the retry schedule.
        sample: which part of it; by default what `sample_of` chooses for this schedule alone.
        progress: called now and then with the part of the time that has passed, 0 to 1.

    Raises:
        ScenarioError: it cannot be played.
        SettingError: a setting has a value that is not allowed.
    """
    scenario.check()
    sample = sample or sample_of(scenario, [delays])
    settings = scenario.settings_for(delays, scale=sample.scale)
    with _World(scenario.seed, direct=True) as world:
        # Each of a million messages would be logged into the trace, where nobody looks.
        logging.getLogger("sluicegate").setLevel(logging.ERROR)
        day = _Day(world, scenario, sample)
        world.receivers = day.receivers
        host = world.engine(**settings)
        world.run(host.call(day.prepare))
        running = world.loop.spawn(host.life, day.run(host.engine))
        until_s = scenario.duration_s
        while day.now_s() < until_s:
            world.advance(min(_REPORT_EVERY_S, until_s - day.now_s()))
            progress(min(1.0, max(0.0, day.now_s() / until_s)))
        world.run(_ended(running))
    return day.course(delays)


async def _ended(running: "asyncio.Task[None]") -> None:
    await running


class _Day:
    """Sends what a scenario sends, and looks at the engine once a minute."""

    def __init__(self, world: Simulation, scenario: Scenario, sample: Sample) -> None:
        self._loop = world.loop
        self._scenario = scenario
        self._sample = sample
        self._begins_s = float("inf")
        self._endpoint_ids: list[str] = []
        self._arrivals = [
            _arrivals(scenario, number, len(sample.stands_for))
            for number in range(len(sample.stands_for))
        ]
        self._next_s = [next(each) for each in self._arrivals]
        count = len(sample.stands_for)
        # Endpoints take turns in quiet hours, too.
        self._unsent = [number * sample.quiet_every // count for number in range(count)]
        self._is_quiet = False
        self._seen = _Looks([], [])
        self._accepted = 0.0 - sum(map(float.__mul__, map(float, self._unsent), sample.stands_for))
        self._accepted_here = 0
        self._paused = 0.0
        self.receivers = Receivers(scenario, sample, now_s=self.now_s)

    def now_s(self) -> float:
        """Return the seconds since the scenario began; negative before."""
        return self._loop.time() - self._begins_s

    async def prepare(self, engine: Engine) -> None:
        """Create the endpoints, and let the scenario begin with the next minute."""
        scenario = self._scenario
        for url in self.receivers.urls:
            self._loop.network.address(url.split("/")[2])
            endpoint = await engine.create_endpoint(
                url=url,
                rate_limit_rps=scenario.rate_limit_rps,
                max_in_flight=scenario.max_in_flight,
                timeout_s=scenario.timeout_s,
            )
            self._endpoint_ids.append(endpoint.id)
        self._begins_s = (self._loop.time() // _MINUTE_S + 1) * _MINUTE_S

    async def run(self, engine: Engine) -> None:
        """Be the producer, from the beginning to the end."""
        duration_s, tick_s = self._scenario.duration_s, self._sample.tick_s
        for at_s in range(0, int(duration_s) + 1, tick_s):
            await asyncio.sleep(at_s - self.now_s())
            if at_s % _MINUTE_S == 0:
                await self._look(engine, at_s)
            if at_s < duration_s:
                await self._send(engine, at_s)
        await asyncio.sleep(duration_s - self.now_s())
        if duration_s % _MINUTE_S:
            await self._look(engine, duration_s)

    # -- sending --------------------------------------------------------------------------------

    async def _send(self, engine: Engine, at_s: float) -> None:
        """Hand over what has arrived since the last time."""
        every = self._sample.quiet_every if self._is_quiet else 1
        batch: list[tuple[str, int, float]] = []
        for number, arrivals in enumerate(self._arrivals):
            while self._next_s[number] <= at_s:
                self._next_s[number] = next(arrivals)
                self._unsent[number] += 1
                if self._unsent[number] >= every:
                    stands_for = self._sample.stands_for[number]
                    batch.append((self._endpoint_ids[number], self._unsent[number], stands_for))
                    self._unsent[number] = 0
        for first in range(0, len(batch), _BATCH_MAX):
            part = batch[first : first + _BATCH_MAX]
            answers = await engine.send_batch(
                [{"endpoint_id": each, "payload": b"%d" % count} for each, count, _ in part]
            )
            for (_, count, stands_for), answer in zip(part, answers, strict=True):
                if not isinstance(answer, SluicegateError):
                    self._accepted += count * stands_for
                    self._accepted_here += 1

    # -- looking --------------------------------------------------------------------------------

    async def _look(self, engine: Engine, at_s: float) -> None:
        """Note what the engine says, and whether hours are quiet."""
        backlog = dead = paused = 0.0
        is_idle = True
        every = self._sample.quiet_every if self._is_quiet else 1
        for endpoint_id, stands_for in zip(
            self._endpoint_ids, self._sample.stands_for, strict=True
        ):
            endpoint = await engine.get_endpoint(endpoint_id)
            counts: EndpointCounts = endpoint.counts
            # In quiet hours those that are new succeed; retries were sent before, one by one.
            new = counts.queued + counts.delivering
            backlog += (new * every + counts.pending_retry + counts.paused) * stands_for
            dead += counts.failed_permanent * stands_for
            paused += endpoint.paused * stands_for
            is_idle = is_idle and new <= self._usual_backlog() and not endpoint.paused
        self._seen.backlog.append(backlog)
        self._seen.dead_letters.append(dead)
        self._paused = paused
        self._is_quiet = is_idle and not any(
            each.from_s - LEAD_S <= at_s + _MINUTE_S and at_s < each.until_s
            for each in self._scenario.outages
        )

    def _usual_backlog(self) -> float:
        """Return how many messages of an endpoint are under way when all is well."""
        rate = self._scenario.rate_per_endpoint
        return 2 + 2 * rate * (self._scenario.answer_s + self._sample.tick_s)

    # -- what it came to ------------------------------------------------------------------------

    def course(self, delays: RetryDelays) -> Course:
        """Return what was seen."""
        receivers = self.receivers
        backlog = tuple(round(each) for each in self._seen.backlog)
        whole_minutes = len(backlog) - 1
        attempts = tuple(round(each) for each in receivers.attempts[:whole_minutes])
        backlog_max = max(backlog)
        return Course(
            schedule=delays.label,
            retry_slow_s=delays.slow_s,
            backlog=backlog,
            attempts=attempts,
            dead_letters=tuple(round(each) for each in self._seen.dead_letters),
            messages=round(self._accepted),
            paused_endpoints=round(self._paused),
            backlog_max=backlog_max,
            backlog_max_at_s=backlog.index(backlog_max) * _MINUTE_S,
            attempts_total=round(sum(receivers.attempts)),
            recovery=recovery_of(
                self._scenario,
                backlog=backlog,
                attempts=attempts,
                per_second_max=receivers.per_second_max,
            ),
            simulated_messages=self._accepted_here,
            simulated_attempts=receivers.simulated,
        )


def _arrivals(scenario: Scenario, number: int, count: int) -> Iterator[float]:
    """Give the moments at which messages to an endpoint arrive, in seconds; without end.

    Args:
        scenario: what is played.
        number: the endpoint's.
        count: how many endpoints there are: evenly spread messages go to each in turn.
    """
    apart_s = 1 / scenario.rate_per_endpoint
    if scenario.arrivals is Arrivals.EVEN:
        index = 0
        while True:
            yield (index + (number + 0.5) / count) * apart_s
            index += 1
    chance = random.Random(f"{scenario.seed}:arrivals:{number}")
    at_s = 0.0
    while True:
        at_s += chance.expovariate(1 / apart_s)
        yield at_s
