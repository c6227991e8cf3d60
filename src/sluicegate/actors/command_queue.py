"""The commands that wait for their turn at one endpoint, and who waits for their answers."""

from collections import deque
from typing import Any

from sluicegate.actors.commands import refusal
from sluicegate.actors.future import AsyncioFuture
from sluicegate.actors.messages import Command, CommandDone, MessageCommand, Pause
from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.model import EndpointState

__all__ = ["CommandQueue"]


class CommandQueue:
    """Commands in order of arrival, one of them under way. Used on the event loop only."""

    __slots__ = ("_current", "_waiting", "pausing")

    def __init__(self) -> None:
        """Start empty."""
        self._waiting: deque[tuple[Command[Any], AsyncioFuture[Any]]] | None = None
        self._current: tuple[Command[Any], AsyncioFuture[Any]] | None = None
        self.pausing = 0
        """Pauses that were asked for (or that an attempt brought) and are not yet durable: while
        there is one, the gate is shut."""

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return self._current is None and not self._waiting

    def holds(self, message_id: str) -> bool:
        """Whether the command under way concerns this message, which must not start meanwhile."""
        if self._current is None:
            return False
        command, _ = self._current
        return isinstance(command, MessageCommand) and message_id in command.message_ids

    def add(self, command: Command[Any]) -> AsyncioFuture[Any]:
        """Queue a command; the future holds its answer, or raises its error."""
        answer = AsyncioFuture[Any]()
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append((command, answer))
        if isinstance(command, Pause):
            self.pausing += 1
        return answer

    def start_next(self, state: EndpointState) -> Command[Any] | None:
        """Return the next command to carry out, if none is under way; answer those refused."""
        while self._waiting and self._current is None:
            command, answer = self._waiting.popleft()
            error = refusal(command, state)
            if error is None:
                self._current = (command, answer)
                return command
            self._answer(command, answer, CommandDone(None, None, error))
        if not self._waiting:
            self._waiting = None
        return None

    def finish(self, done: CommandDone) -> None:
        """Answer the command that was under way."""
        if self._current is not None:
            command, answer = self._current
            self._current = None
            self._answer(command, answer, done)

    def abandon(self, error: SluicegateError) -> None:
        """Answer everything with `error`. What is under way may still become durable."""
        if self._current is not None:
            self.finish(CommandDone(None, None, error))
        while self._waiting:
            command, answer = self._waiting.popleft()
            self._answer(command, answer, CommandDone(None, None, error))

    def _answer(self, command: Command[Any], answer: AsyncioFuture[Any], done: CommandDone) -> None:
        if isinstance(command, Pause):
            self.pausing -= 1
        if answer.done():  # the caller went away
            return
        if done.error is not None:
            answer.set_exception((type(done.error), done.error, None))
        else:
            answer.set(done.answer)
