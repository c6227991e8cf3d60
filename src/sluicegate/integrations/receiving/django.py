"""Receiving in Django."""

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, Unpack

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from sluicegate.engine.errors import VerificationError
from sluicegate.integrations.receiving import (
    BODY_BYTES_MAX,
    CHALLENGE,
    Options,
    ReceivedWebhook,
    accept,
    status_of,
)

__all__ = ["webhook"]


def webhook(
    secret: str | list[str] | tuple[str, ...], **options: Unpack[Options]
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator: the view is called with the request and its `ReceivedWebhook`.

        @webhook(settings.WEBHOOK_SECRET)
        def hook(request, received): ...

    Also for asynchronous views. What is refused is answered with 400, 401 or 413, and the view
    never sees it. No CSRF token is asked for: the signature proves where it comes from. The view
    takes the body from `received`; `request.body` was read.

    Args:
        secret: as for `sluicegate.verify`.
        options: see `Options`; `DATA_UPLOAD_MAX_MEMORY_SIZE` does not matter.
    """

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        if iscoroutinefunction(view):

            @wraps(view)
            async def handle_later(request: HttpRequest, *args: Any, **named: Any) -> Any:  # noqa: ANN401 - the view's own
                received = _received(request, secret, options)
                if isinstance(received, HttpResponse):
                    return received
                return await view(request, received, *args, **named)

            handle: Callable[..., Any] = handle_later
        else:

            @wraps(view)
            def handle_now(request: HttpRequest, *args: Any, **named: Any) -> Any:  # noqa: ANN401 - the view's own
                received = _received(request, secret, options)
                if isinstance(received, HttpResponse):
                    return received
                return view(request, received, *args, **named)

            handle = handle_now
        return csrf_exempt(handle)

    return decorate


def _received(
    request: HttpRequest, secret: str | list[str] | tuple[str, ...], options: Options
) -> ReceivedWebhook | HttpResponse:
    body_bytes_max = options.get("body_bytes_max", BODY_BYTES_MAX)
    body = request.read(body_bytes_max + 1)
    if len(body) > body_bytes_max:
        return _refusal(413, f"at most {body_bytes_max} bytes are taken")
    try:
        return accept(secret, request.headers, body, options)
    except VerificationError as error:
        return _refusal(status_of(error), str(error))


def _refusal(status: int, text: str) -> HttpResponse:
    return HttpResponse(
        text,
        status=status,
        content_type="text/plain; charset=utf-8",
        headers={"WWW-Authenticate": CHALLENGE} if status == 401 else None,  # noqa: PLR2004 - an HTTP status
    )
