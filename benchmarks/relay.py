"""The baseline: what aiohttp costs without us.

It accepts a POST and posts the body on to the sink, over one shared session that keeps its
connections; it answers 202 when the sink has answered 2xx. Nothing is stored, parsed or signed,
and nothing is done that need not be done.

    python benchmarks/relay.py TARGET_URL CA_FILE
"""

import ssl
import sys

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web
from wire import serve_jobs, work
from yarl import URL

_JSON = {"Content-Type": "application/json"}
_ATTEMPT_S = 30
_BODY_BYTES_MAX = 2**20
_SUCCESS = range(200, 300)


def application(session: ClientSession, target: URL) -> web.Application:
    """Return the relay as an application."""

    async def forward(request: web.Request) -> web.Response:
        body = await request.read()
        try:
            async with session.post(target, data=body, headers=_JSON) as answer:
                await answer.read()
        except (ClientError, TimeoutError):
            return web.Response(status=502)
        return web.Response(status=202 if answer.status in _SUCCESS else 502)

    app = web.Application(client_max_size=_BODY_BYTES_MAX)
    app.router.add_post("/relay", forward)
    return app


async def main() -> None:
    """Relay until standard input ends."""
    target = URL(sys.argv[1])
    session = ClientSession(
        connector=TCPConnector(limit=0, ssl=ssl.create_default_context(cafile=sys.argv[2])),
        cookie_jar=DummyCookieJar(),
        timeout=ClientTimeout(total=_ATTEMPT_S),
    )
    async with session:
        runner = web.AppRunner(application(session, target), access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        try:
            await serve_jobs({"port": runner.addresses[0][1]}, _no_job)
        finally:
            await runner.cleanup()


async def _no_job(_: object) -> dict[str, object]:
    return {}


if __name__ == "__main__":
    work(main())
