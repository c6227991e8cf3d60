"""Answers that come after the handler has returned."""

import asyncio
import contextlib
import queue
from collections.abc import Callable
from typing import Any, TypeAlias

import pykka

from sluicegate.actors.future import AsyncioFuture

__all__ = ["Later", "reply", "reply_error"]

_Done: TypeAlias = "asyncio.Future[Any] | AsyncioFuture[Any]"


class Later:
    """What a handler returns to answer when `future` completes, without holding the mailbox.

    The asker gets the future's value or exception. An exception counts as raised by the handler:
    it ends the actor if nobody asked, or if it is not the asker's doing. If the future is
    cancelled, or the actor crashes first, the asker gets `AnswerLostError`; what `on_failure`
    sets in the future still counts. If the actor merely stops first, the answer still comes.
    """

    __slots__ = ("future",)

    def __init__(self, future: "asyncio.Future[Any] | pykka.Future[Any]") -> None:
        """Answer with what becomes of `future`: an asyncio one, or one of any Pykka runtime."""
        self.future = future

    def done(self) -> bool:
        """Return whether the future is known to have completed, so that an answer is on its way."""
        future = self.future
        return isinstance(future, (asyncio.Future, AsyncioFuture)) and future.done()

    def then(self, settle: Callable[[BaseException | None, object], object]) -> None:
        """Call `settle(exception, value)` when the future completes, in whatever thread that is.

        A cancelled future counts as failed with `asyncio.CancelledError`.
        """

        def on_done(done: _Done) -> None:
            if isinstance(done, asyncio.Future) and done.cancelled():
                settle(asyncio.CancelledError(), None)
            elif (exc := done.exception()) is not None:
                settle(exc, None)
            else:
                settle(None, done.result())

        future = self.future
        if isinstance(future, pykka.Future) and not isinstance(future, AsyncioFuture):
            future = _follow(future)
        future.add_done_callback(on_done)


def _follow(future: pykka.Future[Any]) -> AsyncioFuture[Any]:
    """Return a future that tells what `future`, of another runtime, can only be asked for."""
    follower = AsyncioFuture[Any]()
    follower.set_get_hook(lambda timeout: future.get(timeout=timeout))
    return follower


def reply(reply_to: pykka.Future[Any] | None, value: object) -> None:
    """Answer with `value`, if somebody asked and was not answered yet (by a crash)."""
    if reply_to is not None:
        with contextlib.suppress(queue.Full):
            reply_to.set(value)


def reply_error(reply_to: pykka.Future[Any] | None, exc: BaseException) -> None:
    """Answer with `exc`, if somebody asked and was not answered yet (by a crash)."""
    if reply_to is not None:
        with contextlib.suppress(queue.Full):
            reply_to.set_exception((type(exc), exc, exc.__traceback__))
