"""Pykka's `ActorRef` for actors that live on an event loop."""

from typing import Any, Literal, TypeVar, overload

import pykka

from sluicegate.actors.future import AsyncioFuture, running_loop
from sluicegate.actors.mailbox import Envelope, Mailbox, MailboxFullError, StopMessage

__all__ = ["AsyncioActorRef"]

A = TypeVar("A", bound=pykka.Actor)


class AsyncioActorRef(pykka.ActorRef[A]):
    """How everybody else speaks to an actor. Safe to use from any thread.

    `ask`, `tell` and `stop` mean what they mean in Pykka, blocking by default. Where an event
    loop runs, blocking would be a deadlock: there they refuse, and `await ref.ask(message,
    block=False)` is the way.
    """

    actor_inbox: Mailbox

    def is_alive(self) -> bool:
        """Return whether the actor has not stopped and its loop is not closed. Never blocks."""
        return not self.actor_stopped.is_set() and not self.actor_inbox.closed

    def tell(self, message: object) -> None:
        """Send `message` without waiting for an answer. Never blocks.

        Raises:
            pykka.ActorDeadError: the actor has stopped, or its loop is closed.
            MailboxFullError: too many messages wait already; this one was not taken.
        """
        self._check_alive()
        self.actor_inbox.put(Envelope(message))

    def report(self, message: object) -> None:
        """Send `message` from the actor's own loop, as `tell` does from anywhere.

        Raises:
            pykka.ActorDeadError: the actor has stopped, or its loop is closed.
            MailboxFullError: too many messages wait already; this one was not taken.
        """
        self._check_alive()
        self.actor_inbox.put(Envelope(message), here=True)

    @overload
    def ask(
        self, message: object, *, block: Literal[False], timeout: float | None = None
    ) -> AsyncioFuture[Any]: ...

    @overload
    def ask(
        self, message: object, *, block: Literal[True] = True, timeout: float | None = None
    ) -> Any: ...  # noqa: ANN401 - whatever the handler returns

    @overload
    def ask(
        self, message: object, *, block: bool = True, timeout: float | None = None
    ) -> Any | AsyncioFuture[Any]: ...  # noqa: ANN401 - whatever the handler returns

    def ask(
        self, message: object, *, block: bool = True, timeout: float | None = None
    ) -> Any | AsyncioFuture[Any]:
        """Send `message` and wait for the answer, or return a future for it.

        Args:
            message: anything; the actor's handler gets this very object.
            block: wait in this thread. With `False` this never blocks and never raises: whatever
                goes wrong is told through the future.
            timeout: seconds to block at most.

        Raises:
            RuntimeError: blocking was asked for where an event loop runs; nothing was sent.
            AnswerLostError: the actor died before it answered; the message may have been handled.
            pykka.ActorDeadError: the actor was dead, or stopped before it handled the message.
            MailboxFullError: too many messages wait already; this one was not taken.
            pykka.Timeout: no answer in time. The message may still be handled.
            Exception: what the handler raised.
        """
        if block:
            _refuse_in_loop("ask")
        future = AsyncioFuture[Any](loop=self.actor_inbox.loop)
        try:
            self._check_alive()
            self.actor_inbox.put(Envelope(message, reply_to=future))
        except (pykka.ActorDeadError, MailboxFullError) as exc:
            # Without the traceback, whose frame holds the future: refusals must not make garbage.
            future.set_exception((type(exc), exc.with_traceback(None), None))
        return future.get(timeout=timeout) if block else future

    @overload
    def stop(self, *, block: Literal[True] = True, timeout: float | None = None) -> bool: ...

    @overload
    def stop(
        self, *, block: Literal[False], timeout: float | None = None
    ) -> AsyncioFuture[bool]: ...

    @overload
    def stop(
        self, *, block: bool = True, timeout: float | None = None
    ) -> bool | AsyncioFuture[bool]: ...

    def stop(
        self, *, block: bool = True, timeout: float | None = None
    ) -> bool | AsyncioFuture[bool]:
        """Ask the actor to stop once it has handled what was sent before.

        Args:
            block: wait in this thread until it has stopped; else a future is returned.
            timeout: seconds to block at most.

        Returns:
            `True` when this stopped it (or it was stopping), `False` when it was dead.

        Raises:
            RuntimeError: blocking was asked for where an event loop runs; nothing was sent.
            pykka.Timeout: it has not stopped in time. It still will.
        """
        if block:
            _refuse_in_loop("stop")
        stopped = AsyncioFuture[bool](loop=self.actor_inbox.loop)
        self.ask(StopMessage(), block=False).add_done_callback(
            lambda answer: stopped.set(not isinstance(answer.exception(), pykka.ActorDeadError))
        )
        return stopped.get(timeout=timeout) if block else stopped

    def _check_alive(self) -> None:
        if self.actor_stopped.is_set():  # that its loop is closed, the mailbox sees
            msg = f"{self} not found"
            raise pykka.ActorDeadError(msg)


def _refuse_in_loop(method: str) -> None:
    if running_loop() is not None:
        msg = f"{method}() would block the running event loop: await {method}(..., block=False)"
        raise RuntimeError(msg)
