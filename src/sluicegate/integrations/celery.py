"""The engine in a Celery application: its tasks send."""

from celery import Celery, current_app, signals

from sluicegate.app import Mode
from sluicegate.embedding.sync_engine import SyncEngine
from sluicegate.engine.settings import Settings

__all__ = ["current_engine", "init_app"]

_ENGINE = "sluicegate_engine"
"""The attribute of the application that has it."""


def init_app(
    app: Celery, settings: Settings | None = None, *, mode: Mode = "enqueue"
) -> SyncEngine:
    """Give an application an engine for its tasks, and return it; nothing is opened yet.

    A worker has several processes and one process owns a file, so tasks enqueue unless told
    otherwise, and another process delivers. Each process of a worker opens its own at its first
    call, and closes it when it ends.

    A task may run twice (`acks_late`, a retry): give `send` the task's own id as its
    `idempotency_key`, and the message is stored once.

    Args:
        app: the application.
        settings: the defaults when not given.
        mode: `deliver` where the worker is one process (`--pool threads` or `solo`) and owns the
            file itself; see `Engine`.

    Raises:
        RuntimeError: the application has one already.
        SettingError: there is no such mode.
    """
    if hasattr(app, _ENGINE):
        msg = "the application has an engine already: call `init_app` once"
        raise RuntimeError(msg)
    engine = SyncEngine(settings, mode=mode)
    setattr(app, _ENGINE, engine)

    def close(**_: object) -> None:
        engine.close()

    # A process of a pool leaves without `atexit`, and so without what closes an engine otherwise.
    signals.worker_process_shutdown.connect(close, weak=False)
    signals.worker_shutdown.connect(close, weak=False)
    return engine


def current_engine() -> SyncEngine:
    """Return the engine of the application whose task this is, as for a `shared_task`.

    Raises:
        RuntimeError: the application was given no engine.
    """
    engine = getattr(current_app, _ENGINE, None)
    if not isinstance(engine, SyncEngine):
        msg = "the application has no engine: call `init_app(app, Settings(...))`"
        raise RuntimeError(msg)  # noqa: TRY004 - no argument has a wrong type
    return engine
