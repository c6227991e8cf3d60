"""Every request is signed with the keys that its endpoint had."""

from .story import OTHER_SECRET, SECRET, Story


def signed(*secrets: str, at: float = 5.0) -> Story:
    """An endpoint whose only delivery is signed with `secrets`."""
    story = Story()
    story.send(1, "a", took=at)
    story.arrives(at, "a", secrets=secrets)
    return story


def test_the_key_of_the_answer_verifies() -> None:
    """The ground that the others stand on."""
    assert signed(SECRET).broken == set()


def test_another_key_is_reported() -> None:
    """A signature of a key that nobody made is a forgery."""
    assert signed(OTHER_SECRET).broken == {"signatures_verify"}


def test_a_body_signed_before_it_was_altered_is_reported() -> None:
    """A signature is of the very body."""
    story = signed(SECRET)
    good = story.history.exchanges[0].request.header("webhook-signature")
    story.history.exchanges.clear()
    story.arrives(5, "a", dated=3.2, headers={"webhook-signature": good})
    assert "signatures_verify" in story.broken


def test_two_keys_sign_both_newest_first() -> None:
    """After a rotation each valid key has its signature."""
    for secrets, lawful in (
        ((OTHER_SECRET, SECRET), True),
        ((SECRET, OTHER_SECRET), False),
        ((SECRET,), False),
        ((OTHER_SECRET,), False),
    ):
        story = signed(*secrets)
        story.call("add_key", 2, secret=OTHER_SECRET, key_id="sk_2")
        assert (story.broken == set()) == lawful, secrets


def test_a_removed_key_signs_no_more() -> None:
    """From the answer on; while the removal is under way, either."""
    story = signed(OTHER_SECRET, SECRET)
    story.call("add_key", 2, secret=OTHER_SECRET, key_id="sk_2")
    removal = story.call("remove_key", 3, key_id="sk_1")
    assert story.broken == {"signatures_verify"}
    removal.error = "UNAVAILABLE"
    assert story.broken == set()


def test_a_key_whose_creation_was_not_answered_may_sign() -> None:
    """It may be there, and nobody knows it."""
    story = signed(OTHER_SECRET, SECRET)
    story.call("add_key", 2, took=None)
    assert story.broken == set()


def test_the_timestamp_is_of_this_attempt() -> None:
    """A retry that carries the time of the first attempt looks like an old recording."""
    story = Story()
    story.send(1, "a")
    story.arrives(2, "a", status=500)
    story.arrives(20, "a", no=2, dated=1.9)
    assert story.broken == {"timestamps_are_of_the_attempt"}


def test_after_a_jump_of_the_wall_clock_timestamps_are_not_judged() -> None:
    """Nobody can tell then what it said."""
    story = Story()
    story.event("clock_jumped", 0.5, jump_s=3600)
    story.send(1, "a")
    story.arrives(2, "a", dated=3602)
    assert story.broken == set()
