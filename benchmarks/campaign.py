"""What a run measures with the server, step by step."""

from collections.abc import Callable
from statistics import median
from typing import Any, TypeVar

import pause
from delivery import (
    CONNECTIONS,
    Bench,
    Delivered,
    Ours,
    Relay,
    Shares,
    Subject,
    Took,
    closed,
    paced,
)
from figures import Spread
from ours import Server
from sizes import Sizes
from steps import Steps
from wire import PAYLOAD_BYTES

__all__ = ["OTHERS_MAX", "Campaign", "Figures"]

Figures = dict[str, Any]

_R = TypeVar("_R", Delivered, Took)

OTHERS_MAX = 0.1
"""The share of a core that other programs may take before a round compares nothing."""


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
        """Measure rounds at full speed."""
        self._steps.begin("warming up")
        counts = {each.name: self._warm_up(each) for each in (self._relay, self._ours)}
        pairs, discarded = self._in_turn(
            "delivered end to end",
            self._sizes.rounds,
            lambda subject: self._bench.throughput(subject, counts[subject.name]),
        )
        return {
            "rounds": len(pairs),
            "discarded": discarded,
            "connections": CONNECTIONS,
            "payload_bytes": PAYLOAD_BYTES,
            "relay": _rounds([relay for relay, _ in pairs]),
            "sluicegate": _rounds([ours for _, ours in pairs]),
            "ratio": Spread.of([ours.per_s / relay.per_s for relay, ours in pairs]),
            "cpu_ratio": Spread.of([ours.cpu_us / relay.cpu_us for relay, ours in pairs]),
        }

    def _warm_up(self, subject: Subject) -> int:
        """Return how many messages make a round of the wanted length."""
        self._bench.throughput(subject, _WARM_UP)
        per_s = self._bench.throughput(subject, _WARM_UP).per_s
        return max(_WARM_UP, round(per_s * self._sizes.round_s))

    def _in_turn(
        self, what: str, wanted: int, measure: Callable[[Subject], _R]
    ) -> tuple[list[tuple[_R, _R]], int]:
        """Measure the relay and ours in turn, in pairs of rounds.

        A pair in which other programs took much of a core compares nothing: it is discarded and
        measured again while there is time, at most as often as pairs are wanted. If that leaves
        less than half of them, all are kept, and the report says that the run was disturbed.

        Returns:
            The pairs, the relay's first, and how many were discarded.
        """
        kept: list[tuple[_R, _R]] = []
        disturbed: list[tuple[_R, _R]] = []
        while len(kept) < wanted and len(kept) + len(disturbed) < 2 * wanted:
            measured = len(kept) + len(disturbed)
            if measured < wanted:
                self._steps.begin(f"{what}, round {measured + 1}")
            elif self._steps.elapsed_s < self._sizes.repeat_until_s:
                self._steps.say(f"{what}, a disturbed round again")
            else:
                break
            pair = (measure(self._relay), measure(self._ours))
            is_disturbed = max(each.shares.others for each in pair) > OTHERS_MAX
            (disturbed if is_disturbed else kept).append(pair)
        if len(kept) * 2 < wanted:
            return kept + disturbed, 0
        return kept, len(disturbed)

    def took(self, *, median_per_s: float) -> Figures:
        """Measure rounds at half of our rate."""
        rate = median_per_s / 2
        seconds = self._sizes.paced_s
        pairs, discarded = self._in_turn(
            f"send to delivered at {rate:,.0f}/s",
            self._sizes.rounds_paced,
            lambda subject: self._bench.latency(subject, rate=rate, seconds=seconds),
        )
        return {
            "rate": rate,
            "seconds": seconds,
            "rounds": len(pairs),
            "discarded": discarded,
            "relay": _paced([relay for relay, _ in pairs]),
            "sluicegate": _paced([ours for _, ours in pairs]),
            "ratio": {
                p: Spread.of([ours.ms[p] / relay.ms[p] for relay, ours in pairs])
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
        "messages": rounds[0].messages,
        "per_s": Spread.of([each.per_s for each in rounds]),
        "cpu_us": Spread.of([each.cpu_us for each in rounds]),
        "shares": _shares([each.shares for each in rounds]),
    }


def _paced(rounds: list[Took]) -> Figures:
    return {
        "p50_ms": Spread.of([each.ms["p50"] for each in rounds]),
        "p99_ms": Spread.of([each.ms["p99"] for each in rounds]),
        "shares": _shares([each.shares for each in rounds]),
        "late_p99_ms": median(each.late_ms["p99"] for each in rounds),
    }


def _shares(shares: list[Shares]) -> Figures:
    return {
        name: median(values)
        for name, values in zip(Shares._fields, zip(*shares, strict=True), strict=True)
    }
