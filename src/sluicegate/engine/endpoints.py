"""The use cases of endpoints: create, read, change, pause, resume, delete, signing keys."""

from collections.abc import Awaitable
from typing import TypeAlias

import msgspec
from msgspec import UNSET

from sluicegate.engine import bounds
from sluicegate.engine.addresses import AddressPolicy
from sluicegate.engine.cursors import encode_cursor
from sluicegate.engine.drafts import EndpointDraft, EndpointPatch
from sluicegate.engine.endpoint_fields import check_fields
from sluicegate.engine.errors import (
    EndpointBlockedError,
    EndpointNotFoundError,
    EndpointUnreachableError,
    InvalidRequestError,
    NotFoundError,
)
from sluicegate.engine.ids import (
    is_endpoint_id,
    is_signing_key_id,
    new_endpoint_id,
    new_signing_key_id,
)
from sluicegate.engine.model import (
    CreatedEndpoint,
    CreatedSigningKey,
    Endpoint,
    EndpointConfig,
    SigningKey,
)
from sluicegate.engine.moments import from_ms
from sluicegate.engine.pages import Page, position_of
from sluicegate.engine.ports import (
    AddressUse,
    Clock,
    EndpointRow,
    Owners,
    Random,
    Resolver,
    SigningKeyRow,
    Storage,
    Telemetry,
)
from sluicegate.engine.settings import Settings
from sluicegate.engine.signing import key_hint, new_secret
from sluicegate.engine.urls import check_url

__all__ = ["ENDPOINTS_LISTED_MAX", "Endpoints"]

ENDPOINTS_LISTED_MAX = 100
"""Endpoints on one page."""

SigningKeys: TypeAlias = list[SigningKey]  # in the class below, `list` is a method


