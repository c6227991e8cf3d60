"""Contract section 6 over HTTP: metrics, time series, and billing that bills nobody."""

import asyncio
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hookbridge import client as official

from .harness import WAIT_S, Api

UNKNOWN = "ep_" + "0" * 32


async def delivered(api: Api, endpoint_id: str, count: int, status: int = 200) -> None:
    """Send messages and wait until an attempt of each is counted."""
    api.receiver.status = status
    before = (await api.get("/v1/metrics?window=1h")).data
    for _ in range(count):
        (await api.send(endpoint_id=endpoint_id, payload=1)).data  # noqa: B018 - checks it
    ended = ("succeeded", "failed", "retries")
    async with asyncio.timeout(WAIT_S):
        while True:
            now = (await api.get("/v1/metrics?window=1h")).data
            if sum(now[name] - before[name] for name in ended) == count:
                return


async def test_metrics_tell_what_was_sent_and_what_came_of_it(api: Api) -> None:
    """With the contract's fields, which the official client reads; by the project's own key."""
    first, second = await api.endpoint(paused=False), await api.endpoint(paused=False)
    await delivered(api, first, 3)
    await delivered(api, second, 1, status=404)
    await delivered(api, second, 2, status=503)
    metrics = (await api.get("/v1/metrics")).data
    assert metrics == {
        "window": "24h",
        "total_messages": 6,
        "succeeded": 3,
        "failed": 1,
        "retries": 2,
        "success_rate": 0.75,
        "avg_latency_ms": 5,
    }
    read = official._parse_metrics(metrics)  # noqa: SLF001 - how the client reads an answer
    assert (read.succeeded, type(read.avg_latency_ms)) == (3, int)
    of_one = (await api.get(f"/v1/metrics?window=7d&endpoint_id={first}")).data
    assert (of_one["total_messages"], of_one["success_rate"]) == (3, 1.0)
    other = await api.other_project()
    foreign = await api.get(f"/v1/metrics?endpoint_id={first}", key=other)
    assert foreign.data["total_messages"] == 0
    assert (await api.get("/v1/metrics", key=other)).data["total_messages"] == 0


@pytest.mark.parametrize(("window", "count"), [("1h", 60), ("24h", 96), ("7d", 168), ("30d", 120)])
async def test_a_time_series_is_read_by_the_official_client(
    api: Api, window: str, count: int
) -> None:
    """Every bucket, the oldest first; their sums are the metrics."""
    endpoint_id = await api.endpoint(paused=False)
    await delivered(api, endpoint_id, 2)
    await delivered(api, endpoint_id, 1, status=500)
    for suffix in ("", f"&endpoint_id={endpoint_id}"):
        data = (await api.get(f"/v1/metrics/timeseries?window={window}{suffix}")).data
        assert set(data) == {"window", "buckets"}
        assert set(data["buckets"][0]) == {
            "timestamp",
            "total",
            "succeeded",
            "failed",
            "retrying",
            "avg_latency_ms",
        }
        series = official._parse_timeseries(data)  # noqa: SLF001 - as above
        assert (series.window, len(series.buckets)) == (window, count)
        stamps = [bucket.timestamp for bucket in series.buckets]
        assert stamps == sorted(set(stamps))
        metrics = (await api.get(f"/v1/metrics?window={window}{suffix}")).data
        assert sum(bucket.total for bucket in series.buckets) == metrics["total_messages"] == 3
        assert sum(bucket.succeeded for bucket in series.buckets) == metrics["succeeded"] == 2
        assert sum(bucket.failed for bucket in series.buckets) == metrics["failed"] == 0
        assert sum(bucket.retrying for bucket in series.buckets) == metrics["retries"] == 1


