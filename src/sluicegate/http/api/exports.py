"""Exports over HTTP: contract section 6."""

import asyncio
import re
from pathlib import Path
from typing import Annotated

import msgspec
from aiohttp import hdrs, web
from msgspec import Meta

from sluicegate.engine.errors import InvalidRequestError, NotFoundError
from sluicegate.engine.export_model import EXPORTS_LISTED_MAX
from sluicegate.engine.exports import Exports
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.moments import from_ms, parse_moment
from sluicegate.engine.settings import Settings
from sluicegate.http.answers import Answer, empty, listing, success
from sluicegate.http.api.export_answers import ExportAnswer
from sluicegate.http.api.fields import EndpointId, Moment
from sluicegate.http.api.parameters import CURSOR, limit
from sluicegate.http.api.route import Envelope, Query, Route
from sluicegate.http.bodies import Bodies
from sluicegate.http.calls import Call

__all__ = ["ExportHandlers"]

_BODY_BYTES_MAX = 16_384
_LIMIT = limit(EXPORTS_LISTED_MAX, default=EXPORTS_LISTED_MAX)
_TOKEN = Query(name="token", description="Stands in the link of `download`.", required=True)
_Status = Annotated[str, Meta(extra_json_schema={"enum": [str(each) for each in MessageStatus]})]
# RFC 3986 §3.2.2 without user information and percent-encoding.
_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_PRIVATE = {
    hdrs.CACHE_CONTROL: "private, no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""On whatever tells a token or a file: nobody keeps it, nobody passes it on."""


class ExportDraft(msgspec.Struct, frozen=True):
    """Which messages are to be exported."""

    start_time: Moment
    """Messages accepted then or later. Any offset; without one UTC is meant."""
    end_time: Moment
    """Messages accepted before."""
    status: _Status | None = None
    """Only messages that read so when their line is written."""
    endpoint_id: EndpointId | None = None
    """Only messages to this endpoint, which may be deleted."""


_CREATE = msgspec.json.Decoder(ExportDraft)


class ExportHandlers:
    """Translates requests about exports and their files."""

    def __init__(self, exports: Exports, bodies: Bodies, settings: Settings) -> None:
        self._exports = exports
        self._bodies = bodies
        self._public_url = settings.public_url

    def routes(self) -> tuple[Route, ...]:
        """Return what these handlers answer."""
        one = "/v1/exports/{export_id}"
        # Not under /v1, where nothing goes without a key.
        file = "/exports/{export_id}/file"
        return (
            Route(
                method="POST",
                path="/v1/exports",
                handler=self.create,
                name="create_export",
                tag="Exports",
                summary="Export messages as CSV",
                description="The file is written in the background: ask for the export until its "
                "status is `completed`, then download it.",
                body=ExportDraft,
                status=202,
                answer=ExportAnswer,
                gives={"export_id": "/data/id"},
                errors=("INVALID_REQUEST", "ENDPOINT_NOT_FOUND"),
            ),
            Route(
                method="GET",
                path="/v1/exports",
                handler=self.list_page,
                name="list_exports",
                tag="Exports",
                summary="List exports",
                description="The project's exports, newest first.",
                query=(_LIMIT, CURSOR),
                answer=ExportAnswer,
                envelope=Envelope.LIST,
                errors=("INVALID_REQUEST",),
            ),
            Route(
                method="GET",
                path=one,
                handler=self.get,
                name="get_export",
                tag="Exports",
                summary="Get an export",
                description="While its status is `processing`, `row_count` and `file_size_bytes` "
                "tell how far it is.",
                answer=ExportAnswer,
                errors=("NOT_FOUND",),
            ),
            Route(
                method="GET",
                path=one + "/download",
                handler=self.download,
                name="download_export",
                tag="Exports",
                summary="Get a link to an export's file",
                description="`Location` leads to the file. Whoever has the link can download it, "
                "without a key, for 15 minutes.",
                status=302,
                envelope=Envelope.NONE,
                headers=("Location",),
                errors=("INVALID_REQUEST", "NOT_FOUND", "EXPORT_NOT_READY", "EXPORT_EXPIRED"),
            ),
            Route(
                method="GET",
                path=file,
                handler=self.send_file,
                name="get_export_file",
                tag="Exports",
                summary="Download an export's file",
                description="Needs no key: the token in the link of `download` stands for it.",
                auth=False,
                query=(_TOKEN,),
                answer=str,
                envelope=Envelope.NONE,
                media_type="text/csv",
                errors=("INVALID_REQUEST", "NOT_FOUND", "EXPORT_EXPIRED", "UNAVAILABLE"),
            ),
            Route(
                method="DELETE",
                path=one,
                handler=self.delete,
                name="delete_export",
                tag="Exports",
                summary="Delete an export and its file",
                description="One that is being written is stopped. Links to its file lead nowhere "
                "from then on.",
                status=204,
                errors=("NOT_FOUND",),
            ),
        )

    async def create(self, call: Call) -> Answer:
        """POST /v1/exports."""
        wanted = await self._bodies.json(call.request, _CREATE, bytes_max=_BODY_BYTES_MAX)
        export = await self._exports.create(
            call.project_id,
            start_time=from_ms(parse_moment(wanted.start_time, field="start_time")),
            end_time=from_ms(parse_moment(wanted.end_time, field="end_time")),
            status=wanted.status,
            endpoint_id=wanted.endpoint_id,
        )
        return success(call.request_id, ExportAnswer.of(export), status=202)

    async def list_page(self, call: Call) -> Answer:
        """GET /v1/exports."""
        page = await self._exports.list(
            call.project_id,
            limit=_LIMIT.whole(call.request),
            cursor=CURSOR.text(call.request),
        )
        return listing(
            call.request_id,
            [ExportAnswer.of(export) for export in page.items],
            next_cursor=page.next_cursor,
            has_more=page.has_more,
        )

    async def get(self, call: Call) -> Answer:
        """GET /v1/exports/{export_id}."""
        export = await self._exports.get(call.project_id, call.path("export_id"))
        return success(call.request_id, ExportAnswer.of(export))

    async def download(self, call: Call) -> Answer:
        """GET /v1/exports/{export_id}/download: clients hand the absolute URL on as it is."""
        export_id = call.path("export_id")
        base = self._public_url or _origin(call.aiohttp_request)
        token = await self._exports.download_token(call.project_id, export_id)
        location = f"{base.rstrip('/')}/exports/{export_id}/file?token={token}"
        return Answer(302, {**_PRIVATE, hdrs.LOCATION: location})

    async def send_file(self, call: Call) -> web.StreamResponse:
        """GET /exports/{export_id}/file."""
        export_id = call.path("export_id")
        token = _TOKEN.text(call.request)
        if token is None:
            raise NotFoundError("this download link has no token: ask for a new one")
        path = await self._exports.file_by_token(export_id, token)
        await _check_range(call.aiohttp_request, Path(path))
        return web.FileResponse(
            path,
            headers={
                **_PRIVATE,
                hdrs.CONTENT_TYPE: "text/csv; charset=utf-8",
                hdrs.CONTENT_DISPOSITION: f'attachment; filename="sluicegate-{export_id}.csv"',
            },
        )

    async def delete(self, call: Call) -> Answer:
        """DELETE /v1/exports/{export_id}."""
        await self._exports.delete(call.project_id, call.path("export_id"))
        return empty()


async def _check_range(request: web.Request, path: Path) -> None:
    """Refuse a range that names no byte of the file: aiohttp would do so without our envelope.

    Raises:
        InvalidRequestError: `Range` is malformed, names several ranges or begins behind the end.
    """
    try:
        start = request.http_range.start
        fits = start is None or start < (await asyncio.to_thread(path.stat)).st_size
    except FileNotFoundError:
        return  # deleted meanwhile: the answer will say so
    except ValueError:
        fits = False
    if not fits:
        raise InvalidRequestError(
            "Range must be one range of bytes within the file", details={"header": "Range"}
        )


def _origin(request: web.Request) -> str:
    """Return where the request was sent to, as its client says (RFC 9112 §3.2).

    Only the client itself, which has the key, is told a URL with it; nobody else's `Host` gets
    into it, and nothing is kept. What a proxy says in other headers is not believed.

    Raises:
        InvalidRequestError: there is no `Host`, or it is none.
    """
    hosts = request.headers.getall(hdrs.HOST, [])
    if len(hosts) != 1 or _HOST.fullmatch(hosts[0]) is None:
        raise InvalidRequestError("the Host header must be a host", details={"header": "Host"})
    return f"{request.scheme}://{hosts[0]}"
