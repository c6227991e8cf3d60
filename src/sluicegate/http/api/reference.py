"""The description of the API: for programs at `/openapi.json`, for people at `/docs`.

The page at `/docs` is drawn by a script that is part of the package, and asks nobody but this
server for anything: the script is configured so, and the page's Content-Security-Policy makes the
browser see to it.
"""

import asyncio
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import msgspec
from aiohttp import hdrs, web

from sluicegate.engine.errors import NotFoundError
from sluicegate.http.answers import Answer
from sluicegate.http.api.route import Envelope, Route
from sluicegate.http.api.routes import Handlers, routes
from sluicegate.http.calls import Call, HttpRequest
from sluicegate.http.openapi.document import build_document
from sluicegate.http.static import Asset, assets

__all__ = ["ReferenceHandlers"]

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sluicegate API</title>
<link rel="icon" href="data:,">
<script src="docs/{start}/start.js"></script>
<script src="docs/{scalar}/scalar.js" defer></script>
</head>
<body>
<noscript>This page needs JavaScript. The same is at <a href="openapi.json">openapi.json</a>.
</noscript>
<div id="reference"></div>
</body>
</html>
"""
_PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; "
        "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class ReferenceHandlers:
    """Answers what the API is. Needs no key and touches no storage."""

    def __init__(self, others: Sequence[Handlers]) -> None:
        """Describe the routes of `others`, and its own."""
        self._others = others
        self._document: asyncio.Future[bytes] | None = None

    def routes(self) -> tuple[Route, ...]:
        """Return what these handlers answer."""
        return (
            Route(
                method="GET",
                path="/openapi.json",
                handler=self.document,
                name="openapi",
                tag="Operations",
                summary="This document",
                description="What the API is, as OpenAPI 3.1. The setting `docs` switches it off, "
                "and the page for people at `/docs` with it.",
                auth=False,
                answer=dict[str, Any],
                envelope=Envelope.NONE,
                headers=("ETag",),
            ),
            Route(
                method="GET",
                path="/docs",
                handler=self.page,
                name="docs",
                tag="Operations",
                summary="The API reference, for people",
                auth=False,
                media_type="text/html",
                listed=False,
            ),
            Route(
                method="GET",
                path="/docs/{version}/{file}",
                handler=self.asset,
                name="docs_asset",
                tag="Operations",
                summary="A part of the API reference",
                auth=False,
                errors=("NOT_FOUND",),
                listed=False,
            ),
        )

    async def document(self, call: Call) -> Answer:
        """GET /openapi.json; made in a thread at the first request, once."""
        if self._document is None:
            self._document = asyncio.ensure_future(asyncio.to_thread(self._build))
        text = await asyncio.shield(self._document)
        return _unless_known(call.aiohttp_request, text, "application/json", {})

    async def page(self, call: Call) -> Answer:
        """GET /docs."""
        found = await asyncio.to_thread(assets)
        page = _PAGE.format(**{name.partition(".")[0]: one.version for name, one in found.items()})
        return _unless_known(
            call.aiohttp_request, page.encode(), "text/html; charset=utf-8", _PAGE_HEADERS
        )

    async def asset(self, call: Call) -> Answer:
        """GET /docs/{version}/{file}; a version's content never changes."""
        found = (await asyncio.to_thread(assets)).get(call.path("file"))
        if found is None or found.version != call.path("version"):
            raise NotFoundError("no such route")
        headers = {
            "Cache-Control": "public, max-age=31536000, immutable",
            "Content-Type": "text/javascript; charset=utf-8",
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
        }
        if _takes_gzip(call.request):
            return Answer(200, {**headers, "Content-Encoding": "gzip"}, found.gzip)
        return Answer(200, headers, await asyncio.to_thread(Asset.plain, found))

    def _build(self) -> bytes:
        return msgspec.json.encode(build_document(routes(*self._others, self)))


def _unless_known(
    request: web.Request, body: bytes, content_type: str, headers: dict[str, str]
) -> Answer:
    """Answer with the body, or with 304 when the client has it (RFC 9110 §13.1.2)."""
    tag = sha256(body).hexdigest()[:32]
    headers = {**headers, "ETag": f'"{tag}"', "Cache-Control": "no-cache"}
    known = request.if_none_match or ()
    if any(each.value in (tag, "*") for each in known):
        return Answer(304, headers)
    return Answer(200, {**headers, "Content-Type": content_type}, body)


def _takes_gzip(request: HttpRequest) -> bool:
    """Whether `Accept-Encoding` names gzip and does not refuse it (RFC 9110 §12.5.3)."""
    for each in ",".join(request.headers.getall(hdrs.ACCEPT_ENCODING, [])).split(","):
        coding, _, weight = each.partition(";")
        if coding.strip().lower() in ("gzip", "x-gzip"):
            return weight.replace(" ", "").lower() not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
