"""Messages delivered end to end, as fast as they are taken, in each way of sending them."""

import contextlib
from collections.abc import Iterator
from typing import Any

import peers
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
    """Measure the relay, every way of sending to ours, and the peers, in turn."""
    database = run.new_folder() / DATABASE
    with (
        contextlib.ExitStack() as stack,
        run.relay() as relay,
        run.serving() as server,
        Embedded.run(database, run.sink_url, name=_EMBEDDED, core=run.cores.subject) as embedded,
        run.floor() as floor,
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
        opened = peers.opened(run, stack)
        subjects = (single, batch, embedded, floor, *opened.peers)
        figures = rates(
            run,
            "delivered end to end",
            [Rival(relay), *(Rival(each, relay.name) for each in subjects)],
            turns=run.sized(9, quick=3),
            round_s=1.5,
        )
    run.check(embedded.ledger.accepted, embedded.ledger.statuses())
    return figures | {"peers": opened.figures}


def sections(figures: dict[str, Any]) -> Iterator[Section]:
    """Tell the rates, and what the peers are."""
    section = rates_section(
        "Messages delivered end to end",
        figures,
        f"{PAYLOAD_BYTES} B payload, {CONNECTIONS} senders ({_BATCH_SENDERS} of batches), at most "
        f"{CONNECTIONS} attempts in flight. Sluicegate: HTTP accept, SQLite (synchronous=FULL), "
        "signed POST, result recorded; embedded, the `Engine` is in the process of an asyncio "
        "producer, which has its core's time too. The relay: accept, POST; nothing stored, nothing "
        "signed. The floor: single sends over HTTP, stored (synchronous=FULL), signed, posted and "
        "recorded as directly as Python, httptools and SQLite allow, and nothing else: no keys, "
        "endpoints, retries, order or pauses; no use to anyone, and nearest to a limit. "
        "The peers, below, get single sends over HTTP.",
    )
    blank = [""] * (len(section.columns) - 2)
    skipped = [(name, "skipped", *blank) for name in figures["peers"]["skipped"]]
    yield section._replace(rows=section.rows + skipped)
    yield peers.section(figures["peers"])


def goals(figures: dict[str, Any]) -> dict[str, float]:
    """Tell the ratios to the relay, and to the fastest peer if none is missing."""
    rivals = figures["rivals"]
    told = {
        "single_relay": rivals[_SINGLE]["ratio"][0],
        "batch_relay": rivals[_BATCH]["ratio"][0],
    }
    names = figures["peers"]["measured"]
    if names and not figures["peers"]["skipped"]:
        fastest = max(rivals[name]["per_s"][0] for name in names)
        told["single_peers"] = rivals[_SINGLE]["per_s"][0] / fastest
    return told
