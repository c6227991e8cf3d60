"""Webhooks as Sluicegate would sign them, and as nobody should: for the receiving side's tests."""

from collections.abc import Callable, Sequence

import msgspec

from sluicegate import verification
from sluicegate.engine.drafts import json_text
from sluicegate.engine.headers import request_headers
from sluicegate.engine.signing import check_secret, signature_headers
from sluicegate.engine.version import __version__
from sluicegate.verification import TOLERANCE_S

__all__ = ["FORGERIES", "SAMPLE_SECRET", "SignedWebhook", "WebhookSamples"]

SAMPLE_SECRET = "whsec_c2FtcGxlIHNlY3JldCB0aGF0IG9wZW5zIG5vdGhpbmc="  # noqa: S105 - opens nothing
_OTHER_SECRET = "whsec_YW5vdGhlciBzZWNyZXQgdGhhdCBvcGVucyBub3RoaW4="  # noqa: S105 - opens nothing

FORGERIES = ("expired", "early", "tampered", "wrong_key", "downgraded", "unsigned")
"""What a receiver must refuse: the methods of `WebhookSamples` that make it, by their names."""


class SignedWebhook(msgspec.Struct, frozen=True, kw_only=True):
    """A request to post to what is tested."""

    headers: dict[str, str]
    body: bytes


class WebhookSamples:
    """Makes webhooks with one secret, each as a delivery of Sluicegate has it, or wrong in one way.

    `good` is to be taken, and `rotated`, which is signed with a newer key besides; whatever is in
    `FORGERIES` is to be refused, and `verify` does.

        sample = webhook_samples.good({"order": "apples"})
        answer = client.post("/hook", content=sample.body, headers=sample.headers)
    """

    def __init__(self, secret: str = SAMPLE_SECRET, *, now_s: float | None = None) -> None:
        """Take what the receiver is configured with.

        Args:
            secret: its signing secret.
            now_s: its time, in seconds since the Unix epoch; what `verify` reads when not given:
                the machine's, or in a simulation the virtual one.

        Raises:
            ValueError: the secret is none.
        """
        self.secret = check_secret(secret)
        self._now_s = now_s

    def good(self, payload: object, *, message_id: str = "sample-1") -> SignedWebhook:
        """Return a webhook that is right. The same id again is a repetition of the same one.

        Args:
            payload: any JSON value; `bytes` are taken as they are.
            message_id: stays the same on every attempt of one message.

        Raises:
            InvalidRequestError: the payload is not a JSON value.
        """
        return self._made(payload, message_id=message_id)

    def rotated(self, payload: object, *, message_id: str = "sample-1") -> SignedWebhook:
        """Return one from an endpoint with two keys, of which the receiver knows the older."""
        return self._made(payload, message_id=message_id, secrets=(_OTHER_SECRET, self.secret))

    def expired(self, payload: object, *, message_id: str = "sample-1") -> SignedWebhook:
        """Return one that was signed ten minutes ago."""
        return self._made(payload, message_id=message_id, late_s=2 * TOLERANCE_S)

    def early(self, payload: object, *, message_id: str = "sample-1") -> SignedWebhook:
        """Return one that is signed ten minutes in the future."""
        return self._made(payload, message_id=message_id, late_s=-2 * TOLERANCE_S)

    def tampered(self, payload: object, *, message_id: str = "sample-1") -> SignedWebhook:
        """Return one whose body was changed after it was signed: by a space, which JSON ignores."""
        good = self.good(payload, message_id=message_id)
        return SignedWebhook(headers=good.headers, body=good.body + b" ")

    def wrong_key(self, payload: object, *, message_id: str = "sample-1") -> SignedWebhook:
        """Return one that is signed with another secret."""
        return self._made(payload, message_id=message_id, secrets=(_OTHER_SECRET,))

    def downgraded(self, payload: object, *, message_id: str = "sample-1") -> SignedWebhook:
        """Return one without the signature that covers its id, and under another id."""
        good = self.good(payload, message_id=message_id)
        headers = {
            name: value for name, value in good.headers.items() if not name.startswith("webhook-")
        }
        return SignedWebhook(headers=headers | {"X-Webhook-Id": "another-id"}, body=good.body)

    def unsigned(self, payload: object, *, message_id: str = "sample-1") -> SignedWebhook:
        """Return one with its id and time, and without any signature."""
        good = self.good(payload, message_id=message_id)
        headers = {
            name: value
            for name, value in good.headers.items()
            if not name.lower().endswith("webhook-signature")
        }
        return SignedWebhook(headers=headers, body=good.body)

    def forged(self, kind: str, payload: object, *, message_id: str = "sample-1") -> SignedWebhook:
        """Return what a receiver must refuse.

        Args:
            kind: one of `FORGERIES`.
            payload: as for `good`.
            message_id: the same.

        Raises:
            ValueError: there is no such kind.
        """
        if kind not in FORGERIES:
            raise ValueError(f"kind: {kind!r} is not allowed: one of {', '.join(FORGERIES)}")
        make: Callable[..., SignedWebhook] = getattr(self, kind)
        return make(payload, message_id=message_id)

    def _made(
        self,
        payload: object,
        *,
        message_id: str,
        secrets: Sequence[str] = (),
        late_s: float = 0,
    ) -> SignedWebhook:
        body = json_text(payload)
        now_s = verification.clock.wall_ms() / 1000 if self._now_s is None else self._now_s
        headers = request_headers(
            user_agent=f"Sluicegate/{__version__}",
            endpoint_headers={},
            message_headers={},
            signature=signature_headers(
                message_id=message_id,
                timestamp_s=int(now_s - late_s),
                body=body,
                secrets=secrets or (self.secret,),
            ),
            attempt_no=1,
        )
        return SignedWebhook(headers=dict(headers), body=body)
