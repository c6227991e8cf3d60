"""A whole server on loopback in this process, and a client that hides nothing."""

import asyncio
import contextlib
import io
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from multidict import CIMultiDictProxy
from yarl import URL

from sluicegate.app import Engine
from sluicegate.clock import SystemClock, SystemRandom
from sluicegate.engine.outcome import Outcome, OutcomeKind, Timings
from sluicegate.engine.ports import Request
from sluicegate.engine.settings import Settings
from sluicegate.http.outbound.resolver import PooledResolver
from sluicegate.http.server import create_app, create_runner
from sluicegate.storage import SecretBox, SqliteStorage
from sluicegate.turns.pacer import Pacer

WAIT_S = 20.0
PUBLIC = "93.184.216.34"
NAMES = {
    "public.example": [PUBLIC],
    "second.example": ["2606:2800:220:1::1"],
    "mixed.example": [PUBLIC, "10.0.0.7"],
    "metadata.example": ["169.254.169.254"],
}
"""What the tests' name server knows."""


class MovableClock(SystemClock):
    """The machine's clock, which a test may move forward."""

    ahead_s = 0.0

    def monotonic_s(self) -> float:
        """Seconds, those that the test added included."""
        return super().monotonic_s() + self.ahead_s


class Receiver:
    """Takes deliveries instead of a network, and answers what the test chose."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.status: int | Iterator[int] = 200
        """Of every answer, or of each in turn."""
        self.answers = asyncio.Event()
        """While it is not set, requests hang."""
        self.answers.set()
        self._changed = asyncio.Condition()

    async def post(self, request: Request) -> Outcome:
        """Remember a request and answer it."""
        async with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
        await self.answers.wait()
        return Outcome(
            kind=OutcomeKind.ANSWERED,
            status=self.status if isinstance(self.status, int) else next(self.status),
            headers=(("Server", "test"),),
            body=b"thanks",
            resolved_ip=PUBLIC,
            timings=Timings(dns_ms=0.4, tcp_connect_ms=1.6, ttfb_ms=2.5, total_ms=4.7),
        )

    async def received(self, count: int) -> list[Request]:
        """Wait until so many requests have come."""
        async with asyncio.timeout(WAIT_S), self._changed:
            await self._changed.wait_for(lambda: len(self.requests) >= count)
        return self.requests


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        """What the caller asked for; checks the envelope."""
        envelope = self.json
        assert self.status < 400, envelope
        assert set(envelope) == {"data", "meta"}
        self._check_request_id(envelope)
        return envelope["data"]

    @property
    def meta(self) -> Any:
        """The envelope's `meta`."""
        return self.json["meta"]

    @property
    def error(self) -> Any:
        """The error; checks the envelope."""
        envelope = self.json
        assert self.status >= 400, envelope
        assert set(envelope) == {"error", "meta"}
        assert set(envelope["error"]) <= {"code", "message", "details"}
        assert {"code", "message"} <= set(envelope["error"])
        assert isinstance(envelope["error"].get("details", {}), dict)
        assert b"Traceback" not in self.body
        self._check_request_id(envelope)
        return envelope["error"]

    @property
    def refusal(self) -> tuple[int, str]:
        """Status and code of an error."""
        return self.status, self.error["code"]

    def _check_request_id(self, envelope: Any) -> None:
        assert self.headers["Content-Type"] == "application/json"
        request_id = envelope["meta"]["request_id"]
        assert self.headers["X-Request-Id"] == request_id
        assert request_id.startswith("req_")
        assert len(request_id) == 36


