"""The calls of `sluicegate.engine.calls.endpoints`, each of which blocks until it is answered.

Made by `make blocking-calls`; a test compares.
"""

from sluicegate.embedding.blocking.scope import BlockingScope
from sluicegate.engine.model import CreatedEndpoint, CreatedSigningKey, Endpoint, SigningKey
from sluicegate.engine.pages import Page

__all__ = ["BlockingEndpointCalls"]


class BlockingEndpointCalls(BlockingScope):
    """Endpoints of one project, by name and with plain values."""

    def create_endpoint(self, url: str, **config: object) -> CreatedEndpoint:
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
        return self._call(lambda engine: engine.create_endpoint(url, **config), None)

    def get_endpoint(self, endpoint_id: str, *, timeout_s: float | None = None) -> Endpoint:
        """Return an endpoint with the counts of its messages."""
        return self._call(lambda engine: engine.get_endpoint(endpoint_id), timeout_s)

    def list_endpoints(
        self, *, limit: int = 50, cursor: str | None = None, timeout_s: float | None = None
    ) -> Page[Endpoint]:
        """Return a page of endpoints, newest first; `limit` 1..100."""
        return self._call(
            lambda engine: engine.list_endpoints(limit=limit, cursor=cursor), timeout_s
        )

    def update_endpoint(self, endpoint_id: str, **changes: object) -> Endpoint:
        """Change any field of `create_endpoint`; the next attempt uses the result."""
        return self._call(lambda engine: engine.update_endpoint(endpoint_id, **changes), None)

    def delete_endpoint(self, endpoint_id: str, *, timeout_s: float | None = None) -> None:
        """Delete an endpoint; what waits is given up."""
        self._call(lambda engine: engine.delete_endpoint(endpoint_id), timeout_s)

    def pause(self, endpoint_id: str, *, timeout_s: float | None = None) -> None:
        """Pause: once this returns no attempt starts until a resume, whatever happens.

        Raises:
            AlreadyPausedError: it is paused.
        """
        self._call(lambda engine: engine.pause(endpoint_id), timeout_s)

    def resume(self, endpoint_id: str, *, timeout_s: float | None = None) -> int:
        """Make everything held due at once, in order; return how many messages that are.

        Raises:
            NotPausedError: it is not paused.
        """
        return self._call(lambda engine: engine.resume(endpoint_id), timeout_s)

    def create_signing_key(
        self, endpoint_id: str, *, timeout_s: float | None = None
    ) -> CreatedSigningKey:
        """Add a second signing key; both sign until one is deleted."""
        return self._call(lambda engine: engine.create_signing_key(endpoint_id), timeout_s)

    def list_signing_keys(
        self, endpoint_id: str, *, timeout_s: float | None = None
    ) -> list[SigningKey]:
        """Return the signing keys, newest first, without their secrets."""
        return self._call(lambda engine: engine.list_signing_keys(endpoint_id), timeout_s)

    def delete_signing_key(
        self, endpoint_id: str, key_id: str, *, timeout_s: float | None = None
    ) -> None:
        """Delete one of two signing keys."""
        self._call(lambda engine: engine.delete_signing_key(endpoint_id, key_id), timeout_s)
