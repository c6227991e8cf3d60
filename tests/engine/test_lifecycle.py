"""The lifecycle table: every step lawful, no other step possible, no message ever stuck."""

from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate.engine.lifecycle import (
    STORED,
    TRANSITIONS,
    WAITING,
    IllegalTransitionError,
    MessageStatus,
    Trigger,
    advance,
    view,
)
from sluicegate.engine.lifecycle_diagram import mermaid

ARCHITECTURE = Path(__file__).parents[2] / "docs" / "architecture.md"

QUEUED = MessageStatus.QUEUED
DELIVERING = MessageStatus.DELIVERING
PENDING_RETRY = MessageStatus.PENDING_RETRY
PAUSED = MessageStatus.PAUSED
SUCCEEDED = MessageStatus.SUCCEEDED
FAILED_PERMANENT = MessageStatus.FAILED_PERMANENT

CONTRACT = {
    # queued → delivering → succeeded | pending_retry | failed_permanent
    (QUEUED, DELIVERING),
    (DELIVERING, SUCCEEDED),
    (DELIVERING, PENDING_RETRY),
    (DELIVERING, FAILED_PERMANENT),
    # pending_retry → delivering
    (PENDING_RETRY, DELIVERING),
    # queued, pending_retry ⇄ paused
    (QUEUED, PAUSED),
    (PENDING_RETRY, PAUSED),
    (PAUSED, QUEUED),
    (PAUSED, PENDING_RETRY),
    # succeeded, failed_permanent → queued (replay)
    (SUCCEEDED, QUEUED),
    (FAILED_PERMANENT, QUEUED),
    # what a cancel, or the deletion of the endpoint, does to what waits (sections 4 and 6)
    (QUEUED, FAILED_PERMANENT),
    (PENDING_RETRY, FAILED_PERMANENT),
    (PAUSED, FAILED_PERMANENT),
}
"""The steps of section 7 of the contract, written down apart from the table."""

ILLEGAL = sorted(set(product(MessageStatus, Trigger)) - set(TRANSITIONS))


def test_the_table_has_the_contracts_steps_and_no_other() -> None:
    """Each step of the contract has a trigger, and each trigger makes a step of the contract."""
    steps = {(status, following) for (status, _), following in TRANSITIONS.items()}
    assert steps == CONTRACT


@pytest.mark.parametrize(("status", "trigger"), TRANSITIONS)
def test_a_lawful_step_leads_where_the_table_says(status: MessageStatus, trigger: Trigger) -> None:
    """`advance` is the table."""
    assert advance(status, trigger) is TRANSITIONS[status, trigger]


@pytest.mark.parametrize(("status", "trigger"), ILLEGAL)
def test_any_other_step_raises_and_changes_nothing(status: MessageStatus, trigger: Trigger) -> None:
    """The error names the status and what was tried; the table is as before."""
    before = dict(TRANSITIONS)
    with pytest.raises(IllegalTransitionError, match=f"from {status} on {trigger}") as caught:
        advance(status, trigger)
    assert (caught.value.status, caught.value.trigger) == (status, trigger)
    assert caught.value.__cause__ is None
    assert before == TRANSITIONS


@given(triggers=st.lists(st.sampled_from(Trigger), max_size=60))
def test_no_run_of_triggers_leaves_the_contract(triggers: list[Trigger]) -> None:
    """Whatever happens in whatever order, a message only ever takes steps of the contract."""
    status = QUEUED
    for trigger in triggers:
        try:
            following = advance(status, trigger)
        except IllegalTransitionError:
            continue
        assert (status, following) in CONTRACT
        status = following


def reachable_from(start: MessageStatus, *, without: frozenset[Trigger]) -> set[MessageStatus]:
    """Return every status that triggers other than `without` can lead to."""
    reached, todo = {start}, [start]
    while todo:
        status = todo.pop()
        for (source, trigger), following in TRANSITIONS.items():
            if source is status and trigger not in without and following not in reached:
                reached.add(following)
                todo.append(following)
    return reached


