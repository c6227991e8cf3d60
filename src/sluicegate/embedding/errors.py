"""What only an engine whose calls block can raise."""

from sluicegate.engine.errors import UnavailableError

__all__ = ["CallTimeoutError"]


class CallTimeoutError(UnavailableError, TimeoutError):
    """A blocking call was not answered within its `timeout_s`.

    What it asked for may still happen: a write that was under way is committed all the same. To
    send again without sending twice, give `idempotency_key`, and the same one the next time.
    """

    default_message = (
        "no answer in time; what was asked for may still be done, so repeat a send "
        "only with the same idempotency_key"
    )
