"""Pykka's `Actor` on asyncio: no thread, and no task, timer or memory to speak of while idle.

Theory of operation
===================

An actor is an object, a mailbox, and nothing else. Mail makes the loop call the actor's drain,
which handles at most `batch` messages, calls `after_batch`, and comes back in the next turn of
the loop if there is more. Handlers are synchronous and short. What takes time is a task that the
handler starts and that reports back by message; who asked is answered later (`Later`).

Failures follow Pykka: what a handler raises goes to the asker, or, if nobody asked, ends the
actor. Two things are ours. A failure that is not the asker's doing ends the actor too
(`is_callers_error`), and a supervisor is told. And nothing that a handler raises, not even
`SystemExit`, stops another actor: Pykka's process-wide registry knows none of these.
"""

import asyncio
import functools
import inspect
import itertools
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, ClassVar, Self, cast

import pykka

from sluicegate.actors.future import AnswerLostError, AsyncioFuture, running_loop
from sluicegate.actors.later import Later, reply, reply_error
from sluicegate.actors.mailbox import Envelope, Mailbox, StopFlag, StopMessage
from sluicegate.actors.ref import AsyncioActorRef
from sluicegate.engine.log import log
from sluicegate.turns.pacer import Line

__all__ = ["AsyncioActor", "Later"]


