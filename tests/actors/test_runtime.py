"""`AsyncioActor`: Pykka's semantics on an event loop, two lanes, answers that come later."""

import asyncio
import contextvars
import gc
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import pykka
import pytest

from sluicegate.actors.future import AnswerLostError, AsyncioFuture
from sluicegate.actors.mailbox import MailboxFullError
from sluicegate.actors.runtime import AsyncioActor, Later

SOON_S = 30.0
"""How long a test waits for what should happen at once."""


@dataclass(frozen=True)
class Urgent:
    """A message for the control lane."""


class Recorder(AsyncioActor):
    """Keeps what it was told, answers with it, and runs what can be called."""

    control_types: ClassVar[frozenset[type]] = frozenset({Urgent})

    def __init__(self, *, mailbox_max: int | None = None, urn: str | None = None) -> None:
        """Start with an empty record."""
        super().__init__(mailbox_max=mailbox_max, urn=urn)
        self.seen: list[Any] = []

    def on_start(self) -> None:
        """Record the start."""
        self.seen.append("on_start")

    def on_stop(self) -> None:
        """Record the stop."""
        self.seen.append("on_stop")

    def on_receive(self, message: Any) -> Any:
        """Record `message` and answer with it, or with what it returns."""
        self.seen.append(message)
        return message() if callable(message) else message


def actor_of(ref: pykka.ActorRef[Any]) -> Recorder:
    """Return the actor behind `ref`, as only a test may."""
    actor = ref._actor_weakref()  # noqa: SLF001 - a test looks inside
    assert isinstance(actor, Recorder)
    return actor


async def test_messages_are_handled_in_the_order_in_which_they_were_sent() -> None:
    """Told and asked ones alike, after `on_start`."""
    ref = Recorder.start()
    seen = actor_of(ref).seen
    ref.tell(1)
    asked = ref.ask(2, block=False)
    ref.tell(3)
    assert seen == []
    assert await asked == 2
    assert await ref.ask(4, block=False) == 4
    assert seen == ["on_start", 1, 2, 3, 4]


async def test_the_handler_gets_the_very_message() -> None:
    """Nothing is copied on the way there or back."""
    message = object()
    assert await Recorder.start().ask(message, block=False) is message


async def test_a_stop_waits_for_what_was_sent_before_and_drops_what_came_after() -> None:
    """Who asked before is answered, who asked after learns that the actor is dead."""
    ref = Recorder.start()
    seen = actor_of(ref).seen
    before = ref.ask("before", block=False)
    stopped = ref.stop(block=False)
    after = ref.ask(Urgent(), block=False)
    ref.tell("told after")
    again = ref.stop(block=False)
    assert await stopped is True
    assert await before == "before"
    assert await again is True, "it was being stopped at the time of the call"
    with pytest.raises(pykka.ActorDeadError, match="stopped before handling"):
        await after
    assert seen == ["on_start", "before", "on_stop"]


async def test_a_dead_actor_is_told_from_a_live_one() -> None:
    """`tell` raises, `ask` answers with the error, `stop` says that there was nothing to stop."""
    ref = Recorder.start()
    assert ref.is_alive()
    await ref.stop(block=False)
    assert not ref.is_alive()
    with pytest.raises(pykka.ActorDeadError):
        ref.tell("anyone?")
    with pytest.raises(pykka.ActorDeadError):
        await ref.ask("anyone?", block=False)
    assert await ref.stop(block=False) is False


async def test_an_actor_may_stop_itself() -> None:
    """After what it was sent before it said so."""
    ref = Recorder.start()
    actor = actor_of(ref)
    ref.tell(actor.stop)
    last = ref.ask("last", block=False)
    assert await last == "last"
    assert actor.seen[-2:] == ["last", "on_stop"]
    assert not ref.is_alive()


async def test_blocking_in_the_loop_is_refused_before_anything_is_sent() -> None:
    """It raises at once instead of a deadlock."""
    ref = Recorder.start()
    with pytest.raises(RuntimeError, match="block=False"):
        ref.ask("never sent")
    with pytest.raises(RuntimeError, match="block=False"):
        ref.stop()
    await ref.ask("sent", block=False)
    assert actor_of(ref).seen == ["on_start", "sent"]