def test_every_status_is_reached_by_a_new_message() -> None:
    """There is no status that nothing leads to, and none that needs a replay to be reached."""
    assert reachable_from(QUEUED, without=frozenset({Trigger.REPLAY})) == set(MessageStatus)


@pytest.mark.parametrize("status", MessageStatus)
@pytest.mark.parametrize("end", [SUCCEEDED, FAILED_PERMANENT])
def test_every_message_can_still_end_either_way(status: MessageStatus, end: MessageStatus) -> None:
    """From every status, also without a cancel: there is no dead end but the two ends."""
    reached = reachable_from(status, without=frozenset({Trigger.GIVE_UP}))
    assert end in reached
    if status not in (SUCCEEDED, FAILED_PERMANENT):
        without = frozenset({Trigger.GIVE_UP, Trigger.REPLAY})
        assert end in reachable_from(status, without=without)


@pytest.mark.parametrize("end", [SUCCEEDED, FAILED_PERMANENT])
def test_only_a_replay_leads_on_from_an_end(end: MessageStatus) -> None:
    """What is done stays done, unless a client asks for more."""
    assert [trigger for status, trigger in TRANSITIONS if status is end] == [Trigger.REPLAY]


def test_what_is_stored_is_what_is_not_derived() -> None:
    """A row never says that it is delivering or paused: a crash would leave that untrue."""
    assert set(STORED) == set(MessageStatus) - {DELIVERING, PAUSED}
    assert len(set(STORED)) == len(STORED)
    assert set(WAITING) == {status for status in STORED if (status, Trigger.START) in TRANSITIONS}


@pytest.mark.parametrize("in_flight", [False, True])
@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("stored", STORED)
def test_a_reader_sees_what_the_row_and_its_endpoint_come_to(
    stored: MessageStatus, *, paused: bool, in_flight: bool
) -> None:
    """An end is an end. Else an attempt in flight shows, before the pause of its endpoint."""
    expected = stored
    if stored in WAITING and in_flight:
        expected = DELIVERING
    elif stored in WAITING and paused:
        expected = PAUSED
    assert view(stored, in_flight=in_flight, paused=paused) is expected


@pytest.mark.parametrize("stored", WAITING)
def test_pausing_shows_the_step_that_the_table_has(stored: MessageStatus) -> None:
    """What a reader sees change is a lawful step, forth and back."""
    held = view(stored, in_flight=False, paused=True)
    assert held is advance(stored, Trigger.PAUSE)
    back = Trigger.RESUME_UNTRIED if stored is QUEUED else Trigger.RESUME_FAILED
    assert advance(held, back) is view(stored, in_flight=False, paused=False)
    assert view(stored, in_flight=True, paused=True) is advance(stored, Trigger.START)


def test_the_diagram_has_every_step_of_the_table() -> None:
    """One line for each pair of statuses, with the triggers that lead from one to the other."""
    head, start, *lines = mermaid().splitlines()
    assert (head, start.strip()) == ("stateDiagram-v2", "[*] --> queued: accepted")
    drawn: dict[tuple[MessageStatus, Trigger], MessageStatus] = {}
    for line in lines:
        source, _, rest = line.strip().partition(" --> ")
        target, _, triggers = rest.partition(": ")
        for trigger in triggers.split(", "):
            drawn[MessageStatus(source), Trigger(trigger)] = MessageStatus(target)
    assert drawn == TRANSITIONS
    assert len(lines) == len(CONTRACT)


def test_the_documentation_shows_the_diagram_of_the_table() -> None:
    """The block between the markers in `docs/architecture.md` is made from the table."""
    text = ARCHITECTURE.read_text("utf-8")
    _, begin, rest = text.partition("<!-- lifecycle:begin -->")
    block, end, _ = rest.partition("<!-- lifecycle:end -->")
    assert begin
    assert end
    assert block.strip() == f"```mermaid\n{mermaid()}\n```"
