"""How long a pause takes to be answered: idle, under load, and with many messages held."""

from collections.abc import Iterator
from typing import Any

import pause
from rounds import closed, paced
from run_context import Run
from section import Section
from subjects import Ours

__all__ = ["goals", "measure", "sections"]


def measure(run: Run) -> dict[str, Any]:
    """Measure pauses: idle, under load, and with many messages held."""
    count, held_count = run.sized(300, quick=60), run.sized(100_000, quick=10_000)
    seconds = run.sized(5.0, quick=1.0)
    with run.serving() as server:
        api = server.api
        ours = Ours(server, run.sink_url)
        run.steps.say("pause and resume, warming up")
        rate = run.rounds.warm_up(ours, round_s=1.0)
        empty_id = server.create_endpoint(f"{run.sink_url}/empty")
        held_id = server.create_endpoint(f"{run.sink_url}/held")
        run.steps.say("pause and resume, idle")
        idle = pause.Answers(api, empty_id)
        for _ in range(count):
            idle.pause()
            idle.resume()
        half, full = (pause.Answers(api, ours.endpoint_ids[0]) for _ in range(2))
        for what, answers, job, sent in (
            ("half of the rate", half, paced(rate / 2), rate * seconds / 2),
            ("the full rate", full, closed(ours), rate * seconds),
        ):
            run.steps.say(f"pause and resume, at {what}")
            during = pause.beside_load(answers, seconds=seconds * 0.9)
            run.rounds.beside(ours, job, int(sent), during)
        run.steps.say(f"pause and resume, sending {held_count:,} messages to hold")
        api.call("POST", f"/v1/endpoints/{empty_id}/pause")
        pause.hold(server, held_id, held_count)
        run.steps.say(f"pause and resume, {held_count:,} held")
        held, none_held = pause.with_and_without_held(
            api, held_id=held_id, empty_id=empty_id, count=count
        )
        waiting = api.call("GET", f"/v1/endpoints/{held_id}")["counts"]["paused"]
    return {
        "held_count": held_count,
        "flowed": held_count - waiting,
        "idle": idle.summary(),
        "half_load": half.summary(),
        "full_load": full.summary(),
        "none_held": none_held.summary(),
        "held": held.summary(),
        "ratio": pause.ratios(held, none_held),
    }


def sections(figures: dict[str, Any]) -> Iterator[Section]:
    """Tell the times."""
    rows: list[tuple[str, ...]] = []
    for name, key in (
        ("idle", "idle"),
        ("at half of the measured rate", "half_load"),
        ("at the full rate", "full_load"),
        ("none held", "none_held"),
        (f"{figures['held_count']:,} held", "held"),
    ):
        each = figures[key]
        ms = [f"{each[what][p]:.2f}" for what in ("pause_ms", "resume_ms") for p in ("p50", "p99")]
        rows.append((name, *ms, f"{each['count']:,}"))
    ratio = figures["ratio"]
    rows.append(
        (
            "ratio, held to none held",
            *(f"{ratio[what][p]:.2f}" for what in ("pause", "resume") for p in ("p50", "p99")),
            "",
        )
    )
    yield Section(
        "Pause and resume answered",
        ("", "pause p50 ms", "p99 ms", "resume p50 ms", "p99 ms", "answers"),
        rows,
        "Over HTTP, commit included, as the client sees it. Under load the paused endpoint is one "
        "of those that the load goes to. With and without messages held in turn; "
        f"{figures['flowed']:,} of those held flowed between a resume and the next pause. Unlike "
        "rounds, nothing here is discarded or remarked when other programs took the core.",
    )


def goals(figures: dict[str, Any]) -> dict[str, float]:
    """Tell nothing: neither 1,000 active endpoints nor 1,000,000 waiting are measured."""
    del figures
    return {}
