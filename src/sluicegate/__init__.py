"""Sluicegate: webhook delivery that holds what you pause and loses nothing.

`Engine`, `SyncEngine`, `Settings` and `verify` are the public face; `sluicegate.engine.errors`
holds what they raise.
They are imported when first used: a command that needs neither does not wait for them.
"""

from typing import TYPE_CHECKING

from sluicegate.engine.version import __version__

if TYPE_CHECKING:
    from sluicegate.app import Engine
    from sluicegate.embedding import SyncEngine
    from sluicegate.engine.settings import Settings
    from sluicegate.verification import verify

__all__ = ["Engine", "Settings", "SyncEngine", "__version__", "verify"]


def __getattr__(name: str) -> object:
    if name == "Engine":
        from sluicegate.app import Engine  # noqa: PLC0415 - loaded by whoever uses it

        return Engine
    if name == "SyncEngine":
        from sluicegate.embedding import SyncEngine  # noqa: PLC0415 - loaded by whoever uses it

        return SyncEngine
    if name == "Settings":
        from sluicegate.engine.settings import Settings  # noqa: PLC0415 - loaded by whoever uses it

        return Settings
    if name == "verify":
        from sluicegate.verification import verify  # noqa: PLC0415 - loaded by whoever uses it

        return verify
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