class AsyncioActor(pykka.Actor):
    """An actor that runs on an event loop. Start it with `start`.

    Everything of it runs on its loop, `__init__` excepted, which runs where `start` is called.
    `on_start`, `on_stop` and `on_failure` are Pykka's, and synchronous. `on_receive` and proxied
    methods may be coroutines: the mailbox then waits for them.

    Attributes:
        control_types: messages of exactly these types are handled before all others.
        mailbox_max: messages that may wait in each of the two lanes, at least 1.
        batch: messages handled in one turn of the loop, at least 1.
        supervisor: called on the loop with the actor and the exception after a crash, when the
            actor is dead and its mailbox empty. Set it on the instance.
    """

    control_types: ClassVar[frozenset[type]] = frozenset()
    mailbox_max: int = 1000
    batch: ClassVar[int] = 64
    supervisor: "Callable[[AsyncioActor, BaseException], None] | None" = None

    actor_inbox: Mailbox

    _numbers: ClassVar["itertools.count[int]"] = itertools.count(1)

    @classmethod
    def start(
        cls,
        *args: Any,  # noqa: ANN401 - Pykka's signature
        loop: asyncio.AbstractEventLoop | None = None,
        line: Line | None = None,
        **kwargs: Any,  # noqa: ANN401 - Pykka's signature
    ) -> AsyncioActorRef[Self]:
        """Construct an actor and let it run. Any thread; never blocks.

        `on_start` runs on the loop, after this returns and before the first message.

        Args:
            *args: for the constructor.
            loop: where to run; the running loop when not given.
            line: where it waits while nothing of `control_types` is in its mailbox.
            **kwargs: for the constructor.

        Raises:
            RuntimeError: no loop was given and none runs in this thread.
            pykka.ActorDeadError: the loop is closed.
        """
        home = asyncio.get_running_loop() if loop is None else loop
        actor = cls(*args, **kwargs)
        actor.actor_inbox.open(home, actor._drain, line=line, here=loop is None)
        return actor.actor_ref

    def __init__(
        self,
        *_args: object,
        urn: str | None = None,
        mailbox_max: int | None = None,
        **_kwargs: object,
    ) -> None:
        """Prepare the actor; subclasses must call this.

        Args:
            *_args: ignored, as in Pykka.
            urn: the actor's name in log lines; numbered in order of construction when not given.
            mailbox_max: messages that may wait in each lane; the class's default when not given.
            **_kwargs: ignored, as in Pykka.
        """
        # Pykka's own constructor is not called: per actor it draws a UUID (chance that no seed
        # governs) and makes a `threading.Event`. This sets the same four attributes.
        self.actor_urn = f"urn:sluicegate:actor:{next(self._numbers)}" if urn is None else urn
        self.actor_inbox = Mailbox(
            control_types=self.control_types,
            limit=self.mailbox_max if mailbox_max is None else mailbox_max,
        )
        self.actor_stopped = cast("threading.Event", StopFlag())
        self._actor_ref = AsyncioActorRef(self)
        # All are set here: an attribute that comes later costs each actor a table of its own.
        self._started = False
        self._unpumped = False
        self._handler: asyncio.Task[None] | None = None
        self._deferred: dict[pykka.Future[Any], Later] | None = None

    @property
    def actor_ref(self) -> AsyncioActorRef[Self]:
        """The reference through which others speak to this actor."""
        return cast("AsyncioActorRef[Self]", self._actor_ref)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that this actor runs on.

        Raises:
            RuntimeError: it has not been started.
        """
        loop = self.actor_inbox.loop
        if loop is None:
            msg = f"{self} has not been started"
            raise RuntimeError(msg)
        return loop

    # -- for subclasses -------------------------------------------------------------------

    def after_batch(self) -> None:
        """Run after `on_start` and each batch of messages, on the loop.

        What it raises ends the actor.
        """

    def end(self) -> None:
        """Stop now, on the loop; what is in the mailbox is not handled any more.

        For `after_batch`: `stop` would be one more turn of the loop.
        """
        self._stop()

    def is_callers_error(self, _exc: Exception, /) -> bool:
        """Return whether an exception raised while answering an ask leaves the actor sound.

        When not, the asker gets it all the same, and the actor crashes to its supervisor.
        """
        return True

    # -- what Pykka wants of a runtime (private to Pykka, made to be overridden) ---------------

    @staticmethod
    def _create_actor_inbox() -> Mailbox:
        return Mailbox()

    @staticmethod
    def _create_future() -> AsyncioFuture[Any]:
        return AsyncioFuture()

    def _start_actor_loop(self) -> None:
        self.actor_inbox.open(asyncio.get_running_loop(), self._drain)

    def _stop(self) -> None:
        """Stop; called by Pykka's dispatch for a stop message."""
        self.actor_stopped.set()
        self._run_hook(self.on_stop)

    def _handle_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Log the exception and stop; Pykka's own would look the actor up in the registry."""
        log.error(
            "actor.crashed", actor=str(self), exc_info=(exception_type, exception_value, traceback)
        )
        self.actor_stopped.set()

    # -- the loop -------------------------------------------------------------------------

    def _drain(self) -> None:
        """Handle a batch. The outermost handler: nothing an actor raises gets past it."""
        if self._handler is not None:
            return  # scheduled before a hastened drain began what is being waited for
        self.actor_inbox.draining = True
        if not self._started:
            self._started = self._unpumped = True
            try:
                self.on_start()
            except BaseException as exc:  # noqa: BLE001 - nothing may get past the outermost handler
                # As in Pykka, `on_failure` is not for an actor that never ran.
                self._crash(exc, started=False)
        try:
            self._handle_batch()
        except BaseException as exc:  # noqa: BLE001 - nothing may get past the outermost handler
            self._crash(exc)
        self.actor_inbox.draining = False

    def _handle_batch(self) -> None:
        inbox = self.actor_inbox
        for _ in range(self.batch):
            if self.actor_stopped.is_set():
                break
            envelope = inbox.take()
            if envelope is None:
                break
            self._unpumped = True
            self._handle(envelope)
            if self._handler is not None:
                return  # The mailbox waits; `_run_coroutine` goes on.
        if self._unpumped and not self.actor_stopped.is_set():
            self._unpumped = False
            self.after_batch()
        if self.actor_stopped.is_set():
            self._end()
        else:
            inbox.rest()

    def _handle(self, envelope: Envelope[Any]) -> None:
        reply_to = envelope.reply_to
        try:
            result = self._handle_receive(envelope.message)
        except BaseException as exc:  # noqa: BLE001 - `_fail` tells the asker, or ends the actor
            self._fail(reply_to, exc)
        else:
            if result is not None or reply_to is not None:
                self._answer(reply_to, result)

    def _answer(self, reply_to: pykka.Future[Any] | None, result: object) -> None:
        if isinstance(result, Later):
            self._defer(reply_to, result)
        elif inspect.iscoroutine(result):
            self._handler = self.loop.create_task(self._run_coroutine(reply_to, result))
        else:
            reply(reply_to, result)

    def _fail(self, reply_to: pykka.Future[Any] | None, exc: BaseException) -> None:
        """Tell the asker, and crash unless the failure was the asker's doing."""
        if reply_to is not None:
            if isinstance(exc, Exception):
                reply_error(reply_to, exc)
                if self.is_callers_error(exc):
                    return
            else:
                # In the asker's task this would look like its own cancellation, or end the loop.
                dead = AnswerLostError(f"{self} ended on {exc!r}")
                dead.__cause__ = exc
                reply_error(reply_to, dead)
        self._crash(exc)

    async def _run_coroutine(
        self, reply_to: pykka.Future[Any] | None, coroutine: Coroutine[Any, Any, object]
    ) -> None:
        """Run a handler that is a coroutine.

        The task itself never fails: one that ends on `SystemExit` ends the loop.
        """
        try:
            result = await coroutine
        except BaseException as exc:  # noqa: BLE001 - `_fail` tells the asker, or ends the actor
            self._handler = None
            self._fail(reply_to, exc)
        else:
            self._handler = None
            self._answer(reply_to, result)
        if self._handler is None:
            # Not called from here: the next handlers must not run inside this task.
            self.actor_inbox.again()

    def _defer(self, reply_to: pykka.Future[Any] | None, later: Later) -> None:
        if reply_to is not None:
            if self._deferred is None:
                self._deferred = {}
            self._deferred[reply_to] = later
        loop, settle = self.loop, functools.partial(self._settle, reply_to)

        def settle_on_loop(exc: BaseException | None, value: object) -> None:
            if running_loop() is loop or loop.is_closed():
                settle(exc, value)
            else:
                loop.call_soon_threadsafe(settle, exc, value)

        later.then(settle_on_loop)

    def _settle(
        self, reply_to: pykka.Future[Any] | None, exc: BaseException | None, value: object
    ) -> None:
        """Give an answer that had been deferred."""
        if reply_to is not None and self._deferred is not None:
            self._deferred.pop(reply_to, None)
        if exc is None:
            reply(reply_to, value)
        elif isinstance(exc, asyncio.CancelledError):
            # Somebody gave the work up, as a shutdown does. That is no fault of the actor.
            reply_error(reply_to, AnswerLostError(f"{self} gave up answering"))
        else:
            self._fail(reply_to, exc)

    # -- the end --------------------------------------------------------------------------

    def _crash(self, exc: BaseException, *, started: bool = True) -> None:
        if self.actor_stopped.is_set():
            if not isinstance(exc, asyncio.CancelledError):
                log.error("actor.failed_after_stop", actor=str(self), exc_info=exc)
            return
        info = (type(exc), exc, exc.__traceback__)
        self._handle_failure(*info)
        if started:
            self._run_hook(self.on_failure, *info)
        self._end()
        deferred, self._deferred = self._deferred, None
        for reply_to, later in list((deferred or {}).items()):
            # `on_failure` may have seen to some.
            if not later.done():
                reply_error(reply_to, AnswerLostError(f"{self} crashed before it answered"))
        if self._handler is not None:
            self._handler.cancel()
        if self.supervisor is not None:
            self._run_hook(self.supervisor, self, exc)

    def _end(self) -> None:
        """Answer whoever still waits in the mailbox; nothing refers to the actor afterwards."""
        for envelope in self.actor_inbox.close():
            if type(envelope.message) is StopMessage:
                reply(envelope.reply_to, None)
            elif envelope.reply_to is not None:
                reply_error(envelope.reply_to, self._dead())

    def _dead(self) -> pykka.ActorDeadError:
        return pykka.ActorDeadError(f"{self} stopped before handling the message")

    def _run_hook(self, hook: Callable[..., object], *args: object) -> None:
        try:
            hook(*args)
        except BaseException as exc:  # noqa: BLE001 - the rest of the end must be done all the same
            log.error("actor.hook_failed", actor=str(self), exc_info=exc)
