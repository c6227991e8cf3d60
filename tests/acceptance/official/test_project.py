"""API keys, who did something, metrics and billing: contract section 6."""

from collections import Counter
from datetime import timedelta

import pytest
from hookbridge import AuthenticationError, NotFoundError

from .adapter import refused
from .conftest import Connect
from .scene import PAYLOAD, UNKNOWN_ENDPOINT, Scene
from .walks import meets, walks

pytestmark = pytest.mark.asyncio(loop_scope="package")

UNKNOWN_KEY = "key_" + "0" * 32
BUCKETS = {"1h": (60, 1), "24h": (96, 15), "7d": (168, 60), "30d": (120, 360)}
"""How many, and how many minutes wide."""


# -- API keys and actors --------------------------------------------------------------------------


@walks("create_api_key", "list_api_keys", "delete_api_key")
@meets("delete_api_key", "CANNOT_DELETE_LAST_KEY", "NOT_FOUND")
@meets("create_api_key", "INVALID_REQUEST")
async def test_api_keys_are_made_used_and_deleted(
    scene: Scene, connect: Connect, form: str
) -> None:
    """A key is told once, works at once, and is gone at once; one always stays."""
    client = scene.client
    for mode in ("live", "test"):
        made = await client.create_api_key(mode, label=f"ci {mode}")
        assert made.key.startswith(f"sg_{mode}_")
        assert (made.prefix, made.label) == (made.key[:11], f"ci {mode}")
        assert scene.is_recent(made.created_at)
        other = connect(form, made.key)
        listed = {key.key_id: key for key in await other.list_api_keys()}
        assert (listed[made.key_id].label, listed[made.key_id].prefix) == (made.label, made.prefix)
        await client.delete_api_key(made.key_id)
        await refused(other.list_api_keys(), 401, "UNAUTHORIZED", AuthenticationError)
    (last,) = await client.list_api_keys()
    assert last.label == "bootstrap"
    assert scene.is_recent(last.last_used_at)
    await refused(client.delete_api_key(last.key_id), 409, "CANNOT_DELETE_LAST_KEY")
    for unknown in (UNKNOWN_KEY, "nonsense", made.key_id):
        await refused(client.delete_api_key(unknown), 404, "NOT_FOUND", NotFoundError)
    await refused(client.create_api_key("nonsense"), 400, "INVALID_REQUEST")
    await refused(client.create_api_key("live", label="x" * 1000), 400, "INVALID_REQUEST")


# -- metrics --------------------------------------------------------------------------------------


async def totals(scene: Scene, window: str) -> Counter[str]:
    """Return the counts of a window."""
    metrics = await scene.client.get_metrics(window)
    assert metrics.window == window
    finished = metrics.succeeded + metrics.failed
    assert metrics.success_rate == pytest.approx(metrics.succeeded / finished if finished else 1)
    assert metrics.avg_latency_ms >= 0
    return Counter(
        total=metrics.total_messages,
        succeeded=metrics.succeeded,
        failed=metrics.failed,
        retrying=metrics.retries,
    )


@walks("get_metrics", "get_timeseries_metrics")
async def test_metrics_count_what_happened(scene: Scene) -> None:
    """In every window; the time series has it in the bucket under way, the others are empty."""
    client = scene.client
    endpoint, hook = await scene.endpoint()
    before = {window: await totals(scene, window) for window in BUCKETS}
    for _ in range(3):
        await scene.ended(endpoint, hook, "succeeded")
    await scene.ended(endpoint, hook, "failed_permanent")
    for _ in range(2):
        await scene.ended(endpoint, hook, "slow")
    held, _ = await scene.endpoint(paused=True)
    await client.send(held.id, PAYLOAD)
    happened = Counter(total=7, succeeded=3, failed=1, retrying=2)
    for window, (count, minutes) in BUCKETS.items():
        assert await totals(scene, window) == before[window] + happened
        for only, expected in (
            (None, before[window] + happened),
            (endpoint.id, happened - Counter(total=1)),
            (UNKNOWN_ENDPOINT, Counter()),
        ):
            series = await client.get_timeseries_metrics(window, endpoint_id=only)
            assert (series.window, len(series.buckets)) == (window, count)
            first, last = series.buckets[0].timestamp, series.buckets[-1].timestamp
            assert last - first == timedelta(minutes=minutes) * (count - 1)
            found = Counter[str]()
            for bucket in series.buckets:
                found += Counter(
                    total=bucket.total,
                    succeeded=bucket.succeeded,
                    failed=bucket.failed,
                    retrying=bucket.retrying,
                )
            assert found == expected
    assert (await client.get_metrics()).window == "24h"


@meets("get_metrics", "INVALID_REQUEST")
@meets("get_timeseries_metrics", "INVALID_REQUEST")
async def test_a_window_that_does_not_exist_is_refused(scene: Scene) -> None:
    """As is an endpoint id that is none."""
    client = scene.client
    await refused(client.get_metrics("2h"), 400, "INVALID_REQUEST")
    await refused(client.get_timeseries_metrics("2h"), 400, "INVALID_REQUEST")
    call = client.get_timeseries_metrics("1h", endpoint_id="nonsense")
    await refused(call, 400, "INVALID_REQUEST")


# -- billing --------------------------------------------------------------------------------------


@walks("get_subscription", "get_usage_history", "get_invoices")
async def test_nobody_is_billed_and_usage_is_true(scene: Scene) -> None:
    """A plan of one's own, the month's messages, no invoices."""
    client = scene.client
    endpoint, _ = await scene.endpoint(paused=True)
    before = await client.get_subscription()
    for n in range(3):
        await client.send(endpoint.id, {"n": n})
    after = await client.get_subscription()
    assert (after.plan, after.status, after.limits.plan) == ("self-hosted", "active", "self-hosted")
    assert after.usage.messages_used == before.usage.messages_used + 3
    assert after.usage.period_start <= endpoint.created_at < after.usage.period_end
    assert after.limits.messages_per_month > after.usage.messages_used
    assert after.cancel_at_period_end is False
    history = await client.get_usage_history()
    assert (history.limit, history.offset, history.has_more) == (12, 0, False)
    assert history.total == len(history.rows) == 1
    (month,) = history.rows
    assert month.period_start == after.usage.period_start.date()
    assert (month.message_count, month.overage_count) == (after.usage.messages_used, 0)
    assert month.plan_limit is None
    past = await client.get_usage_history(limit=5, offset=1)
    assert (past.rows, past.total, past.limit, past.offset) == ([], 1, 5, 1)
    invoices = await client.get_invoices(limit=3, starting_after="in_1")
    assert (invoices.invoices, invoices.has_more) == ([], False)


@meets("get_usage_history", "INVALID_REQUEST")
@meets("get_invoices", "INVALID_REQUEST")
async def test_a_billing_page_out_of_range_is_refused(scene: Scene) -> None:
    """1 to 100 at a time, from 0 on."""
    client = scene.client
    for bad in ({"limit": 0}, {"limit": 101}, {"offset": -1}):
        await refused(client.get_usage_history(**bad), 400, "INVALID_REQUEST")
    for bad in ({"limit": 0}, {"limit": 101}):
        await refused(client.get_invoices(**bad), 400, "INVALID_REQUEST")


async def test_there_is_no_payment_webhook(scene: Scene) -> None:
    """What Stripe would call at the hosted service is no route here."""
    call = scene.client.handle_stripe_webhook({"type": "invoice.paid"})
    await refused(call, 404, "NOT_FOUND", NotFoundError)
