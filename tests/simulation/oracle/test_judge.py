"""The whole court: an ordinary day is lawful, and no rule is without a test."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sluicegate.simulation.oracle import RULES, judge
from sluicegate.simulation.oracle.history import EventKind, History, Operation
from sluicegate.simulation.receivers.exchange import Fate

from .story import Story, an_ordinary_day

_TEXTS = st.one_of(st.none(), st.sampled_from(("1", "9" * 5000, "٣", "whsec_!", "", "-1", "x")))
_MOMENTS = st.floats(0, 100)


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


_CALLS = st.tuples(
    st.sampled_from(Operation),
    _MOMENTS,
    st.one_of(st.none(), st.floats(0, 5)),
    st.sampled_from((None, "CANCELLED", "UNAVAILABLE", "NOT_FOUND", "ALREADY_PAUSED")),
    st.sampled_from((None, "a", "b")),
    _TEXTS,
)
_REQUESTS = st.tuples(
    _MOMENTS,
    st.sampled_from("ab"),
    st.dictionaries(
        st.sampled_from(("webhook-timestamp", "webhook-signature", "X-Webhook-Attempt")), _TEXTS
    ),
    st.sampled_from((None, 200, 429, 500, 404, 410)),
    st.sampled_from(Fate),
    _TEXTS,
)


@given(
    calls=st.lists(_CALLS, max_size=8),
    requests=st.lists(_REQUESTS, max_size=6),
    events=st.lists(st.tuples(st.sampled_from(EventKind), _MOMENTS), max_size=6),
    views=st.lists(st.tuples(st.sampled_from("abc"), _TEXTS), max_size=3),
    direct=st.booleans(),
)
def test_no_history_is_too_strange_to_be_judged(
    calls: list[tuple[Operation, float, float | None, str | None, str | None, str | None]],
    requests: list[tuple[float, str, dict[str, str | None], int | None, Fate, str | None]],
    events: list[tuple[EventKind, float]],
    views: list[tuple[str, str | None]],
    *,
    direct: bool,
) -> None:
    """An engine that is broken badly is judged, too: nothing of it makes the judge raise."""
    story = Story(direct=direct)
    for operation, at, took, error, message, text in calls:
        payload = b'"%s"' % (message or "c").encode()
        story.call(
            operation,
            at,
            took=took,
            error=error,
            message_id=message,
            payload=payload,
            secret=text,
            key_id=text,
            idempotency_key=text,
            requeued=1,
        )
    for at, message, headers, status, fate, text in requests:
        answer = () if text is None else (("Retry-After", text),)
        story.arrives(at, message, headers=headers, status=status, fate=fate, answer=answer)
    for kind, at in sorted(events, key=lambda event: event[1]):
        story.event(kind, at, reset=0.1, bug=0.1)
    for message, text in views:
        story.ends(message, text or "succeeded", "200", text or "500")
    judge(story.history)


def test_every_rule_has_a_test_that_names_it() -> None:
    """A rule that nobody has seen broken may be one that cannot break."""
    here = Path(__file__)
    texts = [path.read_text() for path in here.parent.glob("test_*.py") if path != here]
    unnamed = {rule.__name__ for rule in RULES} - {
        rule.__name__ for rule in RULES if any(f'"{rule.__name__}"' in text for text in texts)
    }
    assert unnamed == set()
