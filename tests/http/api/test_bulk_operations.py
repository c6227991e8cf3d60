"""Contract section 6 over HTTP: replays of many messages, and the batches of ids."""

import pytest

from .harness import Api
from .lives import UNKNOWN, act, attempted, delete, ended, message, one_of_each, pause, sent, spoken

REPLAY_ALL = "/v1/messages/replay-all"
REPLAY_BATCH = "/v1/messages/replay-batch"
DELETE_ALL = "/v1/messages/delete-all"
DELETE_BATCH = "/v1/messages/delete-batch"


# -- replay-all -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "sentence"),
    [
        (0, "0 messages queued for replay"),
        (1, "1 message queued for replay"),
        (3, "3 messages queued for replay"),
    ],
)
async def test_failed_messages_are_replayed_by_status(api: Api, count: int, sentence: str) -> None:
    """The oldest first; the sentence counts them. Once more finds none: they are not failed."""
    endpoint_id = await api.endpoint(paused=False)
    ids = [await ended(api, endpoint_id, "failed_permanent") for _ in range(count)]
    await ended(api, endpoint_id, "succeeded")
    await pause(api, endpoint_id)
    answer = spoken(await api.post(f"{REPLAY_ALL}?status=failed_permanent"))
    assert answer == (
        200,
        sentence,
        {
            "replayed": count,
            "failed": 0,
            "stuck": 0,
            "replayed_message_ids": ids,
            "stuck_message_ids": [],
        },
    )
    for message_id in ids:
        found = await message(api, message_id)
        assert (found["status"], found["replay_count"]) == ("paused", 1)
    again = spoken(await api.post(f"{REPLAY_ALL}?status=failed_permanent"))
    assert again[1] == "0 messages queued for replay"


async def test_slow_retries_are_replayed_by_status(api: Api) -> None:
    """What waits on a fast retry, is held or in flight is passed over."""
    found = await one_of_each(api)
    held = await ended_and_held(api)
    retrying = await hanging_retry(api)
    _, sentence, data = spoken(await api.post(f"{REPLAY_ALL}?status=pending_retry"))
    assert sentence == "1 message queued for replay"
    assert data["replayed_message_ids"] == [found["slow"]]
    assert (data["failed"], data["stuck"], data["stuck_message_ids"]) == (0, 0, [])
    for message_id in (held, retrying, *found.values()):
        replayed = message_id == found["slow"]
        assert (await message(api, message_id))["replay_count"] == replayed


async def ended_and_held(api: Api) -> str:
    """Return a message that waits on a slow retry, held."""
    api.receiver.answers.set()
    endpoint_id = await api.endpoint(paused=False)
    message_id = await ended(api, endpoint_id, "slow")
    await pause(api, endpoint_id)
    return message_id


async def hanging_retry(api: Api) -> str:
    """Return a message whose second attempt hangs; so does every later one."""
    api.receiver.answers.set()
    message_id = await ended(api, await api.endpoint(paused=False), "slow")
    before = len(api.receiver.requests)
    api.receiver.answers.clear()
    await act(api, message_id, "retry-now")
    await api.receiver.received(before + 1)
    return message_id


async def test_a_replay_by_status_keeps_to_its_endpoint_and_its_limit(api: Api) -> None:
    """An unknown endpoint has no messages; so has another project's."""
    endpoint_id, other_id = await api.endpoint(paused=False), await api.endpoint(paused=False)
    ids = [await ended(api, endpoint_id, "failed_permanent") for _ in range(3)]
    elsewhere = await ended(api, other_id, "failed_permanent")
    await pause(api, endpoint_id)
    failed = f"{REPLAY_ALL}?status=failed_permanent"
    other = await api.other_project()
    for query, key in (
        (f"&endpoint_id=ep_{'0' * 32}", None),
        (f"&endpoint_id={endpoint_id}", other),
    ):
        assert spoken(await api.post(failed + query, key=key))[2]["replayed"] == 0
    assert spoken(await api.post(failed, key=other))[2]["replayed"] == 0
    for limit, replayed in ((2, ids[:2]), (2, ids[2:]), (1000, [])):
        query = f"&endpoint_id={endpoint_id}&limit={limit}"
        _, _, data = spoken(await api.post(failed + query))
        assert data["replayed_message_ids"] == replayed
    assert (await message(api, elsewhere))["replay_count"] == 0


async def test_what_cannot_be_replayed_is_passed_over(api: Api) -> None:
    """Else it would be found again and again, before what can be."""
    endpoint_id = await api.endpoint(paused=False)
    worn = await ended(api, endpoint_id, "failed_permanent")
    for count in range(10):
        await act(api, worn, "replay")
        await attempted(api, worn, count + 2)
    gone = await ended(api, endpoint_id, "failed_permanent")
    await delete(api, gone)
    good = await ended(api, endpoint_id, "failed_permanent")
    _, _, data = spoken(await api.post(f"{REPLAY_ALL}?status=failed_permanent&limit=1"))
    assert data["replayed_message_ids"] == [good]
    assert (data["failed"], data["stuck"]) == (0, 0)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?status=",
        "?status=succeeded",
        "?status=paused",
        "?status=queued",
        "?status=FAILED_PERMANENT",
        "?status=failed_permanent,pending_retry",
        "?status=failed_permanent&status=failed_permanent",
        "?limit=0&status=pending_retry",
        "?limit=1001&status=pending_retry",
        "?limit=-1&status=pending_retry",
        "?limit=1.0&status=pending_retry",
        "?limit=&status=pending_retry",
        "?limit=x&status=pending_retry",
        "?limit=99999999999999999999&status=pending_retry",
        "?limit=1&limit=2&status=pending_retry",
        "?endpoint_id=&status=pending_retry",
        "?endpoint_id=ep_1&status=pending_retry",
        "?endpoint_id=%00&status=pending_retry",
        "?endpoint_id=ep_1&endpoint_id=ep_1&status=pending_retry",
    ],
)
async def test_a_bad_replay_by_status_is_refused(api: Api, query: str) -> None:
    """400, and the parameter is named; nothing is replayed."""
    message_id = await ended(api, await api.endpoint(paused=False), "failed_permanent")
    answer = await api.post(REPLAY_ALL + query)
    assert answer.refusal == (400, "INVALID_REQUEST")
    field = query.removeprefix("?").partition("=")[0] or "status"
    assert field in answer.error["message"]
    assert answer.error["details"]["field"] == field
    assert (await message(api, message_id))["replay_count"] == 0


