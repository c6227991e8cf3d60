"""Rows as lines whose columns stand under one another, for pipes and for copying."""

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size

__all__ = ["aligned", "printable"]


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a line for each row, never cut and never wrapped; all rows have as many cells."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            set_cell_size(cell, width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def printable(text: str) -> str:
    """Return a text whose control characters, and all else that is invisible, are escapes."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )
