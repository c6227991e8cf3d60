"""What goes wrong at a receiver by chance."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import msgspec

from sluicegate.simulation.faults import Faults
from sluicegate.simulation.receivers.exchange import Answer, Fate

__all__ = ["ReceiverChance"]

_SERVER_ERRORS = (500, 502, 503, 504)
_UNAVAILABLE = 503
_RETRY_AFTERS = (None, "0", "1", "7", "60")
_DATES_S = (-3600, -1, 0, 1, 7, 20, 60, 400)
"""How far from now the dates lie that a receiver asks to be left alone until."""
_NONSENSE = (
    "soon",
    "-5",
    "1.5",
    "7s",
    "2099-01-01T00:00:00Z",
    "Thu, 01 Jan 2099 00:00:00 +0100",
    "Thu, 32 Jan 2099 00:00:00 GMT",
    "Thu, 01 Foo 2099 00:00:00 GMT",
    "thu, 01 jan 2099 00:00:00 gmt",
)
"""Values of `Retry-After` that RFC 9110 does not know."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ReceiverChance:
    """Draws the faults of one receiver from the seed."""

    def __init__(
        self, seed: str, faults: Callable[[], Faults], *, wall_ms: Callable[[], int]
    ) -> None:
        """Take the rates, which may change at any moment, and the wall clock."""
        self._random = random.Random(seed)
        self._words = random.Random(f"{seed}:retry-after")
        self._faults = faults
        self._wall_ms = wall_ms

    def refusal(self) -> Answer | None:
        """Return an answer that comes in the application's place, or `None`."""
        faults = self._faults()
        if self._happens(faults.server_error):
            status = self._random.choice(_SERVER_ERRORS)
            asks = status == _UNAVAILABLE and self._words.random() < 0.5  # noqa: PLR2004 - as often as not
            after = self._retry_after(self._words.choice(_RETRY_AFTERS)) if asks else None
            return Answer(status=status, headers=(("Retry-After", after),) if after else ())
        if self._happens(faults.too_many):
            after = self._retry_after(self._random.choice(_RETRY_AFTERS))
            return Answer(status=429, headers=(("Retry-After", after),) if after else ())
        if self._happens(faults.client_error):
            return Answer(status=400)
        return None

    def spoiled(self, answer: Answer) -> Answer:
        """Return what becomes of the application's answer."""
        faults = self._faults()
        for rate, fate in (
            (faults.answer_lost, Fate.LOST),
            (faults.hang, Fate.NEVER),
            (faults.drip, Fate.DRIP),
            (faults.interim_flood, Fate.FLOODED),
        ):
            if self._happens(rate):
                return msgspec.structs.replace(answer, fate=fate)
        if self._happens(faults.slow):
            return msgspec.structs.replace(
                answer, delay_s=answer.delay_s + self._random.uniform(1, 9)
            )
        return answer

    def crashes(self) -> bool:
        """Return whether the process dies between the application's act and its answer."""
        return self._happens(self._faults().receiver_crash)

    def _retry_after(self, seconds: str | None) -> str | None:
        """Return what a receiver asks for: seconds, nothing, a date, or what makes no sense."""
        [kind] = self._words.choices(("seconds", "nonsense", "date"), (5, 1, 4))
        if kind == "seconds":
            return seconds
        if kind == "nonsense":
            return self._words.choice(_NONSENSE)
        # As servers do: of now in whole seconds, cut off.
        moment = _EPOCH + timedelta(seconds=self._wall_ms() // 1000 + self._words.choice(_DATES_S))
        return format_datetime(moment, usegmt=True)

    def _happens(self, rate: float) -> bool:
        return rate > 0 and self._random.random() < rate
