"""When an actor that has nothing to do may retire."""

from sluicegate.engine.model import EndpointConfig

__all__ = ["Repose"]


class Repose:
    """How long one actor has had nothing to do. Moments are in seconds, on the loop's clock."""

    __slots__ = ("_idle_s", "_since")

    def __init__(self, idle_s: float) -> None:
        """Begin busy; `idle_s` seconds without work are enough, or more if the rate wants it."""
        self._idle_s = idle_s
        self._since: float | None = None

    def retire_at(
        self, now_s: float, *, busy: bool, crowded: bool, config: EndpointConfig
    ) -> float | None:
        """Return when the actor may retire if nothing comes; `None` while it is busy.

        Args:
            now_s: this moment.
            busy: something is under way, or is waited for.
            crowded: its place is wanted: it may retire at once, if its rate allows.
            config: the endpoint's.
        """
        if busy:
            self._since = None
            return None
        if self._since is None:
            self._since = now_s
        # A retired actor forgets its token bucket: by then it must be full anyway.
        rate = config.rate_limit_rps
        refill_s = (config.burst or rate) / rate if rate else 0.0
        return self._since + max(0.0 if crowded else self._idle_s, refill_s)
