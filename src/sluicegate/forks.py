"""What no fork may happen in the middle of; for who holds one of these, a fork waits.

The hooks are registered when the public face is imported, all at once: hooks that are registered
while a fork waits would be called after it without having been called before it.
"""

import concurrent.futures.thread  # noqa: F401 - with logging: both have hooks of forks, see above
import os
import threading

__all__ = ["IN_SQLITE", "LOADING"]

LOADING = threading.RLock()
"""Held by whoever imports within a function (`with LOADING: from … import …`). Any thread.

To import the public face must cost little, so what an engine is made of, asyncio and SQLite with
it, is loaded when one is made. A child that is forked while a thread of its parent loads a module
would wait for that module for ever. Certificates are loaded under it as well: OpenSSL holds a
lock of its own meanwhile.
"""


class _Gate:
    """Is entered by any number of threads at once, and by none while one of them forks.

    Not by a thread that is in already: it would wait for a fork that waits for it.
    """

    __slots__ = ("_changed", "_forking", "_inside")

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._forking = 0

    def __enter__(self) -> None:
        with self._changed:
            while self._forking:  # else a busy engine would let no fork happen
                self._changed.wait()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._inside -= 1
            if self._forking and not self._inside:
                self._changed.notify_all()

    def before_fork(self) -> None:
        """Wait until all are out; keep the condition's lock, which keeps them out."""
        self._changed.acquire()
        self._forking += 1
        while self._inside:
            self._changed.wait()

    def after_in_parent(self) -> None:
        """Let them in again."""
        self._forking -= 1
        self._changed.notify_all()
        self._changed.release()

    def after_in_child(self) -> None:
        """Begin anew: no other thread is here, neither one that forks nor one that waits."""
        self._changed = threading.Condition()
        self._forking = 0


IN_SQLITE = _Gate()
"""Held by a connection's thread for one call of it, which is a whole transaction.

SQLite keeps what locks this process has on a file in its own memory, one record for all connections
to it. A child that is forked in the middle of a transaction inherits the record as it was then: for
ever it would find the file locked, or believe in a lock that it does not have
(https://sqlite.org/howtocorrupt.html#_carrying_an_open_database_connection_across_a_fork). Between
the transactions of a rollback journal the record says that nothing is locked, and a child may open
a connection of its own.
"""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=LOADING.acquire, after_in_parent=LOADING.release, after_in_child=LOADING.release
    )
    os.register_at_fork(
        before=IN_SQLITE.before_fork,
        after_in_parent=IN_SQLITE.after_in_parent,
        after_in_child=IN_SQLITE.after_in_child,
    )
