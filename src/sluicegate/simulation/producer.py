"""The plain way to speak to a simulated engine: calls that let time pass until they are answered.

endpoint = sluicegate.create_endpoint(url=shop.url)
sluicegate.send(endpoint.id, {"order": 1})
"""

import abc
import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sluicegate.app import Engine
from sluicegate.engine.errors import AlreadyPausedError, NotPausedError, UnavailableError
from sluicegate.engine.model import Accepted, CreatedEndpoint, Message
from sluicegate.simulation.lives import HostDownError
from sluicegate.simulation.loop import SimulationLoop

__all__ = ["Producer"]

_T = TypeVar("_T")

_AGAIN_S = 1.0
_PATIENCE_S = 86_400.0


class Producer(abc.ABC):
    """What a program does that sends webhooks and does not give up.

    While the engine is down, or cannot take a call (`UnavailableError`), it calls again after a
    second, for a day; so these may be used under any faults. They are for a test's own code,
    outside of the loop; `call` is for coroutines.

    Every method raises the errors of `sluicegate.engine.errors` that the engine's own would, and
    `HostDownError` after a day.
    """

    def __init__(self, loop: SimulationLoop) -> None:
        """Take the world's loop."""
        self._loop = loop
        self._numbers = itertools.count(1)

    @abc.abstractmethod
    async def call(self, work: Callable[[Engine], Awaitable[_T]]) -> _T:
        """Run `work(engine)` in the engine's process.

        Raises:
            HostDownError: it is down, or died meanwhile.
        """

    def create_endpoint(self, url: str, **config: object) -> CreatedEndpoint:
        """Create an endpoint; return it with its signing secret.

        If the engine dies before it answers, there may be a second one that nobody knows of.

        Args:
            url: where its messages go, such as a host's `url`.
            config: as for `Engine.create_endpoint`.
        """
        return self._insist(lambda engine, _: engine.create_endpoint(url, **config))

    def send(
        self, endpoint_id: str, payload: object, *, idempotency_key: str | None = None
    ) -> Accepted:
        """Send a payload; return when it is accepted, which makes one message for sure.

        Args:
            endpoint_id: where to.
            payload: JSON, as objects of Python.
            idempotency_key: one is made up if there is none: a repeated call must not be a
                second message.
        """
        key = idempotency_key or f"simulated-{next(self._numbers)}"
        return self._insist(
            lambda engine, _: engine.send(endpoint_id, payload, idempotency_key=key)
        )

    def pause(self, endpoint_id: str) -> None:
        """Pause an endpoint: when this returns, no attempt starts any more."""

        async def pause(engine: Engine, again: bool) -> None:  # noqa: FBT001 - see `_insist`
            try:
                await engine.pause(endpoint_id)
            except AlreadyPausedError:
                if not again:
                    raise

        self._insist(pause)

    def resume(self, endpoint_id: str) -> int:
        """Resume an endpoint; return how many messages were held.

        0, if the engine died after it had resumed and before it could tell.
        """

        async def resume(engine: Engine, again: bool) -> int:  # noqa: FBT001 - see `_insist`
            try:
                return await engine.resume(endpoint_id)
            except NotPausedError:
                if not again:
                    raise
                return 0

        return self._insist(resume)

    def replay(self, message_id: str) -> None:
        """Begin a new cycle of attempts for a message that has ended."""
        self._insist(lambda engine, _: engine.replay(message_id))

    def message(self, message_id: str) -> Message:
        """Return a message as it stands."""
        return self._insist(lambda engine, _: engine.get_message(message_id))

    def _insist(self, work: Callable[[Engine, bool], Awaitable[_T]]) -> _T:
        """Call until there is an answer; `work` is told whether it is called again."""

        async def insist() -> _T:
            deadline_s, again = self._loop.time() + _PATIENCE_S, False
            while True:
                try:
                    return await self.call(lambda engine: work(engine, again))  # noqa: B023 - called now
                except (HostDownError, UnavailableError):
                    if self._loop.time() > deadline_s:
                        raise
                    again = True
                    await asyncio.sleep(_AGAIN_S)

        return self._loop.run(insist())
