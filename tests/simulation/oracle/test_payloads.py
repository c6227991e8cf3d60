"""What arrives is what was sent, where it belongs, with the right headers."""

import pytest

from .story import Story


def delivered(**facts: object) -> Story:
    """A message that arrives; `facts` are those of the request."""
    story = Story(config={"headers": {"X-Shop": "1"}})
    story.send(1, "a")
    facts["headers"] = {"X-Shop": "1"} | (facts.get("headers") or {})  # type: ignore[operator] # a dict
    story.arrives(1.05, "a", **facts)  # type: ignore[arg-type] # arguments of it
    return story


def test_an_untouched_delivery_is_lawful() -> None:
    """The ground that the others stand on."""
    assert delivered().broken == set()


def test_an_altered_body_is_reported() -> None:
    """Byte for byte: a space is too much."""
    assert "payloads_arrive_unaltered" in delivered(body=b'"a" ').broken


def test_another_endpoints_payload_is_reported() -> None:
    """What was sent to one endpoint never comes to another."""
    story = delivered()
    story.call("create_endpoint", 1.5, endpoint="e2", endpoint_id="ep_e2")
    story.arrives(2, "a", endpoint="e2", no=2)
    assert {"payloads_arrive_unaltered", "a_message_keeps_its_payload"} <= story.broken


def test_a_path_without_endpoint_is_reported() -> None:
    """Nothing goes where nobody asked it to go."""
    story = delivered()
    story.arrives(2, "x", endpoint="nowhere")
    assert story.broken == {"payloads_arrive_unaltered"}


def test_a_refused_message_never_arrives() -> None:
    """What was refused with a 4xx was not accepted."""
    story = Story()
    story.send(1, "a", error="INVALID_REQUEST", message_id=None)
    story.arrives(2, "a")
    assert story.broken == {"payloads_arrive_unaltered"}


def test_a_message_with_two_bodies_is_reported() -> None:
    """An id stands for one payload."""
    story = delivered()
    story.send(2, "b")
    story.arrives(12, "a", body=b'"b"', no=2, headers={"X-Shop": "1"})
    assert "a_message_keeps_its_payload" in story.broken


def test_one_payload_as_two_messages_is_reported() -> None:
    """One send is one message, whatever its id."""
    story = delivered()
    story.arrives(1.06, "z", body=b'"a"', headers={"X-Shop": "1"})
    assert "a_payload_keeps_its_message" in story.broken


def test_sends_without_a_key_may_be_as_many_messages() -> None:
    """A client that sent twice without a key gets two."""
    story = delivered()
    story.send(0.5, "z", payload=b'"a"', took=None, message_id=None)
    story.arrives(1.06, "z", body=b'"a"', headers={"X-Shop": "1"})
    assert story.broken == set()


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"content-type": "application/json"},
        {"webhook-id": None},
        {"X-Webhook-Id": "b"},
        {"Authorization": "Bearer x"},
        {"x-webhook-attempt": "1"},
    ],
    ids=str,
)
def test_reserved_headers_are_not_overridden(headers: dict[str, str | None]) -> None:
    """They are there once, and as we set them."""
    assert "headers_are_ours" in delivered(headers=headers).broken


def test_an_endpoints_headers_arrive() -> None:
    """What the configuration adds is there, as long as it did not change."""
    story = delivered(headers={"X-Shop": "2"})
    assert story.broken == {"chosen_headers_arrive"}
    story.call("update_endpoint", 1, took=None, config={"headers": {"X-Shop": "2"}})
    assert story.broken == set()
