"""How long a pause takes to be answered, over HTTP: the time that a client sees."""

import time
from collections.abc import Callable

from figures import percentiles
from ours import Api, Server
from wire import PAYLOAD_BYTES, payload
from workers import BenchmarkError

__all__ = ["Answers", "beside_load", "hold", "ratios", "with_and_without_held"]

_BATCH = 1000
_FIRST_HELD = 9_000_000_000
"""The number of the first message that is held: no round uses so high a one."""
_GAP_S = 0.002


class Answers:
    """Pauses and resumes of one endpoint, in turn."""

    def __init__(self, api: Api, endpoint_id: str) -> None:
        self._api = api
        self._path = f"/v1/endpoints/{endpoint_id}"
        self.pause_ms: list[float] = []
        self.resume_ms: list[float] = []

    def pause(self) -> None:
        """Pause, and note how long it took."""
        self.pause_ms.append(self._api.timed_ms("POST", f"{self._path}/pause"))

    def resume(self) -> None:
        """Resume, and note how long it took."""
        self.resume_ms.append(self._api.timed_ms("POST", f"{self._path}/resume"))

    def summary(self) -> dict[str, object]:
        """Return the percentiles and how many there were."""
        return {
            "count": len(self.pause_ms),
            "pause_ms": percentiles(self.pause_ms),
            "resume_ms": percentiles(self.resume_ms),
        }


def beside_load(answers: Answers, *, seconds: float) -> Callable[[], None]:
    """Return what pauses and resumes for so many seconds, with a breath in between."""

    def run() -> None:
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            answers.pause()
            time.sleep(_GAP_S)
            answers.resume()
            time.sleep(_GAP_S)

    return run


def hold(server: Server, endpoint_id: str, count: int) -> None:
    """Pause an endpoint and send it `count` messages, which are then held.

    Raises:
        BenchmarkError: not all of them were accepted.
    """
    server.api.call("POST", f"/v1/endpoints/{endpoint_id}/pause")
    for first in range(0, count, _BATCH):
        numbers = range(first, min(first + _BATCH, count))
        slots = server.api.send_batch(
            [_send(endpoint_id, payload(_FIRST_HELD + number)) for number in numbers]
        )
        if any("error" in slot for slot in slots):
            raise BenchmarkError(f"a batch was not accepted: {slots[0]}")
        server.ledger.accepted += len(numbers)


def _send(endpoint_id: str, text: bytes) -> bytes:
    assert len(text) == PAYLOAD_BYTES
    return b'{"endpoint_id":"%s","payload":%s}' % (endpoint_id.encode(), text)


def with_and_without_held(
    api: Api, *, held_id: str, empty_id: str, count: int
) -> tuple[Answers, Answers]:
    """Pause and resume in turn an endpoint with messages held and one with none.

    Both are paused before and after. Between a resume and the next pause some messages flow.
    """
    held, empty = Answers(api, held_id), Answers(api, empty_id)
    for _ in range(count):
        for answers in (empty, held):
            answers.resume()
            answers.pause()
            time.sleep(_GAP_S)
    return held, empty


def ratios(held: Answers, none_held: Answers) -> dict[str, dict[str, float]]:
    """Return how much longer answers take with messages held."""
    return {
        what: {p: ours[p] / theirs[p] for p in ("p50", "p99")}
        for what, ours, theirs in (
            ("pause", percentiles(held.pause_ms), percentiles(none_held.pause_ms)),
            ("resume", percentiles(held.resume_ms), percentiles(none_held.resume_ms)),
        )
    }
