"""A pause is a promise, and a resume counts what was held."""

import pytest

from .story import Story


def paused(at: float = 5, **config: object) -> Story:
    """An endpoint that is paused, and a message that was accepted before."""
    story = Story(config=config)
    story.send(1, "a", took=0.001)
    story.call("pause", at)
    return story


def test_an_attempt_after_the_answer_is_reported() -> None:
    """Once the 200 is on the wire, nothing starts."""
    story = paused()
    story.arrives(7, "a")
    assert story.broken == {"nothing_starts_while_paused"}


def test_what_was_sent_before_the_answer_may_arrive_after_it() -> None:
    """The journey takes as long as the latency: no alarm for what was on its way."""
    story = paused()
    story.arrives(5.02, "a", begun=5.0)
    assert story.broken == set()


def test_a_request_that_is_dated_after_the_answer_was_not_on_its_way() -> None:
    """A stall of ten seconds would excuse it, if its timestamp did not say when it began."""
    story = Story(direct=False)
    story.event("faults", 0, stall=0.01)
    story.send(1, "a")
    story.call("pause", 5)
    story.arrives(9, "a", begun=8.2)
    assert story.broken == {"nothing_starts_while_paused"}
    story.history.exchanges.clear()
    story.arrives(9, "a", begun=4.2)
    assert story.broken == set()


def test_a_partition_may_hold_a_request_for_long() -> None:
    """What was sent before it arrives when it ends."""
    story = Story(direct=False)
    story.event("parted", 4).event("healed", 100)
    story.send(1, "a")
    story.call("pause", 5)
    story.arrives(100.01, "a", begun=3.99)
    assert story.broken == set()


@pytest.mark.parametrize("took", [0.01, None])
def test_from_the_moment_a_resume_is_asked_for_attempts_may_start(took: float | None) -> None:
    """Answered or not: it may have been carried out."""
    story = paused()
    story.call("resume", 6, took=took, requeued=1)
    story.arrives(6.02, "a", begun=6.0)
    assert story.broken == set()


def test_a_refused_resume_changes_nothing() -> None:
    """A resume that was refused has not resumed."""
    story = paused()
    story.call("resume", 5.005, took=0.001, error="NOT_PAUSED")
    story.arrives(7, "a")
    assert story.broken == {"nothing_starts_while_paused"}


def test_a_resume_given_up_just_before_the_pause_may_come_after_it() -> None:
    """A client that went away does not know when its request is carried out."""
    story = Story()
    story.send(1, "a")
    story.call("resume", 4.9, took=0.05, error="CANCELLED")
    story.call("pause", 6.5)
    story.arrives(8, "a")
    assert story.broken == set()
    story.crash(5)  # nothing of it is left
    assert story.broken == {"nothing_starts_while_paused"}


def test_a_pause_survives_a_crash() -> None:
    """It is durable when it is answered."""
    story = paused()
    story.crash(6)
    story.arrives(7.5, "a")
    assert story.broken == {"nothing_starts_while_paused"}


def test_an_unanswered_pause_promises_nothing() -> None:
    """Nobody was told."""
    story = Story()
    story.send(1, "a")
    story.call("pause", 5, error="UNAVAILABLE")
    story.arrives(7, "a")
    assert story.broken == set()


def test_a_second_pause_is_refused() -> None:
    """`ALREADY_PAUSED`, also of two at the same moment."""
    for at in (5, 7):
        story = paused()
        second = story.call("pause", at)
        assert story.broken == {"pauses_answer_truly"}
        second.error = "ALREADY_PAUSED"
        assert story.broken == set()


def test_refusals_have_a_reason() -> None:
    """Nobody had paused; or it was paused, and is told that it is not."""
    story = Story()
    story.call("pause", 1, error="ALREADY_PAUSED")
    assert story.broken == {"pauses_answer_truly"}
    story = paused()
    story.call("resume", 7, error="NOT_PAUSED")
    assert story.broken == {"pauses_answer_truly"}
    story = Story()
    story.call("resume", 7, requeued=0)
    assert story.broken == {"pauses_answer_truly"}


