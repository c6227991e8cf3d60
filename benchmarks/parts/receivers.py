"""Receivers with TLS and without, that keep connections and that do not."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from run_context import Run
from section import Section, rates_section
from subjects import Ours
from turns import Rival, rates

__all__ = ["goals", "measure", "sections"]

_KINDS = {
    "https": "TLS",
    "http closing": "no keep-alive",
    "https closing": "TLS, no keep-alive",
}


def measure(run: Run) -> dict[str, Any]:
    """Measure the relay and ours with each kind of receiver, in turn."""
    rivals: list[Rival] = []
    with ExitStack() as stack:
        server = stack.enter_context(run.serving())
        for kind, text in _KINDS.items():
            relay = stack.enter_context(run.relay(name=f"aiohttp relay, {text}", receiver=kind))
            ours = Ours(server, run.receiver(kind), name=f"Sluicegate, {text}")
            rivals += [Rival(relay), Rival(ours, relay.name)]
        return rates(run, "receivers", rivals)


def sections(figures: dict[str, Any]) -> Iterator[Section]:
    """Tell the rates."""
    yield rates_section(
        "Receivers with TLS, and without keep-alive",
        figures,
        "Single sends over HTTP; each ratio is to the relay with the same receiver. With TLS, "
        "both check the certificate, which an authority of the run's own has signed; a receiver "
        "without keep-alive closes the connection after each answer.",
    )


def goals(figures: dict[str, Any]) -> dict[str, float]:
    """Tell nothing: no goal is about these."""
    del figures
    return {}
