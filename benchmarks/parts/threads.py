"""Threads that send to one `SyncEngine` at once, very often: is any message lost? On request only.

Each round is checked: what was accepted has arrived once, and is recorded. A round that misses a
message ends the part.
"""

from collections.abc import Iterator
from typing import Any

from figures import Spread
from ours import DATABASE
from run_context import Run
from section import Section, spread
from subjects import Embedded

__all__ = ["goals", "measure", "sections"]

_THREADS = 8
_SENDS = 10_000
"""Of each thread."""
_ROUNDS = 10
"""A round is as long as rounds may be on a slow disk."""


def measure(run: Run) -> dict[str, Any]:
    """Send everything."""
    name = f"`SyncEngine`, {_THREADS} threads"
    sends = run.sized(_SENDS, quick=_SENDS // 20)
    with Embedded.run(
        run.new_folder() / DATABASE,
        run.sink_url,
        name=name,
        core=run.cores.subject,
        program="embedded_blocking",
        senders=_THREADS,
    ) as subject:
        made = []
        for number in range(_ROUNDS):
            run.steps.say(f"{name}, {number + 1} of {_ROUNDS}")
            made.append(run.rounds.throughput(subject, _THREADS * sends // _ROUNDS))
    run.check(subject.ledger.accepted, subject.ledger.statuses())
    return {
        "threads": _THREADS,
        "sends": sends,
        "delivered": sum(each.messages for each in made),
        "per_s": Spread.of([each.per_s for each in made]),
    }


def sections(figures: dict[str, Any]) -> Iterator[Section]:
    """Tell what became of them."""
    yield Section(
        "Threads that send at once",
        ("threads", "sends of each", "delivered once", "messages/s"),
        [
            (
                f"{figures['threads']}",
                f"{figures['sends']:,}",
                f"{figures['delivered']:,}",
                spread(figures["per_s"], ",.0f"),
            )
        ],
        "To one `SyncEngine`; each thread sends its next message when the last one is accepted. "
        f"Median (least to greatest) of {_ROUNDS} rounds.",
    )


def goals(figures: dict[str, Any]) -> dict[str, float]:
    """Tell none: a message that is lost fails the run."""
    del figures
    return {}
