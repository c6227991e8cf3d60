"""The engine inside a program that has no event loop: `SyncEngine`."""

from sluicegate.embedding.errors import CallTimeoutError
from sluicegate.embedding.sync_engine import SyncEngine

__all__ = ["CallTimeoutError", "SyncEngine"]
