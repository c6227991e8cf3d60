"""A rule that was broken in a run."""

import msgspec

__all__ = ["Violation"]


class Violation(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen that must not be."""

    rule: str
    """Its name; shrinking keeps it broken."""
    at_s: float
    """When it shows, on the virtual clock."""
    text: str
    """For people."""
