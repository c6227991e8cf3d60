"""Log records, rendered and written by a thread of their own: whoever reads them may stall."""

import contextlib
import io
import logging
import os
import queue
import threading
from typing import TextIO

__all__ = ["ThreadHandler"]

_RECORDS_MAX = 10_000
_FLUSH_S = 1.0


class ThreadHandler(logging.Handler):
    """Hands records to a thread that writes them; never waits for it but at the end.

    When too many records wait, new ones are dropped and counted; `log.dropped` tells how many
    once the reader goes on. A stream that cannot be written to costs the records, nothing else.

    Args:
        stream: where to write; past its buffer, if it is a file.
        records_max: how many records may wait.
    """

    def __init__(self, stream: TextIO, *, records_max: int = _RECORDS_MAX) -> None:
        super().__init__()
        self._stream = stream
        try:
            self._descriptor: int | None = stream.fileno()
        except (io.UnsupportedOperation, ValueError):
            self._descriptor = None
        self._records: queue.Queue[logging.LogRecord | None] = queue.Queue(records_max)
        self._dropped = 0
        self._counting = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="sluicegate-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Let the thread write `record`."""
        try:
            self._records.put_nowait(record)
        except queue.Full:
            with self._counting:
                self._dropped += 1

    def close(self) -> None:
        """Give the thread a second to write what waits. `logging` does it at the exit."""
        while self._thread.is_alive():
            try:
                self._records.put_nowait(None)
                break
            except queue.Full:
                with contextlib.suppress(queue.Empty):
                    self._records.get_nowait()
        self._thread.join(_FLUSH_S)
        super().close()

    def _run(self) -> None:
        while (record := self._records.get()) is not None:
            self._write(record)
            if dropped := self._take_dropped():
                self._write(_dropped_record(dropped))

    def _take_dropped(self) -> int:
        # Not under the handler's own lock, which `logging` holds while it closes handlers.
        with self._counting:
            dropped, self._dropped = self._dropped, 0
        return dropped

    def _write(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record) + "\n"
            if self._descriptor is None:
                self._stream.write(line)
                self._stream.flush()
            else:
                # Not through the stream: its lock, held by a thread that is stuck in a write,
                # would make the interpreter abort at its end.
                _write_all(self._descriptor, line.encode("utf-8", "backslashreplace"))
        except OSError:
            pass  # nobody reads the log any more: there is nobody to tell
        except Exception:  # noqa: BLE001 - as every handler of logging does
            self.handleError(record)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _dropped_record(count: int) -> logging.LogRecord:
    return logging.getLogger("sluicegate").makeRecord(
        "sluicegate",
        logging.WARNING,
        __file__,
        0,
        "log.dropped",
        (),
        None,
        extra={"count": count},
    )
