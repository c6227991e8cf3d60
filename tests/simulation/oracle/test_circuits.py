"""An endpoint that fails again and again gets one probe at a time."""

from .story import Story


def failing(count: int, *, probes: float = 30) -> Story:
    """So many failures in a row; then two attempts at once, from `probes` on."""
    story = Story(circuit_failures=3)
    for number in range(count):
        story.send(1 + number / 100, f"m{number}", took=0.001)
        story.arrives(3 + number, f"m{number}", status=503)
    for number in range(2):
        story.send(20 + number / 100, f"p{number}", took=0.001)
        story.arrives(probes + number, f"p{number}", status=503, after=5)
    return story


def test_after_enough_failures_there_is_one_probe() -> None:
    """Three in a row open it."""
    assert failing(2).broken == set()
    assert failing(3).broken == {"an_open_circuit_lets_one_probe_through"}


def test_a_success_or_a_resume_closes_it() -> None:
    """Also one that may have come in between, and a resume that got no answer."""
    story = failing(3)
    story.send(2, "ok", took=0.001)
    story.arrives(8, "ok", fate="lost")  # type: ignore[arg-type] # a fate by its name
    assert story.broken == set()
    story = failing(3)
    story.call("resume", 10, took=None)
    assert story.broken == set()


def test_a_crash_does_not_close_it() -> None:
    """It is durable; only what was not recorded does not count."""
    assert failing(3).crash(10).broken == {"an_open_circuit_lets_one_probe_through"}
    assert failing(3).crash(5.1).broken == set()


def closed_again(*, fails: int = 1, succeeds: bool = True) -> Story:
    """Failures that open it, a success, failures again; then one that has waited till 250 s."""
    story = Story(circuit_failures=4, retry_slow_s=(1000.0,))
    for number in range(5):
        story.send(1 + number / 100, f"m{number}", took=0.001)
        story.arrives(3 + number, f"m{number}", status=503)
    story.send(50, "late", took=0.001)
    for number in range(fails + 1):
        status = 503 if number else 200 if succeeds else 404
        story.call("retry_now", 99 + number, message_id=f"m{number}")
        story.arrives(99.5 + number, f"m{number}", no=2, status=status)
    story.arrives(250, "late")
    for number in range(1, 5):
        story.ends(f"m{number}", "pending_retry", *["503"] * (2 if number <= fails else 1))
    if succeeds:
        story.ends("m0", "succeeded", "503", "200")
    else:
        story.ends("m0", "failed_permanent", "503", "404")
    return story.ends("late", "succeeded", "200")


def test_behind_a_success_nothing_waits_for_the_retry_of_another() -> None:
    """Unless it was none, or so many failed again that the circuit is open once more."""
    assert closed_again().broken == {"a_success_closes_the_circuit"}
    assert closed_again(succeeds=False).broken == set()
    assert closed_again(fails=4).broken == set()
    assert closed_again().crash(245).broken == set()


def resumed(*, after: float = 0.0, bugs: float | None = None, disk: float | None = None) -> Story:
    """Three failures, a resume behind them, and one that waits from 6 s on till 250 s.

    Args:
        after: how long the receiver takes to fail.
        bugs: from when on our own code had bugs, until 4 s.
        disk: from when on the disk failed, until 4 s.
    """
    story = Story(circuit_failures=3, retry_slow_s=(1000.0,))
    for name, at in (("one", 1), ("two", 2), ("three", 3)):
        story.send(at, name, took=0.001)
        story.arrives(at + 0.5, name, status=503, after=after)
        story.ends(name, "pending_retry", "503")
    for rate, since in (("bug", bugs), ("write_error", disk)):
        if since is not None:
            story.event("faults", since, **{rate: 0.1}).event("healed", 4)
    story.call("pause", 5)
    story.call("resume", 5.1)
    story.send(6, "late", took=0.001)
    story.arrives(250, "late")
    return story.ends("late", "succeeded", "200")


def test_what_failed_before_a_resume_does_not_count_behind_it() -> None:
    """However late it was stored; what may have failed during it counts, and what a bug held up."""
    assert resumed().broken == {"what_is_due_starts"}
    assert resumed(disk=0.5).broken == {"what_is_due_starts"}
    assert resumed(after=4).broken == set()
    assert resumed(bugs=0.5).broken == set()


def test_a_bug_from_before_an_endpoint_held_up_none_of_its_attempts() -> None:
    """Its actor was there no earlier than itself."""
    story = resumed()
    [created, *_] = story.history.calls
    created.began_s, created.ended_s = 0.9, 0.95
    story.event("faults", 0.1, bug=0.1).event("healed", 0.8)
    assert story.broken == {"what_is_due_starts"}
