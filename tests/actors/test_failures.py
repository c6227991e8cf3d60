"""What an actor's failure does: to who asked, to itself, to its supervisor, and to nobody else."""

import asyncio
from types import TracebackType
from typing import Any

import pykka
import pytest

from sluicegate.actors.future import AnswerLostError
from sluicegate.actors.ref import AsyncioActorRef
from sluicegate.actors.runtime import AsyncioActor, Later


class Fragile(AsyncioActor):
    """Raises what it is sent, runs what can be called, answers with anything else."""

    def __init__(self, log: list[Any]) -> None:
        """Record in `log` what becomes of this actor."""
        super().__init__()
        self._log = log
        self.supervisor = self._supervise

    def _supervise(self, actor: AsyncioActor, exc: BaseException) -> None:
        assert actor is self
        self._log.append(("supervisor", exc, actor.actor_stopped.is_set()))

    def on_stop(self) -> None:
        """Record the stop."""
        self._log.append("on_stop")

    def on_failure(
        self,
        exception_type: type[BaseException] | None,
        exception_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Record the failure."""
        assert exception_value is not None
        assert exception_type is type(exception_value)
        assert traceback is exception_value.__traceback__
        self._log.append(("on_failure", exception_value))

    def on_receive(self, message: Any) -> Any:
        """Raise, run or return `message`."""
        if isinstance(message, BaseException):
            raise message
        return message() if callable(message) else message

    def is_callers_error(self, exc: Exception) -> bool:
        """Hold the asker responsible for everything but a `TypeError`."""
        return not isinstance(exc, TypeError)


@pytest.fixture
def log() -> list[Any]:
    """Return where the actors of this test record what becomes of them."""
    return []


@pytest.fixture
async def bystander() -> AsyncioActorRef[Fragile]:
    """Return an actor that nothing must happen to."""
    return Fragile.start([])


async def turns() -> None:
    """Let the loop run whatever is ready."""
    for _ in range(5):
        await asyncio.sleep(0)


async def is_sound(ref: AsyncioActorRef[Any]) -> bool:
    """Return whether `ref` still answers, and Pykka's registry still knows nobody."""
    return await ref.ask("sound", block=False) == "sound" and pykka.ActorRegistry.get_all() == []


async def test_an_exception_goes_to_who_asked_and_the_actor_lives_on(log: list[Any]) -> None:
    """As in Pykka."""
    ref, exc = Fragile.start(log), ValueError("no")
    with pytest.raises(ValueError, match="no") as caught:
        await ref.ask(exc, block=False)
    assert caught.value is exc
    assert await is_sound(ref)
    assert log == []


async def test_an_exception_that_nobody_asked_for_ends_the_actor(
    log: list[Any], bystander: AsyncioActorRef[Fragile]
) -> None:
    """`on_failure`, not `on_stop`; then the supervisor; who waits learns that it is dead."""
    ref, exc = Fragile.start(log), ValueError("no")
    ref.tell(exc)
    waiting = ref.ask("waiting", block=False)
    stopping = ref.stop(block=False)
    with pytest.raises(pykka.ActorDeadError):
        await waiting
    assert await stopping is True
    assert not ref.is_alive()
    assert log == [("on_failure", exc), ("supervisor", exc, True)]
    assert await is_sound(bystander)


async def test_a_bug_in_answering_goes_to_who_asked_and_to_the_supervisor(log: list[Any]) -> None:
    """An error that is not the caller's leaves an actor that cannot be trusted."""
    ref, exc = Fragile.start(log), TypeError("bug")
    asked = ref.ask(exc, block=False)
    waiting = ref.ask("waiting", block=False)
    with pytest.raises(TypeError, match="bug"):
        await asked
    with pytest.raises(pykka.ActorDeadError):
        await waiting
    assert log == [("on_failure", exc), ("supervisor", exc, True)]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
async def test_no_exception_stops_another_actor_or_the_loop(
    kind: type[BaseException], log: list[Any], bystander: AsyncioActorRef[Fragile]
) -> None:
    """Pykka's own runtime stops all actors of the process. Here one ends, and the asker learns why.

    The asker does not get the exception itself: in its task it would end the loop, or look like
    its own cancellation.
    """
    told, asked = Fragile.start(log), Fragile.start(log)
    first, second = kind(), kind()
    told.tell(first)
    with pytest.raises(pykka.ActorDeadError) as caught:
        await asked.ask(second, block=False)
    assert caught.value.__cause__ is second
    assert not told.is_alive()
    assert not asked.is_alive()
    assert [entry[1] for entry in log] == [first, first, second, second]
    assert await is_sound(bystander)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError, KeyError])
