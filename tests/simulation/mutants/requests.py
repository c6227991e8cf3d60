"""Bugs of what a receiver gets: signatures, keys, headers."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from sluicegate.actors import attempt
from sluicegate.actors.endpoint import EndpointActor
from sluicegate.actors.messages import CommandDone
from sluicegate.actors.outstanding import Flight
from sluicegate.actors.parts import Parts
from sluicegate.engine import headers
from sluicegate.engine.model import EndpointState
from sluicegate.engine.ports import Request
from sluicegate.engine.signing import signature_headers

from .mutant import Patch, planted

_Signature = tuple[tuple[str, str], ...]


@planted(promise="two active keys sign, the newest first")
def a_new_key_replaces_the_old_one_at_once(patch: Patch) -> None:
    """A rotation signs with the newest key alone: receivers that do not have it yet refuse."""

    def newest(
        *, message_id: str, timestamp_s: int, body: bytes, secrets: Sequence[str]
    ) -> _Signature:
        return signature_headers(
            message_id=message_id, timestamp_s=timestamp_s, body=body, secrets=secrets[:1]
        )

    patch.replace(attempt, "signature_headers", newest)


@planted(promise="an attempt is signed with the keys that the endpoint has")
def an_actor_keeps_the_keys_that_it_began_with(patch: Patch) -> None:
    """Keys are loaded when an actor starts; a command changes the rows and not its copy."""
    on_done = EndpointActor._on_command_done

    def stale(self: EndpointActor, done: CommandDone) -> None:
        if self.state is not None and done.state is not None:
            kept = msgspec.structs.replace(done.state, secrets=self.state.secrets)
            done = msgspec.structs.replace(done, state=kept)
        on_done(self, done)

    patch.replace(EndpointActor, "_on_command_done", stale)


@planted(promise="every attempt is signed with the moment of that attempt")
def a_retry_carries_the_first_timestamp(patch: Patch) -> None:
    """The signature is made once, and stored with the message."""
    first: dict[str, int] = {}

    def stored(
        *, message_id: str, timestamp_s: int, body: bytes, secrets: Sequence[str]
    ) -> _Signature:
        return signature_headers(
            message_id=message_id,
            timestamp_s=first.setdefault(message_id, timestamp_s),
            body=body,
            secrets=secrets,
        )

    patch.replace(attempt, "signature_headers", stored)


@planted(promise="endpoint headers, then message headers: the message wins")
def an_endpoints_header_overrides_a_messages(patch: Patch) -> None:
    """The two are merged the wrong way round."""
    merge = headers.request_headers

    def swapped(
        *,
        user_agent: str,
        endpoint_headers: Mapping[str, str],
        message_headers: Mapping[str, str],
        signature: _Signature,
        attempt_no: int,
    ) -> _Signature:
        return merge(
            user_agent=user_agent,
            endpoint_headers=message_headers,
            message_headers=endpoint_headers,
            signature=signature,
            attempt_no=attempt_no,
        )

    patch.replace(attempt, "request_headers", swapped)


@planted(promise="names on the reserved list are refused, and never override ours")
def a_client_overrides_the_signature(patch: Patch) -> None:
    """Reserved names are compared as they were written, and clients write them in capitals."""
    check = headers._check_header

    def by_letter(name: str, value: str) -> None:
        if name == name.lower() or not name.lower().startswith(headers.FORBIDDEN_PREFIXES):
            check(name, value)

    patch.replace(headers, "_check_header", by_letter)


@planted(promise="`X-Webhook-Attempt` counts the attempts over all cycles")
def the_attempt_number_begins_anew(patch: Patch) -> None:
    """A replay counts from 1 again."""
    prepare = attempt._request

    async def relative(
        flight: Flight, *, state: EndpointState, parts: Parts, may_start: Callable[[], bool]
    ) -> Request | None:
        counted, flight.attempt_no = flight.attempt_no, flight.message.cycle_attempts + 1
        try:
            return await prepare(flight, state=state, parts=parts, may_start=may_start)
        finally:
            flight.attempt_no = counted

    patch.replace(attempt, "_request", relative)
