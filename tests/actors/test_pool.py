"""Counted slots: never lost or doubled, given out by turns, half of them to everybody."""

from hypothesis import given
from hypothesis import strategies as st

from sluicegate.actors.pool import Pool


def refuse() -> None:
    """Stand for a grant that must not come."""
    raise AssertionError


def test_a_full_house_makes_a_line_and_the_first_in_it_goes_first() -> None:
    """Whoever finds no room waits; a freed slot goes to who has waited longest, half or not."""
    pool, granted = Pool(2), list[str]()
    assert pool.try_take("a", refuse, half=False)
    assert pool.try_take("b", refuse, half=False)
    assert not pool.try_take("c", lambda: granted.append("c"), half=True)
    assert not pool.try_take("d", lambda: granted.append("d"), half=False)
    pool.release(half=False)
    assert granted == ["c"]
    pool.release(half=False)
    assert granted == ["c", "d"]
    assert pool.waiting == 0


def test_who_stands_in_line_stands_there_once() -> None:
    """Asking again neither moves nor doubles it."""
    pool, granted = Pool(1), list[str]()
    assert pool.try_take("a", refuse, half=False)
    for name in ("b", "c", "b"):
        assert not pool.try_take(name, lambda name=name: granted.append(name), half=False)  # type: ignore[misc] # a default binds it
    assert pool.waiting == 2
    pool.release(half=False)
    pool.release(half=False)
    assert granted == ["b", "c"]


def test_nobody_overtakes_the_line() -> None:
    """A slot that is being passed on is not there for who comes just then."""
    pool, order = Pool(1), list[str]()

    def grant_b() -> None:
        order.append("b")
        assert not pool.try_take("d", lambda: order.append("d"), half=False)

    assert pool.try_take("a", refuse, half=False)
    assert not pool.try_take("b", grant_b, half=False)
    assert not pool.try_take("c", lambda: order.append("c"), half=False)
    for _ in range(3):
        pool.release(half=False)
    assert order == ["b", "c", "d"]


def test_half_of_the_slots_is_out_of_reach_for_some() -> None:
    """Those who may have half get no more, however many are free, and hold up nobody else."""
    pool, granted = Pool(5), list[str]()
    assert pool.try_take("a", refuse, half=True)
    assert pool.try_take("b", refuse, half=True)
    assert not pool.try_take("c", lambda: granted.append("c"), half=True)
    for name in "xyz":
        assert pool.try_take(name, refuse, half=False)
    assert not pool.try_take("w", lambda: granted.append("w"), half=False)
    pool.release(half=False)
    assert granted == ["w"]  # c has waited longer, and may not have it
    pool.release(half=True)
    assert granted == ["w", "c"]
    pool.release(half=False)
    assert not pool.try_take("d", refuse, half=True)  # what was granted counts as what was taken
    assert pool.try_take("v", refuse, half=False)


def test_who_leaves_the_line_is_not_granted_anything() -> None:
    """And its leaving costs nobody a slot."""
    pool, granted = Pool(1), list[str]()
    assert pool.try_take("a", refuse, half=True)
    assert not pool.try_take("b", refuse, half=True)
    assert not pool.try_take("c", lambda: granted.append("c"), half=False)
    pool.leave("b")
    pool.leave("nobody")
    pool.release(half=True)
    assert granted == ["c"]
    pool.release(half=False)
    assert pool.try_take("d", refuse, half=True)


@given(
    size=st.integers(1, 4),
    steps=st.lists(st.tuples(st.sampled_from("tlr"), st.integers(0, 5)), max_size=80),
)
def test_slots_are_never_lost_or_doubled(size: int, steps: list[tuple[str, int]]) -> None:
    """Against a model: who holds, and one line of names; the odd ones may have half."""
    pool = Pool(size)
    held, line, granted = list[int](), list[int](), list[int]()

    def may_have(who: int) -> bool:
        odd = sum(each % 2 for each in held)
        return len(held) < size and not (who % 2 and odd >= max(1, size // 2))

    for step, who in steps:
        if step == "t":
            taken = pool.try_take(who, lambda who=who: granted.append(who), half=who % 2 == 1)  # type: ignore[misc] # a default binds it
            assert taken == may_have(who)
            if taken:
                held.append(who)
            elif who not in line:
                line.append(who)
        elif step == "l":
            pool.leave(who)
            if who in line:
                line.remove(who)
        elif held:
            gone = held.pop(who % len(held))
            pool.release(half=gone % 2 == 1)
            while (following := next(filter(may_have, line), None)) is not None:
                line.remove(following)
                held.append(following)
                assert granted.pop(0) == following
        assert (pool.held, pool.waiting) == (len(held), len(line))
        assert not granted
