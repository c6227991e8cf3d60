"""Receiving in Starlette and FastAPI."""

from collections.abc import Awaitable, Callable
from typing import Unpack

from starlette.exceptions import HTTPException
from starlette.requests import Request

from sluicegate.engine.errors import VerificationError
from sluicegate.integrations.receiving import (
    BODY_BYTES_MAX,
    CHALLENGE,
    Options,
    ReceivedWebhook,
    accept,
    status_of,
)

__all__ = ["receive", "webhook"]


async def receive(
    request: Request, secret: str | list[str] | tuple[str, ...], **options: Unpack[Options]
) -> ReceivedWebhook:
    """Read and verify the webhook that a request is.

    Args:
        request: nothing has read its stream yet, or `request.body()` has.
        secret: as for `sluicegate.verify`.
        options: see `Options`.

    Raises:
        HTTPException: it is refused, with 400, 401 or 413.
        SigningSecretError: a secret is none.
    """
    body_bytes_max = options.get("body_bytes_max", BODY_BYTES_MAX)
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > body_bytes_max:
            raise HTTPException(413, f"at most {body_bytes_max} bytes are taken")
    try:
        return accept(secret, request.headers, bytes(body), options)
    except VerificationError as error:
        raise HTTPException(
            status_of(error), str(error), headers={"WWW-Authenticate": CHALLENGE}
        ) from error


def webhook(
    secret: str | list[str] | tuple[str, ...], **options: Unpack[Options]
) -> Callable[[Request], Awaitable[ReceivedWebhook]]:
    """Return a FastAPI dependency: `hook: Annotated[ReceivedWebhook, Depends(webhook(secret))]`.

    It is `receive` for every request.
    """

    async def received(request: Request) -> ReceivedWebhook:
        return await receive(request, secret, **options)

    return received
