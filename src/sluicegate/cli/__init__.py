"""The command line: `sluicegate serve`, `demo`, `keys`, `config`, `doctor`, `openapi`, `simulate`.

It configures logging and signals, which the engine, embedded elsewhere, never does.
"""

from sluicegate.cli.commands import main

__all__ = ["main"]
