"""At least once; twice only where a fault explains it or somebody asked for it."""

import pytest

from sluicegate.simulation.receivers.exchange import Fate

from .story import Story


def twice(**first: object) -> Story:
    """A message that comes again after a 2xx; `first` are facts of the first request."""
    story = Story()
    story.send(1, "a")
    story.arrives(2, "a", **first)  # type: ignore[arg-type] # arguments of it
    story.arrives(50, "a", no=2)
    return story


@pytest.mark.parametrize("status", [200, 299, 404, 301])
def test_after_an_answer_that_ends_a_cycle_nothing_comes(status: int) -> None:
    """In calm there is no explanation."""
    assert twice(status=status).broken == {"final_answers_end_a_cycle"}


@pytest.mark.parametrize("fate", [Fate.LOST, Fate.NEVER, Fate.DRIP, Fate.FLOODED])
def test_an_answer_that_went_astray_explains_it(fate: Fate) -> None:
    """The engine cannot know that the receiver acted."""
    assert twice(fate=fate).broken == set()


def test_an_answer_after_the_time_limit_explains_it() -> None:
    """Nobody waited for it any more."""
    assert twice(after=29).broken == {"final_answers_end_a_cycle"}
    assert twice(after=30).broken == set()


def test_a_crash_explains_it_only_before_the_answer_is_recorded() -> None:
    """What was recorded is durable, whatever happens then."""
    assert twice().crash(2.1).broken == set()
    assert twice().crash(10).broken == {"final_answers_end_a_cycle"}
    assert twice().event("faults", 1.5, write_error=0.1).crash(10).broken == set()


def test_a_process_whose_database_was_taken_over_records_nothing() -> None:
    """What it was answered then is lost with it, however long it lives."""
    story = twice().event("taken_over", 1.9).event("crashed", 20).event("started", 21)
    assert story.broken == set()


def test_other_faults_explain_it() -> None:
    """A receiver that died with its answer, a bug of ours on purpose."""
    assert twice().event("receiver_crashed", 2.005).broken == set()
    assert twice().event("faults", 1, bug=0.01).broken == set()
    assert twice().event("faults", 1, receiver_crash=0.01).broken == set()


def test_over_a_network_a_reset_or_a_partition_explains_it() -> None:
    """And a disk that is slow does not."""
    for rate, lawful in (("reset", True), ("slow_disk", False)):
        story = twice().event("faults", 1, **{rate: 0.01})
        story.history.direct = False
        assert (story.broken == set()) == lawful
    story = twice().event("parted", 2).event("healed", 40)
    story.history.direct = False
    assert story.broken == set()


def test_a_replay_explains_it() -> None:
    """Somebody asked for it, or may have."""
    story = twice()
    story.call("replay", 20, message_id="a", took=None)
    assert story.broken == set()


def test_a_recorded_success_is_the_last_attempt_whatever_went_wrong() -> None:
    """Even in a storm: the result and what follows from it are one commit."""
    story = twice().event("faults", 0, bug=0.5, unknown_outcome=0.5).crash(20)
    story.ends("a", "succeeded", "200", "200")
    assert story.broken == {"recorded_successes_are_the_last"}


def test_what_reads_succeeded_was_taken_by_a_receiver() -> None:
    """At least once; and by an answer that can have come."""
    story = Story()
    story.send(1, "a")
    story.ends("a", "succeeded")
    assert story.broken == {"successes_were_received"}
    story.arrives(2, "a", fate=Fate.LOST)
    assert story.broken == {"successes_were_received"}
    story.arrives(13, "a", no=2)
    assert story.broken == set()
