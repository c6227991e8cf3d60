"""Where everything durable lives: SQLite behind one writer with group commit."""

from sluicegate.storage.bridge import Connect, connect_sqlite
from sluicegate.storage.export_files import LocalExportFiles
from sluicegate.storage.secret_box import SecretBox
from sluicegate.storage.sqlite_storage import SqliteStorage

__all__ = ["Connect", "LocalExportFiles", "SecretBox", "SqliteStorage", "connect_sqlite"]
