"""`Pacer`: what comes in floods is done some a turn of the loop, and less while there is haste."""

import asyncio
from collections.abc import Callable
from functools import partial

from sluicegate.turns.pacer import Pacer


class Watched:
    """Pieces that note in which turn of the loop each was done."""

    def __init__(self) -> None:
        """Begin in turn 0."""
        self.done: list[tuple[int, int]] = []
        """Turn and number of each piece, as it was done."""
        self._turn = 0

    def piece(self, number: int) -> Callable[[], None]:
        """Return a piece."""
        return lambda: self.done.append((self._turn, number))

    async def turns(self, count: int) -> None:
        """Let the loop take so many turns."""
        for _ in range(count):
            self._turn += 1
            await asyncio.sleep(0)


async def test_a_turn_does_so_many_pieces_in_their_order() -> None:
    """The rest waits for the next ones."""
    pacer, watched = Pacer(a_turn=3), Watched()
    for number in range(7):
        pacer.sends.add(watched.piece(number))
    assert watched.done == []
    assert pacer.sends.is_busy
    await watched.turns(3)
    assert watched.done == [(1, 0), (1, 1), (1, 2), (2, 3), (2, 4), (2, 5), (3, 6)]
    assert not pacer.sends.is_busy


async def test_turns_are_short_while_anybody_is_in_haste() -> None:
    """In both lines; until the last of them has his answer."""
    pacer, watched = Pacer(a_turn=4, a_turn_in_haste=1), Watched()
    for number in range(6):
        pacer.sends.add(watched.piece(number))
        pacer.actors.add(watched.piece(number))
    pacer.begin_haste()
    pacer.begin_haste()
    await watched.turns(1)
    pacer.end_haste()
    await watched.turns(1)
    pacer.end_haste()
    await watched.turns(1)
    by_turn = [[number for turn, number in watched.done if turn == each] for each in (1, 2, 3)]
    assert by_turn == [[0, 0], [1, 1], [2, 3, 4, 5, 2, 3, 4, 5]]


async def test_not_all_turns_are_short_in_a_long_haste() -> None:
    """A flood of commands, or one that takes long, does not hold up everything else."""
    pacer, watched = Pacer(a_turn=9, a_turn_in_haste=1), Watched()
    for number in range(60):
        pacer.sends.add(watched.piece(number))
    pacer.begin_haste()
    await watched.turns(34)
    turns = [turn for turn, _ in watched.done]
    assert [turns.count(each) for each in range(1, 35)] == [*[1] * 16, 9, *[1] * 16, 9]


async def test_one_line_does_not_wait_for_the_other() -> None:
    """However long that is: a commit may wake thousands of actors."""
    pacer, watched = Pacer(a_turn=2), Watched()
    for _ in range(100):
        pacer.actors.add(lambda: None)
    pacer.sends.add(watched.piece(0))
    await watched.turns(1)
    assert watched.done == [(1, 0)]


async def test_what_is_added_meanwhile_waits_behind() -> None:
    """Also by a piece, which so cannot keep the turn for itself."""
    pacer, watched = Pacer(a_turn=2), Watched()

    def again(number: int) -> None:
        watched.piece(number)()
        if number < 9:
            pacer.sends.add(partial(again, number + 1))

    again(0)
    pacer.sends.add(watched.piece(100))
    await watched.turns(2)
    assert watched.done == [(0, 0), (1, 1), (1, 100), (2, 2)]


async def test_an_error_of_a_piece_is_the_loops_and_the_others_are_done() -> None:
    """A line that stood still would be a server that does."""
    pacer, watched = Pacer(a_turn=8), Watched()
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    def broken() -> None:
        raise ZeroDivisionError

    pacer.sends.add(watched.piece(0))
    pacer.sends.add(broken)
    pacer.sends.add(watched.piece(1))
    await watched.turns(3)
    pacer.sends.add(watched.piece(2))
    await watched.turns(1)
    assert [number for _, number in watched.done] == [0, 1, 2]
    assert len(told) == 1


async def test_whoever_waits_until_it_has_caught_up_waits_for_what_was_before_him() -> None:
    """And for nothing when nothing is in line."""
    pacer, watched = Pacer(a_turn=2), Watched()
    await asyncio.wait_for(pacer.sends.caught_up(), 1)
    for number in range(9):
        pacer.sends.add(watched.piece(number))
    await pacer.sends.caught_up()
    assert len(watched.done) == 9
