"""What arrives is what was sent: unaltered, where it belongs, with the right headers."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from sluicegate.simulation.oracle.effects import may_have_happened
from sluicegate.simulation.oracle.facts import EndpointFacts, Facts
from sluicegate.simulation.oracle.history import Exchange, Operation
from sluicegate.simulation.oracle.violation import Rule, Violation

__all__ = ["RULES"]

_OURS = (
    "content-type",
    "x-webhook-id",
    "x-webhook-timestamp",
    "x-webhook-signature",
    "x-webhook-attempt",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
)
_NEVER = ("authorization", "cookie", "transfer-encoding", "content-encoding", "expect", "trailer")


def payloads_arrive_unaltered(facts: Facts) -> Iterator[Violation]:
    """Each body is, byte for byte, one that a client has sent to this very endpoint before.

    One that was refused was never accepted, and one that had not been sent yet cannot arrive.
    """
    for exchange in facts.strangers:
        yield _about(exchange, "payloads_arrive_unaltered", "no endpoint is there")
    for endpoint in facts.endpoints.values():
        facts.judged["payloads_arrive_unaltered"] += len(endpoint.exchanges)
        for exchange in endpoint.exchanges:
            request = exchange.request
            sends = facts.sends_of(endpoint.name, request.body)
            if any(may_have_happened(c) and c.began_s <= request.at_s for c in sends):
                continue
            what = "was refused, or not sent yet" if sends else "is no payload of the endpoint"
            yield _about(exchange, "payloads_arrive_unaltered", f"{request.body[:60]!r} {what}")


def a_message_keeps_its_payload(facts: Facts) -> Iterator[Violation]:
    """One message id means one payload and one endpoint, on every attempt and in the answer."""
    for message in facts.messages.values():
        facts.judged["a_message_keeps_its_payload"] += len(message.exchanges)
        known: tuple[str, bytes] | None = None
        for call in message.sends:
            if call.succeeded and known is None:
                known = (call.endpoint.strip("/"), call.payload)
        for exchange in message.exchanges:
            request = exchange.request
            here = (request.path.split("?", 1)[0].strip("/"), request.body)
            if known is None:
                known = here
            elif here != known:
                text = f"message {message.id} of {known[0]} has come with another payload or there"
                yield _about(exchange, "a_message_keeps_its_payload", text)


def a_payload_keeps_its_message(facts: Facts) -> Iterator[Violation]:
    """A payload comes under no more ids than it was sent: once for each key, and each time without.

    A deletion frees a key; then the same key and payload may be another message.
    """
    for endpoint in facts.endpoints.values():
        seen: dict[bytes, dict[str, Exchange]] = defaultdict(dict)
        for exchange in endpoint.exchanges:
            seen[exchange.request.body].setdefault(exchange.request.message_id, exchange)
        for payload, ids in seen.items():
            sends = [c for c in facts.sends_of(endpoint.name, payload) if may_have_happened(c)]
            keys = {call.idempotency_key for call in sends} - {None}
            unnamed = sum(call.idempotency_key is None for call in sends)
            freed = keys and endpoint.effective(Operation.DELETE_MESSAGE)
            facts.judged["a_payload_keeps_its_message"] += not freed
            if len(ids) > max(1, len(keys) + unnamed) and not freed:
                yield Violation(
                    rule="a_payload_keeps_its_message",
                    at_s=max(exchange.request.at_s for exchange in ids.values()),
                    text=f"{payload[:60]!r} came to {endpoint.name} as {len(ids)} messages:"
                    f" {', '.join(ids)}",
                    calls=tuple(sends),
                    exchanges=tuple(ids.values()),
                )


def headers_are_ours(facts: Facts) -> Iterator[Violation]:
    """Reserved headers are there once, as we set them: nobody overrides or adds any."""
    for exchange in facts.history.exchanges:
        request = exchange.request
        facts.judged["headers_are_ours"] += 1
        counts = Counter(name.lower() for name, _ in request.headers)
        for name in _OURS:
            if counts[name] != 1:
                yield _about(exchange, "headers_are_ours", f"{name} is there {counts[name]} times")
        for name in _NEVER:
            if counts[name]:
                yield _about(exchange, "headers_are_ours", f"{name} is there")
        if request.header("content-type") != "application/json":
            text = f"content-type is {request.header('content-type')!r}"
            yield _about(exchange, "headers_are_ours", text)
        for name in ("id", "timestamp"):
            if request.header(f"x-webhook-{name}") != request.header(f"webhook-{name}"):
                yield _about(exchange, "headers_are_ours", f"the two forms of {name} differ")


def chosen_headers_arrive(facts: Facts) -> Iterator[Violation]:
    """What an endpoint's or a message's configuration adds is there, the message's before it.

    Of an endpoint whose headers may have changed meanwhile, either will do.
    """
    for endpoint in facts.endpoints.values():
        for exchange in endpoint.exchanges:
            sends = facts.sends_of(endpoint.name, exchange.request.body)
            own = [_headers(call.config.get("headers")) for call in sends]
            for wanted in _wanted(facts, endpoint, exchange, own):
                name, value = wanted
                facts.judged["chosen_headers_arrive"] += 1
                if exchange.request.header(name) != value:
                    text = f"{name} is {exchange.request.header(name)!r}, not {value!r}"
                    yield _about(exchange, "chosen_headers_arrive", text)


def _wanted(
    facts: Facts, endpoint: EndpointFacts, exchange: Exchange, own: list[dict[str, str]]
) -> Iterator[tuple[str, str]]:
    if any(headers != own[0] for headers in own):
        return
    chosen = own[0] if own else {}
    yield from chosen.items()
    values = endpoint.values("headers", {}, facts.timing.begun(exchange).lo, exchange.request.at_s)
    first = _headers(values[0])
    for name, value in first.items():
        if name not in chosen and all(_headers(other).get(name) == value for other in values):
            yield name, value


def _headers(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {str(name).lower(): str(text) for name, text in value.items()}


def _about(exchange: Exchange, rule: str, text: str) -> Violation:
    request = exchange.request
    return Violation(
        rule=rule,
        at_s=request.at_s,
        text=f"{request.message_id} at {request.path}: {text}",
        exchanges=(exchange,),
    )


RULES: tuple[Rule, ...] = (
    payloads_arrive_unaltered,
    a_message_keeps_its_payload,
    a_payload_keeps_its_message,
    headers_are_ours,
    chosen_headers_arrive,
)