@dataclass
class Api:
    """The running server and everything around it that a test may look at."""

    url: str
    port: int
    key: str
    engine: Engine
    storage: SqliteStorage
    clock: MovableClock
    receiver: Receiver
    database: Path
    session: aiohttp.ClientSession
    runner: web.AppRunner
    names: int = field(default=0)

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        body: bytes | AsyncIterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> Answer:
        """Send a request with the first key, or with `key`; no key if that is empty."""
        bearer = self.key if key is None else key
        sent = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        sent |= headers or {}
        if json is not None:
            body = _to_json(json)
        data = io.BytesIO(body) if isinstance(body, bytes) else body
        async with self.session.request(
            method,
            URL(self.url + path, encoded=True),
            data=data,
            headers=sent,
            allow_redirects=False,
        ) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, **options: Any) -> Answer:
        """GET."""
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options: Any) -> Answer:
        """POST."""
        return await self.request("POST", path, **options)

    async def send(self, **fields: object) -> Answer:
        """POST to the send route."""
        return await self.post("/v1/webhooks/send", json=fields)

    async def endpoint(self, *, paused: bool = True, **fields: object) -> str:
        """Create an endpoint with a URL of its own and return its id."""
        self.names += 1
        url = f"https://public.example/hooks/{self.names}"
        created = await self.post("/v1/endpoints", json={"url": url, **fields})
        endpoint_id: str = created.data["id"]
        if paused:
            (await self.post(f"/v1/endpoints/{endpoint_id}/pause")).data  # noqa: B018 - checks it
        return endpoint_id

    async def other_project(self) -> str:
        """Create another project and return its key."""
        project_id = "proj_" + "0" * 32
        await self.storage.create_project(project_id, "other", created_at_ms=0)
        created = await self.engine.services.api_keys.create(project_id)
        return created.key

    def stored(self, table: str) -> int:
        """Count the rows of a table, past all of our code."""
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as db:
            count: int = db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
            return count

    async def raw(self, request: bytes) -> tuple[bytes, Any]:
        """Send bytes as they are; return the head and the JSON body of what comes back."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            async with asyncio.timeout(WAIT_S):
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                )
                return head, json.loads(await reader.readexactly(length)) if length else None
        finally:
            writer.close()
            await writer.wait_closed()


def _to_json(value: object) -> bytes:
    return json.dumps(value).encode()


def look_up(host: str, port: object, *_: object, **__: object) -> list[Any]:
    """Answer as `socket.getaddrinfo` does, from `NAMES`."""
    if host not in NAMES:
        raise OSError("no such name")
    return [(None, None, None, "", (address, port or 0)) for address in NAMES[host]]


@contextlib.asynccontextmanager
async def running_api(
    directory: Path,
    *,
    storage_type: type[SqliteStorage] = SqliteStorage,
    head_s: float = 15.0,
    pacer: Pacer | None = None,
    **settings: Any,
) -> AsyncIterator[Api]:
    """Run a server on loopback while the context lasts."""
    chosen = Settings(database=str(directory / "api.db"), drain_s=0, **settings)
    clock, random, receiver = MovableClock(), SystemRandom(), Receiver()
    storage = storage_type(
        chosen.database,
        secret_box=SecretBox.for_database(chosen.database, secret_key=None, random=random),
        clock=clock,
        pending_bytes_max=chosen.pending_bytes_max,
        pacer=pacer,
    )
    resolver = PooledResolver(chosen, clock=clock, getaddrinfo=look_up)
    async with Engine(
        chosen,
        clock=clock,
        random=random,
        storage=storage,
        sender=receiver,
        resolver=resolver,
        pacer=pacer,
    ) as engine:
        app = create_app(
            engine.services,
            settings=chosen,
            clock=clock,
            random=random,
            readiness=engine.readiness,
            telemetry=engine.telemetry,
            exposition=engine.exposition,
        )
        runner = create_runner(
            app,
            random=random,
            pacer=pacer,
            connections_max=chosen.connections_max,
            head_s=head_s,
            shutdown_timeout_s=1,
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            port = runner.addresses[0][1]
            assert engine.first_key is not None
            engine.readiness.ready = True
            async with aiohttp.ClientSession() as session:
                yield Api(
                    url=f"http://127.0.0.1:{port}",
                    port=port,
                    key=engine.first_key,
                    engine=engine,
                    storage=storage,
                    clock=clock,
                    receiver=receiver,
                    database=directory / "api.db",
                    session=session,
                    runner=runner,
                )
        finally:
            await runner.cleanup()
