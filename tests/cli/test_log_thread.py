"""The log's thread: a reader that stalls, or goes away, holds nobody up."""

import json
import logging
import os
import select
import subprocess
import sys
from typing import Any

from tests.cli.conftest import environment

from sluicegate.cli.log_thread import ThreadHandler

PIPE_BYTES = 1_048_576

PROGRAM = """
import logging, os
from sluicegate.cli.logs import configure_logs
from sluicegate.engine.settings import Settings
configure_logs(Settings())
for number in range(1000):
    logging.getLogger("sluicegate").info("line %d %s", number, "x" * 100)
os.write(1, b"logged")
"""


def record(text: str) -> logging.LogRecord:
    """Return a record that renders as `text`."""
    return logging.LogRecord("test", logging.INFO, __file__, 1, text, (), None)


def test_what_does_not_fit_is_dropped_and_counted() -> None:
    """Logging goes on while nobody reads; the count comes when somebody does again."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream, os.fdopen(reading) as reader:
        handler = ThreadHandler(stream, records_max=10)
        handler.setFormatter(logging.Formatter("%(message)s %(count)s", defaults={"count": ""}))
        stuck = record("x" * PIPE_BYTES)  # more than any pipe takes
        handler.handle(stuck)
        assert select.select([reading], [], [], 30)[0]  # it is being written, and takes no room
        for number in range(100):
            handler.handle(record(str(number)))
        assert len(reader.readline()) == PIPE_BYTES + 2
        dropped = reader.readline().split()
        assert dropped[0] == "log.dropped"
        # Before the end, which throws away the first that waits if it finds no room for itself.
        kept = [reader.readline().strip() for _ in range(100 - int(dropped[1]))]
        handler.close()
        stream.close()
        assert reader.read() == ""
    assert kept == [str(number) for number in range(len(kept))]
    assert 10 <= len(kept) <= 11


def test_what_waits_is_written_at_the_end() -> None:
    """Every line of a program that ends at once, in order."""
    done = _run(stderr=subprocess.PIPE)
    lines = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert [line.split()[1] for line in lines] == [str(number) for number in range(1000)]
    assert (done.returncode, done.stdout) == (0, "logged")


def test_a_log_that_nobody_reads_does_not_keep_a_program_from_ending() -> None:
    """Its pipe is full, then closed; a full disk does as little harm."""
    reading, writing = os.pipe()
    stalled = _run(stderr=writing)
    os.close(reading)
    gone = _run(stderr=writing)
    os.close(writing)
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        disk = _run(stderr=full)
    for done in (stalled, gone, disk):
        assert (done.returncode, done.stdout) == (0, "logged")


def _run(*, stderr: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        timeout=30,
        check=False,
    )
