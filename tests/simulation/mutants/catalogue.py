"""Every planted bug."""

from . import accepting, limits, operations, pausing, requests, retrying, waking
from .mutant import MUTANTS, Mutant

__all__ = ["MUTANTS", "Mutant"]

THEMES = (accepting, pausing, waking, limits, retrying, operations, requests)
"""The modules that plant them."""
