"""The engine in a Flask application."""

from flask import Flask, current_app

from sluicegate.app import Mode
from sluicegate.embedding.sync_engine import SyncEngine
from sluicegate.engine.settings import Settings

__all__ = ["current_engine", "init_app"]


def init_app(app: Flask, settings: Settings | None = None, *, mode: Mode = "deliver") -> SyncEngine:
    """Give an application an engine, and return it; nothing is opened yet.

    The first call of it opens the file, in the process that makes it. One process owns a file: with
    several workers take `mode="enqueue"`, and one process that delivers. It is closed when the
    process ends, or by its `close`.

    Args:
        app: the application.
        settings: the defaults when not given.
        mode: whether the process owns the file and delivers, or only sends; see `Engine`.

    Raises:
        RuntimeError: the application has one already.
        SettingError: there is no such mode.
    """
    if "sluicegate" in app.extensions:
        msg = "the application has an engine already: call `init_app` once"
        raise RuntimeError(msg)
    engine = SyncEngine(settings, mode=mode)
    app.extensions["sluicegate"] = engine
    return engine


def current_engine() -> SyncEngine:
    """Return the engine of the application that handles this request, from any thread.

    Raises:
        RuntimeError: there is no application here, or it was given no engine.
    """
    engine = current_app.extensions.get("sluicegate")
    if not isinstance(engine, SyncEngine):
        msg = "the application has no engine: call `init_app(app, Settings(...))`"
        raise RuntimeError(msg)  # noqa: TRY004 - no argument has a wrong type
    return engine
