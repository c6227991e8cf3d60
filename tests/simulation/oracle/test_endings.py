"""What was cancelled or deleted is not sent."""

from .story import Story


def failed_then(operation: str, **facts: object) -> Story:
    """A message that failed once, and then something is asked for at 5 s."""
    story = Story()
    story.send(1, "a")
    story.arrives(2, "a", status=500)
    story.call(operation, 5, **facts)  # type: ignore[arg-type] # fields of it
    return story


def test_a_cancelled_message_is_not_sent_unless_replayed() -> None:
    """A cancellation ends the cycle."""
    story = failed_then("cancel", message_id="a")
    story.arrives(13, "a", no=2)
    assert story.broken == {"cancelled_messages_are_not_sent"}
    story.call("replay", 9, message_id="a", took=None)
    assert story.broken == set()


def test_a_refused_cancellation_changes_nothing() -> None:
    """Only what was answered with success is a promise."""
    story = failed_then("cancel", message_id="a", error="INVALID_STATUS")
    story.arrives(13, "a", no=2)
    assert story.broken == set()


def test_a_deleted_message_is_not_sent_again() -> None:
    """An attempt that had begun may finish; none begins."""
    story = failed_then("delete_message", message_id="a")
    story.arrives(13, "a", no=2)
    assert story.broken == {"deleted_messages_are_not_sent"}
    story = Story()
    story.send(1, "a")
    story.call("delete_message", 2, message_id="a")
    story.arrives(2.05, "a")
    assert story.broken == set()


def test_a_deleted_endpoint_gets_nothing() -> None:
    """But for what was on its way."""
    story = failed_then("delete_endpoint")
    story.arrives(5.02, "a", no=2, begun=5.0)
    assert "deleted_endpoints_get_nothing" not in story.broken
    story.arrives(13, "a", no=2)
    assert "deleted_endpoints_get_nothing" in story.broken
