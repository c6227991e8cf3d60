"""Endpoints, pause and resume, signing keys: contract sections 4 and 5."""

import pytest
from hookbridge import NotFoundError

from .adapter import refused
from .scene import PAYLOAD, UNKNOWN_ENDPOINT, Scene
from .test_sending import verify
from .walks import meets, walks

pytestmark = pytest.mark.asyncio(loop_scope="package")

UNKNOWN_KEY = "sk_" + "0" * 32


@walks("list_endpoints", "get_endpoint", "update_endpoint", "delete_endpoint", "create_endpoint")
async def test_endpoints_are_listed_read_changed_and_deleted(scene: Scene) -> None:
    """What was created is read back; a page ends where the next begins; what is deleted is gone."""
    client = scene.client
    made = [(await scene.endpoint(description=str(n)))[0] for n in range(3)]
    page = await client.list_endpoints(limit=2)
    assert [each.id for each in page.endpoints] == [made[2].id, made[1].id]
    assert [each.url for each in page.endpoints] == [made[2].url, made[1].url]
    assert [each.description for each in page.endpoints] == ["2", "1"]
    assert [each.created_at for each in page.endpoints] == [made[2].created_at, made[1].created_at]
    assert page.has_more
    rest = await client.list_endpoints(limit=100, cursor=page.next_cursor)
    assert rest.endpoints[0].id == made[0].id
    assert (rest.has_more, rest.next_cursor) == (False, None)

    one = made[0]
    moved = scene.hooks.make()
    await client.update_endpoint(
        one.id,
        url=moved.url,
        description="changed",
        rate_limit_rps=50,
        burst=5,
        headers={"X-New": "1"},
    )
    endpoint = await client.get_endpoint(one.id)
    assert (endpoint.id, endpoint.url, endpoint.description) == (one.id, moved.url, "changed")
    assert (endpoint.rate_limit_rps, endpoint.burst) == (50, 5)
    assert endpoint.headers == {"X-New": "1"}
    assert endpoint.paused is False
    assert endpoint.created_at == one.created_at <= endpoint.updated_at
    await client.send(one.id, PAYLOAD)
    (delivery,) = await moved.wait_for_count(1)
    assert delivery.headers["x-new"] == "1"
    await client.update_endpoint(one.id)
    assert (await client.get_endpoint(one.id)).description == "changed"

    await client.delete_endpoint(one.id)
    for call in (client.get_endpoint(one.id), client.send(one.id, PAYLOAD)):
        await refused(call, 404, "NOT_FOUND", NotFoundError)
    page = await client.list_endpoints(limit=100)
    assert one.id not in {each.id for each in page.endpoints}
    again = await client.create_endpoint(moved.url)
    assert again.id != one.id


@meets(
    "create_endpoint",
    "INVALID_ENDPOINT",
    "ENDPOINT_BLOCKED",
    "ENDPOINT_UNREACHABLE",
    "DUPLICATE_URL",
    "INVALID_HEADERS",
    "INVALID_REQUEST",
)
@meets(
    "update_endpoint",
    "INVALID_ENDPOINT",
    "ENDPOINT_BLOCKED",
    "ENDPOINT_UNREACHABLE",
    "DUPLICATE_URL",
    "INVALID_HEADERS",
    "INVALID_REQUEST",
)
async def test_a_bad_endpoint_is_refused(scene: Scene) -> None:
    """At creation and at a change alike; and nothing is changed."""
    client = scene.client
    one, _ = await scene.endpoint(description="as it was")
    two, _ = await scene.endpoint()
    urls = {
        "http://example.com/hook": "INVALID_ENDPOINT",
        "https://a.b": "INVALID_ENDPOINT",
        "https://example.com/" + "x" * 2048: "INVALID_ENDPOINT",
        "https://user:pass@example.com/hook": "INVALID_ENDPOINT",
        "https://example.com/hook#part": "INVALID_ENDPOINT",
        "https://10.0.0.1/hook": "ENDPOINT_BLOCKED",
        "https://169.254.169.254/latest": "ENDPOINT_BLOCKED",
        "https://name.invalid/hook": "ENDPOINT_UNREACHABLE",
    }
    for url, code in urls.items():
        await refused(client.create_endpoint(url), 400, code)
        await refused(client.update_endpoint(one.id, url=url), 400, code)
    await refused(client.create_endpoint(two.url), 409, "DUPLICATE_URL")
    await refused(client.update_endpoint(one.id, url=two.url), 409, "DUPLICATE_URL")
    for fields, code in (
        ({"headers": {"Host": "x"}}, "INVALID_HEADERS"),
        ({"description": "x" * 501}, "INVALID_REQUEST"),
        ({"rate_limit_rps": 1001}, "INVALID_REQUEST"),
        ({"burst": 10_001}, "INVALID_REQUEST"),
    ):
        await refused(client.create_endpoint(scene.hooks.make().url, **fields), 400, code)
        await refused(client.update_endpoint(one.id, **fields), 400, code)
    endpoint = await client.get_endpoint(one.id)
    assert (endpoint.url, endpoint.description) == (one.url, "as it was")