async def test_a_handler_that_blocks_on_another_actor_is_refused() -> None:
    """Handlers run on the loop, too."""
    other = Recorder.start()
    asking: Callable[[], object] = lambda: other.ask(1)  # noqa: E731 - a message, not a function
    with pytest.raises(RuntimeError, match="block=False"):
        await Recorder.start().ask(asking, block=False)


async def test_an_actor_may_send_to_itself() -> None:
    """It gets the message after those that waited already."""
    ref = Recorder.start()
    seen = actor_of(ref).seen
    ref.tell(lambda: ref.tell("later"))
    ref.tell("sooner")
    assert await ref.ask("ask", block=False) == "ask"
    await ref.stop(block=False)
    told = [message for message in seen if isinstance(message, str)]
    assert told == ["on_start", "sooner", "ask", "later", "on_stop"]


async def test_control_overtakes_50000_data_messages() -> None:
    """It is the next message handled, whatever waits."""
    ref = Recorder.start(mailbox_max=50_000)
    actor = actor_of(ref)
    for number in range(50_000):
        ref.tell(number)
    await ref.ask(Urgent(), block=False)
    assert len(actor.seen) <= 1 + actor.batch
    assert actor.seen[1] == Urgent()
    await ref.stop(block=False)
    assert actor.seen[2:-1] == list(range(50_000))


async def test_control_sent_in_the_middle_is_handled_next() -> None:
    """It overtakes the data that waits, not the message being handled."""
    ref = Recorder.start()
    ref.tell(lambda: ref.tell(Urgent()))
    ref.tell("data")
    await ref.ask("ask", block=False)
    assert actor_of(ref).seen[2:] == [Urgent(), "data", "ask"]


async def test_a_full_mailbox_refuses_without_blocking() -> None:
    """`tell` raises, `ask` answers with the error; what was taken is handled."""
    ref = Recorder.start(mailbox_max=2)
    ref.tell(1)
    ref.tell(2)
    with pytest.raises(MailboxFullError):
        ref.tell(3)
    refused = ref.ask(4, block=False)
    urgent = ref.ask(Urgent(), block=False)
    with pytest.raises(MailboxFullError):
        await refused
    assert await urgent == Urgent()
    assert await ref.ask(5, block=False) == 5
    assert actor_of(ref).seen == ["on_start", Urgent(), 1, 2, 5]


async def test_the_loop_turns_between_batches() -> None:
    """At most `batch` messages are handled before others have their turn."""
    ref = Recorder.start()
    actor = actor_of(ref)
    for number in range(3 * actor.batch):
        ref.tell(number)
    sizes = []
    while len(actor.seen) <= 3 * actor.batch:
        before = len(actor.seen)
        await asyncio.sleep(0)
        sizes.append(len(actor.seen) - before)
    assert sizes == [actor.batch + 1, actor.batch, actor.batch]


async def test_after_batch_runs_once_for_the_start_and_for_each_batch() -> None:
    """After `on_start` and after its messages; otherwise never without any."""

    class Pumping(Recorder):
        batch: ClassVar[int] = 2

        def after_batch(self) -> None:
            self.seen.append("after_batch")

    ref = Pumping.start()
    actor = actor_of(ref)
    await asyncio.sleep(0)
    assert actor.seen == ["on_start", "after_batch"]
    for number in range(3):
        ref.tell(number)
    await ref.ask("ask", block=False)
    await asyncio.sleep(0)
    assert actor.seen[2:] == [0, 1, "after_batch", 2, "ask", "after_batch"]
    await ref.stop(block=False)
    assert actor.seen[-1] == "on_stop", "a dead actor is not pumped"


async def test_an_actor_ends_itself_after_a_batch_without_another_turn() -> None:
    """Nothing that is sent to it later is taken, and who asks is told that nobody did it."""

    class Ending(Recorder):
        def after_batch(self) -> None:
            if "last" in self.seen:
                self.end()

    ref = Ending.start()
    actor = actor_of(ref)
    ref.tell("last")
    await asyncio.sleep(0)
    assert actor.seen == ["on_start", "last", "on_stop"]
    assert not ref.is_alive()
    with pytest.raises(pykka.ActorDeadError):
        ref.tell("late")


