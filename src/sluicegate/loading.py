"""Parts of the package are loaded when they are first needed; no fork happens meanwhile.

To import the public face must cost little, so what an engine is made of, asyncio and SQLite with
it, is loaded when one is made. A child that is forked while a thread of its parent loads a module
would wait for that module for ever: so a fork waits for the thread.
"""

import concurrent.futures.thread  # noqa: F401 - with logging: both have hooks of forks, see below
import os
import threading

__all__ = ["LOADING"]

LOADING = threading.RLock()
"""Held by whoever imports within a function: `with LOADING: from … import …`. Any thread."""

# Hooks that are registered while a fork waits would be called after it without having been called
# before it. Those of the standard library are registered by the import above.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=LOADING.acquire, after_in_parent=LOADING.release, after_in_child=LOADING.release
    )