ON_ONE = {
    "get_endpoint": (),
    "update_endpoint": (),
    "delete_endpoint": (),
    "pause_endpoint": (),
    "resume_endpoint": (),
    "create_endpoint_signing_key": (),
    "rotate_endpoint_secret": (),
    "list_endpoint_signing_keys": (),
    "delete_endpoint_signing_key": (UNKNOWN_KEY,),
}
"""The operations on one endpoint, and what they want to know beside its id."""


@meets("get_endpoint", "ENDPOINT_NOT_FOUND", "INVALID_REQUEST")
@meets("update_endpoint", "ENDPOINT_NOT_FOUND", "INVALID_REQUEST")
@meets("delete_endpoint", "ENDPOINT_NOT_FOUND", "INVALID_REQUEST")
@meets("pause_endpoint", "ENDPOINT_NOT_FOUND", "INVALID_REQUEST")
@meets("resume_endpoint", "ENDPOINT_NOT_FOUND", "INVALID_REQUEST")
@meets("create_endpoint_signing_key", "ENDPOINT_NOT_FOUND", "INVALID_REQUEST")
@meets("rotate_endpoint_secret", "ENDPOINT_NOT_FOUND", "INVALID_REQUEST")
@meets("list_endpoint_signing_keys", "ENDPOINT_NOT_FOUND", "INVALID_REQUEST")
@meets("delete_endpoint_signing_key", "ENDPOINT_NOT_FOUND", "INVALID_REQUEST")
async def test_an_endpoint_that_is_unknown_is_not_found_and_one_that_is_none_is_refused(
    scene: Scene,
) -> None:
    """By every operation on one: 404 for an id nobody has or that was deleted, 400 for none."""
    gone, _ = await scene.endpoint()
    await scene.client.delete_endpoint(gone.id)
    for operation, more in ON_ONE.items():
        call = getattr(scene.client, operation)
        for unknown in (UNKNOWN_ENDPOINT, gone.id):
            error = await refused(call(unknown, *more), 404, "NOT_FOUND", NotFoundError)
            assert "endpoint not found" in str(error)
        for malformed in ("ep_1", "nonsense", UNKNOWN_ENDPOINT.upper()):
            await refused(call(malformed, *more), 400, "INVALID_REQUEST")


@meets("list_endpoints", "INVALID_REQUEST")
async def test_a_page_of_endpoints_out_of_range_is_refused(scene: Scene) -> None:
    """1 to 100, and a cursor of ours."""
    for query in ({"limit": 0}, {"limit": 101}, {"cursor": "nonsense"}):
        await refused(scene.client.list_endpoints(**query), 400, "INVALID_REQUEST")


@walks("pause_endpoint", "resume_endpoint", "get_logs")
@meets("pause_endpoint", "ALREADY_PAUSED")
@meets("resume_endpoint", "NOT_PAUSED")
async def test_a_paused_endpoint_holds_its_messages_and_a_resume_lets_them_flow(
    scene: Scene,
) -> None:
    """Held while paused, requeued as counted, delivered; what is done twice is refused."""
    client = scene.client
    endpoint, hook = await scene.endpoint()
    await refused(client.resume_endpoint(endpoint.id), 409, "NOT_PAUSED")
    paused = await client.pause_endpoint(endpoint.id)
    assert (paused.id, paused.paused, paused.messages_requeued) == (endpoint.id, True, None)
    await refused(client.pause_endpoint(endpoint.id), 409, "ALREADY_PAUSED")
    assert (await client.get_endpoint(endpoint.id)).paused is True
    page = await client.list_endpoints(limit=1)
    assert [(each.id, each.paused) for each in page.endpoints] == [(endpoint.id, True)]

    sent = [(await client.send(endpoint.id, {"n": n})).message_id for n in range(25)]
    for message_id in sent[:3]:
        assert (await client.get_message(message_id)).status == "paused"
    held = await client.get_logs(status="paused", start_time=endpoint.created_at, limit=100)
    assert [entry.message_id for entry in held.messages] == sent[::-1]
    assert hook.deliveries == []

    resumed = await client.resume_endpoint(endpoint.id)
    assert (resumed.paused, resumed.messages_requeued) == (False, len(sent))
    await hook.wait_for_count(len(sent))
    for message_id in sent:
        await scene.comes_to(message_id, "succeeded")
    assert sorted(each.message_id for each in hook.deliveries) == sorted(sent)


