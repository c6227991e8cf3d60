"""Says what a simulation waits for, when that can never happen."""

import asyncio
import inspect
from collections.abc import Iterable
from pathlib import Path

from sluicegate.simulation.numbered import NumberedTask

__all__ = ["describe_waiting"]

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
