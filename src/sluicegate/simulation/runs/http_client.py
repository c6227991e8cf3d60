"""A client on another host, over the simulated network: it lives on when Sluicegate dies."""

import asyncio
import json
from collections.abc import Coroutine, Sequence
from http import HTTPStatus
from typing import Any

import aiohttp
from yarl import URL

from sluicegate.simulation.engine_host import API_KEY, EngineHost
from sluicegate.simulation.lives import Life
from sluicegate.simulation.loop import SimulationLoop
from sluicegate.simulation.network import Network
from sluicegate.simulation.oracle.history import BulkAnswer, BulkOutcome, BulkRequest
from sluicegate.simulation.runs.client import (
    CONNECTION,
    Draft,
    Key,
    NewEndpoint,
    RefusedError,
    Seen,
)

__all__ = ["CLIENT", "HttpClient"]

CLIENT = "client"
"""The name of the clients' host."""

_PAGE = 500
_PATIENCE_S = 60.0
_PATHS = {
    "replay": ("POST", "/v1/messages/{}/replay"),
    "retry_now": ("POST", "/v1/messages/{}/retry-now"),
    "cancel": ("POST", "/v1/messages/{}/cancel"),
    "delete_message": ("DELETE", "/v1/messages/{}"),
    "replay_from_dlq": ("POST", "/v1/dlq/replay/{}"),
}


