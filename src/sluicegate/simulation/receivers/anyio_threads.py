"""Functions that FastAPI, Starlette and others run in threads of anyio run inline instead."""

import asyncio
import contextlib
import contextvars
import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

from sluicegate.simulation.errors import EscapeError
from sluicegate.simulation.loop import SimulationLoop

__all__ = ["inline_anyio_threads", "is_anyio_here"]

_ENTRY = "run_sync_in_worker_thread"


def is_anyio_here() -> bool:
    """Return whether the program uses anyio: it is not imported for nothing."""
    return "anyio" in sys.modules


@contextlib.contextmanager
def inline_anyio_threads() -> Iterator[None]:
    """Let `anyio.to_thread.run_sync` run inline on simulated loops while the context lasts.

    The function runs whole, at a virtual moment up to 2 ms later. Like in a thread, it finds no
    running event loop, and who is cancelled meanwhile waits for it. On other loops nothing changes.

    Raises:
        EscapeError: this version of anyio starts its threads in a way that is not known here.
    """
    backend = importlib.import_module("anyio._backends._asyncio").AsyncIOBackend
    original = vars(backend).get(_ENTRY)
    if not isinstance(original, classmethod):
        raise EscapeError(f"anyio has no {backend.__name__}.{_ENTRY}: its threads would escape")

    async def run(
        cls: Any,  # noqa: ANN401 - anyio's
        func: Callable[..., object],
        args: tuple[object, ...],
        abandon_on_cancel: bool = False,  # noqa: FBT001, FBT002 - anyio's signature
        limiter: Any = None,  # noqa: ANN401 - same
    ) -> object:
        loop = asyncio.get_running_loop()
        if not isinstance(loop, SimulationLoop):
            return await original.__get__(None, cls)(func, args, abandon_on_cancel, limiter)
        context = contextvars.copy_context()
        call = functools.partial(context.run, _without_loop, loop, func, *args)
        async with limiter or cls.current_default_thread_limiter():
            with cls.create_cancel_scope(shield=not abandon_on_cancel):
                return await loop.run_in_executor(None, call)

    setattr(backend, _ENTRY, classmethod(run))
    try:
        yield
    finally:
        setattr(backend, _ENTRY, original)


def _without_loop(loop: SimulationLoop, func: Callable[..., object], *args: object) -> object:
    """Call a function as if this were another thread than the loop's."""
    asyncio._set_running_loop(None)  # noqa: SLF001 - documented for those who make loops
    try:
        return func(*args)
    finally:
        asyncio._set_running_loop(loop)  # noqa: SLF001 - same
