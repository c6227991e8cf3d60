"""How often a process that serves looks for garbage that reference counts do not find."""

import contextlib
import gc
from collections.abc import Iterator

__all__ = ["rare_collections"]

_THRESHOLDS = (20_000, 20, 50)
"""So many new objects, and so many collections of the young, go by before the next."""


@contextlib.contextmanager
def rare_collections() -> Iterator[None]:
    """Look only through what is made from now on, and less often, while the context lasts.

    Nearly all that a message makes is gone with its last reference. Looking again and again
    through everything that the process has imported took a twelfth of a message's CPU. It is for
    a process of our own: it changes the whole interpreter.
    """
    thresholds = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
