"""What the official client can do, found out by asking it."""

import inspect
import typing
from datetime import datetime
from typing import Any, Literal
from urllib.parse import unquote

from aiohttp import web
from hookbridge import AsyncHookBridge, HookBridge, NotFoundError

__all__ = ["INBOUND_OR_PULL", "NO_OPERATION", "OPERATIONS", "WANTED", "arguments", "client_routes"]

NO_OPERATION = {"close": "closes the client", "handle_stripe_webhook": "is Stripe's to call"}
"""Public methods that are no operations of a user, and why."""


def _methods(client: type) -> list[str]:
    return [
        name
        for name, member in vars(client).items()
        if inspect.isfunction(member) and not name.startswith("_")
    ]


OPERATIONS = tuple(name for name in _methods(HookBridge) if name not in NO_OPERATION)
"""Every operation, in the client's own order; the async client has the same."""
INBOUND_OR_PULL = tuple(name for name in OPERATIONS if "inbound" in name or "pull" in name)
WANTED = tuple(name for name in OPERATIONS if name not in INBOUND_OR_PULL)
"""The operations that Sluicegate offers."""

assert set(_methods(HookBridge)) == set(_methods(AsyncHookBridge))


def arguments(operation: str, written: str = "{}") -> dict[str, Any]:
    """Return a value for each argument that an operation requires.

    Args:
        operation: its name.
        written: how a text is written, with `{}` for the argument's name.
    """
    parameters = inspect.signature(getattr(HookBridge, operation)).parameters.values()
    return {
        each.name: _value(each.annotation, written.format(each.name))
        for each in parameters
        if each.name != "self" and each.default is each.empty and each.kind is not each.VAR_KEYWORD
    }


def _value(annotation: Any, text: str) -> Any:
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return parts[0]
    if origin is list:
        return [text]
    if origin is dict:
        return {}
    if datetime in parts:
        return "2026-01-01T00:00:00Z"
    return text


async def client_routes() -> dict[str, tuple[str, str]]:
    """Call every method of the client and return what each asks a server for: method and path.

    Variable parts of a path are named as the client's arguments.
    """
    asked: list[tuple[str, str]] = []

    async def note(request: web.Request) -> web.Response:
        asked.append((request.method, unquote(request.rel_url.raw_path)))
        return web.json_response({"error": {"code": "NOT_FOUND", "message": ""}}, status=404)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", note)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    routes = {}
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with AsyncHookBridge("key", base_url=url, send_url=url, retries=0) as client:
            for name in _methods(HookBridge):
                if name == "close":
                    continue
                try:
                    await getattr(client, name)(**arguments(name, "{{{}}}"))
                except NotFoundError:
                    (routes[name],) = asked
                asked.clear()
    finally:
        await runner.cleanup()
    return routes
