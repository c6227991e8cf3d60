"""Calls about many messages say truly what they did, and the dead letter queue what has failed."""

import pytest

from sluicegate.simulation.oracle.history import (
    BulkAnswer,
    BulkOutcome,
    BulkRequest,
    Call,
    DeadLetters,
)

from .story import SECRET, TOOK_S, Story


def both() -> Story:
    """A message that failed for good, and one that was delivered."""
    story = Story()
    story.send(1, "a")
    story.arrives(1.05, "a", status=404)
    story.send(2, "b")
    story.arrives(2.05, "b")
    return story


def asked(
    story: Story,
    operation: str,
    at: float,
    *outcomes: tuple[str, str],
    counts: dict[str, int] | None = None,
    endpoint: str = "e1",
    **request: object,
) -> Call:
    """Let a client do something to many messages; `outcomes` are ids, and what became of each."""
    answer = BulkAnswer(
        outcomes=tuple(BulkOutcome(message_id=id_, outcome=what) for id_, what in outcomes),
        counts=counts or {},
    )
    wanted = BulkRequest(**request)  # type: ignore[arg-type] # fields of it
    return story.call(operation, at, endpoint=endpoint, bulk=wanted, answer=answer)


def listed(story: Story, at: float, *ids: str, whole: bool = False) -> Story:
    """Let a client list the dead letter queue."""
    listing = DeadLetters(began_s=at, ended_s=at + TOOK_S, message_ids=ids, whole=whole)
    story.history.dead_letters.append(listing)
    return story


def test_what_was_counted_was_listed() -> None:
    """Each message once, no more than were wanted, in the order of the ids."""
    story = both()
    asked(story, "replay_all", 5, ("a", "replayed"), status="failed_permanent")
    assert story.broken == set()
    for outcomes, facts in (
        ((("a", "replayed"),), {"counts": {"replayed": 2}}),
        ((("a", "replayed"), ("a", "stuck")), {}),
        ((("a", "replayed"), ("b", "replayed")), {"limit": 1}),
        ((("b", "failed"), ("a", "replayed")), {"message_ids": ("a", "b")}),
    ):
        story = both()
        asked(story, "replay_all", 5, *outcomes, **facts)
        assert story.broken == {"bulk_answers_add_up"}


def test_what_is_replayed_in_bulk_is_replayed() -> None:
    """It may be attempted again, and has to be; what was not named by the answer may not."""
    story = both()
    asked(story, "replay_all", 5, ("a", "replayed"), status="failed_permanent")
    story.settles().ends("a", "succeeded", "404", "200").ends("b", "succeeded", "200")
    assert "replays_are_carried_out" in story.broken
    story.arrives(5.05, "a", no=2)
    assert story.broken == set()
    story.arrives(6, "b", no=2)
    assert "final_answers_end_a_cycle" in story.broken


@pytest.mark.parametrize("operation", ["replay_all", "replay_from_dlq"])
def test_an_unanswered_replay_may_have_been_carried_out(operation: str) -> None:
    """Of a filter nobody knows of what: of each."""
    story = both()
    story.arrives(5.05, "a", no=2)
    assert "final_answers_end_a_cycle" in story.broken
    if operation == "replay_all":
        bulk = BulkRequest(status="failed_permanent")
        story.call(operation, 5, took=None, bulk=bulk, endpoint="")
    else:
        story.call(operation, 5, took=None, message_id="a", endpoint="")
    assert story.broken == set()


def test_what_storage_refused_may_have_been_carried_out() -> None:
    """Whether it was written nobody knows, be it named or only counted."""
    for outcomes, counts in (
        ((BulkOutcome(message_id="a", outcome="failed", code="UNAVAILABLE"),), {"failed": 1}),
        ((), {"failed": 1}),
    ):
        story = both()
        story.arrives(5.05, "a", no=2)
        answer = BulkAnswer(outcomes=outcomes, counts=counts)
        story.call("replay_all", 5, bulk=BulkRequest(), answer=answer)
        assert story.broken == set()


def test_what_is_deleted_in_bulk_is_not_sent() -> None:
    """As if each had been deleted by itself."""
    story = Story()
    story.send(1, "a")
    story.arrives(2, "a", status=500)
    asked(story, "delete_all", 5, ("a", "deleted"), status="pending_retry")
    assert story.broken == set()
    story.arrives(13, "a", no=2)
    assert story.broken == {"deleted_messages_are_not_sent"}


