"""Messages spread over few endpoints and over many."""

from collections.abc import Iterator
from typing import Any

from run_context import Run
from section import Section, rates_section
from stored import Owner
from subjects import Ours
from turns import Rival, rates

__all__ = ["goals", "measure", "sections"]

_IN_FLIGHT_PER_ENDPOINT = 16


def measure(run: Run) -> dict[str, Any]:
    """Measure the relay and ours, with the same messages over more and more endpoints."""
    counts = (1, 16, 256, run.sized(10_000, quick=1000))
    owners = [Owner(f"{run.sink_url}/{number}") for number in range(sum(counts))]
    run.steps.say(f"endpoints, storing {len(owners):,}")
    with run.relay() as relay, run.serving(owners) as server:
        left = iter(server.stored_ids)
        rivals = [
            Ours(
                server,
                run.sink_url,
                name=f"Sluicegate, {count:,} endpoint{'s' if count > 1 else ''}",
                endpoint_ids=[next(left) for _ in range(count)],
            )
            for count in counts
        ]
        run.steps.say(f"endpoints, the first message to each of {counts[-1]:,}")
        first = run.rounds.throughput(rivals[-1], counts[-1])
        compared = [Rival(relay), *(Rival(each, relay.name) for each in rivals)]
        figures = rates(run, "endpoints", compared)
    return figures | {
        "first": {"messages": first.messages, "per_s": first.per_s, "cpu_us": first.cpu_us}
    }


def sections(figures: dict[str, Any]) -> Iterator[Section]:
    """Tell the rates."""
    first = figures["first"]
    yield rates_section(
        "Few endpoints and many",
        figures,
        "Single sends over HTTP to one endpoint after the other, which all lead to the same sink; "
        f"an endpoint has at most {_IN_FLIGHT_PER_ENDPOINT} attempts in flight, so that one alone "
        "is limited by that. The endpoints had messages before: the first one to each of the "
        f"{first['messages']:,}, for which it is read into memory, went at "
        f"{first['per_s']:,.0f} messages/s and {first['cpu_us']:,.0f} µs of CPU each.",
    )


def goals(figures: dict[str, Any]) -> dict[str, float]:
    """Tell nothing: no goal is about these."""
    del figures
    return {}
