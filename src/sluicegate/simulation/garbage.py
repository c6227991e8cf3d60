"""The garbage collector, held back: it runs finalizers, and so must run when the seed says."""

import contextlib
import gc
from collections.abc import Iterator

__all__ = ["collected_on_cue"]


@contextlib.contextmanager
def collected_on_cue() -> Iterator[None]:
    """Let Python collect garbage only when it is told to, while the context lasts.

    When it does by itself depends on everything that the process has done before. What is there
    already is left alone meanwhile, which makes a collection cheap. Python knows only one place
    for what is left alone (`gc.freeze`): where others have put something there it stays, nothing
    is added, and what has become garbage since is collected first.
    """
    enabled, others = gc.isenabled(), gc.get_freeze_count() > 0
    gc.disable()
    if others:
        gc.collect()
    else:
        gc.freeze()
    try:
        yield
    finally:
        if not others:
            gc.unfreeze()
        if enabled:
            gc.enable()