async def test_a_coroutine_that_fails_is_a_handler_that_fails(
    kind: type[BaseException], log: list[Any], bystander: AsyncioActorRef[Fragile]
) -> None:
    """A task that ends on `SystemExit` would stop the loop, so it must not."""

    async def fail() -> None:
        await asyncio.sleep(0)
        raise kind

    ref = Fragile.start(log)
    ref.tell(fail)
    waiting = ref.ask("waiting", block=False)
    with pytest.raises(pykka.ActorDeadError):
        await waiting
    assert [entry[0] for entry in log] == ["on_failure", "supervisor"]
    assert await is_sound(bystander)


async def test_a_coroutines_exception_goes_to_who_asked(log: list[Any]) -> None:
    """And the mailbox goes on."""

    async def fail() -> None:
        await asyncio.sleep(0)
        msg = "no"
        raise ValueError(msg)

    ref = Fragile.start(log)
    with pytest.raises(ValueError, match="no"):
        await ref.ask(fail, block=False)
    assert await is_sound(ref)


async def test_a_later_answer_that_fails_unasked_ends_the_actor(log: list[Any]) -> None:
    """It counts as raised by the handler."""
    ref, exc = Fragile.start(log), ValueError("no")
    answer = asyncio.get_running_loop().create_future()
    ref.tell(lambda: Later(answer))
    assert await is_sound(ref)
    answer.set_exception(exc)
    await turns()
    assert log == [("on_failure", exc), ("supervisor", exc, True)]


async def test_a_crash_answers_those_who_wait_for_a_later_answer(log: list[Any]) -> None:
    """The state that would have answered them is gone; the future may still complete, unheard."""
    ref = Fragile.start(log)
    answer = asyncio.get_running_loop().create_future()
    asked = ref.ask(lambda: Later(answer), block=False)
    ref.tell(ValueError("crash"))
    with pytest.raises(AnswerLostError):
        await asked
    answer.set_result("too late")
    await turns()
    with pytest.raises(AnswerLostError):
        asked.get()


async def test_a_crashing_actor_may_answer_those_who_wait_itself(log: list[Any]) -> None:
    """What `on_failure` sets is the answer, though it takes the loop another turn to tell it."""
    answer = asyncio.get_running_loop().create_future()

    class Polite(Fragile):
        def on_failure(self, *_args: object) -> None:
            answer.set_exception(KeyError("try again"))

    ref = Polite.start(log)
    asked = ref.ask(lambda: Later(answer), block=False)
    ref.tell(ValueError("crash"))
    with pytest.raises(KeyError, match="try again"):
        await asked


async def test_an_unhandled_message_is_told_from_a_lost_answer(log: list[Any]) -> None:
    """Only the first may be sent again without a thought."""
    ref = Fragile.start(log)
    lost = ref.ask(SystemExit(), block=False)
    unhandled = ref.ask("unhandled", block=False)
    with pytest.raises(AnswerLostError):
        await lost
    with pytest.raises(pykka.ActorDeadError) as caught:
        await unhandled
    assert type(caught.value) is pykka.ActorDeadError


