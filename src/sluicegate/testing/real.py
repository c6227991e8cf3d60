"""The engine on the machine's clock, for programs that have an event loop or threads."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sluicegate.embedding import SyncEngine
from sluicegate.engine.calls import ProjectCalls
from sluicegate.engine.model import CreatedEndpoint
from sluicegate.engine.setting_rules import refuse
from sluicegate.engine.settings import Settings
from sluicegate.simulation.engine_settings import changed_settings
from sluicegate.testing.deliveries import WebhookReceiver
from sluicegate.testing.draining import DRAIN_S, drain
from sluicegate.testing.sent import Sent, sent_to

__all__ = ["AsyncRealEngine", "RealEngine", "quick_settings"]

_T = TypeVar("_T")

_ATTEMPT_S = 2
"""How long an attempt may take at the kit's receiver: one that hangs is not waited for long."""
_ASK_S = 5.0


def quick_settings(folder: Path, **changes: object) -> Settings:
    """Return settings for tests on the real clock.

    Each call's have a new file; deliveries may go to this machine (`dev`), retries follow after
    10 ms, and closing waits for nothing.

    Args:
        folder: a temporary one, such as pytest's `tmp_path`.
        changes: see `sluicegate.engine.settings.Settings`.

    Raises:
        SettingError: there is no such setting, a value is not allowed, or it is `database`.
    """
    if "database" in changes:
        raise refuse(
            "database", repr(changes["database"]), "the test kit has its file in a temporary folder"
        )
    by_default = Settings(
        database=str(Path(tempfile.mkdtemp(prefix="webhooks-", dir=folder)) / "webhooks.db"),
        dev=True,
        drain_s=0,
        metrics=False,
        retry_slow_s=(0.01,),
        retry_fast_s=(0.01,),
    )
    return changed_settings(by_default, changes)


class RealEngine(SyncEngine):
    """A `SyncEngine` for tests: retries follow at once, and it delivers to this machine."""

    def __init__(self, folder: Path, **settings: object) -> None:
        """Take what it needs; the first call opens it.

        Args:
            folder: where a new file of its own is made, a temporary one.
            settings: as for `quick_settings`.

        Raises:
            SettingError: there is no such setting, or a value is not allowed.
        """
        super().__init__(quick_settings(folder, **settings))

    def create_endpoint(self, url: "WebhookReceiver | str", **config: object) -> CreatedEndpoint:
        """Create an endpoint; a receiver trusts its secret, and an attempt at it has 2 s.

        Args:
            url: the receiver, or a URL.
            config: as for `Engine.create_endpoint`.
        """
        if isinstance(url, str):
            return super().create_endpoint(url, **config)
        own_url = url.next_url()
        created = super().create_endpoint(own_url, **{"timeout_s": _ATTEMPT_S} | config)
        url.trust(created.signing_secret, url=own_url)
        url.ask_sent = self.sent_to
        return created

    def call(
        self, work: Callable[[ProjectCalls], Awaitable[_T]], *, timeout_s: float | None = None
    ) -> _T:
        """Do anything else with the `Engine`, on its loop; see `SyncEngine` for `timeout_s`."""

        async def within(engine: ProjectCalls) -> _T:
            return await work(engine)

        return self._call(within, timeout_s)

    def sent_to(self, url: str) -> list[Sent]:
        """Return the messages sent to a URL and to longer ones; from a coroutine, too."""
        ask = partial(self.call, lambda engine: sent_to(engine, url), timeout_s=_ASK_S)
        with ThreadPoolExecutor(1) as elsewhere:
            return elsewhere.submit(ask).result()

    def drain(self, timeout_s: float = DRAIN_S) -> None:
        """Wait until nothing is left to deliver but what a pause holds. Blocks.

        Args:
            timeout_s: how long, in seconds.

        Raises:
            AssertionError: something is left by then.
        """
        __tracebackhide__ = True
        drain(self, timeout_s)


if TYPE_CHECKING:
    _Awaited = ProjectCalls
else:

    class _Awaited:
        """Makes whatever `ProjectCalls` has a call of the blocking engine, on another thread."""

        def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
            """Return the call as one that is awaited."""
            if name.startswith("_") or not hasattr(ProjectCalls, name):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            return partial(_elsewhere, getattr(self.blocking, name))


class AsyncRealEngine(_Awaited):
    """A `RealEngine` for tests that are coroutines, on asyncio: its calls are awaited.

    It has the calls of `Engine`, so that a program under test can take it for one. The engine
    runs on a thread and a loop of its own, so it does not matter whose loop the test has, nor
    which plugin runs it; cancelling a call does not take back what it asked for.

    Attributes:
        blocking: the engine, for `on` and `events`, and for code that blocks.
    """

    def __init__(self, blocking: RealEngine) -> None:
        """Take the engine."""
        self.blocking = blocking

    async def create_endpoint(
        self, url: "WebhookReceiver | str", **config: object
    ) -> CreatedEndpoint:
        """Create an endpoint; a receiver trusts its secret: see `RealEngine.create_endpoint`."""
        return await _elsewhere(self.blocking.create_endpoint, url, **config)

    async def call(self, work: Callable[[ProjectCalls], Awaitable[_T]]) -> _T:
        """Do anything else with the `Engine`, on its own loop."""
        return await _elsewhere(self.blocking.call, work)

    async def drain(self, timeout_s: float = DRAIN_S) -> None:
        """Wait until nothing is left to deliver: see `RealEngine.drain`."""
        __tracebackhide__ = True
        await _elsewhere(self.blocking.drain, timeout_s)


async def _elsewhere(call: Callable[..., _T], *args: object, **named: object) -> _T:
    """Make a blocking call on another thread.

    Raises:
        RuntimeError: the coroutine does not run on asyncio.
    """
    __tracebackhide__ = True
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "the calls of `webhook_engine` are awaited on asyncio only, which is not what runs"
            ' this test; with anyio let the fixture `anyio_backend` return "asyncio"'
        ) from None
    return await asyncio.to_thread(call, *args, **named)
