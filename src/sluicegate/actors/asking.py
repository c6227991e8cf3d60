"""A command on its way to the actor that owns an endpoint, and its answer on the way back."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from pykka import ActorDeadError

from sluicegate.actors.endpoint import EndpointActor
from sluicegate.actors.entry import Entry
from sluicegate.actors.future import AnswerLostError, AsyncioFuture
from sluicegate.actors.messages import Command
from sluicegate.actors.ref import AsyncioActorRef
from sluicegate.engine.errors import SluicegateError, UnavailableError
from sluicegate.turns.pacer import Pacer
from sluicegate.turns.prompt_future import PromptFuture

__all__ = ["Owner", "ask"]

_A = TypeVar("_A")

Owner = tuple[Entry, AsyncioActorRef[EndpointActor]]
"""What the directory knows of an endpoint, and its actor."""


def ask(owner: Callable[[], Owner], command: Command[_A], pacer: Pacer) -> PromptFuture[_A]:
    """Give a command, in this turn of the loop, and return what will tell its answer.

    Whoever waits may go away; the command is carried out all the same.

    Args:
        owner: returns who gets it, or refuses it: asked again if that actor has just retired.
        command: what to do.
        pacer: keeps turns short until it is answered.
    """
    told = PromptFuture[_A](loop=asyncio.get_running_loop())
    _give(owner, command, pacer, told)
    return told


def _give(
    owner: Callable[[], Owner], command: Command[_A], pacer: Pacer, told: PromptFuture[_A]
) -> None:
    try:
        entry, actor = owner()
    except SluicegateError as error:
        if not told.done():
            told.set_exception(error)
        return
    entry.asking += 1
    pacer.begin_haste()

    def answered(answer: AsyncioFuture[_A]) -> None:
        entry.asking -= 1
        pacer.end_haste()
        if told.done():
            return  # the asker has gone away
        try:
            value = answer.result()
        except AnswerLostError:
            msg = "the endpoint's actor was restarted; the command may have been carried out"
            told.set_exception(UnavailableError(msg))
        except ActorDeadError:  # it retired before it saw the command
            again = partial(_give, owner, command, pacer, told)
            asyncio.get_running_loop().call_soon(again)
        except Exception as error:  # noqa: BLE001 - whoever asked gets it
            told.set_exception(error)
        else:
            told.set_result(value)

    answer: AsyncioFuture[_A] = actor.ask(command, block=False)
    answer.add_done_callback(answered)
    entry.outstanding.hasten()