def test_a_filter_is_kept_to() -> None:
    """Another endpoint's messages are none of its own, and what succeeded was received."""
    story = both()
    story.call("create_endpoint", 0, endpoint="e2", endpoint_id="ep_e2")
    asked(story, "replay_all", 5, ("a", "replayed"), endpoint="e2", status="failed_permanent")
    assert story.broken == {"bulk_calls_keep_to_their_filter"}
    story = both()
    asked(story, "delete_all", 5, ("a", "deleted"), status="succeeded")
    assert story.broken == {"bulk_calls_keep_to_their_filter"}


def test_a_message_is_deleted_by_one() -> None:
    """The others find it deleted; nobody who looks for it does not find it."""
    story = both()
    asked(story, "delete_batch", 5, ("a", "deleted"), message_ids=("a",))
    asked(story, "delete_batch", 5, ("a", "already_deleted"), message_ids=("a",))
    assert story.broken == set()
    asked(story, "delete_all", 7, ("a", "deleted"))
    assert story.broken == {"a_message_is_deleted_once"}
    for outcome in ("already_deleted", "not_found"):
        story = both()
        asked(story, "delete_batch", 5, ("a", outcome), message_ids=("a",))
        assert story.broken == {"a_message_is_deleted_once"}


def test_what_is_there_is_found() -> None:
    """Unless the limit was reached, or somebody may have been faster."""
    story = both().seen(4, "a", "failed_permanent", 1)
    asked(story, "replay_all", 5, status="failed_permanent")
    assert story.broken == {"bulk_calls_find_what_there_is"}
    story.call("replay", 4.5, took=None, message_id="a")
    assert story.broken == set()
    story = both().seen(4, "a", "failed_permanent", 1)
    asked(story, "delete_all", 5, ("b", "deleted"), limit=1, status="failed_permanent")
    assert story.broken == set()


def test_what_others_take_meanwhile_was_found_too() -> None:
    """Two at once find the same two, and each deletes one of them: neither looks for a third."""
    for apart, lawful in ((0.0, True), (5.0, False)):
        story = both()
        story.send(3, "c")
        story.arrives(3.05, "c")
        story.send(4, "d")
        story.arrives(4.05, "d")
        for each in "bcd":
            story.seen(5, each, "succeeded", 1)
        asked(story, "delete_all", 6, ("b", "deleted"), status="succeeded", limit=2)
        asked(story, "delete_all", 6 + apart, ("c", "deleted"), status="succeeded", limit=2)
        assert story.broken == (set() if lawful else {"bulk_calls_find_what_there_is"})


def test_a_message_that_a_single_call_takes_meanwhile_was_found_too() -> None:
    """As one of many would be; what is taken elsewhere, before or after was not."""
    for endpoint, at, lawful in (("e1", 6.0, True), ("e2", 6.0, False), ("e1", 7.0, False)):
        story = both()
        story.call("create_endpoint", 0, endpoint="e2", endpoint_id="ep_e2", secret=SECRET)
        for number, name in enumerate("cd"):
            story.send(3 + number, name)
            story.arrives(3.05 + number, name)
        story.send(4.5, "x", endpoint="e2")
        story.arrives(4.55, "x", endpoint="e2")
        story.seen(5, "b", "succeeded", 1).seen(5, "d", "succeeded", 1)
        asked(story, "delete_all", 6, ("b", "deleted"), status="succeeded", limit=2)
        taken = "c" if endpoint == "e1" else "x"
        story.call("delete_message", at, message_id=taken, endpoint=endpoint)
        assert story.broken == (set() if lawful else {"bulk_calls_find_what_there_is"})


def test_the_dead_letter_queue_has_what_failed() -> None:
    """All of it at the end; nothing deleted, ever; each message once."""
    story = both().settles().ends("a", "failed_permanent", "404").ends("b", "succeeded", "200")
    assert listed(story, 10_001, "a", whole=True).broken == set()
    assert listed(story, 10_001, "b", "a", whole=True).broken == {"the_dlq_lists_what_failed"}
    story.history.dead_letters.clear()
    assert listed(story, 10_001, whole=True).broken == {"the_dlq_lists_what_failed"}
    story.history.dead_letters.clear()
    assert listed(story, 10_001, "a", "a").broken == {"the_dlq_lists_what_failed"}
    story.history.dead_letters.clear()
    story.call("delete_message", 20, message_id="a")
    assert listed(story, 10, "a").broken == set()
    assert listed(story, 30, "a").broken == {"the_dlq_lists_what_failed"}