async def test_a_crash_ends_a_handler_that_is_under_way(
    log: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Its task is cancelled, and who asked for it is answered; only the crash is logged."""
    ref, exc = Fragile.start(log), ValueError("no")
    answer = asyncio.get_running_loop().create_future()

    async def for_ever() -> None:
        await asyncio.get_running_loop().create_future()

    ref.tell(lambda: Later(answer))
    asked = ref.ask(for_ever, block=False)
    await turns()
    answer.set_exception(exc)
    with pytest.raises(pykka.ActorDeadError):
        await asked
    assert log == [("on_failure", exc), ("supervisor", exc, True)]
    assert len(caplog.records) == 1


async def test_a_failing_start_ends_the_actor(log: list[Any]) -> None:
    """Without `on_failure`, as in Pykka; the supervisor learns of it."""
    exc = ValueError("no")

    class Stillborn(Fragile):
        def on_start(self) -> None:
            raise exc

    ref = Stillborn.start(log)
    assert ref.is_alive(), "a start never runs inside the call that asked for it"
    with pytest.raises(pykka.ActorDeadError):
        await ref.ask("waiting", block=False)
    assert log == [("supervisor", exc, True)]


async def test_a_failing_stop_is_still_a_stop(log: list[Any]) -> None:
    """It is logged; who asked for the stop gets it, and nobody hangs."""

    class Clumsy(Fragile):
        def on_stop(self) -> None:
            raise SystemExit

    ref = Clumsy.start(log)
    stopped = ref.stop(block=False)
    after = ref.ask("after", block=False)
    assert await stopped is True
    with pytest.raises(pykka.ActorDeadError):
        await after


async def test_a_failing_pump_ends_the_actor(log: list[Any]) -> None:
    """What was answered before stays answered."""
    exc = ValueError("no")

    class Leaky(Fragile):
        def after_batch(self) -> None:
            raise exc

    ref = Leaky.start(log)
    assert await ref.ask("answered", block=False) == "answered"
    assert log == [("on_failure", exc), ("supervisor", exc, True)]


async def test_a_failing_judge_ends_the_actor(log: list[Any]) -> None:
    """`is_callers_error` is the actor's code, too."""

    class Unsure(Fragile):
        def is_callers_error(self, exc: Exception) -> bool:
            raise RuntimeError from exc

    ref = Unsure.start(log)
    with pytest.raises(ValueError, match="no"):
        await ref.ask(ValueError("no"), block=False)
    assert [entry[0] for entry in log] == ["on_failure", "supervisor"]
    assert not ref.is_alive()


async def test_failing_hooks_keep_nobody_waiting(log: list[Any]) -> None:
    """A bug in `on_failure` or in the supervisor is logged, and the end is carried through."""

    class Hopeless(Fragile):
        def on_failure(self, *_args: object) -> None:
            raise SystemExit

        def _supervise(self, actor: AsyncioActor, exc: BaseException) -> None:
            super()._supervise(actor, exc)
            raise SystemExit

    ref = Hopeless.start(log)
    ref.tell(ValueError("no"))
    with pytest.raises(pykka.ActorDeadError):
        await ref.ask("waiting", block=False)
    assert [entry[0] for entry in log] == ["supervisor"]


async def test_a_supervisor_may_start_another_actor_at_once(log: list[Any]) -> None:
    """The dead one has let go of everything by then."""
    started: list[AsyncioActorRef[Fragile]] = []

    class Restarted(Fragile):
        def _supervise(self, actor: AsyncioActor, exc: BaseException) -> None:
            super()._supervise(actor, exc)
            assert actor.actor_inbox.empty()
            started.append(Fragile.start(log))

    ref = Restarted.start(log)
    ref.tell(ValueError("no"))
    await turns()
    assert await is_sound(started[0])


async def test_a_failure_after_the_stop_changes_nothing(log: list[Any]) -> None:
    """The supervisor is not told of an actor that was let go."""
    ref = Fragile.start(log)
    answer = asyncio.get_running_loop().create_future()
    ref.tell(lambda: Later(answer))
    await ref.stop(block=False)
    answer.set_exception(ValueError("no"))
    await turns()
    assert log == ["on_stop"]
