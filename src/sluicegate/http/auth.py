"""Who asks: bearer keys (RFC 6750 §2.1), and a limit on guessing them."""

from ipaddress import IPv6Address, ip_address

from aiohttp import hdrs

from sluicegate.engine.api_keys import ApiKeys, sha256_of
from sluicegate.engine.errors import RateLimitedError, UnauthorizedError
from sluicegate.engine.model import Principal
from sluicegate.http.calls import HttpRequest
from sluicegate.http.per_minute import PerMinute
from sluicegate.http.whole_requests import WholeRequest

__all__ = ["Authentication"]


class Authentication:
    """Tells whom a request speaks for. Failures are limited by client address.

    A good key passes from any address, whatever failed there before: behind a proxy many
    clients share one.
    """

    def __init__(self, api_keys: ApiKeys, failures: PerMinute) -> None:
        self._api_keys = api_keys
        self._failures = failures

    def known(self, request: HttpRequest) -> Principal | None:
        """Return whom the request's key stands for, if that can be told without waiting.

        `None` says nothing of the key: `principal` knows.
        """
        if isinstance(request, WholeRequest):
            return self._api_keys.known(request.once(_key_sha256))
        return self._api_keys.known(_key_sha256(request))

    async def principal(self, request: HttpRequest) -> Principal:
        """Return whom the request's key stands for.

        Raises:
            UnauthorizedError: no key, a malformed one, or one that is not known.
            RateLimitedError: the same, too often from this address.
        """
        try:
            return await self._api_keys.authenticate(_bearer_key(request))
        except UnauthorizedError:
            retry_after_s = self._failures.take(_client(request.remote))
            if retry_after_s:
                raise RateLimitedError(retry_after_s=retry_after_s) from None
            raise


def _bearer_key(request: HttpRequest) -> str:
    """Return the key; "", which is none, if there is not one header with one of this scheme."""
    values = request.headers.getall(hdrs.AUTHORIZATION, ())
    if len(values) != 1:
        return ""
    scheme, _, key = values[0].partition(" ")
    return key.strip(" ") if scheme.lower() == "bearer" else ""


def _key_sha256(request: HttpRequest) -> bytes:
    return sha256_of(_bearer_key(request))


def _client(address: str | None) -> str:
    """Return what failures are counted by: an IPv4 address, or the /64 of an IPv6 client."""
    if address is None or ":" not in address:
        return address or ""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return parsed.packed[:8].hex()
