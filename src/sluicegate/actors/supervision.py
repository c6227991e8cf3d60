"""How often an actor may crash before its endpoint is parked."""

__all__ = ["Restarts"]

_POISON_CRASHES = 3

_FIRST_S = 0.1
_LONGEST_S = 10.0
_FORGIVEN_AFTER_S = 60.0


class Restarts:
    """The crashes of one endpoint's actors: backoff, and an intensity limit."""

    __slots__ = ("_crashes", "_last_s", "_max", "_suspect", "_suspect_crashes", "parked")

    def __init__(self, restarts_max: int) -> None:
        """Allow `restarts_max` restarts until a minute has passed without a crash."""
        self._max = restarts_max
        self._crashes = 0
        self._last_s: float | None = None
        self._suspect: int | None = None
        self._suspect_crashes = 0
        self.parked = False
        """The limit was passed: nobody restarts it on his own."""

    def crashed(self, now_s: float) -> float | None:
        """Count a crash; return after how many seconds to restart, or `None`: park it.

        Args:
            now_s: the monotonic clock.
        """
        if self._last_s is not None and now_s - self._last_s > _FORGIVEN_AFTER_S:
            self._crashes = 0
        self._last_s = now_s
        self._crashes += 1
        if self._crashes > self._max:
            self.parked = True
            return None
        delay_s: float = min(_LONGEST_S, _FIRST_S * 2 ** (self._crashes - 1))
        return delay_s

    def poisoned(self, suspect: int | None) -> bool:
        """Whether the same message was being handled at each of the last crashes.

        Args:
            suspect: `seq` of the message that was handled at this crash, if it was one.
        """
        if suspect is None or suspect != self._suspect:
            self._suspect, self._suspect_crashes = suspect, 0
        self._suspect_crashes += suspect is not None
        return self._suspect_crashes >= _POISON_CRASHES