class HttpClient:
    """Speaks the contract. Implements `sluicegate.simulation.runs.client.Client`.

    It waits for an answer for a minute.
    """

    is_up = True

    def __init__(self, host: EngineHost, *, loop: SimulationLoop, network: Network) -> None:
        """Stand on a host of its own, called `client`."""
        self._url = host.url
        self._loop = loop
        self._network = network
        self._life = Life(CLIENT)
        self._session: aiohttp.ClientSession | None = None
        network.address(self._life.name)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine on the client's host."""
        return self._loop.spawn(self._life, work)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def create_endpoint(self, url: str, config: dict[str, Any]) -> NewEndpoint:
        """See `Client`."""
        made = (await self._ask("POST", "/v1/endpoints", {"url": url} | config))["data"]
        key = Key(id=made["signing_key_id"], secret=made["signing_secret"])
        return NewEndpoint(id=made["id"], key=key)

    async def update_endpoint(self, endpoint_id: str, changes: dict[str, Any]) -> None:
        """See `Client`."""
        await self._ask("PATCH", f"/v1/endpoints/{endpoint_id}", changes)

    async def delete_endpoint(self, endpoint_id: str) -> None:
        """See `Client`."""
        await self._ask("DELETE", f"/v1/endpoints/{endpoint_id}")

    async def paused(self, endpoint_id: str) -> tuple[bool, str | None]:
        """See `Client`."""
        endpoint = await self._ask("GET", f"/v1/endpoints/{endpoint_id}")
        return bool(endpoint["data"]["paused"]), endpoint["data"]["pause_reason"]

    async def add_key(self, endpoint_id: str) -> Key:
        """See `Client`."""
        made = (await self._ask("POST", f"/v1/endpoints/{endpoint_id}/signing-keys"))["data"]
        return Key(id=made["id"], secret=made["signing_secret"])

    async def remove_key(self, endpoint_id: str, key_id: str) -> None:
        """See `Client`."""
        await self._ask("DELETE", f"/v1/endpoints/{endpoint_id}/signing-keys/{key_id}")

    async def send(self, draft: Draft) -> str:
        """See `Client`."""
        answer = await self._ask("POST", "/v1/webhooks/send", _text(draft))
        message_id: str = answer["data"]["message_id"]
        return message_id

    async def send_batch(self, drafts: Sequence[Draft]) -> list[str | RefusedError]:
        """See `Client`."""
        body = b'{"messages":[%s]}' % b",".join(map(_text, drafts))
        answer = await self._ask("POST", "/v1/webhooks/send-batch", body)
        return [
            RefusedError(each["error"]["code"]) if "error" in each else each["message_id"]
            for each in answer["data"]
        ]

    async def pause(self, endpoint_id: str) -> None:
        """See `Client`."""
        await self._ask("POST", f"/v1/endpoints/{endpoint_id}/pause")

    async def resume(self, endpoint_id: str) -> int:
        """See `Client`."""
        answer = await self._ask("POST", f"/v1/endpoints/{endpoint_id}/resume")
        return int(answer["data"]["messages_requeued"])

    async def on_message(self, operation: str, message_id: str) -> None:
        """See `Client`."""
        method, path = _PATHS[operation]
        await self._ask(method, path.format(message_id))

    async def bulk(
        self, operation: str, request: BulkRequest, *, endpoint_id: str | None
    ) -> BulkAnswer:
        """See `Client`."""
        path = f"/v1/messages/{operation.replace('_', '-')}"
        if request.message_ids:
            answer = await self._ask("POST", path, {"message_ids": list(request.message_ids)})
        else:
            filters = {"status": request.status, "endpoint_id": endpoint_id}
            query = {"limit": str(request.limit)} | {k: v for k, v in filters.items() if v}
            answer = await self._ask("POST", str(URL(path).with_query(query)))
        return _bulk_answer(answer)

    async def dead_letters(self, *, limit: int = _PAGE) -> list[str]:
        """See `Client`."""
        query = {"limit": str(limit)}
        found: list[str] = []
        while True:
            answer = await self._ask("GET", str(URL("/v1/dlq/messages").with_query(query)))
            found += [each["message_id"] for each in answer["data"]["messages"]]
            if answer["data"]["next_cursor"] is None or limit < _PAGE:
                return found
            query["cursor"] = answer["data"]["next_cursor"]

    async def messages(
        self, endpoint_id: str, *, status: str | None = None, limit: int = _PAGE
    ) -> list[Seen]:
        """See `Client`."""
        query = {"endpoint_id": endpoint_id, "limit": str(limit)}
        if status is not None:
            query["status"] = status
        found: list[Seen] = []
        while True:
            answer = await self._ask("GET", str(URL("/v1/logs").with_query(query)))
            found += [
                Seen(id=each["message_id"], status=each["status"], attempts=each["attempt_count"])
                for each in answer["data"]
            ]
            if answer["meta"]["next_cursor"] is None or limit < _PAGE:
                return found
            query["cursor"] = answer["meta"]["next_cursor"]

    async def outcomes(self, message_id: str) -> tuple[str, ...]:
        """See `Client`."""
        answer = await self._ask("GET", f"/v1/messages/{message_id}/attempts")
        return tuple(
            str(each["response_status"]) if each.get("response_status") else each["error_text"]
            for each in answer["data"]
        )

    async def _ask(
        self, method: str, path: str, body: dict[str, Any] | bytes | None = None
    ) -> dict[str, Any]:
        if self._session is None:
            self._session = self._network.client_session(
                headers={
                    "Authorization": f"Bearer {API_KEY}",
                    "Content-Type": "application/json",
                },
                timeout=aiohttp.ClientTimeout(total=_PATIENCE_S),
            )
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        url = URL(self._url + path, encoded=True)
        try:
            async with self._session.request(method, url, data=data) as response:
                text = await response.read()
        except asyncio.CancelledError:
            raise
        except (aiohttp.ClientError, OSError, TimeoutError):
            raise RefusedError(CONNECTION) from None
        if response.status == HTTPStatus.NO_CONTENT:
            return {}
        answer: dict[str, Any] = json.loads(text)
        if "error" in answer and "data" not in answer:  # both: it was done half-way
            raise RefusedError(answer["error"]["code"])
        return answer


def _bulk_answer(answer: dict[str, Any]) -> BulkAnswer:
    """Read any of the four answers: ids by list, or one result for each."""
    data = answer["data"]
    outcomes = [
        BulkOutcome(
            message_id=each["message_id"],
            outcome=each.get("status") or each["outcome"],
            code=each.get("error", "").partition(":")[0],
        )
        for each in data.get("results", ())
    ]
    for outcome in ("replayed", "stuck", "deleted"):
        listed = data.get(f"{outcome}_message_ids", ())
        outcomes += [BulkOutcome(message_id=each, outcome=outcome) for each in listed]
    counts = {name.removesuffix("_count"): n for name, n in data.items() if isinstance(n, int)}
    error = answer.get("error", {}).get("code", "")
    return BulkAnswer(outcomes=tuple(outcomes), counts=counts, error=error)


def _text(draft: Draft) -> bytes:
    """Return the body of a send request; the payload stands in it as it is."""
    fields = {
        "endpoint_id": draft.endpoint_id,
        "headers": draft.headers,
        "idempotency_key": draft.idempotency_key,
        "retention_hours": draft.retention_hours,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    return b'{"payload":%s,%s' % (draft.payload, json.dumps(given).encode()[1:])
