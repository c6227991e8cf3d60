"""Where bodies are read: short ones at once, long ones in a thread of their own."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["Reading"]

T = TypeVar("T")

_AT_ONCE_BYTES_MAX = 65_536


class Reading:
    """Runs what checks and decodes a body, so that the loop goes on meanwhile.

    One thread for all: more would only take turns in the one interpreter. It is started by the
    first long body. Used on the loop of the HTTP API.
    """

    def __init__(self) -> None:
        """Begin without a thread."""
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="sluicegate-reading")

    @staticmethod
    def is_short(size_bytes: int) -> bool:
        """Say whether a body of this length is read on the loop: up to 64 KiB."""
        return size_bytes <= _AT_ONCE_BYTES_MAX

    async def run(self, size_bytes: int, read: Callable[[], T]) -> T:
        """Return what `read` returns, or raise what it raises.

        Cancelled, it is finished all the same once it has begun; its result is thrown away.

        Args:
            size_bytes: the length of the body: see `is_short`.
            read: uses nothing that others change.
        """
        if self.is_short(size_bytes):
            return read()
        return await asyncio.get_running_loop().run_in_executor(self._executor, read)

    async def close(self) -> None:
        """Let the thread end by itself. Call it when nobody waits for a body any more."""
        self._executor.shutdown(wait=False, cancel_futures=True)
