"""Every route in one table: what is not in it does not exist."""

from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from sluicegate.http.api_key_handlers import ApiKeyHandlers
from sluicegate.http.calls import Call
from sluicegate.http.endpoint_handlers import EndpointHandlers
from sluicegate.http.health import HealthHandlers
from sluicegate.http.message_handlers import MessageHandlers

__all__ = ["Route", "routes"]


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A method on a path."""

    method: str
    path: str
    """With `{names}` for its variable parts."""
    handler: Callable[[Call], Awaitable[web.Response]]
    auth: bool = True
    """Whether an API key is needed."""


def routes(
    endpoints: EndpointHandlers,
    messages: MessageHandlers,
    api_keys: ApiKeyHandlers,
    health: HealthHandlers,
) -> tuple[Route, ...]:
    """Return the table."""
    endpoint = "/v1/endpoints/{endpoint_id}"
    message = "/v1/messages/{message_id}"
    keys = endpoint + "/signing-keys"
    table = (
        ("POST", "/v1/webhooks/send", messages.send),
        ("POST", "/v1/webhooks/send-batch", messages.send_batch),
        ("POST", "/v1/endpoints", endpoints.create),
        ("GET", "/v1/endpoints", endpoints.list_page),
        ("GET", endpoint, endpoints.get),
        ("PATCH", endpoint, endpoints.update),
        ("DELETE", endpoint, endpoints.delete),
        ("POST", endpoint + "/pause", endpoints.pause),
        ("POST", endpoint + "/resume", endpoints.resume),
        ("POST", keys, endpoints.create_signing_key),
        ("GET", keys, endpoints.list_signing_keys),
        ("DELETE", keys + "/{key_id}", endpoints.delete_signing_key),
        ("GET", message, messages.get),
        ("GET", message + "/payload", messages.get_payload),
        ("GET", message + "/attempts", messages.list_attempts),
        ("GET", "/v1/logs", messages.list_logs),
        ("POST", "/v1/api-keys", api_keys.create),
        ("GET", "/v1/api-keys", api_keys.list_all),
        ("DELETE", "/v1/api-keys/{key_id}", api_keys.delete),
    )
    return (
        *(Route(method=method, path=path, handler=handler) for method, path, handler in table),
        Route(method="GET", path="/healthz", handler=health.alive, auth=False),
        Route(method="GET", path="/readyz", handler=health.ready, auth=False),
    )
