"""`sluicegate serve`: one process, from its start to an orderly end.

A start binds the port, opens the database, then listens. The first SIGTERM, SIGINT or SIGHUP
begins a drain: `/readyz` fails, nothing is accepted any more, attempts in flight get `drain_s`;
everything else is durable and goes on at the next start. Then everything is closed; requests in
progress get some seconds. A second signal, whenever it comes, cuts both waits short.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

import click
from aiohttp import web

from sluicegate import __version__
from sluicegate.app import Engine
from sluicegate.cli.descriptors import raise_descriptors_max
from sluicegate.cli.failures import StartError
from sluicegate.cli.garbage import rare_collections
from sluicegate.cli.signals import StopSignals
from sluicegate.cli.sockets import bind_sockets
from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.log import log
from sluicegate.engine.settings import Settings
from sluicegate.http.server import create_app, create_runner

__all__ = ["listening", "run_server"]

_REQUESTS_GRACE_S = 5.0
"""Seconds that requests in progress get once the drain is over."""

_BACKLOG = 1024


def run_server(settings: Settings, *, warnings: Sequence[str] = ()) -> int:
    """Serve until a signal or a fatal error; blocks.

    Args:
        settings: already checked.
        warnings: sentences about the configuration, to be logged.

    Returns:
        The exit code: 0 after a drain, 1 after a fatal storage error or a second signal.

    Raises:
        StartError: nothing was started.
    """
    with asyncio.Runner(loop_factory=_fast_loop()) as runner:
        return runner.run(_serve(settings, warnings))


@contextlib.asynccontextmanager
async def listening(
    engine: Engine,
    settings: Settings,
    sockets: Sequence[socket.socket],
    *,
    cut_off: asyncio.Event | None = None,
) -> AsyncIterator[None]:
    """Answer HTTP requests on bound `sockets` while the context lasts.

    On the way out idle connections are closed at once; requests in progress get some seconds,
    which end when `cut_off` is set.
    """
    app = create_app(
        engine.services,
        settings=settings,
        clock=engine.clock,
        random=engine.random,
        readiness=engine.readiness,
        telemetry=engine.telemetry,
        exposition=engine.exposition,
    )
    runner = create_runner(
        app,
        random=engine.random,
        pacer=engine.pacer,
        connections_max=settings.connections_max,
        shutdown_timeout_s=_REQUESTS_GRACE_S,
    )
    await runner.setup()
    try:
        for each in sockets:
            await web.SockSite(runner, each, backlog=_BACKLOG).start()
        engine.readiness.ready = True
        yield
    finally:
        engine.readiness.ready = False
        await _unless(cut_off or asyncio.Event(), runner.cleanup())


async def _unless(cut_off: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Do `work`, or cancel it once `cut_off` is set: what it left is cut with the event loop."""
    working = asyncio.ensure_future(work)
    cutting = asyncio.ensure_future(cut_off.wait())
    try:
        await asyncio.wait({working, cutting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        cutting.cancel()
        working.cancel()  # nothing, if it is done
        await asyncio.wait({working, cutting})
    if not working.cancelled():
        working.result()


async def _serve(settings: Settings, warnings: Sequence[str]) -> int:
    signals = StopSignals()
    descriptors_missing = raise_descriptors_max(settings)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(signals.caught())
        sockets = await bind_sockets(settings.host, settings.port)
        for each in sockets:
            stack.callback(each.close)
        try:
            engine = await stack.enter_async_context(Engine(settings))
        except SluicegateError as error:
            raise StartError(error.message) from error
        await stack.enter_async_context(
            listening(engine, settings, sockets, cut_off=signals.second)
        )
        stack.enter_context(rare_collections())
        _announce(
            settings,
            warnings,
            first_key=engine.first_key,
            descriptors_missing=descriptors_missing,
            sockets=sockets,
        )
        exit_code = await _until_stopped(engine, settings, signals)
        # Or leaving the engine's context would drain anew what the first drain did not see end.
        await engine.abort()
    if signals.second.is_set() and exit_code == 0:
        log.warning("server.cut_off", signal=signals.name)
        exit_code = 1
    log.info("server.stopped", exit_code=exit_code)
    return exit_code


def _announce(
    settings: Settings,
    warnings: Sequence[str],
    *,
    first_key: str | None,
    descriptors_missing: str | None,
    sockets: Sequence[socket.socket],
) -> None:
    for sentence in warnings:
        log.warning("setting.unknown", detail=sentence)
    if descriptors_missing is not None:
        log.warning("server.descriptors_few", detail=descriptors_missing)
    if settings.dev:
        log.warning(
            "server.dev_enabled",
            detail="http:// URLs and internal addresses are allowed; not for production",
        )
    if first_key is not None:
        click.echo(f"API key (shown only this once): {first_key}")
    log.info(
        "server.started",
        host=settings.host,
        port=sockets[0].getsockname()[1],
        database=settings.database,
        version=__version__,
        loop=type(asyncio.get_running_loop()).__module__.partition(".")[0],
    )


async def _until_stopped(engine: Engine, settings: Settings, signals: StopSignals) -> int:
    """Wait for a reason to stop, drain, and return the exit code."""
    failed = asyncio.create_task(engine.failed.wait())
    first = asyncio.create_task(signals.first.wait())
    second = asyncio.create_task(signals.second.wait())
    tasks: list[asyncio.Future[Any]] = [failed, first, second]
    try:
        await asyncio.wait({failed, first}, return_when=asyncio.FIRST_COMPLETED)
        if not failed.done():
            engine.readiness.ready = False
            log.info("server.draining", signal=signals.name, drain_s=settings.drain_s)
            drained = asyncio.create_task(engine.drain(settings.drain_s))
            tasks.append(drained)
            await asyncio.wait({failed, second, drained}, return_when=asyncio.FIRST_COMPLETED)
            if drained.done() and not failed.done():
                log.info("server.drained", everything_ended=drained.result())
                return 0
        if failed.done():
            log.error("server.failed", detail="the outcome of a commit is unknown: start anew")
        else:
            log.warning("server.cut_off", signal=signals.name)
        return 1
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _fast_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's maker of loops where uvloop is installed, else `None` for asyncio's own."""
    try:
        import uvloop  # noqa: PLC0415 - an extra: used when present
    except ImportError:
        return None
    return uvloop.new_event_loop
