"""The engine of a process that only enqueues: the use cases, of which only sending is there."""

from collections.abc import Callable
from typing import Any, NoReturn, cast

from sluicegate.engine.errors import EnqueueOnlyError
from sluicegate.engine.messages import Messages
from sluicegate.engine.ports import Clock, Random, Storage
from sluicegate.engine.services import Services
from sluicegate.engine.settings import Settings
from sluicegate.outbox.inbox import Inbox

__all__ = ["OWNERS_PROJECT", "enqueueing_services"]

OWNERS_PROJECT = ""
"""Stands for the file's first project, whose id only the file's owner can read."""


def enqueueing_services(
    inbox: Inbox, *, clock: Clock, random: Random, settings: Settings
) -> Services:
    """Return services of which only `messages.send` and `messages.send_batch` do anything.

    The rules of sending are the engine's own; what they check without storage is checked.
    """
    # The storage is one that can only append, and there are no owners: sending asks for no more.
    messages = Messages(
        storage=cast("Storage", inbox),
        owners=_nothing,
        clock=clock,
        random=random,
        settings=settings,
    )
    return Services(
        endpoints=_nothing,
        messages=cast("Any", _Only(send=messages.send, send_batch=messages.send_batch)),
        operations=_nothing,
        exports=_nothing,
        api_keys=_nothing,
        activity=_nothing,
        billing=_nothing,
    )


class _Only:
    """Has the methods that it is given; any other raises `EnqueueOnlyError` when it is called."""

    def __init__(self, **methods: object) -> None:
        self.__dict__.update(methods)

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        def refuse(*_: object, **__: object) -> NoReturn:
            raise EnqueueOnlyError

        return refuse


_nothing: Any = _Only()
