"""`Mailbox`: two bounded lanes, and one scheduled drain while there is mail."""

import asyncio
import queue
from dataclasses import dataclass

import pykka
import pytest

from sluicegate.actors.mailbox import Envelope, Mailbox, MailboxFullError, StopFlag, StopMessage
from sluicegate.turns.pacer import Pacer


@dataclass(frozen=True)
class Urgent:
    """A message for the control lane."""

    number: int


def mailbox(limit: int = 1000) -> Mailbox:
    """Return a mailbox that is not open yet."""
    return Mailbox(control_types=frozenset({Urgent}), limit=limit)


def put(box: Mailbox, *messages: object) -> None:
    """Put messages that nobody waits for."""
    for message in messages:
        box.put(Envelope(message))


async def take_turns(count: int) -> None:
    """Let the loop take so many turns."""
    for _ in range(count):
        await asyncio.sleep(0)


def drained(box: Mailbox) -> list[object]:
    """Return everything that waits, in the order of handling."""
    messages: list[object] = []
    while not box.empty():
        messages.append(box.get().message)
    return messages


def test_control_comes_before_data_and_each_lane_keeps_its_order() -> None:
    """The lane decides first, then the order of putting."""
    box = mailbox()
    put(box, "a", Urgent(1), "b", Urgent(2))
    assert drained(box) == [Urgent(1), Urgent(2), "a", "b"]


def test_control_goes_by_the_exact_type() -> None:
    """A subclass is another message; who wants it urgent names it."""

    class MoreUrgent(Urgent):
        pass

    box = mailbox()
    put(box, "a", MoreUrgent(1))
    assert drained(box) == ["a", MoreUrgent(1)]


def test_a_stop_waits_for_what_was_sent_before_it() -> None:
    """Data or control; and nothing overtakes it, control included."""
    box = mailbox()
    put(box, "a", Urgent(1), StopMessage(), "b", Urgent(2))
    assert drained(box) == [Urgent(1), "a", StopMessage(), "b", Urgent(2)]


def test_an_empty_mailbox_has_nothing_to_give() -> None:
    """It says so instead of blocking."""
    with pytest.raises(queue.Empty):
        mailbox().get()


def test_a_full_lane_refuses_and_loses_nothing() -> None:
    """What was taken stays; the other lane has room of its own."""
    box = mailbox(limit=2)
    put(box, "a", "b")
    with pytest.raises(MailboxFullError):
        put(box, "c")
    put(box, Urgent(1), Urgent(2))
    with pytest.raises(MailboxFullError):
        put(box, Urgent(3))
    assert drained(box) == [Urgent(1), Urgent(2), "a", "b"]
    put(box, "d")
    assert drained(box) == ["d"]


def test_a_stop_is_taken_by_a_full_mailbox() -> None:
    """What is too busy to be stopped could never be stopped."""
    box = mailbox(limit=1)
    put(box, "a", StopMessage())
    assert drained(box) == ["a", StopMessage()]


def test_a_full_mailbox_is_a_reason_to_come_back() -> None:
    """The caller is told as for any other overload."""
    assert MailboxFullError().code == "UNAVAILABLE"
    assert MailboxFullError().retry_after_s > 0


def test_a_closed_mailbox_gives_back_what_waited_and_takes_nothing() -> None:
    """Closing twice is fine."""
    box = mailbox()
    put(box, "a", Urgent(1))
    assert [envelope.message for envelope in box.close()] == [Urgent(1), "a"]
    assert box.close() == []
    assert box.closed
    with pytest.raises(pykka.ActorDeadError):
        put(box, "b")


def test_a_mailbox_on_a_closed_loop_takes_nothing() -> None:
    """Nothing put now would ever be handled."""
    loop = asyncio.new_event_loop()
    box = mailbox()
    box.open(loop, lambda: None)
    loop.close()
    assert box.closed
    with pytest.raises(pykka.ActorDeadError):
        put(box, "a")


def test_a_mailbox_cannot_be_opened_on_a_closed_loop() -> None:
    """It would never drain."""
    loop = asyncio.new_event_loop()
    loop.close()
    with pytest.raises(pykka.ActorDeadError, match="closed"):
        mailbox().open(loop, lambda: None)


