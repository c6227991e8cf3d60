"""Payloads of different lengths, ours against the relay with the same payload."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from run_context import Run
from section import Section, rates_section
from subjects import Ours
from turns import Rival, rates

__all__ = ["goals", "measure", "sections"]

_SIZES = {"0.5 KiB": 512, "8 KiB": 8192, "256 KiB": 262_144}


def measure(run: Run) -> dict[str, Any]:
    """Measure the relay and ours with each length, in turn."""
    rivals: list[Rival] = []
    with ExitStack() as stack:
        server = stack.enter_context(run.serving())
        worker = stack.enter_context(run.relay())
        for text, size_bytes in _SIZES.items():
            relay = worker.like(name=f"aiohttp relay, {text}", payload_bytes=size_bytes)
            ours = Ours(server, run.sink_url, name=f"Sluicegate, {text}", payload_bytes=size_bytes)
            rivals += [Rival(relay), Rival(ours, relay.name)]
        return rates(run, "payloads", rivals)


def sections(figures: dict[str, Any]) -> Iterator[Section]:
    """Tell the rates."""
    yield rates_section(
        "Small payloads and large",
        figures,
        "Single sends over HTTP; each ratio is to the relay with the same payload.",
    )


def goals(figures: dict[str, Any]) -> dict[str, float]:
    """Tell nothing: no goal is about these."""
    del figures
    return {}
