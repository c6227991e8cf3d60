"""A future that tells those who wait in the turn of the loop in which its result is there.

`asyncio.Future` tells them in the next turn, and a task that waits for another task hears of it one
turn later still. In a busy process a turn takes half a millisecond, and the answer to a command
passes through four who wait for one another: the writer, the actor, its directory and the
connection.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["PromptFuture", "when_done"]

T = TypeVar("T")


class PromptFuture(asyncio.Future[T]):
    """An `asyncio.Future` that can also tell at once. Used on its loop."""

    __slots__ = ("_told",)

    def __init__(self, *, loop: asyncio.AbstractEventLoop) -> None:
        """Begin without a result."""
        super().__init__(loop=loop)
        self._told: list[Callable[[asyncio.Future[T]], object]] | None = None

    def tell(self, told: Callable[[asyncio.Future[T]], object]) -> None:
        """Call `told` with the future when it is done, however it ends; at once if it is.

        It is called in the middle of what ends it, in the order of these calls, and before those
        who await it go on: it must be short. What it raises the loop reports.
        """
        if self.done():
            self._tell(told)
        elif self._told is None:
            self._told = [told]
        else:
            self._told.append(told)

    def set_result(self, result: T, /) -> None:
        """Say what the result is, and tell those who wait, before this returns."""
        super().set_result(result)
        self._tell_all()

    def set_exception(self, exception: type | BaseException, /) -> None:
        """Say what the result raises, and tell those who wait, before this returns."""
        super().set_exception(exception)
        self._tell_all()

    def cancel(self, msg: Any | None = None) -> bool:  # noqa: ANN401 - as `asyncio.Future` has it
        """Give it up, and tell those who wait, before this returns; `False` if it is done."""
        cancelled = super().cancel(msg)
        if cancelled:
            self._tell_all()
        return cancelled

    def _tell_all(self) -> None:
        told, self._told = self._told, None
        for each in told or ():
            self._tell(each)

    def _tell(self, told: Callable[[asyncio.Future[T]], object]) -> None:
        try:
            told(self)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - it is not whose concern this is
            message = f"{told!r} could not be told"
            self.get_loop().call_exception_handler({"message": message, "exception": error})


def when_done(future: asyncio.Future[T], told: Callable[[asyncio.Future[T]], object]) -> None:
    """Call `told` with the future when it is done: at once if it is a prompt one, or a turn later.

    Who is told must retrieve an exception, as with any future.
    """
    if isinstance(future, PromptFuture):
        future.tell(told)
    else:
        future.add_done_callback(told)
