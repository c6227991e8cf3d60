"""What a crash leaves of bytes that were on their way to the disk."""

import random

__all__ = ["changed", "torn", "torn_in_place"]

_SECTOR_BYTES = 512
_REORDERED = 0.25
_WHOLE = 0.25


def changed(before: bytes, after: bytes) -> tuple[int, int]:
    """Return where two contents of a file begin to differ, and where they cease to."""
    begin, end = 0, max(len(before), len(after))
    step = _SECTOR_BYTES
    while begin < end and before[begin : begin + step] == after[begin : begin + step]:
        begin += step
    while begin < end and before[begin : begin + 1] == after[begin : begin + 1]:
        begin += 1
    if len(before) == len(after):
        while end > begin and before[end - 1 : end] == after[end - 1 : end]:
            end -= 1
    return min(begin, end), end


def torn(before: bytes, after: bytes, *, chance: random.Random, whole: bool) -> bytes:
    """Return what is left of a file that was written to from front to back, and not synced.

    Most often the new bytes end at any byte; sometimes they are all there, and sometimes each
    sector is new or old by itself, as a disk may write them in any order.

    Args:
        before: what was synced.
        after: what was written.
        chance: draws.
        whole: whether everything may have arrived after all.
    """
    begin, end = changed(before, after)
    if begin >= end:
        return after
    if whole:
        luck = chance.random()
        if luck < _WHOLE:
            return after
        if luck < _WHOLE + _REORDERED:
            return torn_in_place(before, after, chance=chance)
    cut = chance.randrange(begin, end + whole)
    return after[:cut] + before[cut:]


def torn_in_place(
    before: bytes, after: bytes, *, chance: random.Random, piece_bytes: int = _SECTOR_BYTES
) -> bytes:
    """Return what is left of a file of which any piece may be new or old."""
    pieces: list[bytes] = []
    for at in range(0, max(len(before), len(after)), piece_bytes):
        new, old = after[at : at + piece_bytes], before[at : at + piece_bytes]
        # A hole in a file that grew reads as zeros.
        pieces.append(new if chance.random() < 0.5 else old + bytes(len(new) - len(old)))  # noqa: PLR2004 - a coin
    return b"".join(pieces)