class Endpoints:
    """The endpoints of every project. Used on the engine's event loop only.

    Every method takes the project that asks; another project's endpoint is an unknown one.
    """

    def __init__(
        self,
        storage: Storage,
        owners: Owners,
        *,
        resolver: Resolver,
        policy: AddressPolicy,
        clock: Clock,
        random: Random,
        settings: Settings,
        telemetry: Telemetry,
    ) -> None:
        self._storage = storage
        self._telemetry = telemetry
        self._owners = owners
        self._resolver = resolver
        self._policy = policy
        self._clock = clock
        self._random = random
        self._settings = settings

    async def create(self, project_id: str, draft: EndpointDraft) -> CreatedEndpoint:
        """Create an endpoint with its first signing key; durable when this returns.

        Raises:
            InvalidRequestError: a field of the wrong type or range.
            InvalidEndpointError: the URL is not one that may be delivered to.
            InvalidHeadersError: a header is reserved, malformed, or one too many.
            EndpointUnreachableError: the host name does not resolve.
            EndpointBlockedError: it resolves to an address that is not allowed.
            DuplicateUrlError: the project has an endpoint with this URL.
        """
        config = msgspec.structs.replace(
            EndpointConfig(url=""), **check_fields(msgspec.structs.asdict(draft), self._settings)
        )
        await self._check_reachable(config.url)
        key = self._new_key()
        endpoint = await self._storage.create_endpoint(
            EndpointRow(
                id=new_endpoint_id(self._random),
                project_id=project_id,
                config=config,
                key=key,
                created_at_ms=key.created_at_ms,
            )
        )
        return CreatedEndpoint(endpoint=endpoint, signing_key=_created(key))

    async def get(self, project_id: str, endpoint_id: str) -> Endpoint:
        """Return an endpoint with the counts of its messages.

        Raises:
            InvalidRequestError: the id is malformed.
            EndpointNotFoundError: the project has no such endpoint.
        """
        _require_id(endpoint_id)
        endpoint = await self._storage.get_endpoint(
            project_id, endpoint_id, in_flight=self._owners.in_flight()
        )
        if endpoint is None:
            raise EndpointNotFoundError
        return endpoint

    async def list(
        self, project_id: str, *, limit: int = 50, cursor: str | None = None
    ) -> Page[Endpoint]:
        """Return a page of endpoints, newest first, without counts.

        Args:
            project_id: whose.
            limit: 1 to `ENDPOINTS_LISTED_MAX`.
            cursor: the `next_cursor` of the page before.

        Raises:
            InvalidRequestError: `limit` is out of range, or `cursor` is broken or foreign.
        """
        bounds.whole("limit", limit, minimum=1, maximum=ENDPOINTS_LISTED_MAX)
        filters = {"project_id": project_id}
        before_no = position_of(cursor, "endpoints", filters)
        items, position = await self._storage.list_endpoints(
            project_id, limit=limit, before_no=before_no
        )
        following = None if position is None else encode_cursor("endpoints", filters, position)
        return Page(items, following)

    async def update(self, project_id: str, endpoint_id: str, patch: EndpointPatch) -> Endpoint:
        """Change an endpoint and return it; the next attempt uses the result.

        An empty patch changes nothing. A new URL is checked as at creation.

        Raises:
            InvalidRequestError: the id is malformed, or a field of the wrong type or range.
            EndpointNotFoundError: the project has no such endpoint.
            InvalidEndpointError, InvalidHeadersError, EndpointUnreachableError,
            EndpointBlockedError, DuplicateUrlError: as `create`.
        """
        _require_id(endpoint_id)
        given = {
            name: value
            for name, value in msgspec.structs.asdict(patch).items()
            if value is not UNSET
        }
        changes = check_fields(given, self._settings)
        if changes:
            await self.get(project_id, endpoint_id)  # nothing is looked up for a stranger
            if isinstance(patch.url, str):
                await self._check_reachable(patch.url)
            await self._owners.reconfigure(
                project_id,
                endpoint_id,
                lambda config: msgspec.structs.replace(config, **changes),
            )
        return await self.get(project_id, endpoint_id)

    async def delete(self, project_id: str, endpoint_id: str) -> None:
        """Delete an endpoint; what waited becomes `failed_permanent`.

        Raises:
            InvalidRequestError: the id is malformed.
            EndpointNotFoundError: the project has no such endpoint.
        """
        _require_id(endpoint_id)
        await self._owners.delete(project_id, endpoint_id)

    def pause(self, project_id: str, endpoint_id: str) -> Awaitable[None]:
        """Pause an endpoint: no attempt starts once this is answered.

        It is begun by the call, and goes on whether it is awaited or not; so is a resume.

        Raises:
            InvalidRequestError: the id is malformed.
            EndpointNotFoundError: the project has no such endpoint.
            AlreadyPausedError: it is paused.
        """
        _require_id(endpoint_id)
        return self._owners.pause(project_id, endpoint_id)

    def resume(self, project_id: str, endpoint_id: str) -> Awaitable[int]:
        """Resume an endpoint; the answer is how many messages were held.

        Raises:
            InvalidRequestError: the id is malformed.
            EndpointNotFoundError: the project has no such endpoint.
            NotPausedError: it is not paused.
        """
        _require_id(endpoint_id)
        return self._owners.resume(project_id, endpoint_id)

    async def create_signing_key(self, project_id: str, endpoint_id: str) -> CreatedSigningKey:
        """Add a second signing key; deliveries are signed with both from now on.

        Raises:
            InvalidRequestError: the id is malformed.
            EndpointNotFoundError: the project has no such endpoint.
            MaxSigningKeysReachedError: there are two.
        """
        _require_id(endpoint_id)
        key = self._new_key()
        await self._owners.add_signing_key(project_id, endpoint_id, key)
        return _created(key)

    async def list_signing_keys(self, project_id: str, endpoint_id: str) -> SigningKeys:
        """Return the signing keys without their secrets, newest first.

        Raises:
            InvalidRequestError: the id is malformed.
            EndpointNotFoundError: the project has no such endpoint.
        """
        _require_id(endpoint_id)
        keys = await self._storage.list_signing_keys(project_id, endpoint_id)
        if keys is None:
            raise EndpointNotFoundError
        return keys

    async def delete_signing_key(self, project_id: str, endpoint_id: str, key_id: str) -> None:
        """Remove a signing key.

        Raises:
            InvalidRequestError: the endpoint's id is malformed.
            EndpointNotFoundError: the project has no such endpoint.
            NotFoundError: the endpoint has no such key.
            CannotDeleteLastKeyError: it is the only one.
        """
        _require_id(endpoint_id)
        if not is_signing_key_id(key_id):
            await self.list_signing_keys(project_id, endpoint_id)  # an unknown endpoint is told
            raise NotFoundError("signing key not found")
        await self._owners.remove_signing_key(project_id, endpoint_id, key_id)

    def _new_key(self) -> SigningKeyRow:
        return SigningKeyRow(
            id=new_signing_key_id(self._random),
            secret=new_secret(self._random),
            created_at_ms=self._clock.wall_ms(),
        )

    async def _check_reachable(self, url: str) -> None:
        """Refuse a host that has no address, or one internal address among others."""
        host = check_url(url, dev=self._settings.dev).host
        addresses = await self._resolver.resolve(host)
        details = {"field": "url", "host": host}
        if not addresses:
            raise EndpointUnreachableError(details=details)
        if not all(self._policy.is_allowed(address) for address in addresses):
            self._telemetry.address_refused(AddressUse.ENDPOINT)
            raise EndpointBlockedError(details=details)


def _require_id(endpoint_id: object) -> None:
    if not isinstance(endpoint_id, str) or not is_endpoint_id(endpoint_id):
        raise InvalidRequestError(
            "endpoint_id must be in format ep_xxx", details={"field": "endpoint_id"}
        )


def _created(key: SigningKeyRow) -> CreatedSigningKey:
    return CreatedSigningKey(
        id=key.id,
        signing_secret=key.secret,
        key_hint=key_hint(key.secret),
        created_at=from_ms(key.created_at_ms),
    )
