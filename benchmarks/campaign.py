"""What a run measures with the server, step by step."""

from statistics import median
from typing import Any, NamedTuple

import pause
from delivery import CONNECTIONS, Bench, Delivered, Ours, Relay, Subject, Took, closed, paced
from figures import Spread
from ours import Server
from steps import Steps
from wire import PAYLOAD_BYTES

__all__ = ["FULL", "QUICK", "Campaign", "Figures", "Sizes"]

Figures = dict[str, Any]


class Sizes(NamedTuple):
    """How much is measured."""

    rounds: int
    round_s: float
    rounds_paced: int
    paced_s: float
    pauses: int
    pauses_s: float
    held: int
    endpoints: int
    working: int
    active: int


FULL = Sizes(
    rounds=7,
    round_s=3.0,
    rounds_paced=5,
    paced_s=4.0,
    pauses=300,
    pauses_s=5.0,
    held=100_000,
    endpoints=100_000,
    working=1000,
    active=20_000,
)
QUICK = Sizes(
    rounds=3,
    round_s=1.0,
    rounds_paced=2,
    paced_s=1.5,
    pauses=60,
    pauses_s=1.0,
    held=10_000,
    endpoints=10_000,
    working=500,
    active=4000,
)

_WARM_UP = 1000


class Campaign:
    """The part of a run that needs the server."""

    def __init__(self, sizes: Sizes, bench: Bench, relay: Relay, ours: Ours, steps: Steps) -> None:
        self._sizes = sizes
        self._bench = bench
        self._relay = relay
        self._ours = ours
        self._steps = steps
        self._held = 0

    def delivered(self) -> Figures:
        """Measure rounds at full speed, the relay's and ours in turn."""
        self._steps.begin("warming up")
        counts = {each.name: self._warm_up(each) for each in (self._relay, self._ours)}
        rounds: dict[str, list[Delivered]] = {"relay": [], "Sluicegate": []}
        for number in range(self._sizes.rounds):
            self._steps.begin(f"delivered end to end, round {number + 1}")
            for subject in (self._relay, self._ours):
                rounds[subject.name].append(self._bench.throughput(subject, counts[subject.name]))
        relay, ours = rounds["relay"], rounds["Sluicegate"]
        pairs = list(zip(ours, relay, strict=True))
        return {
            "rounds": self._sizes.rounds,
            "connections": CONNECTIONS,
            "payload_bytes": PAYLOAD_BYTES,
            "relay": _rounds(relay),
            "sluicegate": _rounds(ours),
            "ratio": Spread.of([a.per_s / b.per_s for a, b in pairs]),
            "cpu_ratio": Spread.of([a.cpu_us / b.cpu_us for a, b in pairs]),
        }

    def _warm_up(self, subject: Subject) -> int:
        """Return how many messages make a round of the wanted length."""
        self._bench.throughput(subject, _WARM_UP)
        per_s = self._bench.throughput(subject, _WARM_UP).per_s
        return max(_WARM_UP, round(per_s * self._sizes.round_s))

    def took(self, *, median_per_s: float) -> Figures:
        """Measure rounds at half of our rate, the relay's and ours in turn."""
        rate = median_per_s / 2
        rounds: dict[str, list[Took]] = {"relay": [], "Sluicegate": []}
        for number in range(self._sizes.rounds_paced):
            self._steps.begin(f"send to delivered at {rate:,.0f}/s, round {number + 1}")
            for subject in (self._relay, self._ours):
                rounds[subject.name].append(
                    self._bench.latency(subject, rate=rate, seconds=self._sizes.paced_s)
                )
        relay, ours = rounds["relay"], rounds["Sluicegate"]
        return {
            "rate": rate,
            "seconds": self._sizes.paced_s,
            "rounds": self._sizes.rounds_paced,
            "relay": _paced(relay),
            "sluicegate": _paced(ours),
            "ratio": {
                p: Spread.of([a.ms[p] / b.ms[p] for a, b in zip(ours, relay, strict=True)])
                for p in ("p50", "p99")
            },
        }

    def pauses(self, server: Server, sink_port: int, *, rate: float) -> Figures:
        """Measure pauses: idle, under load, and with many messages held."""
        sizes, api = self._sizes, server.api
        url = f"http://127.0.0.1:{sink_port}/hook"
        empty_id = server.create_endpoint(f"{url}/empty")
        held_id = server.create_endpoint(f"{url}/held")
        self._steps.begin("pause and resume, idle")
        idle = pause.Answers(api, empty_id)
        for _ in range(sizes.pauses):
            idle.pause()
            idle.resume()
        half = pause.Answers(api, self._ours.endpoint_ids[0])
        self._steps.begin("pause and resume, at half of the rate")
        self._beside(half, count=int(rate * sizes.pauses_s), job=paced(rate))
        full = pause.Answers(api, self._ours.endpoint_ids[0])
        self._steps.begin("pause and resume, at the full rate")
        self._beside(full, count=int(2 * rate * sizes.pauses_s), job=closed())
        self._steps.begin(f"sending {sizes.held:,} messages to hold")
        api.call("POST", f"/v1/endpoints/{empty_id}/pause")
        pause.hold(server, held_id, sizes.held)
        self._held = sizes.held
        self._steps.begin(f"pause and resume, {sizes.held:,} held")
        held, none_held = pause.with_and_without_held(
            api, held_id=held_id, empty_id=empty_id, count=sizes.pauses
        )
        waiting = api.call("GET", f"/v1/endpoints/{held_id}")["counts"]["paused"]
        return {
            "held_count": sizes.held,
            "flowed": sizes.held - waiting,
            "idle": idle.summary(),
            "half_load": half.summary(),
            "full_load": full.summary(),
            "none_held": none_held.summary(),
            "held": held.summary(),
            "ratio": pause.ratios(held, none_held),
        }

    def _beside(self, answers: pause.Answers, *, count: int, job: Figures) -> None:
        measure = pause.beside_load(answers, seconds=self._sizes.pauses_s * 0.9)
        self._bench.beside(self._ours, job, count, measure)

    def verify(self, server: Server) -> Figures:
        """Stop the server and count what its file holds: nothing accepted may be missing."""
        self._steps.begin("counting what was delivered")
        stored = server.stop()
        accepted = self._bench.accepted["Sluicegate"] + self._held
        succeeded, held = stored.get("succeeded", 0), stored.get("queued", 0)
        faults = list(self._bench.faults)
        if succeeded + held != accepted:
            faults.append(f"Sluicegate: {accepted} accepted, its database holds {stored}")
        return {
            "counts": {
                "accepted": accepted,
                "succeeded": succeeded,
                "held": held,
                "lost": accepted - succeeded - held,
                "relay_accepted": self._bench.accepted["relay"],
            },
            "faults": faults,
        }


def _rounds(rounds: list[Delivered]) -> Figures:
    return {
        "count": rounds[0].count,
        "per_s": Spread.of([each.per_s for each in rounds]),
        "cpu_us": Spread.of([each.cpu_us for each in rounds]),
        "cpu": {
            name: median(each.cpu[name] for each in rounds)
            for name in ("subject", "others", "load", "sink")
        },
    }


def _paced(rounds: list[Took]) -> Figures:
    return {
        "p50_ms": Spread.of([each.ms["p50"] for each in rounds]),
        "p99_ms": Spread.of([each.ms["p99"] for each in rounds]),
        "cpu": median(each.cpu for each in rounds),
        "others": median(each.others for each in rounds),
        "late_p99_ms": median(each.late_ms["p99"] for each in rounds),
    }
