"""A small client of the server's HTTP API, for the commands."""

import json
from types import TracebackType
from typing import Any, Self

import aiohttp

from sluicegate.cli.failures import CommandError

__all__ = ["Api"]

_TIMEOUT_S = 30


class Api:
    """Calls one server with one key; an async context manager. Belongs to the running loop."""

    def __init__(self, url: str, api_key: str) -> None:
        """Remember where the server is and who asks."""
        self._url = url.rstrip("/")
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {api_key}"},
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
        )

    async def __aenter__(self) -> Self:
        """Nothing to open: connections are made by requests."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self._session.close()

    async def call(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Return the `data` of the answer, `None` if it has no body.

        Raises:
            CommandError: the server refused (its code and message), cannot be reached, or is
                no Sluicegate server.
        """
        try:
            async with self._session.request(method, f"{self._url}{path}", json=body) as answer:
                text = await answer.text()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise CommandError(f"cannot reach {self._url}: {reason}") from error
        if not text and answer.ok:
            return None
        try:
            envelope = json.loads(text)
            if answer.ok:
                return envelope["data"]
            refusal = envelope["error"]
            sentence = f"{refusal['code']}: {refusal['message']}"
        except (ValueError, KeyError, TypeError):
            sentence = f"{self._url} answered {answer.status}, but not as a Sluicegate server does"
        raise CommandError(sentence)
