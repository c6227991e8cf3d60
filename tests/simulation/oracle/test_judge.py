"""The whole court: an ordinary day is lawful, and no rule is without a test."""

from pathlib import Path

from sluicegate.simulation.oracle import RULES, judge
from sluicegate.simulation.oracle.history import History

from .story import Story, an_ordinary_day


def test_nothing_at_all_is_lawful() -> None:
    """Where nothing was, nothing is wrong."""
    assert judge(History()) == []


def test_an_ordinary_day_is_lawful() -> None:
    """What works is not reported."""
    assert judge(an_ordinary_day().history) == []


def test_a_history_without_its_end_is_judged_as_far_as_it_goes() -> None:
    """Rules about the end are silent before it."""
    story = Story()
    story.send(1, "a")
    assert story.broken == set()


def test_violations_say_what_when_and_where_in_order_of_time() -> None:
    """Whoever reads one finds the place in the trace."""
    story = Story()
    story.send(1, "a")
    story.arrives(9, "b")
    story.arrives(5, "a", body=b"else")
    first, *others = judge(story.history)
    assert first.at_s == 5
    assert others[-1].at_s == 9
    assert str(first).startswith(f"{first.rule} at 5.000 s: ")
    assert first.exchanges


def test_every_rule_has_a_test_that_names_it() -> None:
    """A rule that nobody has seen broken may be one that cannot break."""
    here = Path(__file__)
    texts = [path.read_text() for path in here.parent.glob("test_*.py") if path != here]
    unnamed = {rule.__name__ for rule in RULES} - {
        rule.__name__ for rule in RULES if any(f'"{rule.__name__}"' in text for text in texts)
    }
    assert unnamed == set()
