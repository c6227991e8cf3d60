"""Tokens that stand for the right to one download, for a short while.

A browser that follows a download link has no API key to show, so the link itself carries the right:
an HMAC-SHA256 (RFC 2104) over what may be downloaded and until when. The key is drawn at the start
and never stored: nobody who reads the database or a backup can make a token, and none outlives
the process.
"""

import base64
import binascii
import hmac

from sluicegate.engine.ports import Clock, Random

__all__ = ["DOWNLOAD_S", "DownloadTokens"]

DOWNLOAD_S = 900
"""Seconds for which a token is good."""

_KEY_BYTES = 32
_UNTIL_BYTES = 6
_TOKEN_BYTES = _UNTIL_BYTES + 32
_TOKEN_CHARS_MAX = 64


class DownloadTokens:
    """Makes and checks tokens. Pure but for the clock; used from any thread."""

    def __init__(self, clock: Clock, random: Random) -> None:
        self._clock = clock
        self._key = random.token_bytes(_KEY_BYTES)

    def make(self, name: str) -> str:
        """Return a token for what is called `name`: 51 characters of `[A-Za-z0-9_-]`."""
        until_ms = int((self._clock.monotonic_s() + DOWNLOAD_S) * 1000)
        until = until_ms.to_bytes(_UNTIL_BYTES, "big")
        return base64.urlsafe_b64encode(until + self._mac(until, name)).decode().rstrip("=")

    def is_good(self, token: str, name: str) -> bool:
        """Whether a token was made for `name`, by this process, and not too long ago.

        Takes the same time wherever a token differs from the right one.
        """
        if len(token) > _TOKEN_CHARS_MAX or not token.isascii():
            return False
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (binascii.Error, ValueError):
            return False
        until, mac = raw[:_UNTIL_BYTES], raw[_UNTIL_BYTES:]
        if len(raw) != _TOKEN_BYTES or not hmac.compare_digest(mac, self._mac(until, name)):
            return False
        return self._clock.monotonic_s() * 1000 < int.from_bytes(until, "big")

    def _mac(self, until: bytes, name: str) -> bytes:
        return hmac.digest(self._key, until + name.encode(), "sha256")
