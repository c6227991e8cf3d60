"""Receiving in aiohttp's server."""

from typing import Unpack

from aiohttp import web

from sluicegate.engine.errors import VerificationError
from sluicegate.integrations.receiving import (
    BODY_BYTES_MAX,
    CHALLENGE,
    Options,
    ReceivedWebhook,
    accept,
    status_of,
)

__all__ = ["receive"]


async def receive(
    request: web.Request, secret: str | list[str] | tuple[str, ...], **options: Unpack[Options]
) -> ReceivedWebhook:
    """Read and verify the webhook that a request is.

    Args:
        request: nothing has read its body yet.
        secret: as for `sluicegate.verify`.
        options: see `Options`; the application's `client_max_size` does not matter.

    Raises:
        HTTPBadRequest, HTTPUnauthorized, HTTPRequestEntityTooLarge: it is refused.
        SigningSecretError: a secret is none.
    """
    body_bytes_max = options.get("body_bytes_max", BODY_BYTES_MAX)
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > body_bytes_max:
            raise web.HTTPRequestEntityTooLarge(max_size=body_bytes_max, actual_size=len(body))
    try:
        return accept(secret, request.headers, bytes(body), options)
    except VerificationError as error:
        refuse = web.HTTPBadRequest if status_of(error) == 400 else web.HTTPUnauthorized  # noqa: PLR2004 - an HTTP status
        raise refuse(text=str(error), headers={"WWW-Authenticate": CHALLENGE}) from error
