"""Sluicegate: webhook delivery that holds what you pause and loses nothing.

`Engine`, `SyncEngine`, `Settings` and `verify` are the public face; `sluicegate.engine.errors`
holds what they raise.
Each is imported when first used: a command that needs none does not wait for them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from sluicegate.engine.version import __version__

if TYPE_CHECKING:
    from sluicegate.app import Engine
    from sluicegate.embedding import SyncEngine
    from sluicegate.engine.settings import Settings
    from sluicegate.verification import verify

__all__ = ["Engine", "Settings", "SyncEngine", "__version__", "verify"]


_MODULES = {
    "Engine": "sluicegate.app",
    "Settings": "sluicegate.engine.settings",
    "SyncEngine": "sluicegate.embedding",
    "verify": "sluicegate.verification",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_MODULES[name]), name)
