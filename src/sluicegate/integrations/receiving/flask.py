"""Receiving in Flask."""

from typing import Unpack

from flask import request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, Unauthorized

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


def receive(
    secret: str | list[str] | tuple[str, ...], **options: Unpack[Options]
) -> ReceivedWebhook:
    """Read and verify the webhook that Flask's current request is.

    `request.data` and `request.json` can be read afterwards as always.

    Args:
        secret: as for `sluicegate.verify`.
        options: see `Options`; `MAX_CONTENT_LENGTH` does not matter.

    Raises:
        BadRequest, Unauthorized, RequestEntityTooLarge: it is refused.
        SigningSecretError: a secret is none.
    """
    body_bytes_max = options.get("body_bytes_max", BODY_BYTES_MAX)
    request.max_content_length = body_bytes_max  # of this request alone
    body = request.get_data()
    if len(body) > body_bytes_max:  # somebody had read it before
        raise RequestEntityTooLarge
    try:
        return accept(secret, request.headers, body, options)
    except VerificationError as error:
        if status_of(error) == 400:  # noqa: PLR2004 - an HTTP status
            raise BadRequest(str(error)) from error
        challenge = WWWAuthenticate(CHALLENGE.lower())
        raise Unauthorized(str(error), www_authenticate=challenge) from error
