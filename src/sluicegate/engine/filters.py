"""The filters that listings and bulk operations share: endpoint, status and time."""

from collections.abc import Collection
from datetime import UTC, datetime

from sluicegate.engine.errors import InvalidRequestError
from sluicegate.engine.ids import is_endpoint_id
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.moments import to_ms

__all__ = ["bad_endpoint_id", "checked_endpoint_id", "checked_status", "moment_ms"]


def bad_endpoint_id() -> InvalidRequestError:
    """Return the error of an endpoint id that has not the form of one."""
    return InvalidRequestError(
        "endpoint_id must be in format ep_xxx", details={"field": "endpoint_id"}
    )


def checked_endpoint_id(endpoint_id: object) -> str | None:
    """Return an endpoint id that has the form of one; `None` for none.

    Raises:
        InvalidRequestError: it has not.
    """
    if endpoint_id is None:
        return None
    if isinstance(endpoint_id, str) and is_endpoint_id(endpoint_id):
        return endpoint_id
    raise bad_endpoint_id()


def checked_status(
    status: object, *, allowed: Collection[MessageStatus] = tuple(MessageStatus)
) -> MessageStatus:
    """Return a status that is one of those allowed.

    Raises:
        InvalidRequestError: it is none; `details` names them.
    """
    names = [each.value for each in allowed]
    if isinstance(status, str) and status in names:
        return MessageStatus(status)
    raise InvalidRequestError(
        f"status must be one of {', '.join(names)}", details={"field": "status", "allowed": names}
    )


def moment_ms(field: str, moment: object) -> int | None:
    """Return a moment as milliseconds since the Unix epoch; without a time zone UTC is meant.

    Raises:
        InvalidRequestError: it is no `datetime`.
    """
    if moment is None:
        return None
    if not isinstance(moment, datetime):
        raise InvalidRequestError(f"{field} must be a datetime", details={"field": field})
    return to_ms(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))
