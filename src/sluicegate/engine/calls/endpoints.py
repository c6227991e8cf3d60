"""What an embedding program asks about endpoints."""

from sluicegate.engine.calls.scope import ProjectScope
from sluicegate.engine.drafts import (
    EndpointDraft,
    EndpointPatch,
    draft,
)
from sluicegate.engine.model import (
    CreatedEndpoint,
    CreatedSigningKey,
    Endpoint,
    SigningKey,
)
from sluicegate.engine.pages import Page

__all__ = ["EndpointCalls"]


class EndpointCalls(ProjectScope):
    """Endpoints of one project, by name and with plain values."""

    async def create_endpoint(self, url: str, **config: object) -> CreatedEndpoint:
        """Create an endpoint.

        Args:
            url: where to deliver; `https`, 12 to 2048 characters.
            **config: `description`, `rate_limit_rps`, `burst`, `headers`, `ordered`,
                `max_in_flight`, `timeout_s`, as in `EndpointConfig`.

        Raises:
            InvalidEndpointError, EndpointBlockedError, EndpointUnreachableError: the URL.
            DuplicateUrlError: an endpoint has it.
            InvalidRequestError, InvalidHeadersError: another field.
        """
        return await self.services.endpoints.create(
            self._project, draft(EndpointDraft, url=url, **config)
        )

    async def get_endpoint(self, endpoint_id: str) -> Endpoint:
        """Return an endpoint with the counts of its messages."""
        return await self.services.endpoints.get(self._project, endpoint_id)

    async def list_endpoints(self, *, limit: int = 50, cursor: str | None = None) -> Page[Endpoint]:
        """Return a page of endpoints, newest first; `limit` 1..100."""
        return await self.services.endpoints.list(self._project, limit=limit, cursor=cursor)

    async def update_endpoint(self, endpoint_id: str, **changes: object) -> Endpoint:
        """Change any field of `create_endpoint`; the next attempt uses the result."""
        patch = draft(EndpointPatch, **changes)
        return await self.services.endpoints.update(self._project, endpoint_id, patch)

    async def delete_endpoint(self, endpoint_id: str) -> None:
        """Delete an endpoint; what waits is given up."""
        await self.services.endpoints.delete(self._project, endpoint_id)

    async def pause(self, endpoint_id: str) -> None:
        """Pause: once this returns no attempt starts until a resume, whatever happens.

        Raises:
            AlreadyPausedError: it is paused.
        """
        await self.services.endpoints.pause(self._project, endpoint_id)

    async def resume(self, endpoint_id: str) -> int:
        """Make everything held due at once, in order; return how many messages that are.

        Raises:
            NotPausedError: it is not paused.
        """
        return await self.services.endpoints.resume(self._project, endpoint_id)

    async def create_signing_key(self, endpoint_id: str) -> CreatedSigningKey:
        """Add a second signing key; both sign until one is deleted."""
        return await self.services.endpoints.create_signing_key(self._project, endpoint_id)

    async def list_signing_keys(self, endpoint_id: str) -> list[SigningKey]:
        """Return the signing keys, newest first, without their secrets."""
        return await self.services.endpoints.list_signing_keys(self._project, endpoint_id)

    async def delete_signing_key(self, endpoint_id: str, key_id: str) -> None:
        """Delete one of two signing keys."""
        await self.services.endpoints.delete_signing_key(self._project, endpoint_id, key_id)
