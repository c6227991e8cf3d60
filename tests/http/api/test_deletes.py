"""Contract section 6 over HTTP: a message is deleted, its record stays."""

from typing import Any

import pytest

from .harness import Api
from .lives import act, attempted, delete, ended, in_flight, message, sent


async def test_a_delete_is_idempotent(api: Api) -> None:
    """The second says so, and when the first was."""
    message_id = await ended(api, await api.endpoint(paused=False), "succeeded")
    first = (await delete(api, message_id)).data
    second = (await delete(api, message_id)).data
    assert first == {
        "message_id": message_id,
        "deleted_at": first["deleted_at"],
        "already_deleted": False,
    }
    assert second == {**first, "already_deleted": True}
    assert (await message(api, message_id))["deleted_at"] == first["deleted_at"]


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("succeeded", "succeeded"),
        ("failed_permanent", "failed_permanent"),
        ("slow", "failed_permanent"),
        ("held", "failed_permanent"),
    ],
)
async def test_of_a_deleted_message_all_but_the_payload_stays(
    api: Api, end: str, status: str
) -> None:
    """Row, status, attempts; who deleted it and when. A retry is cancelled."""
    endpoint_id = await api.endpoint(paused=end == "held")
    if end == "held":
        message_id = await sent(api, endpoint_id)
    else:
        message_id = await ended(api, endpoint_id, end)
    attempts = (await api.get(f"/v1/messages/{message_id}/attempts")).data
    deleted_at = (await delete(api, message_id)).data["deleted_at"]
    payload = await api.get(f"/v1/messages/{message_id}/payload")
    assert payload.refusal == (410, "PAYLOAD_UNAVAILABLE")
    found = await message(api, message_id)
    [key] = (await api.get("/v1/api-keys")).data
    assert (found["status"], found["deleted_at"]) == (status, deleted_at)
    assert found["deleted_by_api_key_id"] == key["key_id"]
    assert "next_attempt_at" not in found
    assert (await api.get(f"/v1/messages/{message_id}/attempts")).data == attempts
    [entry] = (await api.get("/v1/logs")).data
    assert (entry["message_id"], entry["deleted_at"]) == (message_id, deleted_at)
    counts = (await api.get(f"/v1/endpoints/{endpoint_id}")).data["counts"]
    assert set(counts.values()) == {0}
    assert api.stored("payloads") == 0


async def test_a_deleted_message_is_not_acted_upon(api: Api) -> None:
    """Its replay has no payload; it waits on nothing; it is in no DLQ."""
    message_id = await ended(api, await api.endpoint(paused=False), "slow")
    await delete(api, message_id)
    assert (await act(api, message_id, "replay")).refusal == (410, "PAYLOAD_UNAVAILABLE")
    for action in ("retry-now", "cancel"):
        answer = await act(api, message_id, action)
        assert answer.refusal == (400, "INVALID_STATUS")
        assert answer.error["details"] == {"current": "failed_permanent"}
    dead = await api.post(f"/v1/dlq/replay/{message_id}")
    assert dead.refusal == (400, "INVALID_REQUEST")


async def test_a_delete_frees_the_idempotency_key(api: Api) -> None:
    """The next send with it is a message of its own, even with another payload."""
    endpoint_id = await api.endpoint()
    first = await sent(api, endpoint_id, idempotency_key="key")
    assert await sent(api, endpoint_id, idempotency_key="key") == first
    await delete(api, first)
    second = await sent(api, endpoint_id, idempotency_key="key", payload=2)
    assert second != first
    assert await sent(api, endpoint_id, idempotency_key="key", payload=2) == second
    assert (await message(api, first))["idempotency_key"] == "key"
    await delete(api, first)
    again = await api.send(endpoint_id=endpoint_id, payload=1, idempotency_key="key")
    assert again.refusal == (409, "IDEMPOTENCY_MISMATCH")


async def test_a_message_deleted_in_flight_ends_as_its_attempt_does(api: Api) -> None:
    """The payload is gone at once; it reads `delivering` until the attempt is recorded."""
    ends: dict[int, dict[str, Any]] = {}
    for status in (200, 503, 404):
        message_id = await in_flight(api, await api.endpoint(paused=False))
        assert (await delete(api, message_id)).data["already_deleted"] is False
        assert (await api.get(f"/v1/messages/{message_id}/payload")).status == 410
        assert (await message(api, message_id))["status"] == "delivering"
        assert (await act(api, message_id, "replay")).refusal == (409, "DELIVERY_IN_PROGRESS")
        api.receiver.status = status
        api.receiver.answers.set()
        ends[status] = await attempted(api, message_id)
    assert [found["status"] for found in ends.values()] == [
        "succeeded",
        "failed_permanent",
        "failed_permanent",
    ]
    for status, found in ends.items():
        assert "deleted_at" in found
        assert "next_attempt_at" not in found
        assert found["response_status"] == status
        counts = (await api.get(f"/v1/endpoints/{found['endpoint_id']}")).data["counts"]
        assert set(counts.values()) == {0}
