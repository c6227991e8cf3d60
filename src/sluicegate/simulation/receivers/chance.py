"""What goes wrong at a receiver by chance."""

import random
from collections.abc import Callable

import msgspec

from sluicegate.simulation.faults import Faults
from sluicegate.simulation.receivers.exchange import Answer, Fate

__all__ = ["ReceiverChance"]

_SERVER_ERRORS = (500, 502, 503, 504)
_RETRY_AFTERS = (None, "0", "1", "7", "60")


class ReceiverChance:
    """Draws the faults of one receiver from the seed."""

    def __init__(self, seed: str, faults: Callable[[], Faults]) -> None:
        """Take the rates, which may change at any moment."""
        self._random = random.Random(seed)
        self._faults = faults

    def refusal(self) -> Answer | None:
        """Return an answer that comes in the application's place, or `None`."""
        faults = self._faults()
        if self._happens(faults.server_error):
            return Answer(status=self._random.choice(_SERVER_ERRORS))
        if self._happens(faults.too_many):
            after = self._random.choice(_RETRY_AFTERS)
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

    def _happens(self, rate: float) -> bool:
        return rate > 0 and self._random.random() < rate
