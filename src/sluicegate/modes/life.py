"""What the lives of engines of all modes have in common: opened once, drained, closed."""

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from sluicegate.engine.ports import NoTelemetry, Telemetry
from sluicegate.engine.services import Services

if TYPE_CHECKING:  # of one mode only
    from sluicegate.assembly import Assembly
    from sluicegate.telemetry.exposition import Exposition

__all__ = ["Life", "Readiness"]


class Readiness:
    """Whether requests are taken: the server reads it, a drain takes it away."""

    __slots__ = ("ready",)

    def __init__(self) -> None:
        """Begin not ready."""
        self.ready = False


class Life(ABC):
    """One engine's, on one event loop.

    Attributes:
        services: the use cases, by project.
        telemetry: is told what happens.
        exposition: tells it to Prometheus, if anything does.
        readiness: whether the server takes requests.
        failed: set when storage can no longer be trusted.
        project_id: the project that the engine's methods speak for, once it is open.
        first_key: the API key that this start made, if it made one.
    """

    services: Services

    def __init__(self) -> None:
        """Begin; nothing is opened or started."""
        self.telemetry: Telemetry = NoTelemetry()
        self.exposition: Exposition | None = None
        self.readiness = Readiness()
        self.failed = asyncio.Event()
        self.project_id: str | None = None
        self.first_key: str | None = None
        self._entered = False
        self._closing: asyncio.Task[None] | None = None

    @property
    @abstractmethod
    def parts(self) -> "Assembly":
        """What an engine that delivers is made of.

        Raises:
            EnqueueOnlyError: this one does not.
        """

    async def open(self) -> None:
        """See `Engine.__aenter__`."""
        if self._closing is not None:
            msg = "the engine was closed: make a new `Engine`, it is entered once"
            raise RuntimeError(msg)
        if self._entered:
            msg = "the engine is open already: it is entered once"
            raise RuntimeError(msg)
        self._entered = True
        try:
            self.project_id = await self._open()
        except BaseException:
            await self.abort()
            raise

    async def drain(self, timeout_s: float) -> bool:
        """See `Engine.drain`."""
        self.readiness.ready = False
        return await self._drain(timeout_s)

    async def aclose(self, *, drain_s: float) -> None:
        """See `Engine.aclose`."""
        try:
            if not self.failed.is_set():
                await self.drain(drain_s)
        finally:
            await self.abort()

    async def abort(self) -> None:
        """See `Engine.abort`."""
        self.readiness.ready = False
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="sluicegate-close")
        try:
            await asyncio.shield(self._closing)
        except asyncio.CancelledError:
            await asyncio.wait([self._closing])
            raise

    def fail(self, error: BaseException) -> None:
        """Hear that storage can no longer be trusted: send nothing more."""
        self._halt(error)
        self.readiness.ready = False
        self.failed.set()

    # -- what each mode does --------------------------------------------------------------------

    @abstractmethod
    async def _open(self) -> str:
        """Open and start everything; return the project that is spoken for."""

    @abstractmethod
    async def _drain(self, timeout_s: float) -> bool:
        """Start nothing more; say whether everything in flight ended in time."""

    @abstractmethod
    async def _close(self) -> None:
        """Close everything at once, whatever was opened. Called once."""

    @abstractmethod
    def _halt(self, error: BaseException) -> None:
        """Stop whatever sends, now: it would be sent again after a restart."""
