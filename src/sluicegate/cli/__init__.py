"""The command line: `sluicegate serve`, `sluicegate demo`, `sluicegate keys`.

It configures logging and signals, which the engine, embedded elsewhere, never does.
"""

from sluicegate.cli.commands import main

__all__ = ["main"]
