"""Messages delivered end to end, as fast as they are taken."""

from collections.abc import Iterator
from typing import Any

from run_context import Run
from section import Section, rates_section
from subjects import CONNECTIONS, Ours
from turns import Rival, rates
from wire import PAYLOAD_BYTES

__all__ = ["goals", "measure", "sections"]

_OURS = "Sluicegate"


def measure(run: Run) -> dict[str, Any]:
    """Measure the relay and ours in turn."""
    with run.relay() as relay, run.serving() as server:
        ours = Ours(server, run.sink_url, name=_OURS)
        return rates(
            run,
            "delivered end to end",
            [Rival(relay), Rival(ours, against=relay.name)],
            turns=run.sized(5, quick=3),
            round_s=run.sized(3.0, quick=1.0),
        )


def sections(figures: dict[str, Any]) -> Iterator[Section]:
    """Tell the rates."""
    yield rates_section(
        "Messages delivered end to end",
        figures,
        f"{PAYLOAD_BYTES} B payload, {CONNECTIONS} senders, at most {CONNECTIONS} attempts in "
        "flight. Sluicegate: HTTP accept, SQLite (synchronous=FULL), signed POST, result "
        "recorded. The relay: accept, POST; nothing stored, nothing signed.",
    )


def goals(figures: dict[str, Any]) -> dict[str, float]:
    """Tell the ratio to the relay."""
    return {"single_relay": figures["rivals"][_OURS]["ratio"][0]}
