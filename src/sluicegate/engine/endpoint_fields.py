"""The rules of an endpoint's fields: types, bounds, URL and headers."""

from collections.abc import Callable, Mapping

from sluicegate.engine import bounds
from sluicegate.engine.bounds import Limits
from sluicegate.engine.drafts import (
    BURST,
    DESCRIPTION,
    MAX_IN_FLIGHT,
    RATE_LIMIT_RPS,
    TIMEOUT_S,
)
from sluicegate.engine.errors import InvalidEndpointError
from sluicegate.engine.headers import check_headers
from sluicegate.engine.settings import Settings
from sluicegate.engine.urls import check_url

__all__ = ["check_fields"]


def check_fields(given: Mapping[str, object], settings: Settings) -> dict[str, object]:
    """Return the fields that are given as an `EndpointConfig` holds them.

    Args:
        given: names and values as a client sent them; only names that a configuration has.
        settings: the limits of headers, and whether `http://` is allowed.

    Raises:
        InvalidRequestError: a value of the wrong type or range.
        InvalidEndpointError: the URL is not one that may be delivered to.
        InvalidHeadersError: a header is reserved, malformed, or one too many.
    """
    return {name: _RULES[name](name, value, settings) for name, value in given.items()}


def _url(name: str, value: object, settings: Settings) -> str:
    if not isinstance(value, str):
        raise InvalidEndpointError(details={"field": name})
    return check_url(value, dev=settings.dev).url


def _description(name: str, value: object, _: Settings) -> str | None:
    return None if value is None else bounds.text(name, value, chars_max=DESCRIPTION.maximum)


def _headers(_: str, value: object, settings: Settings) -> dict[str, str]:
    return check_headers(
        bounds.headers_of(value),
        count_max=settings.headers_count_max,
        bytes_max=settings.headers_bytes_max,
    )


def _whole(limits: Limits) -> Callable[[str, object, Settings], int]:
    return lambda name, value, _: bounds.whole(
        name, value, minimum=limits.minimum, maximum=limits.maximum
    )


def _number(limits: Limits) -> Callable[[str, object, Settings], float]:
    return lambda name, value, _: bounds.number(
        name, value, minimum=limits.minimum, maximum=limits.maximum
    )


_RULES: dict[str, Callable[[str, object, Settings], object]] = {
    "url": _url,
    "description": _description,
    "rate_limit_rps": _whole(RATE_LIMIT_RPS),
    "burst": _whole(BURST),
    "headers": _headers,
    "ordered": lambda name, value, _: bounds.flag(name, value),
    "max_in_flight": _whole(MAX_IN_FLIGHT),
    "timeout_s": _number(TIMEOUT_S),
}
"""One rule for each field of `EndpointConfig`."""
