"""The engine as long as a Starlette or FastAPI application runs."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypedDict

from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from sluicegate.app import Engine
from sluicegate.engine.settings import Settings

__all__ = ["EngineState", "engine_of", "lifespan"]


class EngineState(TypedDict):
    """What the lifespan gives to requests, as `request.state.sluicegate`."""

    sluicegate: Engine


def lifespan(
    settings: Settings | None = None,
) -> Callable[[Starlette], AbstractAsyncContextManager[EngineState]]:
    """Return a lifespan: `FastAPI(lifespan=lifespan(Settings(...)))`.

    Each start of the application opens an engine of its own on the server's loop; stopping drains
    it for at most `drain_s` seconds, after the last request was answered. An application that
    has a lifespan already enters this one within it:

        async with lifespan(settings)(app) as state:
            yield {**state, "database": database}

    Args:
        settings: the defaults when not given.

    Raises:
        StorageLockedError: at the start, another process owns the file. It is also what a
            second worker of the server gets: one process delivers.
        StorageVersionError, SettingError: at the start, as entering `Engine` does.
    """

    @asynccontextmanager
    async def running(_app: Starlette) -> AsyncIterator[EngineState]:
        async with Engine(settings) as engine:
            yield {"sluicegate": engine}

    return running


def engine_of(connection: HTTPConnection) -> Engine:
    """Return the application's engine, for a request or a WebSocket of it.

    It is a FastAPI dependency as it is: `engine: Annotated[Engine, Depends(engine_of)]`. An
    application that is mounted in another has the other's engine.

    Raises:
        RuntimeError: the application was started without the lifespan.
    """
    engine = getattr(connection.state, "sluicegate", None)
    if not isinstance(engine, Engine):
        msg = "no engine runs here: start the application with `lifespan=lifespan(Settings(...))`"
        raise RuntimeError(msg)  # noqa: TRY004 - no argument has a wrong type
    return engine
