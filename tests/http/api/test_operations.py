"""Contract section 6 over HTTP: replay, retry-now and cancel of one message."""

import pytest

from .harness import Api
from .lives import (
    UNKNOWN,
    act,
    attempted,
    delete,
    ended,
    in_flight,
    message,
    pause,
    remove,
    sent,
    spoken,
)

ACTIONS = ("replay", "retry-now", "cancel")
MALFORMED = ["nonsense", "%00", "%ff", UNKNOWN.upper(), UNKNOWN + "0", "a%2Fb", "'--", "a}"]


def invalid(wanted: str, current: str) -> tuple[int, dict[str, object]]:
    """Return how an action is refused that the message's status does not allow."""
    return 400, {
        "code": "INVALID_STATUS",
        "message": f"Message is not in {wanted} status (current: {current})",
        "details": {"current": current},
    }


async def refused(api: Api, message_id: str, action: str) -> tuple[int, dict[str, object]]:
    """Return how an action is refused."""
    answer = await act(api, message_id, action)
    return answer.status, answer.error


# -- who is asked about ---------------------------------------------------------------------------


@pytest.mark.parametrize("message_id", [UNKNOWN, *MALFORMED])
async def test_an_unknown_message_is_not_found(api: Api, message_id: str) -> None:
    """Whatever is no message of this project, for every action."""
    answers = [await act(api, message_id, action) for action in ACTIONS]
    answers += [
        await delete(api, message_id),
        await api.post(f"/v1/dlq/replay/{message_id}"),
    ]
    for answer in answers:
        assert answer.refusal == (404, "NOT_FOUND")
        assert answer.error["message"] == "Message not found"


async def test_another_projects_message_is_an_unknown_one(api: Api) -> None:
    """The very same answer, for every action; and nothing happens to the message."""
    message_id = await ended(api, await api.endpoint(paused=False), "slow")
    before = await message(api, message_id)
    other = await api.other_project()
    for asked in (message_id, UNKNOWN):
        answers = [await act(api, asked, action, key=other) for action in ACTIONS]
        answers += [
            await delete(api, asked, key=other),
            await api.post(f"/v1/dlq/replay/{asked}", key=other),
        ]
        for answer in answers:
            assert answer.refusal == (404, "NOT_FOUND")
            assert answer.error == {"code": "NOT_FOUND", "message": "Message not found"}
    assert await message(api, message_id) == before


@pytest.mark.parametrize("body", [None, b"", b"{}", b"nonsense", b'{"limit": 1}'])
async def test_no_body_is_needed(api: Api, body: bytes | None) -> None:
    """Clients send `Content-Type: application/json` with an empty one."""
    json_type = {"Content-Type": "application/json"}
    failed = await ended(api, await api.endpoint(paused=False), "failed_permanent")
    slow = await ended(api, await api.endpoint(paused=False), "slow")
    assert (await act(api, failed, "replay", body=body, headers=json_type)).status == 202
    for action in ("retry-now", "cancel"):
        await attempted(api, slow)
        assert (await act(api, slow, action, body=body, headers=json_type)).status == 200
        slow = await ended(api, await api.endpoint(paused=False), "slow")
    assert (await delete(api, slow, body=body, headers=json_type)).status == 200


async def test_the_actions_have_their_methods(api: Api) -> None:
    """A GET changes nothing."""
    message_id = await sent(api, await api.endpoint())
    for action in ACTIONS:
        answer = await api.get(f"/v1/messages/{message_id}/{action}")
        assert answer.refusal == (405, "METHOD_NOT_ALLOWED")
    assert (await api.get(f"/v1/dlq/replay/{message_id}")).status == 405
    assert (await api.post("/v1/dlq/messages")).status == 405