# -- replay-batch ---------------------------------------------------------------------------------


async def test_each_of_a_batch_is_replayed_or_told_why_not(api: Api) -> None:
    """In order, each once; the sentence counts those that are replayed."""
    found = await one_of_each(api)
    asked = [UNKNOWN, *found.values(), "nonsense", found["slow"]]
    answer = await api.post(REPLAY_BATCH, json={"message_ids": asked})
    status, sentence, data = spoken(answer)
    assert (status, sentence) == (200, "3 messages queued for replay")
    assert (data["replayed"], data["failed"], data["stuck"]) == (3, 3, 2)
    assert [result["message_id"] for result in data["results"]] == asked[:-1]
    told = {result.pop("message_id"): result for result in data["results"]}
    for name in ("succeeded", "failed_permanent", "slow"):
        assert told[found[name]] == {"status": "replayed"}
    assert told[found["fast"]] == {
        "status": "stuck",
        "error": "RETRY_IN_PROGRESS: Message is in an active fast retry",
    }
    assert told[found["delivering"]] == {
        "status": "stuck",
        "error": "DELIVERY_IN_PROGRESS: Message is being delivered",
    }
    assert told[found["paused"]] == {
        "status": "failed",
        "error": "INVALID_STATUS: Message is not in a replayable status (current: paused)",
    }
    unknown = {"status": "failed", "error": "NOT_FOUND: Message not found"}
    assert told[UNKNOWN] == told["nonsense"] == unknown


async def test_another_projects_messages_are_unknown_to_a_batch(api: Api) -> None:
    """Neither replayed nor deleted, and told exactly as unknown ones are."""
    message_id = await ended(api, await api.endpoint(paused=False), "failed_permanent")
    before = await message(api, message_id)
    other = await api.other_project()
    replayed = await api.post(REPLAY_BATCH, json={"message_ids": [message_id, UNKNOWN]}, key=other)
    one, two = spoken(replayed)[2]["results"]
    assert {**one, "message_id": UNKNOWN} == two
    deleted = await api.post(DELETE_BATCH, json={"message_ids": [message_id, UNKNOWN]}, key=other)
    one, two = deleted.data["results"]
    assert {**one, "message_id": UNKNOWN} == two == {"message_id": UNKNOWN, "outcome": "not_found"}
    assert (await api.post(DELETE_ALL, key=other)).data["deleted"] == 0
    assert await message(api, message_id) == before


BAD_BODIES: dict[str, bytes] = {
    "nothing": b"",
    "no object": b"[]",
    "no ids": b"{}",
    "no list": b'{"message_ids": "abc"}',
    "null": b'{"message_ids": null}',
    "an object": b'{"message_ids": {}}',
    "none": b'{"message_ids": []}',
    "numbers": b'{"message_ids": [1]}',
    "a null": b'{"message_ids": [null]}',
    "lists": b'{"message_ids": [["a"]]}',
    "too many": b'{"message_ids": [' + b",".join(b'"a"' for _ in range(101)) + b"]}",
    "one twice": b'{"message_ids": ["a"], "message_ids": ["a"]}',
    "no JSON": b'{"message_ids": ["a"]',
    "no UTF-8": b'{"message_ids": ["\xff"]}',
    "a lone surrogate": b'{"message_ids": ["\\ud800"]}',
    "NaN": b'{"message_ids": NaN}',
    "too long": b'{"message_ids": ["' + b"a" * 65_536 + b'"]}',
}


@pytest.mark.parametrize("path", [REPLAY_BATCH, DELETE_BATCH])
@pytest.mark.parametrize("what", BAD_BODIES)
async def test_a_bad_batch_is_refused(api: Api, path: str, what: str) -> None:
    """400 `INVALID_REQUEST`, before anything is done."""
    answer = await api.post(path, body=BAD_BODIES[what])
    assert answer.refusal == (400, "INVALID_REQUEST")
    if what in {"none", "too many"}:
        assert answer.error == {
            "code": "INVALID_REQUEST",
            "message": "message_ids must be a list of 1 to 100 ids",
            "details": {"field": "message_ids", "minimum": 1, "maximum": 100},
        }


@pytest.mark.parametrize("path", [REPLAY_BATCH, DELETE_BATCH])
async def test_a_batch_of_a_hundred_is_taken(api: Api, path: str) -> None:
    """The limit itself is allowed; unknown fields beside the ids are ignored."""
    ids = [await sent(api, await api.endpoint())]
    ids += [f"{UNKNOWN[:-3]}{number:03}" for number in range(99)]
    answer = await api.post(path, json={"message_ids": ids, "limit": "x"})
    assert answer.status == 200
    assert len(answer.json["data"]["results"]) == 100
