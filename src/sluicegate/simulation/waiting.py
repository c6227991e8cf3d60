"""Says what a simulation waits for when that can never happen, or what will not wait."""

import asyncio
import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path

from sluicegate.simulation.lives import life_of
from sluicegate.simulation.numbered import NumberedTask

__all__ = ["describe_ready", "describe_waiting"]

_TASKS_MAX = 10


def describe_waiting(tasks: Iterable["asyncio.Task[object]"]) -> str:
    """Return a line for each task, oldest first and at most ten: whose it is, and where it waits.

    Tasks of dead hosts are left out: nobody waits for them.
    """
    known = [each for each in tasks if isinstance(each, NumberedTask)]
    waiting = sorted(
        (each for each in known if each.life is None or not each.life.dead),
        key=NumberedTask.__hash__,
    )
    lines = [_line(each) for each in waiting[:_TASKS_MAX]]
    if len(waiting) > _TASKS_MAX:
        lines.append(f"… and {len(waiting) - _TASKS_MAX} more")
    return "".join(f"\n  {line}" for line in lines)


def describe_ready(handles: Iterable[asyncio.Handle]) -> str:
    """Return a line for each callback that is ready to run, the next first and at most ten."""
    ready = [each for each in handles if not each.cancelled()]
    lines = [_callback_line(each) for each in ready[:_TASKS_MAX]]
    if len(ready) > _TASKS_MAX:
        lines.append(f"… and {len(ready) - _TASKS_MAX} more")
    return "".join(f"\n  {line}" for line in lines)


def _callback_line(handle: asyncio.Handle) -> str:
    callback: object = handle._callback  # type: ignore[attr-defined]  # noqa: SLF001 - asyncio has no public way
    task = getattr(callback, "__self__", None)
    if isinstance(task, NumberedTask):
        owner = f" of {task.life}" if task.life is not None else ""
        return f"{task.get_name()}{owner}: {' > '.join(_stack(task))}"
    life = life_of(handle._context)  # type: ignore[attr-defined]  # noqa: SLF001 - as above
    owner = f" of {life}" if life is not None else ""
    return f"{getattr(callback, '__qualname__', type(callback).__name__)}{owner}"


def _stack(task: NumberedTask) -> Iterator[str]:
    """Yield where a task is, from the coroutine that it runs to the innermost that was called."""
    coro: object = task.get_coro()
    while inspect.iscoroutine(coro):
        if coro.cr_frame is not None:
            file = Path(coro.cr_frame.f_code.co_filename).name
            yield f"{coro.__qualname__} at {file}:{coro.cr_frame.f_lineno}"
        coro = coro.cr_await


def _line(task: NumberedTask) -> str:
    coro: object = task.get_coro()
    name = getattr(coro, "__qualname__", type(coro).__name__)
    where = ""
    while inspect.iscoroutine(coro):
        if coro.cr_frame is not None:
            file = Path(coro.cr_frame.f_code.co_filename).name
            where = f" at {file}:{coro.cr_frame.f_lineno}"
        coro = coro.cr_await
    owner = f" of {task.life}" if task.life is not None else ""
    return f"{task.get_name()}{owner}: {name} waits{where}"
