"""Every request is signed, in both forms, with the keys that its endpoint had then."""

import hmac
import math
from base64 import b64decode, b64encode
from collections.abc import Iterator

from sluicegate.simulation.oracle.facts import EndpointFacts, Facts
from sluicegate.simulation.oracle.history import Call, Exchange, Operation
from sluicegate.simulation.oracle.violation import Rule, Violation
from sluicegate.simulation.world import EPOCH_MS

__all__ = ["RULES"]

_KEYS_MAX = 2
_PREFIX = "whsec_"
_DIGITS_MAX = 12
"""Of a Unix time that anybody will live to see."""


def signatures_verify(facts: Facts) -> Iterator[Violation]:
    """Both forms verify under keys that were valid when the attempt began.

    Each signature is of a key that may have been valid then, each key that for certain was has
    one, both forms speak of the same keys, newest first. A key is there from its creation to its
    removal; while either is under way it may be used or not. A creation without an answer made a
    key that nobody knows: as many signatures may be strange.
    """
    for endpoint in facts.endpoints.values():
        for exchange in endpoint.exchanges:
            complaint = _complaint(facts, endpoint, exchange)
            facts.judged["signatures_verify"] += 1
            if complaint is not None:
                request = exchange.request
                yield Violation(
                    rule="signatures_verify",
                    at_s=request.at_s,
                    text=f"{request.message_id} at {request.path}: {complaint}",
                    exchanges=(exchange,),
                )


def timestamps_are_of_the_attempt(facts: Facts) -> Iterator[Violation]:
    """The signed timestamp is when this attempt began: a freshness window holds for retries, too.

    Judged while the wall clock was let alone. Longer than two minutes nothing but the disk holds
    up a request that has begun.
    """
    for endpoint in facts.endpoints.values():
        for exchange in endpoint.exchanges:
            request = exchange.request
            if facts.weather.jumps and facts.weather.jumps[0] <= request.at_s:
                continue
            facts.judged["timestamps_are_of_the_attempt"] += 1
            text = request.header("webhook-timestamp") or ""
            is_moment = text.isdecimal() and len(text) <= _DIGITS_MAX
            begun_s = int(text) - EPOCH_MS / 1000 if is_moment else math.inf
            earliest_s = facts.timing.journey_begins(exchange)
            if not earliest_s - 1 <= begun_s <= request.at_s:
                yield Violation(
                    rule="timestamps_are_of_the_attempt",
                    at_s=request.at_s,
                    text=f"{request.message_id} is dated {begun_s:.0f} s and came at"
                    f" {request.at_s:.3f} s, begun at {earliest_s:.3f} s at the earliest",
                    exchanges=(exchange,),
                )


def _complaint(facts: Facts, endpoint: EndpointFacts, exchange: Exchange) -> str | None:
    request, begun = exchange.request, facts.timing.begun(exchange)
    given = (request.header("x-webhook-signature") or "").split(",")
    standard = (request.header("webhook-signature") or "").split(" ")
    created = endpoint.effective(Operation.CREATE_ENDPOINT, Operation.ADD_KEY)
    if not created:
        return None
    strange = sum(call.secret is None and call.began_s <= begun.hi for call in created)
    valid = [call for call in created if _may_be_valid(endpoint, call, begun.lo, begun.hi)]
    signatures = [(call, *_signatures(exchange, call.secret or "")) for call in valid]
    if len(given) != len(standard) or not 1 <= len(given) <= _KEYS_MAX:
        return f"{len(given)} and {len(standard)} signatures"
    used: list[Call] = []
    for one, other in zip(given, standard, strict=True):
        matching = [
            call for call, hex_form, v1_form in signatures if (one, other) == (hex_form, v1_form)
        ]
        if matching:
            used.append(matching[0])
        elif strange:
            strange -= 1
        else:
            return f"{one[:20]}… and {other[:12]}… are of no key that was valid"
    for call in valid:
        if call not in used and _is_valid(facts, endpoint, call, begun.lo, begun.hi):
            return f"nothing is signed with the key of call {call.number}"
    if len(used) == _KEYS_MAX and (used[0].ended_s or math.inf) < used[1].began_s:
        return "the older key comes first"
    return None


def _signatures(exchange: Exchange, secret: str) -> tuple[str, str]:
    """Return both forms as section 7 of the contract has them, written anew from it."""
    request = exchange.request
    timestamp = (request.header("webhook-timestamp") or "").encode()
    signed = timestamp + b"." + request.body
    hex_form = hmac.digest(secret.encode(), signed, "sha256").hex()
    try:
        key = b64decode(secret.removeprefix(_PREFIX))
    except ValueError:
        return "", ""  # no secret that anything verifies under
    standard = hmac.digest(key, request.message_id.encode() + b"." + signed, "sha256")
    return f"sha256={hex_form}", f"v1,{b64encode(standard).decode()}"


def _may_be_valid(endpoint: EndpointFacts, made: Call, from_s: float, to_s: float) -> bool:
    """Return whether a known key may have been there at some moment of a stretch."""
    gone_s = min(
        (
            call.ended_s
            for call in endpoint.succeeded(Operation.REMOVE_KEY)
            if call.key_id == made.key_id and call.ended_s is not None
        ),
        default=math.inf,
    )
    return made.secret is not None and made.began_s <= to_s and gone_s >= from_s


def _is_valid(
    facts: Facts, endpoint: EndpointFacts, made: Call, from_s: float, to_s: float
) -> bool:
    """Return whether a key was there throughout a stretch, for certain."""
    removed_s = min(
        (
            call.began_s
            for call in endpoint.effective(Operation.REMOVE_KEY)
            if call.key_id in {made.key_id, None}
        ),
        default=math.inf,
    )
    return made.ended_s is not None and facts.until_s(made) < from_s and removed_s > to_s


RULES: tuple[Rule, ...] = (signatures_verify, timestamps_are_of_the_attempt)
