"""The engine as long as an aiohttp application runs."""

from collections.abc import AsyncIterator, Callable

from aiohttp import web

from sluicegate.app import Engine
from sluicegate.engine.settings import Settings

__all__ = ["ENGINE", "engine_context"]

ENGINE = web.AppKey("sluicegate", Engine)
"""Where a running application has its engine: `request.app[ENGINE]`, or from an application
within it `request.config_dict[ENGINE]`."""


def engine_context(
    settings: Settings | None = None,
) -> Callable[[web.Application], AsyncIterator[None]]:
    """Return a context: `app.cleanup_ctx.append(engine_context(Settings(...)))`.

    The engine opens when the application starts, on its loop; when the application is cleaned
    up, after the last request was answered, it is drained for at most `drain_s` seconds.

    Args:
        settings: the defaults when not given.

    Raises:
        StorageLockedError: at the start, another process owns the file.
        StorageVersionError, SettingError: at the start, as entering `Engine` does.
    """

    async def running(app: web.Application) -> AsyncIterator[None]:
        async with Engine(settings) as engine:
            app[ENGINE] = engine
            yield

    return running
