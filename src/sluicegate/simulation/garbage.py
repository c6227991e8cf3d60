"""The garbage collector, held back: it runs finalizers, and so must run when the seed says."""

import contextlib
import gc
from collections.abc import Iterator

__all__ = ["collected_on_cue"]


@contextlib.contextmanager
def collected_on_cue() -> Iterator[None]:
    """Let Python collect garbage only when it is told to, while the context lasts.

    When it does by itself depends on everything that the process has done before. What is there
    already is left alone meanwhile, which makes a collection cheap. What others have frozen
    (`gc.freeze`) is thawed in the end, too: Python knows only one such place.
    """
    enabled = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        if enabled:
            gc.enable()
