"""The HTTP status of every error code: the only place that knows them."""

from sluicegate.engine.errors import SluicegateError

__all__ = ["STATUS", "headers_of", "status_of"]

STATUS: dict[str, int] = {
    "INVALID_REQUEST": 400,
    "INVALID_ENDPOINT": 400,
    "ENDPOINT_BLOCKED": 400,
    "ENDPOINT_UNREACHABLE": 400,
    "INVALID_HEADERS": 400,
    "PAYLOAD_TOO_LARGE": 400,
    "INVALID_STATUS": 400,
    "EXPORT_NOT_READY": 400,
    "UNAUTHORIZED": 401,
    "ENDPOINT_NOT_FOUND": 404,
    "NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "DUPLICATE_URL": 409,
    "IDEMPOTENCY_MISMATCH": 409,
    "ALREADY_PAUSED": 409,
    "NOT_PAUSED": 409,
    "DELIVERY_IN_PROGRESS": 409,
    "RETRY_IN_PROGRESS": 409,
    "MAX_SIGNING_KEYS_REACHED": 409,
    "CANNOT_DELETE_LAST_KEY": 409,
    "RETENTION_EXPIRED": 410,
    "PAYLOAD_UNAVAILABLE": 410,
    "EXPORT_EXPIRED": 410,
    "RATE_LIMITED": 429,
    "RATE_LIMIT_EXCEEDED": 429,
    "REPLAY_LIMIT_EXCEEDED": 429,
    "UNAVAILABLE": 503,
}
"""Contract section 2. A code that is not here is a fault of ours: 500."""


def status_of(error: SluicegateError) -> int:
    """Return the HTTP status of an error; 500 for one that no client should see."""
    return STATUS.get(error.code, 500)


def headers_of(error: SluicegateError) -> dict[str, str]:
    """Return the headers of an error: when to try again, how to authenticate, what is allowed."""
    headers = {}
    retry_after_s = getattr(error, "retry_after_s", None)
    if retry_after_s is not None:
        headers["Retry-After"] = str(retry_after_s)
    if error.code == "UNAUTHORIZED":
        headers["WWW-Authenticate"] = "Bearer"  # RFC 9110 §11.6.1
    allowed = error.details.get("allowed")
    if error.code == "METHOD_NOT_ALLOWED" and isinstance(allowed, list):
        headers["Allow"] = ", ".join(allowed)  # RFC 9110 §15.5.6
    return headers
