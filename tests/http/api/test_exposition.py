"""`/metrics` of a whole server."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from .harness import Api, running_api

WAIT_S = 20


async def samples(api: Api) -> dict[str, float]:
    """Scrape as a stranger; return the samples by name and labels."""
    api.clock.ahead_s += 2  # past what is kept
    answer = await api.get("/metrics", key="")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        each.name + "".join(f"{{{k}={v}}}" for k, v in sorted(each.labels.items())): each.value
        for family in text_string_to_metric_families(answer.body.decode())
        for each in family.samples
    }


async def eventually(api: Api, name: str, wanted: float) -> dict[str, float]:
    """Scrape until a sample has a value: what follows an answer is recorded a moment later."""
    async with asyncio.timeout(WAIT_S):
        while (seen := await samples(api)).get(name) != wanted:
            pass
    return seen


async def test_a_delivery_is_seen_from_acceptance_to_its_end(api: Api) -> None:
    """Accepted, attempted, delivered, committed, asked for: each counted once."""
    endpoint = await api.endpoint(paused=False)
    await api.send(endpoint_id=endpoint, payload={"n": 1})
    await api.receiver.received(1)
    seen = await eventually(
        api, "sluicegate_attempts_total{outcome=answered_2xx}{result=succeeded}", 1
    )
    assert seen["sluicegate_messages_accepted_total"] == 1
    assert seen["sluicegate_attempt_duration_seconds_count"] == 1
    assert seen["sluicegate_attempt_duration_seconds_sum"] == 0.0047
    assert seen["sluicegate_delivery_duration_seconds_count"] == 1
    assert seen["sluicegate_slots{pool=prompt}"] == 512
    assert seen["sluicegate_slots_held{pool=late}"] == 0
    assert seen["sluicegate_commit_messages_sum"] == 1
    assert seen["sluicegate_commit_writes_sum"] >= 3  # the endpoint, the message, the attempt
    assert seen["sluicegate_commit_duration_seconds_count"] == api.storage.commits
    route = "{method=POST}{route=/v1/webhooks/send}"
    assert seen[f"sluicegate_http_requests_total{route}{{status_class=2xx}}"] == 1
    assert seen["sluicegate_endpoints{state=active}"] == 1
    assert seen["sluicegate_scrape_error"] == 0


async def test_a_repeated_message_is_accepted_once(api: Api) -> None:
    """The same idempotency key is the same message."""
    endpoint = await api.endpoint()
    for _ in range(3):
        await api.send(endpoint_id=endpoint, payload=1, idempotency_key="k")
    seen = await samples(api)
    assert seen["sluicegate_messages_accepted_total"] == 1
    assert seen["sluicegate_messages{status=paused}"] == 1
    assert seen["sluicegate_endpoints{state=paused_manual}"] == 1


async def test_a_refused_address_is_counted_where_it_was_refused(api: Api) -> None:
    """An endpoint that leads inside is somebody's attempt to get there."""
    refused = await api.post("/v1/endpoints", json={"url": "https://metadata.example/latest"})
    assert refused.refusal == (400, "ENDPOINT_BLOCKED")
    seen = await samples(api)
    assert seen["sluicegate_addresses_refused_total{use=endpoint}"] == 1
    assert seen["sluicegate_addresses_refused_total{use=connect}"] == 0


async def test_a_circuit_that_opens_and_closes_is_counted(tmp_path: Path) -> None:
    """By the failure that opens it, and the success that closes it."""
    async with running_api(tmp_path, circuit_failures=2, retry_slow_s=(0.01,)) as api:
        api.receiver.status = 500
        endpoint = await api.endpoint(paused=False)
        await api.send(endpoint_id=endpoint, payload=1)
        await api.receiver.received(2)
        await eventually(api, "sluicegate_circuit_changes_total{change=opened}", 1)
        api.receiver.status = 200
        seen = await eventually(api, "sluicegate_circuit_changes_total{change=closed}", 1)
        assert seen["sluicegate_circuit_changes_total{change=opened}"] == 1
        assert seen["sluicegate_attempts_total{outcome=answered_5xx}{result=retry}"] >= 2


async def test_paths_that_do_not_exist_are_one_series(api: Api) -> None:
    """Strangers cannot fill the memory of whoever scrapes."""
    for path in ("/a", "/b", "/v1/nothing"):
        assert (await api.get(path)).status == 404
    seen = await samples(api)
    name = "sluicegate_http_requests_total{method=GET}{route=none}{status_class=4xx}"
    assert seen[name] == 3


async def test_a_scrape_of_a_full_storage_names_nobody(api: Api) -> None:
    """No endpoint, message, project, URL or key is in it."""
    endpoint = await api.endpoint()
    sent = await api.send(endpoint_id=endpoint, payload={"secret": "payload-text"})
    text = (await api.get("/metrics", key="")).body.decode()
    for each in (endpoint, sent.data["message_id"], "public.example", "payload-text", api.key[:16]):
        assert each not in text


async def test_a_setting_switches_it_off(tmp_path: Path) -> None:
    """Then it is a path like any other that does not exist, and nothing is counted."""
    async with running_api(tmp_path, metrics=False) as api:
        assert (await api.get("/metrics", key="")).refusal == (404, "NOT_FOUND")
        assert api.engine.exposition is None


async def test_two_engines_in_one_process_count_apart(tmp_path: Path) -> None:
    """And neither touches the process's own registry."""
    (tmp_path / "other").mkdir()
    async with running_api(tmp_path) as one, running_api(tmp_path / "other") as other:
        await one.send(endpoint_id=await one.endpoint(), payload=1)
        name = "sluicegate_messages_accepted_total"
        assert [(await samples(each))[name] for each in (one, other)] == [1, 0]
    assert not [each.name for each in REGISTRY.collect() if "sluicegate" in each.name]


async def test_it_answers_while_storage_does_not(api: Api) -> None:
    """When the storage is closed, what was counted is still told."""
    await api.storage.close()
    seen = await samples(api)
    assert seen["sluicegate_scrape_error"] == 1
    assert "sluicegate_messages_accepted_total" in seen


async def test_failures_of_storage_are_counted(api: Api) -> None:
    """A file that cannot be read is seen by whoever watches, not only by whoever asked."""
    read: Callable[..., Awaitable[None]] = api.storage._read.read  # noqa: SLF001 - the real one

    def query(db: sqlite3.Connection) -> None:
        db.execute("SELECT * FROM no_such_table")

    answer = await asyncio.gather(read(query), return_exceptions=True)
    assert type(answer[0]).__name__ == "UnavailableError"
    assert (await samples(api))["sluicegate_storage_failures_total{kind=read}"] == 1