# -- replay ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["succeeded", "failed_permanent", "slow"])
async def test_a_replay_begins_a_new_cycle(api: Api, end: str) -> None:
    """Of what succeeded, failed, or waits on a slow retry. Attempts stay and go on counting."""
    message_id = await ended(api, await api.endpoint(paused=False), end)
    api.receiver.status = 200
    answer = spoken(await act(api, message_id, "replay"))
    queued = {"message_id": message_id, "status": "queued"}
    assert answer == (202, "Message queued for replay", queued)
    found = await attempted(api, message_id, 2)
    assert (found["status"], found["replay_count"]) == ("succeeded", 1)
    assert "last_error" not in found
    assert "next_attempt_at" not in found
    attempts = (await api.get(f"/v1/messages/{message_id}/attempts")).data
    assert [attempt["attempt_no"] for attempt in attempts] == [1, 2]
    numbers = [dict(request.headers)["X-Webhook-Attempt"] for request in api.receiver.requests]
    assert numbers == ["1", "2"]
    assert len({request.body for request in api.receiver.requests}) == 1


async def test_a_replayed_message_has_all_its_attempts_again(api: Api) -> None:
    """A cycle that was used up counts anew: its first failure is repeated."""
    endpoint_id = await api.endpoint(paused=False)
    message_id = await ended(api, endpoint_id, "failed_permanent")
    api.receiver.status = 503
    for cycle in range(1, 4):
        assert (await act(api, message_id, "replay")).status == 202
        found = await attempted(api, message_id, cycle + 1)
        assert (found["status"], found["attempt_count"]) == ("pending_retry", cycle + 1)
        attempts = (await api.get(f"/v1/messages/{message_id}/attempts")).data
        assert attempts[-1]["retry_type"] == "slow"
    counts = (await api.get(f"/v1/endpoints/{endpoint_id}")).data["counts"]
    assert (counts["pending_retry"], counts["failed_permanent"]) == (1, 0)


async def test_a_message_in_flight_is_not_replayed(api: Api) -> None:
    """409; and its attempt ends as it would have."""
    message_id = await in_flight(api, await api.endpoint(paused=False))
    assert await refused(api, message_id, "replay") == (
        409,
        {"code": "DELIVERY_IN_PROGRESS", "message": "Message is being delivered"},
    )
    api.receiver.answers.set()
    found = await attempted(api, message_id)
    assert (found["status"], found["replay_count"]) == ("succeeded", 0)


async def test_a_message_in_a_fast_retry_is_not_replayed(api: Api) -> None:
    """409; the retry stays as it was."""
    message_id = await ended(api, await api.endpoint(paused=False), "fast")
    before = await message(api, message_id)
    assert await refused(api, message_id, "replay") == (
        409,
        {"code": "RETRY_IN_PROGRESS", "message": "Message is in an active fast retry"},
    )
    assert await message(api, message_id) == before


async def test_a_queued_message_is_not_replayed(api: Api) -> None:
    """Its cycle has not begun; held or not."""
    message_id = await sent(api, await api.endpoint())
    assert await refused(api, message_id, "replay") == invalid("a replayable", "paused")
    assert (await message(api, message_id))["replay_count"] == 0


async def test_a_message_is_replayed_ten_times(api: Api) -> None:
    """The eleventh is 429 with `Retry-After`; from the DLQ it still works, and is not counted."""
    endpoint_id = await api.endpoint(paused=False)
    message_id = await ended(api, endpoint_id, "failed_permanent")
    for count in range(1, 11):
        assert (await act(api, message_id, "replay")).status == 202
        assert (await attempted(api, message_id, count + 1))["replay_count"] == count
    answer = await act(api, message_id, "replay")
    assert answer.refusal == (429, "REPLAY_LIMIT_EXCEEDED")
    assert answer.error["details"] == {"maximum": 10}
    assert int(answer.headers["Retry-After"]) > 0
    assert (await message(api, message_id))["replay_count"] == 10
    assert (await api.post(f"/v1/dlq/replay/{message_id}")).status == 200
    assert (await attempted(api, message_id, 12))["replay_count"] == 10