def test_a_410_pauses_too() -> None:
    """A receiver that is gone explains a pause that no client asked for."""
    story = Story()
    story.send(1, "a")
    story.arrives(2, "a", status=410)
    story.call("pause", 3, error="ALREADY_PAUSED")
    story.call("resume", 4, requeued=0)
    assert story.broken == set()


@pytest.mark.parametrize("requeued", range(5))
def test_a_resume_counts_what_is_held(requeued: int) -> None:
    """Two were accepted while it was paused; one more may have been."""
    story = Story()
    story.call("pause", 1)
    story.send(2, "a")
    story.send(3, "b")
    story.send(4, "c", took=None, message_id=None)
    story.call("resume", 5, requeued=requeued)
    assert (story.broken == set()) == (requeued in {2, 3})


def test_what_is_sent_again_after_a_resume_was_held_at_it() -> None:
    """It failed before the pause, and was not replayed: it waited."""
    story = Story(config={"timeout_s": 3.0})
    story.send(1, "a")
    story.arrives(2, "a", status=500)
    story.call("pause", 5)
    resume = story.call("resume", 49.9, requeued=1)
    story.arrives(50.05, "a", no=2)
    assert story.broken == set()
    resume.requeued = 0
    assert story.broken == {"resumes_count_what_is_held"}


def test_what_was_delivered_is_not_held() -> None:
    """At most what may have waited is counted."""
    story = Story()
    story.send(1, "a")
    story.arrives(2, "a")
    story.call("pause", 5)
    resume = story.call("resume", 50, requeued=0)
    assert story.broken == set()
    resume.requeued = 1
    assert story.broken == {"resumes_count_what_is_held"}


def test_on_a_paused_endpoint_what_waits_reads_paused() -> None:
    """And on no other anything does."""
    for status, lawful in (("paused", True), ("queued", False), ("pending_retry", False)):
        story = paused().ends("a", status).settles()
        assert (story.broken == set()) == lawful
    story = Story()
    story.send(1, "a")
    story.ends("a", "paused")
    assert story.broken == {"what_is_held_reads_paused"}


def test_what_is_read_meanwhile_is_judged_alike() -> None:
    """Readings during the run; one that overlaps the pause may be older."""
    for at, status, lawful in (
        (6, "queued", False),
        (6, "paused", True),
        (5.005, "queued", True),
        (4, "paused", False),
        (6, "delivering", True),
    ):
        assert (paused().seen(at, "a", status).broken == set()) == lawful, (at, status)


def failing(*, succeeds: int | None = None) -> Story:
    """An endpoint that fails at 2 and at 110 s, is paused after 100 s of it, and a resume of it."""
    story = Story(circuit_pause_after_s=100, circuit_failures=0)
    for at in (2, 50, 110):
        story.send(at - 0.5, f"m{at}", took=0.001)
        status = 200 if at == succeeds else 404 if at == 50 else 500
        story.arrives(at, f"m{at}", status=status)
        ended = {200: "succeeded", 404: "failed_permanent", 500: "pending_retry"}[status]
        story.ends(f"m{at}", ended, str(status))
    return story


def test_an_endpoint_that_fails_for_long_is_paused() -> None:
    """From the first failure to the last, with no success between that was surely recorded."""
    story = failing()
    story.call("resume", 120, requeued=1)
    assert story.broken == set()
    story = failing(succeeds=50)
    story.call("resume", 120, requeued=1)
    assert story.broken == {"pauses_answer_truly"}
    story.event("faults", 40, write_error=0.1).event("healed", 51)
    assert story.broken == set()


def test_a_success_behind_it_does_not_end_a_pause() -> None:
    """Only a resume does: what was in flight when the endpoint was paused may succeed."""
    story = failing()
    story.send(100, "ok", took=0.001)
    story.arrives(110.5, "ok")
    story.ends("ok", "succeeded", "200").shows(paused=True, reason="failing")
    assert "pauses_have_a_reason" not in story.broken