async def test_much_mail_schedules_one_drain() -> None:
    """A drain that is scheduled serves everything that comes before it runs."""
    box = mailbox()
    batches: list[list[object]] = []

    def drain() -> None:
        batches.append(drained(box))
        box.rest()

    put(box, "before")
    box.open(asyncio.get_running_loop(), drain)
    put(box, "a", "b", Urgent(1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    put(box, "c", "d")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert batches == [[Urgent(1), "before", "a", "b"], ["c", "d"]]


async def test_only_data_waits_in_line() -> None:
    """What is control goes past, and takes along the data that waits; one drain is for all."""
    line = Pacer(a_turn=1).actors
    box = mailbox()
    batches: list[list[object]] = []

    def drain() -> None:
        batches.append(drained(box))
        box.rest()

    for _ in range(3):
        line.add(lambda: None)
    box.open(asyncio.get_running_loop(), drain, line=line)
    put(box, "a", "b")
    await take_turns(3)
    assert batches == []
    await take_turns(1)
    assert batches == [["a", "b"]]
    for _ in range(3):
        line.add(lambda: None)
    put(box, "c")
    put(box, Urgent(1))
    await take_turns(1)
    assert batches[1:] == [[Urgent(1), "c"]]
    await take_turns(9)
    assert batches[2:] == [[]]  # the one that was in line finds nothing


async def test_what_a_drain_has_left_waits_in_line_again() -> None:
    """Or an actor with much mail would hold up the others."""
    line = Pacer(a_turn=1).actors
    box = mailbox()
    handled: list[object] = []

    def drain() -> None:
        handled.append(box.get().message)
        if len(handled) == 1:
            line.add(lambda: handled.append("another"))
        box.rest()

    box.open(asyncio.get_running_loop(), drain, line=line)
    put(box, "a", "b")
    await take_turns(3)
    assert handled == ["a", "another", "b"]


async def test_rest_comes_back_while_there_is_mail() -> None:
    """A drain may take a part and leave the rest to the next turn of the loop."""
    box = mailbox()
    handled: list[object] = []

    def drain() -> None:
        if not box.empty():
            handled.append(box.get().message)
        box.rest()

    put(box, "a", "b", "c")
    box.open(asyncio.get_running_loop(), drain)
    for turn in range(1, 4):
        await asyncio.sleep(0)
        assert len(handled) == turn


async def test_a_drain_can_be_had_without_mail() -> None:
    """`again` schedules one in any case, and none once the mailbox is closed."""
    box = mailbox()
    drains: list[None] = []
    box.open(asyncio.get_running_loop(), lambda: drains.append(None))
    await asyncio.sleep(0)
    box.again()
    await asyncio.sleep(0)
    box.close()
    box.again()
    await asyncio.sleep(0)
    assert len(drains) == 2


async def test_a_loop_that_refuses_changes_nothing() -> None:
    """A simulated loop refuses other threads: the message is not taken, the next one is."""

    class OneThread(asyncio.SelectorEventLoop):
        refuse = False

        def call_soon_threadsafe(self, *args: object, **kwargs: object) -> asyncio.Handle:
            if self.refuse:
                msg = "one thread only"
                raise RuntimeError(msg)
            return super().call_soon_threadsafe(*args, **kwargs)  # type: ignore[arg-type]  # passed on

    loop = OneThread()
    try:
        box = mailbox()
        handled: list[object] = []

        def drain() -> None:
            handled.extend(drained(box))
            box.rest()

        box.open(loop, drain)
        await asyncio.to_thread(loop.run_until_complete, asyncio.sleep(0))
        loop.refuse = True
        with pytest.raises(RuntimeError, match="one thread only"):
            put(box, "a")
        loop.refuse = False
        put(box, "b")
        await asyncio.to_thread(loop.run_until_complete, asyncio.sleep(0))
        assert handled == ["b"]
    finally:
        loop.close()


def test_a_stop_flag_is_set_once_and_for_all() -> None:
    """It does what Pykka needs of an event."""
    flag = StopFlag()
    assert not flag.is_set()
    flag.set()
    flag.set()
    assert flag.is_set()