async def test_an_answer_may_come_later_while_the_mailbox_goes_on() -> None:
    """The asker gets the value of the future; nobody else waits for it."""
    ref = Recorder.start()
    answer = asyncio.get_running_loop().create_future()
    asked = asyncio.ensure_future(_answer(ref.ask(lambda: Later(answer), block=False)))
    assert await ref.ask("meanwhile", block=False) == "meanwhile"
    assert not asked.done()
    answer.set_result("at last")
    assert await asked == "at last"


@pytest.mark.parametrize("kind", [AsyncioFuture, pykka.ThreadingFuture])
async def test_a_pykka_future_may_answer_later(kind: type[pykka.Future[str]]) -> None:
    """Of this runtime or another; the loop is not blocked meanwhile."""
    ref, answer = Recorder.start(), kind()
    asked = ref.ask(lambda: Later(answer), block=False)
    assert await ref.ask("meanwhile", block=False) == "meanwhile"
    await asyncio.to_thread(answer.set, "at last")
    assert await asyncio.wait_for(_answer(asked), SOON_S) == "at last"


async def test_a_later_answer_may_be_an_error() -> None:
    """It counts as raised by the handler: the asker's own, the actor lives on."""
    ref = Recorder.start()
    answer = asyncio.get_running_loop().create_future()
    asked = ref.ask(lambda: Later(answer), block=False)
    answer.set_exception(ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        await asked
    assert ref.is_alive()


async def test_a_later_answer_that_is_given_up_is_not_the_actors_fault() -> None:
    """A shutdown cancels tasks; the asker must not hang, nor look cancelled itself."""
    ref = Recorder.start()
    answer = asyncio.get_running_loop().create_future()
    asked = ref.ask(lambda: Later(answer), block=False)
    ref.tell(lambda: Later(answer))
    await ref.ask("handled", block=False)
    answer.cancel()
    with pytest.raises(AnswerLostError, match="gave up"):
        await asked
    assert ref.is_alive()


async def test_a_stopped_actor_still_gives_its_later_answers() -> None:
    """They were asked for before the stop."""
    ref = Recorder.start()
    answer = asyncio.get_running_loop().create_future()
    asked = ref.ask(lambda: Later(answer), block=False)
    assert await ref.stop(block=False)
    answer.set_result("kept")
    assert await asked == "kept"


async def test_a_later_answer_once_given_is_forgotten() -> None:
    """An actor that lives long must not collect those who asked."""
    ref = Recorder.start()
    answer = asyncio.get_running_loop().create_future()
    asked = ref.ask(lambda: Later(answer), block=False)
    answer.set_result("given")
    assert await asked == "given"
    asked_weakly = weakref.ref(asked)
    actor_of(ref).seen.clear()
    del asked
    gc.collect()
    assert asked_weakly() is None


async def test_the_mailbox_waits_for_a_handler_that_is_a_coroutine() -> None:
    """One message at a time: the next is handled when the coroutine has ended."""
    go = asyncio.Event()

    async def slow() -> str:
        await go.wait()
        return "slow"

    ref = Recorder.start()
    actor = actor_of(ref)
    asked = ref.ask(slow, block=False)
    next_one = ref.ask("next", block=False)
    for _ in range(5):
        await asyncio.sleep(0)
    assert actor.seen == ["on_start", slow]
    go.set()
    assert await asked == "slow"
    assert await next_one == "next"


async def test_what_is_hastened_is_handled_in_the_tellers_turn() -> None:
    """In the actor's own context, `on_start` first; the drain that was scheduled finds nothing."""
    ref = Recorder.start()
    actor = actor_of(ref)
    ref.tell("told")
    ref.actor_inbox.hasten()
    assert actor.seen == ["on_start", "told"]
    ref.actor_inbox.hasten()
    await asyncio.sleep(0)
    assert actor.seen == ["on_start", "told"]
    assert await ref.ask("later", block=False) == "later"


async def test_an_actor_is_not_hastened_from_its_own_handler() -> None:
    """A handler ends before the next one begins."""
    ref = Recorder.start()
    actor = actor_of(ref)

    def handler() -> str:
        ref.tell("next")
        ref.actor_inbox.hasten()
        assert "next" not in actor.seen
        return "handled"

    assert await ref.ask(handler, block=False) == "handled"
    assert await ref.ask("last", block=False) == "last"
    assert actor.seen == ["on_start", handler, "next", "last"]


async def test_a_stale_drain_leaves_a_coroutine_alone() -> None:
    """It was scheduled before a hastened one began what is being waited for."""
    go = asyncio.Event()

    async def slow() -> str:
        await go.wait()
        return "slow"

    ref = Recorder.start()
    actor = actor_of(ref)
    asked = ref.ask(slow, block=False)
    ref.actor_inbox.hasten()
    following = ref.ask("next", block=False)
    ref.actor_inbox.hasten()
    for _ in range(5):
        await asyncio.sleep(0)
    assert actor.seen == ["on_start", slow]
    go.set()
    assert await asked == "slow"
    assert await following == "next"


async def test_after_batch_runs_when_a_coroutine_has_ended() -> None:
    """Not in its middle, where the actor's state may be half changed; and not inside its task."""
    tasks: list[asyncio.Task[Any] | None] = []

    class Pumping(Recorder):
        def after_batch(self) -> None:
            tasks.append(asyncio.current_task())

    async def handler() -> int:
        await asyncio.sleep(0)
        return len(tasks)

    ref = Pumping.start()
    assert await ref.ask(handler, block=False) == 0
    await asyncio.sleep(0)
    assert tasks == [None]


async def test_a_coroutine_may_answer_later() -> None:
    """Both ways of taking time combine."""
    answer = asyncio.get_running_loop().create_future()

    async def handler() -> Later:
        await asyncio.sleep(0)
        return Later(answer)

    asked = Recorder.start().ask(handler, block=False)
    answer.set_result("both")
    assert await asked == "both"


async def test_cancelling_who_asks_leaves_the_actor_alone() -> None:
    """The message is handled, its answer dropped, the next one answered."""
    ref = Recorder.start()
    asked = ref.ask("asked", block=False)
    asking = asyncio.ensure_future(_answer(asked))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait([asking])
    assert await ref.ask("next", block=False) == "next"
    assert actor_of(ref).seen == ["on_start", "asked", "next"]
    assert asked.get() == "asked"


async def test_handlers_run_in_the_context_in_which_the_actor_was_started() -> None:
    """What a sender keeps in context variables is no business of the actor."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    variable.set("start")
    ref = Recorder.start()
    variable.set("send")
    assert await ref.ask(variable.get, block=False) == "start"
    assert await ref.ask(variable.get, block=False) == "start", "woken by this very ask"


async def test_actors_are_numbered_unless_they_are_named() -> None:
    """No chance is drawn for a name."""
    first, second = Recorder.start().actor_urn, Recorder.start().actor_urn
    stem, _, number = first.rpartition(":")
    assert second == f"{stem}:{int(number) + 1}"
    named = Recorder.start(urn="urn:sluicegate:endpoint:ep_1")
    assert str(named) == "Recorder (urn:sluicegate:endpoint:ep_1)"


async def test_pykkas_own_reference_works_too() -> None:
    """Its asks are answered through a future of this runtime, so awaiting one does not block."""
    ref = Recorder.start()
    actor = actor_of(ref)
    asked = pykka.ActorRef(actor).ask("asked", block=False)
    assert isinstance(asked, AsyncioFuture)
    assert await asked == "asked"


async def test_a_message_that_nobody_handles_is_no_failure() -> None:
    """As in Pykka it is logged and answered with nothing."""
    ref = AsyncioActor.start()
    assert await ref.ask("what?", block=False) is None
    assert ref.is_alive()


def test_an_actor_needs_a_loop() -> None:
    """Outside of one it must be given, before anything is constructed."""
    with pytest.raises(RuntimeError, match="no running event loop"):
        Recorder.start()
    with pytest.raises(RuntimeError, match="not been started"):
        _ = Recorder().loop


async def _answer(future: pykka.Future[Any]) -> Any:
    return await future
