"""Writes down what clients and receivers see."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from sluicegate.simulation.faults import Faults
from sluicegate.simulation.loop import SimulationLoop
from sluicegate.simulation.oracle.history import (
    Call,
    Event,
    EventKind,
    History,
    Operation,
    Sighting,
)
from sluicegate.simulation.receivers.host import ReceiverHost
from sluicegate.simulation.runs.client import RefusedError, Seen

__all__ = ["Recorder"]

_T = TypeVar("_T")


class Recorder:
    """Keeps the history of one run.

    Attributes:
        history: so far.
        problems: what no client should ever hear.
    """

    def __init__(self, loop: SimulationLoop, history: History) -> None:
        """Write into a history."""
        self._loop = loop
        self.history = history
        self.problems: list[str] = []

    # -- clients ------------------------------------------------------------------------------

    def begin(self, operation: Operation, endpoint: str, **facts: Any) -> Call:  # noqa: ANN401 - fields of `Call`
        """Write down that a call begins."""
        call = Call(
            number=len(self.history.calls) + 1,
            operation=operation,
            endpoint=endpoint,
            began_s=self._loop.time(),
            **facts,
        )
        self.history.calls.append(call)
        self._loop.trace.note("call.began", call.number, operation, endpoint)
        return call

    def end(self, call: Call, error: str | None = None) -> None:
        """Write down what a client heard."""
        call.ended_s = self._loop.time()
        call.error = error
        self._loop.trace.note("call.ended", call.number, error or "")

    async def ask(
        self, call: Call, work: Awaitable[_T], heard: Callable[[_T], None] | None = None
    ) -> bool:
        """Wait for the answer to a call and write it down; return whether it was carried out."""
        return await self.ask_all([call], work, heard=heard)

    async def ask_all(
        self,
        calls: list[Call],
        work: Awaitable[_T],
        *,
        heard: Callable[[_T], None] | None = None,
    ) -> bool:
        """Wait for the one answer to several calls; what `heard` has ended, it has ended."""
        error: str | None = None
        try:
            answer = await work
            if heard is not None:
                heard(answer)
        except RefusedError as refused:
            error = refused.code
            if error == "INTERNAL_ERROR":
                self.problem(f"call {calls[0].number} {calls[0].operation}: {error}")
        except asyncio.CancelledError:
            for call in calls:
                self.end(call, "CANCELLED")
            raise
        except Exception as raised:  # noqa: BLE001 - a finding, whatever it is
            error = "INTERNAL_ERROR"
            kind = type(raised).__name__
            self.problem(f"call {calls[0].number} {calls[0].operation}: {kind}: {raised}")
        for call in calls:
            if call.ended_s is None:
                self.end(call, error)
        return error is None

    def saw(self, began_s: float, seen: Iterable[Seen]) -> None:
        """Write down how messages were listed, to a question that was asked at `began_s`."""
        self.history.sightings += [
            Sighting(
                began_s=began_s,
                ended_s=self._loop.time(),
                id=each.id,
                status=each.status,
                attempts=each.attempts,
            )
            for each in seen
        ]

    def problem(self, text: str) -> None:
        """Write down what must not happen."""
        self.problems.append(text)
        self._loop.trace.note("problem", text)

    # -- receivers ----------------------------------------------------------------------------

    def watch(self, receiver: ReceiverHost) -> None:
        """Write down what a receiver gets and answers."""
        exchanges = self.history.exchanges
        receiver.on_request.append(lambda _: exchanges.append(receiver.exchanges[-1]))

    # -- what else happens ----------------------------------------------------------------------

    def event(
        self,
        kind: EventKind,
        host: str = "",
        *,
        faults: Faults | None = None,
        jump_s: float = 0.0,
    ) -> None:
        """Write down what a tester did, or saw happen."""
        self.history.events.append(
            Event(at_s=self._loop.time(), kind=kind, host=host, faults=faults, jump_s=jump_s)
        )