@walks("pause_endpoint", "replay", "retry_now", "cancel_retry", "resume_endpoint")
async def test_messages_of_a_paused_endpoint_can_be_moved_and_stay_held(scene: Scene) -> None:
    """Section 5, rule 6: replay and retry-now succeed and leave the message held."""
    client = scene.client
    endpoint, hook = await scene.endpoint()
    done = await scene.ended(endpoint, hook, "succeeded")
    slow = await scene.ended(endpoint, hook, "slow")
    dropped = await scene.ended(endpoint, hook, "slow")
    await client.pause_endpoint(endpoint.id)
    await client.replay(done)
    await client.retry_now(slow)
    await client.cancel_retry(dropped)
    statuses = [(await client.get_message(each)).status for each in (done, slow, dropped)]
    assert statuses == ["paused", "paused", "failed_permanent"]
    assert len(hook.deliveries) == 3
    hook.answer("succeeded")
    assert (await client.resume_endpoint(endpoint.id)).messages_requeued == 2
    for message_id in (done, slow):
        await scene.comes_to(message_id, "succeeded", attempts=2)


@walks(
    "rotate_endpoint_secret",
    "create_endpoint_signing_key",
    "list_endpoint_signing_keys",
    "delete_endpoint_signing_key",
)
@meets("create_endpoint_signing_key", "MAX_SIGNING_KEYS_REACHED")
@meets("rotate_endpoint_secret", "MAX_SIGNING_KEYS_REACHED")
@meets("delete_endpoint_signing_key", "CANNOT_DELETE_LAST_KEY", "NOT_FOUND")
async def test_two_signing_keys_sign_every_delivery_while_both_live(scene: Scene) -> None:
    """Rotation: newest first, at most two, never none."""
    client = scene.client
    endpoint, hook = await scene.endpoint()
    rotated = await client.rotate_endpoint_secret(endpoint.id)
    assert rotated.key_hint == rotated.signing_secret[-4:]
    assert scene.is_recent(rotated.created_at)
    await client.send(endpoint.id, PAYLOAD)
    await hook.wait_for_count(1)
    verify(hook.deliveries[0], [rotated.signing_secret, endpoint.signing_secret])
    for third in (client.create_endpoint_signing_key, client.rotate_endpoint_secret):
        await refused(third(endpoint.id), 409, "MAX_SIGNING_KEYS_REACHED")
    keys = await client.list_endpoint_signing_keys(endpoint.id)
    assert {key.id: key.key_hint for key in keys} == {
        rotated.id: rotated.key_hint,
        endpoint.signing_key_id: endpoint.key_hint,
    }

    await client.delete_endpoint_signing_key(endpoint.id, endpoint.signing_key_id)
    await client.send(endpoint.id, PAYLOAD)
    await hook.wait_for_count(2)
    verify(hook.deliveries[1], [rotated.signing_secret])
    last = client.delete_endpoint_signing_key(endpoint.id, rotated.id)
    await refused(last, 409, "CANNOT_DELETE_LAST_KEY")
    made = await client.create_endpoint_signing_key(endpoint.id)
    for unknown in (UNKNOWN_KEY, endpoint.signing_key_id):
        call = client.delete_endpoint_signing_key(endpoint.id, unknown)
        await refused(call, 404, "NOT_FOUND", NotFoundError)
    await client.send(endpoint.id, PAYLOAD)
    await hook.wait_for_count(3)
    verify(hook.deliveries[2], [made.signing_secret, rotated.signing_secret])