async def test_what_has_no_payload_is_not_replayed(api: Api) -> None:
    """410: removed once delivered, or deleted; each with its own code."""
    endpoint_id = await api.endpoint(paused=False)
    expired = await ended(api, endpoint_id, "succeeded", retention_hours=0)
    gone = await ended(api, endpoint_id, "succeeded")
    await delete(api, gone)
    assert (await act(api, expired, "replay")).refusal == (410, "RETENTION_EXPIRED")
    assert (await act(api, gone, "replay")).refusal == (410, "PAYLOAD_UNAVAILABLE")
    for message_id in (expired, gone):
        assert (await message(api, message_id))["status"] == "succeeded"


async def test_a_message_that_is_kept_until_delivered_can_be_replayed_until_then(api: Api) -> None:
    """`retention_hours: 0`: the payload of a failed one is still there."""
    endpoint_id = await api.endpoint(paused=False)
    message_id = await ended(api, endpoint_id, "failed_permanent", retention_hours=0)
    api.receiver.status = 200
    assert (await act(api, message_id, "replay")).status == 202
    assert (await attempted(api, message_id, 2))["status"] == "succeeded"
    assert (await api.get(f"/v1/messages/{message_id}/payload")).status == 410


# -- retry now ------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["slow", "fast"])
async def test_a_retry_can_be_had_now(api: Api, end: str) -> None:
    """Due at once, in the same cycle: no replay is counted."""
    message_id = await ended(api, await api.endpoint(paused=False), end)
    api.receiver.status = 200
    answer = spoken(await act(api, message_id, "retry-now"))
    waits = {"message_id": message_id, "status": "pending_retry"}
    assert answer == (200, "Retry scheduled for immediate pickup", waits)
    found = await attempted(api, message_id, 2)
    assert (found["status"], found["replay_count"]) == ("succeeded", 0)


@pytest.mark.parametrize("action", ["retry-now", "cancel"])
async def test_only_a_waiting_retry_is_hastened_or_cancelled(api: Api, action: str) -> None:
    """Anything else is 400 and says what the status is; nothing changes."""
    endpoint_id = await api.endpoint(paused=False)
    found = {
        "succeeded": await ended(api, endpoint_id, "succeeded"),
        "failed_permanent": await ended(api, endpoint_id, "failed_permanent"),
        "paused": await sent(api, await api.endpoint()),
        "delivering": await in_flight(api, await api.endpoint(paused=False)),
    }
    for status, message_id in found.items():
        before = await message(api, message_id)
        assert await refused(api, message_id, action) == invalid("pending_retry", status)
        assert await message(api, message_id) == before


async def test_a_retry_in_flight_is_neither_hastened_nor_cancelled(api: Api) -> None:
    """It reads `delivering`, though its row waits on a retry."""
    message_id = await ended(api, await api.endpoint(paused=False), "slow")
    api.receiver.answers.clear()
    await act(api, message_id, "retry-now")
    await api.receiver.received(2)
    for action in ("retry-now", "cancel"):
        answer = await refused(api, message_id, action)
        assert answer == invalid("pending_retry", "delivering")
    assert (await act(api, message_id, "replay")).refusal == (409, "DELIVERY_IN_PROGRESS")


# -- cancel ---------------------------------------------------------------------------------------


async def test_a_retry_is_cancelled(api: Api) -> None:
    """It has failed then, is in the DLQ, and can be replayed."""
    endpoint_id = await api.endpoint(paused=False)
    message_id = await ended(api, endpoint_id, "fast")
    answer = await act(api, message_id, "cancel")
    assert (answer.status, answer.data) == (
        200,
        {"message_id": message_id, "status": "failed_permanent"},
    )
    found = await message(api, message_id)
    assert (found["status"], found["last_error"]) == ("failed_permanent", "retry cancelled")
    assert "next_attempt_at" not in found
    [letter] = (await api.get("/v1/dlq/messages")).data["messages"]
    assert letter["message_id"] == message_id
    counts = (await api.get(f"/v1/endpoints/{endpoint_id}")).data["counts"]
    assert (counts["pending_retry"], counts["failed_permanent"]) == (0, 1)
    assert await refused(api, message_id, "cancel") == invalid("pending_retry", "failed_permanent")
    api.receiver.status = 200
    assert (await act(api, message_id, "replay")).status == 202
    assert (await attempted(api, message_id, 2))["status"] == "succeeded"


