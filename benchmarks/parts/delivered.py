"""Messages delivered end to end, as fast as they are taken, in each way of sending them."""

from collections.abc import Iterator
from typing import Any

from ours import DATABASE
from run_context import Run
from section import Section, rates_section
from subjects import CONNECTIONS, Embedded, Ours
from turns import Rival, rates
from wire import PAYLOAD_BYTES

__all__ = ["goals", "measure", "sections"]

_SINGLE = "Sluicegate, single sends over HTTP"
_BATCH = "Sluicegate, `send-batch` of 100"
_EMBEDDED = "Sluicegate, embedded"
_BATCH_MESSAGES = 100
_BATCH_SENDERS = 4


def measure(run: Run) -> dict[str, Any]:
    """Measure the relay and every way of sending to ours, in turn."""
    database = run.new_folder() / DATABASE
    with (
        run.relay() as relay,
        run.serving() as server,
        Embedded.run(database, run.sink_url, name=_EMBEDDED, core=run.cores.subject) as embedded,
    ):
        single = Ours(server, run.sink_url, name=_SINGLE)
        batch = Ours(
            server,
            run.sink_url,
            name=_BATCH,
            endpoint_ids=single.endpoint_ids,
            batch=_BATCH_MESSAGES,
            senders=_BATCH_SENDERS,
        )
        figures = rates(
            run,
            "delivered end to end",
            [Rival(relay), *(Rival(each, relay.name) for each in (single, batch, embedded))],
            turns=run.sized(5, quick=3),
            round_s=run.sized(2.5, quick=1.0),
        )
    run.check(embedded.ledger.accepted, embedded.ledger.statuses())
    return figures


def sections(figures: dict[str, Any]) -> Iterator[Section]:
    """Tell the rates."""
    yield rates_section(
        "Messages delivered end to end",
        figures,
        f"{PAYLOAD_BYTES} B payload, {CONNECTIONS} senders ({_BATCH_SENDERS} of batches), at most "
        f"{CONNECTIONS} attempts in flight. Sluicegate: HTTP accept, SQLite (synchronous=FULL), "
        "signed POST, result recorded; embedded, the `Engine` is in the process of an asyncio "
        "producer, which has its core's time too. The relay: accept, POST; nothing stored, nothing "
        "signed.",
    )


def goals(figures: dict[str, Any]) -> dict[str, float]:
    """Tell the ratios to the relay."""
    return {
        "single_relay": figures["rivals"][_SINGLE]["ratio"][0],
        "batch_relay": figures["rivals"][_BATCH]["ratio"][0],
    }
