"""How often an actor may crash before its endpoint is parked."""

__all__ = ["Restarts"]

_POISON_CRASHES = 3
_SUSPECTS_MAX = 64

_FIRST_S = 0.1
_LONGEST_S = 10.0
_FORGIVEN_AFTER_S = 60.0


class Restarts:
    """The crashes of one endpoint's actors: backoff, and an intensity limit."""

    __slots__ = ("_crashes", "_last_s", "_max", "_suspects", "parked")

    def __init__(self, restarts_max: int) -> None:
        """Allow `restarts_max` restarts until a minute has passed without a crash."""
        self._max = restarts_max
        self._crashes = 0
        self._last_s: float | None = None
        self._suspects: dict[int, int] = {}
        self.parked = False
        """The limit was passed: nobody restarts it on his own."""

    def crashed(self, now_s: float, *, explained: bool) -> float | None:
        """Count a crash; return after how many seconds to restart, or `None`: park it.

        Args:
            now_s: the monotonic clock.
            explained: it was due to a message that is now given up; it does not count against
                the limit.
        """
        if self._last_s is not None and now_s - self._last_s > _FORGIVEN_AFTER_S:
            self._crashes = 0
        self._last_s = now_s
        self._crashes += not explained
        if self._crashes > self._max:
            self.parked = True
            return None
        delay_s: float = min(_LONGEST_S, _FIRST_S * 2 ** max(0, self._crashes - 1))
        return delay_s

    def poisoned_by(self, suspect: int) -> bool:
        """Count a crash against a message; return whether it has caused enough of them.

        Args:
            suspect: `seq` of the message that was being handled.
        """
        crashes = self._suspects.pop(suspect, 0) + 1
        self._suspects[suspect] = crashes
        if len(self._suspects) > _SUSPECTS_MAX:
            del self._suspects[next(iter(self._suspects))]
        return crashes >= _POISON_CRASHES