def test_a_pause_at_the_end_has_the_reason_that_it_names() -> None:
    """Somebody asked for it, was gone, or failed for too long: that, and nothing else."""
    assert failing().shows(paused=True, reason="failing").broken == set()
    assert failing().shows(paused=True, reason="gone").broken == {"pauses_have_a_reason"}
    assert failing().shows(paused=True, reason=None).broken == {"pauses_have_a_reason"}
    story = failing(succeeds=50).shows(paused=True, reason="failing")
    assert story.broken == {"pauses_have_a_reason"}
    story = paused().settles(60).ends("a", "paused").shows(paused=True, reason="manual")
    assert story.broken == set()
    story.history.endpoints.clear()
    assert story.shows(paused=False).broken == {"pauses_have_a_reason"}


def test_a_resume_ends_the_pause_of_a_410() -> None:
    """An answered one, that began when the answer was surely judged."""
    story = Story()
    story.send(1, "a")
    story.arrives(2, "a", status=410)
    story.settles(60).ends("a", "failed_permanent", "410").shows(paused=True, reason="gone")
    assert story.broken == set()
    story.call("resume", 5, took=None)
    assert story.broken == set()
    story.call("resume", 10, requeued=0)
    assert story.broken == {"pauses_have_a_reason"}


def overtaken_410(*, after: float) -> Story:
    """An endpoint that reads `gone`: a 410 came `after` 2 s, and then a pause and a resume."""
    story = Story()
    story.send(1, "a")
    story.arrives(2, "a", status=410, after=after)
    story.call("pause", 4)
    story.call("resume", 4.01, requeued=0)  # the moment at which the pause was answered
    return story.settles(60).ends("a", "failed_permanent", "410").shows(paused=True, reason="gone")


def test_a_410_that_was_judged_before_a_resume_does_not_pause_behind_it() -> None:
    """However late it is stored: a disk that fails excuses nothing, a bug does."""
    assert overtaken_410(after=0).broken == {"pauses_have_a_reason"}
    assert overtaken_410(after=2).broken == set()
    story = overtaken_410(after=0).event("faults", 1, busy=0.5).event("healed", 5)
    assert story.broken == {"pauses_have_a_reason"}
    assert overtaken_410(after=0).event("faults", 1, bug=0.5).event("healed", 5).broken == set()


def test_a_failure_that_was_judged_before_a_resume_begins_no_stretch_behind_it() -> None:
    """One that may have come during the resume may."""
    for after, lawful in ((0.0, False), (0.2, True)):
        story = Story(circuit_pause_after_s=100, circuit_failures=0)
        story.send(1.5, "a", took=0.001)
        story.arrives(2, "a", status=500, after=after)
        story.call("pause", 2.1)
        story.call("resume", 2.2)
        story.send(109.5, "b", took=0.001)
        story.arrives(110, "b", status=500)
        story.call("resume", 120, requeued=2)
        story.ends("a", "pending_retry", "500").ends("b", "pending_retry", "500")
        assert story.broken == (set() if lawful else {"pauses_answer_truly"})


def test_a_permanent_answer_may_show_that_an_endpoint_has_failed_for_too_long() -> None:
    """It is no success; and when it comes is when the endpoint is looked at."""
    for status, lawful in ((404, True), (200, False)):
        story = Story(circuit_pause_after_s=100, circuit_failures=0)
        story.send(1.5, "a", took=0.001)
        story.arrives(2, "a", status=500)
        story.send(119.5, "b", took=0.001)
        story.arrives(120, "b", status=status)
        story.call("resume", 130, requeued=1)
        ended = "failed_permanent" if status == 404 else "succeeded"
        story.ends("a", "pending_retry", "500").ends("b", ended, str(status))
        assert story.broken == (set() if lawful else {"pauses_answer_truly"})
