"""Messages that have come to a status, and what is answered about those that are to leave it."""

import asyncio
from typing import Any

from .harness import WAIT_S, Answer, Api

UNKNOWN = "01890a5d-ac96-774b-bcce-b302099a8057"
ENDS = {"succeeded": 200, "failed_permanent": 404, "slow": 503, "fast": 429}
"""What an endpoint's message comes to by what its receiver answers."""


async def message(api: Api, message_id: str) -> Any:
    """Return a message as it is now."""
    return (await api.get(f"/v1/messages/{message_id}")).data


async def attempted(api: Api, message_id: str, count: int = 1) -> Any:
    """Return a message once so many attempts of it are recorded."""
    async with asyncio.timeout(WAIT_S):
        while True:
            found = await message(api, message_id)
            if found["attempt_count"] >= count and found["status"] != "delivering":
                return found


async def sent(api: Api, endpoint_id: str, **fields: object) -> str:
    """Send a message and return its id."""
    answer = await api.send(**{"endpoint_id": endpoint_id, "payload": 1, **fields})
    message_id: str = answer.data["message_id"]
    return message_id


async def ended(api: Api, endpoint_id: str, end: str, **fields: object) -> str:
    """Send a message whose first attempt comes to `end`, one of `ENDS`; return its id."""
    api.receiver.status = ENDS[end]
    message_id = await sent(api, endpoint_id, **fields)
    found = await attempted(api, message_id)
    assert found["status"] == ("pending_retry" if end in {"slow", "fast"} else end)
    return message_id


async def in_flight(api: Api, endpoint_id: str, **fields: object) -> str:
    """Send a message whose attempt hangs until `receiver.answers` is set; return its id."""
    api.receiver.answers.clear()
    before = len(api.receiver.requests)
    message_id = await sent(api, endpoint_id, **fields)
    await api.receiver.received(before + 1)
    return message_id


async def act(api: Api, message_id: str, action: str, **options: Any) -> Answer:
    """POST one of a message's actions."""
    return await api.post(f"/v1/messages/{message_id}/{action}", **options)


async def delete(api: Api, message_id: str, **options: Any) -> Answer:
    """DELETE a message."""
    return await api.request("DELETE", f"/v1/messages/{message_id}", **options)


async def pause(api: Api, endpoint_id: str) -> None:
    """Pause an endpoint."""
    (await api.post(f"/v1/endpoints/{endpoint_id}/pause")).data  # noqa: B018 - checks it


async def remove(api: Api, endpoint_id: str) -> None:
    """Delete an endpoint."""
    (await api.request("DELETE", f"/v1/endpoints/{endpoint_id}")).data  # noqa: B018 - checks it


def spoken(answer: Answer) -> tuple[int, str, Any]:
    """Return status, sentence and data of an answer that has a sentence."""
    envelope = answer.json
    assert set(envelope) == {"message", "data", "meta"}, envelope
    assert answer.headers["X-Request-Id"] == envelope["meta"]["request_id"]
    return answer.status, envelope["message"], envelope["data"]


async def one_of_each(api: Api) -> dict[str, str]:
    """Return a message of every status, each of an endpoint of its own."""
    found = {
        end: await ended(api, await api.endpoint(paused=False), end)
        for end in ("succeeded", "failed_permanent", "slow", "fast")
    }
    found["paused"] = await sent(api, await api.endpoint())
    found["delivering"] = await in_flight(api, await api.endpoint(paused=False))
    return found
