"""The command line: `sluicegate serve`, `demo`, `keys`, `doctor`, `simulate`, `what-if` and more.

It configures logging and signals, which the engine, embedded elsewhere, never does.
"""

from sluicegate.cli.commands import main

__all__ = ["main"]