# -- while paused ---------------------------------------------------------------------------------


async def test_on_a_paused_endpoint_all_succeed_and_nothing_is_sent(api: Api) -> None:
    """Contract section 5, rule 6: what is replayed or hastened is held until the resume."""
    endpoint_id = await api.endpoint(paused=False)
    done = await ended(api, endpoint_id, "succeeded")
    failed = await ended(api, endpoint_id, "failed_permanent")
    slow = await ended(api, endpoint_id, "slow")
    fast = await ended(api, endpoint_id, "fast")
    dropped = await ended(api, endpoint_id, "slow")
    await pause(api, endpoint_id)
    for message_id in (done, failed):
        assert spoken(await act(api, message_id, "replay"))[2]["status"] == "queued"
    for message_id in (slow, fast):
        assert spoken(await act(api, message_id, "retry-now"))[2]["status"] == "pending_retry"
    assert (await act(api, dropped, "cancel")).data["status"] == "failed_permanent"
    for message_id in (done, failed, slow, fast):
        assert (await message(api, message_id))["status"] == "paused"
    assert len(api.receiver.requests) == 5
    api.receiver.status = 200
    resumed = await api.post(f"/v1/endpoints/{endpoint_id}/resume")
    assert resumed.data["messages_requeued"] == 4
    for message_id in (done, failed, slow, fast):
        assert (await attempted(api, message_id, 2))["status"] == "succeeded"
    assert (await message(api, dropped))["attempt_count"] == 1


async def test_a_held_retry_can_be_replayed(api: Api) -> None:
    """A fast retry is in progress only while its endpoint is not paused."""
    endpoint_id = await api.endpoint(paused=False)
    message_id = await ended(api, endpoint_id, "fast")
    await pause(api, endpoint_id)
    assert (await act(api, message_id, "replay")).status == 202
    found = await message(api, message_id)
    assert (found["status"], found["replay_count"], found["attempt_count"]) == ("paused", 1, 1)
    assert await refused(api, message_id, "cancel") == invalid("pending_retry", "paused")


# -- messages of a deleted endpoint ---------------------------------------------------------------


async def test_messages_outlive_their_endpoint_and_are_not_sent_any_more(api: Api) -> None:
    """They can be deleted; a replay is 404, a retry or its cancelling 400."""
    endpoint_id = await api.endpoint(paused=False)
    done = await ended(api, endpoint_id, "succeeded")
    slow = await ended(api, endpoint_id, "slow")
    held = await sent(api, await api.endpoint())
    await remove(api, endpoint_id)
    await remove(api, (await message(api, held))["endpoint_id"])
    for message_id in (done, slow, held):
        assert (await act(api, message_id, "replay")).refusal == (404, "ENDPOINT_NOT_FOUND")
    for message_id in (slow, held):
        dead = await api.post(f"/v1/dlq/replay/{message_id}")
        assert dead.refusal == (404, "ENDPOINT_NOT_FOUND")
        for action in ("retry-now", "cancel"):
            answer = await refused(api, message_id, action)
            assert answer == invalid("pending_retry", "failed_permanent")
    for message_id in (done, slow, held):
        assert (await delete(api, message_id)).data["already_deleted"] is False
        assert (await delete(api, message_id)).data["already_deleted"] is True
        assert (await api.get(f"/v1/messages/{message_id}/payload")).status == 410
