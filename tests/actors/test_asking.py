"""A command is given to the actor that owns its endpoint, and its answer told."""

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import pytest
from pykka import ActorDeadError

from sluicegate.actors.asking import Owner, ask
from sluicegate.actors.entry import Entry
from sluicegate.actors.future import AnswerLostError, AsyncioFuture
from sluicegate.actors.messages import Pause
from sluicegate.actors.outstanding import Outstanding
from sluicegate.engine.errors import AlreadyPausedError, SluicegateError, UnavailableError
from sluicegate.turns.pacer import Pacer

COMMAND = Pause("a project")


class Actors:
    """Actors that an endpoint has one after the other, of which a test gives the answers."""

    def __init__(self) -> None:
        self.entry = Entry(Outstanding({}, now_s=0.0))
        self.answers: list[AsyncioFuture[Any]] = []
        self.refusal: SluicegateError | None = None

    def owner(self) -> Owner:
        if self.refusal is not None:
            raise self.refusal
        return cast("Owner", (self.entry, self))

    def ask(self, command: object, *, block: bool) -> AsyncioFuture[Any]:
        assert command is COMMAND
        assert not block
        self.answers.append(AsyncioFuture())
        return self.answers[-1]


@pytest.fixture
def actors() -> Actors:
    return Actors()


@pytest.fixture
def pacer(actors: Actors) -> Iterator[Pacer]:
    """One in which nobody is in haste at the end, and nobody is waited for."""
    pacer = Pacer()
    yield pacer
    assert not pacer.in_haste
    assert actors.entry.asking == 0


def raised(error: Exception) -> tuple[type[Exception], Exception, None]:
    return type(error), error, None


async def test_an_answer_is_told_in_its_turn(actors: Actors, pacer: Pacer) -> None:
    """Turns are short until then."""
    told = ask(actors.owner, COMMAND, pacer)
    assert pacer.in_haste
    assert actors.entry.asking == 1
    actors.answers[0].set(4)
    assert cast("asyncio.Future[Any]", told).result() == 4


async def test_an_error_is_told_too(actors: Actors, pacer: Pacer) -> None:
    """The endpoint's, and that its actor died before it answered."""
    paused, lost = (ask(actors.owner, COMMAND, pacer) for _ in range(2))
    actors.answers[0].set_exception(raised(AlreadyPausedError()))
    actors.answers[1].set_exception(raised(AnswerLostError()))
    assert isinstance(paused.exception(), AlreadyPausedError)
    with pytest.raises(UnavailableError, match="may have been carried out"):
        await lost


async def test_what_a_retired_actor_did_not_see_the_next_one_gets(
    actors: Actors, pacer: Pacer
) -> None:
    """In the next turn; or it is refused."""
    told, refused = (ask(actors.owner, COMMAND, pacer) for _ in range(2))
    actors.answers[0].set_exception(raised(ActorDeadError()))
    await asyncio.sleep(0)
    assert len(actors.answers) == 3
    actors.answers[2].set(None)
    assert told.done()
    actors.refusal = UnavailableError("the engine is shutting down")
    actors.answers[1].set_exception(raised(ActorDeadError()))
    with pytest.raises(UnavailableError, match="shutting down"):
        await refused


async def test_an_asker_who_has_gone_away_is_not_told(
    actors: Actors, pacer: Pacer, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the answer is, it falls on deaf ears, and nothing is asked again."""
    stumbled: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: stumbled.append(told))
    errors = [None, AlreadyPausedError(), AnswerLostError(), ActorDeadError()]
    for error in errors:
        told = ask(actors.owner, COMMAND, pacer)
        assert told.cancel()
        if error is None:
            actors.answers[-1].set(None)
        else:
            actors.answers[-1].set_exception(raised(error))
    await asyncio.sleep(0)
    assert len(actors.answers) == len(errors)
    again = ask(actors.owner, COMMAND, pacer)
    actors.answers[-1].set_exception(raised(ActorDeadError()))
    assert again.cancel()  # before it is given again
    actors.refusal = UnavailableError("the engine is shutting down")
    await asyncio.sleep(0)
    assert not stumbled
    assert not caplog.records
