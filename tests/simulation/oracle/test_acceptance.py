"""What was accepted is kept; one key makes one message."""

from .story import Story, an_ordinary_day


def test_a_message_that_is_gone_is_lost() -> None:
    """Nothing that was answered with 202 may be missing at the end."""
    story = an_ordinary_day()
    del story.history.messages[0]
    assert story.broken == {"accepted_messages_are_kept"}


def test_an_unanswered_send_may_be_there_or_not() -> None:
    """Who heard nothing knows nothing."""
    story = an_ordinary_day()
    story.send(4, "d", took=None, message_id=None)
    assert story.broken == set()
    story.arrives(4.05, "d")
    story.ends("d", "succeeded", "200")
    assert story.broken == set()


def test_a_message_that_nobody_sent_is_reported() -> None:
    """As many unknown messages as unanswered sends, and no more."""
    story = an_ordinary_day()
    story.send(4, "d", took=None, message_id=None)
    story.ends("x", "failed_permanent").ends("y", "failed_permanent")
    assert "messages_come_from_clients" in story.broken


def test_two_sends_with_one_id_are_reported() -> None:
    """Without a key, each send is a message of its own."""
    story = Story()
    story.send(1, "a")
    story.send(2, "a", payload=b"2")
    assert story.broken == {"one_send_is_one_message"}


def test_a_key_used_again_gives_the_same_message_also_after_a_crash() -> None:
    """The same key and payload are one message."""
    story = Story()
    story.send(1, "a", idempotency_key="k")
    story.crash(2)
    story.send(4, "a", idempotency_key="k")
    assert story.broken == set()
    story.send(5, "b", payload=b'"a"', idempotency_key="k")
    assert story.broken == {"one_key_is_one_message"}


def test_a_key_with_two_payloads_is_reported_unless_a_deletion_freed_it() -> None:
    """A key stands for its payload as long as the message exists."""
    story = Story()
    story.send(1, "a", idempotency_key="k")
    story.send(3, "b", idempotency_key="k")
    assert story.broken == {"one_key_is_one_message"}
    story.call("delete_message", 2, message_id="a")
    assert story.broken == set()


def test_a_refused_key_must_have_been_used() -> None:
    """`IDEMPOTENCY_MISMATCH` has a reason: another payload, perhaps of an unanswered send."""
    story = Story()
    story.send(2, "b", idempotency_key="k", error="IDEMPOTENCY_MISMATCH", message_id=None)
    assert story.broken == {"a_key_is_refused_for_a_reason"}
    story.send(1, "a", took=None, idempotency_key="k", message_id=None)
    assert story.broken == set()


def test_who_has_lost_the_database_carries_nothing_out_until_a_new_start() -> None:
    """A write that carries an older epoch is refused; the process ends, and begins anew."""
    story = an_ordinary_day()
    story.event("taken_over", 4)
    story.call("update_endpoint", 4.5, error="UNAVAILABLE", config={"description": "x"})
    story.crash(5)
    story.call("update_endpoint", 7, config={"description": "x"})
    assert story.broken == set()
    story.event("taken_over", 8)
    story.call("update_endpoint", 9, config={"description": "x"})
    assert story.broken == {"an_unfit_process_changes_nothing"}
