"""The order of acceptance: of starts, and of whole deliveries on ordered endpoints."""

from .story import Story


def two(*, batch: int | None = None, overlapping: bool = False, **config: object) -> Story:
    """Two messages, `a` accepted before `b`."""
    story = Story(config=config)
    story.send(1, "a", batch=batch)
    story.send(1 if batch is not None or overlapping else 2, "b", batch=batch)
    return story


def test_starts_in_the_order_of_acceptance_are_lawful() -> None:
    """Whatever order the network makes of it, within its latency."""
    story = two()
    story.arrives(5, "b")
    story.arrives(5.01, "a")
    assert story.broken == set()


def test_a_later_message_that_starts_first_is_reported() -> None:
    """Of an endpoint without order, too: attempts start in the order of acceptance."""
    for batch in (None, 1):
        story = two(batch=batch)
        story.arrives(5, "b")
        story.arrives(7, "a")
        assert story.broken == {"starts_follow_acceptance"}


def test_sends_that_overlap_may_be_accepted_in_either_order() -> None:
    """Nobody can say which was first."""
    story = two(overlapping=True)
    story.arrives(5, "b")
    story.arrives(7, "a")
    assert story.broken == set()


def test_an_unanswered_try_may_have_been_the_one() -> None:
    """The second send with the key was answered; the first may have been carried out."""
    story = Story()
    story.send(1, "b", took=None, message_id=None, idempotency_key="k")
    story.send(1.5, "a")
    story.send(2, "b", idempotency_key="k")
    story.arrives(5, "b")
    story.arrives(7, "a")
    assert story.broken == set()


def test_an_attempt_that_was_taken_back_excuses_the_order() -> None:
    """By a pause, by a crash, or because storage did not give its payload."""
    for excuse in ("pause", "crash", "disk", "bug"):
        story = two()
        story.arrives(5, "b")
        match excuse:
            case "pause":
                story.call("pause", 5.5)
                story.call("resume", 6)
            case "crash":
                story.crash(5.5)
            case "disk":
                story.event("faults", 0, read_error=0.1)
            case _:
                story.event("faults", 0, bug=0.1)
        story.arrives(7, "a")
        assert story.broken == set(), excuse


def test_an_earlier_attempt_that_nobody_saw_is_no_disorder() -> None:
    """The first attempt of `a` did not get through; this is its second."""
    story = two()
    story.arrives(5, "b")
    story.arrives(17, "a", no=2)
    assert story.broken == set()


def test_on_an_ordered_endpoint_the_next_waits_for_the_end() -> None:
    """Also for the retries of the one before; and no crash excuses it."""
    for crash in (False, True):
        story = two(ordered=True)
        story.arrives(3, "a", status=500)
        if crash:
            story.crash(3.5)
        story.arrives(5, "b")
        story.arrives(15, "a", no=2)
        assert "ordered_messages_wait" in story.broken


def test_on_an_ordered_endpoint_what_was_given_up_holds_nothing_up() -> None:
    """Given up, then replayed: it is an old message, and keeps no other waiting."""
    story = two(ordered=True)
    story.arrives(3, "a", status=404)
    story.arrives(5, "b")
    assert story.broken == set()
    story.call("replay", 8, message_id="a")
    story.arrives(8.1, "a", no=2)
    assert story.broken == set()


def test_on_an_ordered_endpoint_what_still_waits_at_the_end_was_not_over() -> None:
    """The later one has overtaken it."""
    story = two(ordered=True)
    story.arrives(5, "b")
    story.ends("a", "queued").ends("b", "succeeded", "200")
    assert story.broken == {"ordered_messages_wait"}


def test_an_endpoint_that_may_not_have_been_ordered_is_not_judged_so() -> None:
    """A change that was under way counts either way."""
    story = two(ordered=True)
    story.arrives(3, "a", status=500)
    story.call("update_endpoint", 4, took=None, config={"ordered": False})
    story.arrives(5, "b")
    story.arrives(15, "a", no=2)
    assert story.broken == set()


def test_what_had_failed_before_a_pause_keeps_its_place_behind_the_resume() -> None:
    """`a` was tried and held; `b` was held untried."""
    for first, second in (("a", "b"), ("b", "a")):
        story = two()
        story.arrives(3, "a", status=500)
        story.call("pause", 4)
        story.send(5, "c", took=0.001)
        story.call("resume", 40, requeued=3)
        numbers = {"a": 2, "b": 1}
        story.arrives(41, first, no=numbers[first])
        story.arrives(43, second, no=numbers[second])
        assert ("resumes_keep_the_order" in story.broken) == (first == "b")
