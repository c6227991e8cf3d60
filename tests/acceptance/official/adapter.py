"""The official client, sync or async, behind one awaitable face that notes what it came to."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Any

import msgspec
import pytest
from hookbridge import AsyncHookBridge, HookBridge, HookBridgeError

__all__ = ["Client", "refused"]

_KEPT = (datetime, date)


class Client:
    """Both forms of the client, unmodified.

    Attributes:
        met: operation and code of every refusal; `""` for a success.
    """

    def __init__(self, url: str, *, sync: bool, api_key: str) -> None:
        self.met: set[tuple[str, str]] = set()
        self._client: HookBridge | AsyncHookBridge
        kind = HookBridge if sync else AsyncHookBridge
        self._client = kind(api_key, base_url=url, send_url=url, retries=0)

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        """Return the operation `name`; the sync client runs in a thread, as its users' does."""
        method = getattr(self._client, name)

        async def call(*args: object, **kwargs: object) -> Any:
            try:
                if inspect.iscoroutinefunction(method):
                    result = await method(*args, **kwargs)
                else:
                    result = await asyncio.to_thread(method, *args, **kwargs)
            except HookBridgeError as error:
                self.met.add((name, error.code))
                raise
            _check_type(result, inspect.signature(method).return_annotation)
            self.met.add((name, ""))
            return result

        return call

    async def aclose(self) -> None:
        """Close the connections."""
        if isinstance(self._client, AsyncHookBridge):
            await self._client.close()
        else:
            self._client.close()


async def refused(
    call: Awaitable[object],
    status: int,
    code: str,
    error_type: type[HookBridgeError] = HookBridgeError,
) -> HookBridgeError:
    """Await a refusal and check all that the client tells of it: class, code, status, request."""
    with pytest.raises(HookBridgeError) as caught:
        await call
    error = caught.value
    assert type(error) is error_type, error
    assert (error.status_code, error.code) == (status, code), error
    assert error.request_id is not None
    assert error.request_id.startswith("req_")
    return error


def _check_type(result: object, annotation: Any) -> None:
    """Hold what the client returns against what it says it returns: it does not itself."""
    plain = msgspec.to_builtins(result, builtin_types=_KEPT)
    msgspec.convert(_without_paused(plain), annotation, builtin_types=_KEPT)


def _without_paused(plain: Any) -> Any:
    """Replace our own status `paused`, which the client passes on though its types lack it."""
    if isinstance(plain, list):
        return [_without_paused(each) for each in plain]
    if isinstance(plain, dict):
        return {
            key: "queued" if (key, value) == ("status", "paused") else _without_paused(value)
            for key, value in plain.items()
        }
    return plain
