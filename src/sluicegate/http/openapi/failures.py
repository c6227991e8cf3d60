"""Errors in the description of the API: one response for each status, one example for each code."""

from collections.abc import Sequence
from typing import Any

from sluicegate.engine.errors import SluicegateError
from sluicegate.http.api.route import Route
from sluicegate.http.errors import STATUS

__all__ = ["code_list", "codes_of", "examples", "responses"]

Json = dict[str, Any]

_ALWAYS = ("INTERNAL_ERROR",)
_WITH_A_KEY = ("UNAUTHORIZED", "RATE_LIMITED", "RATE_LIMIT_EXCEEDED", "UNAVAILABLE")

_REASONS = {
    400: "The request is not one that can be done.",
    401: "There is no API key, or not one that is known.",
    404: "There is no such thing in the project of the API key.",
    409: "It cannot be done as things stand.",
    410: "It was there and is not any more.",
    429: "Too often.",
    500: "A fault of the server; nothing about it is told.",
    503: "Not now: overloaded, out of disk, or shutting down. Nothing was done; try again.",
}
_HEADERS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}
_INSTANCES = {
    "INVALID_REQUEST": (
        "limit must be an integer from 1 to 100",
        {"field": "limit", "minimum": 1, "maximum": 100},
    ),
    "INVALID_ENDPOINT": ("endpoint URL must not have a fragment", {"field": "url"}),
    "INVALID_HEADERS": (
        "header 'Host' is forbidden and cannot be overridden",
        {"header": "Host"},
    ),
    "INVALID_STATUS": ("Message is not in pending_retry status (current: succeeded)", {}),
    "NOT_FOUND": ("Message not found", {}),
    "PAYLOAD_TOO_LARGE": (
        "payload is 1048577 bytes, at most 1048576 are allowed",
        {"field": "payload", "maximum": 1_048_576},
    ),
}
"""A message and its details, where the default message of a code says too little."""


def codes_of(route: Route) -> tuple[str, ...]:
    """Return every code that a route may answer."""
    return (*route.errors, *(_WITH_A_KEY if route.auth else ()), *_ALWAYS)


def responses(route: Route) -> Json:
    """Return the responses of a route that are errors, by status."""
    by_status: dict[int, list[str]] = {}
    for code in codes_of(route):
        codes = by_status.setdefault(_status(code), [])
        if code not in codes:
            codes.append(code)
    return {str(status): _response(status, codes) for status, codes in sorted(by_status.items())}


def examples(codes: Sequence[str]) -> Json:
    """Return the example of each code, as components."""
    found = {}
    for code, kind in sorted(_classes().items()):
        if code in codes:
            message, details = _INSTANCES.get(code, (kind.default_message, {}))
            error: Json = {"code": code, "message": message}
            if details:
                error["details"] = details
            meta = {"request_id": "req_c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0"}
            found[code] = {"summary": _meaning(kind), "value": {"error": error, "meta": meta}}
    assert not (missing := set(codes) - set(found)), f"no class has these codes: {missing}"
    return found


def code_list(codes: Sequence[str]) -> str:
    """Return the codes with their status and meaning, as a list in Markdown."""
    rows = sorted((_status(code), code, _meaning(kind)) for code, kind in _classes().items())
    return "\n".join(f"- {status} `{code}`: {text}" for status, code, text in rows if code in codes)


def _response(status: int, codes: list[str]) -> Json:
    headers = ("X-Request-Id", *_HEADERS.get(status, ()))
    return {
        "description": f"{_REASONS[status]} " + ", ".join(f"`{code}`" for code in codes),
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
        "content": {
            "application/json": {
                "schema": {
                    "allOf": [
                        {"$ref": "#/components/schemas/Error"},
                        {"properties": {"error": {"properties": {"code": {"enum": codes}}}}},
                    ]
                },
                "examples": {code: {"$ref": f"#/components/examples/{code}"} for code in codes},
            }
        },
    }


def _status(code: str) -> int:
    return STATUS.get(code, 500)


def _meaning(kind: type[SluicegateError]) -> str:
    if kind is SluicegateError:
        return "A fault of the server."
    return (kind.__doc__ or kind.default_message).partition("\n")[0].strip()


def _classes() -> dict[str, type[SluicegateError]]:
    """Return the class of each code; of several the one that the others derive from."""
    found: dict[str, type[SluicegateError]] = {}
    waiting = [SluicegateError]
    for kind in waiting:
        found.setdefault(kind.code, kind)
        waiting.extend(kind.__subclasses__())
    return found