PATHS = ["/v1/metrics", "/v1/metrics/timeseries"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("window", ["", "2h", "1H", "24", "1h%20", "%00", "%ff", "30d,1h"])
async def test_a_bad_window_is_refused_with_those_that_exist(
    api: Api, path: str, window: str
) -> None:
    """400, and a program can read what is allowed."""
    answer = await api.get(f"{path}?window={window}")
    assert answer.refusal == (400, "INVALID_REQUEST")
    assert answer.error["details"]["allowed"] == ["1h", "24h", "7d", "30d"]
    assert answer.error["details"]["field"] == "window"


@pytest.mark.parametrize("path", PATHS)
async def test_an_endpoint_that_is_none_is_empty_or_refused(api: Api, path: str) -> None:
    """As in the log: an unknown one has nothing, a malformed one is an error."""
    assert (await api.get(f"{path}?endpoint_id={UNKNOWN}")).status == 200
    assert (await api.get(f"/v1/logs?endpoint_id={UNKNOWN}")).status == 200
    for malformed in ("", "ep_1", UNKNOWN.upper(), UNKNOWN + "0", "%00", "x'--"):
        answer = await api.get(f"{path}?endpoint_id={malformed}")
        assert answer.refusal == (400, "INVALID_REQUEST")
        assert answer.error["details"] == {"field": "endpoint_id"}
    twice = await api.get(f"{path}?window=1h&window=1h")
    assert twice.refusal == (400, "INVALID_REQUEST")


@pytest.mark.parametrize(
    "path",
    [*PATHS, *(f"/v1/billing/{name}" for name in ("subscription", "usage-history", "invoices"))],
)
async def test_a_key_is_needed(api: Api, path: str) -> None:
    """And a body is not."""
    assert (await api.get(path, key="")).refusal == (401, "UNAUTHORIZED")
    answer = await api.get(path, headers={"Content-Type": "application/json"}, body=b"")
    assert answer.status == 200


async def test_the_subscription_is_that_of_a_server_of_ones_own(api: Api) -> None:
    """True usage, real limits, and what has no limit as large as JSON can say it exactly."""
    endpoint_id = await api.endpoint()
    for _ in range(3):
        await api.send(endpoint_id=endpoint_id, payload=1)
    data = (await api.get("/v1/billing/subscription")).data
    read = official._parse_subscription(data)  # noqa: SLF001 - as above
    assert (read.plan, read.status, read.limits.plan) == ("self-hosted", "active", "self-hosted")
    assert read.usage.messages_used == 3
    assert read.usage.period_start <= datetime.now(UTC) < read.usage.period_end  # noqa: TID251
    assert (read.limits.retention_days, read.limits.max_retries) == (90, 7)
    unlimited = 2**53 - 1
    assert read.limits.messages_per_month == unlimited
    assert (read.limits.max_projects, read.limits.max_endpoints) == (unlimited, unlimited)
    assert (read.cancel_at_period_end, read.current_period_end) == (False, read.usage.period_end)
    other = await api.other_project()
    foreign = await api.get("/v1/billing/subscription", key=other)
    assert foreign.data["usage"]["messages_used"] == 0


async def test_usage_is_listed_with_what_the_client_expects_beside_it(api: Api) -> None:
    """`meta` counts pages by number; the envelope's own fields stay."""
    await api.send(endpoint_id=await api.endpoint(), payload=1)
    answer = await api.get("/v1/billing/usage-history")
    assert answer.meta == {
        "request_id": answer.headers["X-Request-Id"],
        "next_cursor": None,
        "has_more": False,
        "total": 1,
        "limit": 12,
        "offset": 0,
    }
    [row] = [official._parse_usage_history_row(item) for item in answer.data]  # noqa: SLF001
    assert (row.message_count, row.overage_count, row.plan_limit) == (1, 0, None)
    assert row.period_start.day == row.period_end.day == 1
    assert isinstance(row.period_end, date)
    empty = await api.get("/v1/billing/usage-history?limit=100&offset=1")
    assert (empty.data, empty.meta["total"], empty.meta["offset"]) == ([], 1, 1)


async def test_there_are_no_invoices(api: Api) -> None:
    """However they are asked for."""
    for query in ("", "?limit=1", "?limit=100&starting_after=in_1"):
        answer = await api.get(f"/v1/billing/invoices{query}")
        assert answer.data == []
        assert (answer.meta["has_more"], answer.meta["next_cursor"]) == (False, None)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        *(("usage-history", f"limit={value}") for value in ("0", "101", "-1", "x", "", "1e1")),
        *(("usage-history", f"offset={value}") for value in ("-1", "1000001", "x", "", "0.5")),
        *(("invoices", f"limit={value}") for value in ("0", "101", "x", "9" * 30)),
        ("invoices", "starting_after=" + "x" * 256),
        ("invoices", "starting_after=a&starting_after=b"),
    ],
)
async def test_a_billing_page_out_of_range_is_refused(api: Api, path: str, field: str) -> None:
    """400; the error names the field."""
    answer = await api.get(f"/v1/billing/{path}?{field}")
    assert answer.refusal == (400, "INVALID_REQUEST")
    assert answer.error["details"]["field"] == field.partition("=")[0]


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_there_is_no_payment_webhook(api: Api, method: str) -> None:
    """Nobody pays: it is a route like any other that does not exist."""
    body: Any = {"type": "invoice.paid"}
    answer = await api.request(method, "/v1/billing/webhook", json=body)
    unknown = await api.request(method, "/v1/nothing", json=body)
    assert answer.refusal == unknown.refusal == (404, "NOT_FOUND")
