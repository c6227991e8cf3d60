"""What answers on a receiver: a script, or somebody's application in an adapter."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Protocol

from sluicegate.simulation.receivers.exchange import Answer, ReceivedRequest

__all__ = ["Application", "Script", "ScriptedApplication", "factory_of", "scripted"]

Script = Callable[[ReceivedRequest], "Answer | Awaitable[Answer]"]
"""Decides what is answered to a request."""


class Application(Protocol):
    """One life of an application, in the process of its host."""

    async def start(self) -> None:
        """Make ready; an exception means that the process does not start."""
        ...

    async def stop(self) -> None:
        """End in good order. A crash does not call it."""
        ...

    async def respond(self, request: ReceivedRequest, gone: asyncio.Event) -> Answer:
        """Act on a request, and answer.

        Args:
            request: as it arrived.
            gone: is set when nobody waits for the answer any more.
        """
        ...


class ScriptedApplication:
    """Answers what a script says. Implements `Application`."""

    def __init__(self, script: Script) -> None:
        """Take the script, which outlives crashes."""
        self._script = script

    async def start(self) -> None:
        """Be ready."""

    async def stop(self) -> None:
        """Hold nothing."""

    async def respond(self, request: ReceivedRequest, gone: asyncio.Event) -> Answer:
        """Ask the script."""
        del gone
        said = self._script(request)
        return said if isinstance(said, Answer) else await said


def scripted(responses: "Script | Iterable[int | Answer] | int | Answer") -> Script:
    """Return a script: a function as it is; a list in order, its last entry for ever after.

    Raises:
        ValueError: the list is empty.
    """
    if callable(responses):
        return responses
    entries = [responses] if isinstance(responses, int | Answer) else list(responses)
    answers = [Answer(status=each) if isinstance(each, int) else each for each in entries]
    if not answers:
        raise ValueError("responses: at least one status or `Answer` is needed")
    upcoming: Iterator[Answer] = iter(answers)
    return lambda _: next(upcoming, answers[-1])


def factory_of(given: object, *, takes: int, what: str) -> Callable[[], object]:
    """Return a function that makes an application anew at each start of its host.

    Args:
        given: an application, which then stays the same over all starts, or such a function.
        takes: how many arguments an application of this kind is called with.
        what: what is expected, for the error.

    Raises:
        TypeError: it is neither.
    """
    if callable(given):
        try:
            signature = inspect.signature(given)
        except ValueError:  # a callable that tells nothing of itself
            return lambda: given
        open_ended = inspect.Parameter.VAR_POSITIONAL
        if _fits(signature, 0) and all(
            each.kind is not open_ended for each in signature.parameters.values()
        ):
            factory: Callable[[], object] = given
            return factory
        if _fits(signature, takes):
            return lambda: given
    raise TypeError(f"{what}, or a function without arguments that makes one: not {given!r}")


def _fits(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True
