"""How long pauses and resumes take, over HTTP: the time that a client sees."""

import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

from figures import percentiles
from ours import Api
from workers import Worker

__all__ = ["Answers", "FirstAttempts", "ratios", "repeated"]

_GAP_S = 0.002
_FIRST_ATTEMPT_S = 10.0


class Answers:
    """Pauses and resumes of one endpoint after the other, and how long each took to be answered."""

    def __init__(self, api: Api, endpoint_ids: Sequence[str]) -> None:
        self._api = api
        self._paths = itertools.cycle(f"/v1/endpoints/{id_}" for id_ in endpoint_ids)
        self._pause_ms: list[float] = []
        self._resume_ms: list[float] = []

    def pause_and_resume(self) -> None:
        """Pause an endpoint to which messages flow, and resume it, with a breath after each."""
        path = next(self._paths)
        self._ask(path, "pause", self._pause_ms)
        time.sleep(_GAP_S)
        self._ask(path, "resume", self._resume_ms)
        time.sleep(_GAP_S)

    def resume_and_pause(self) -> None:
        """Resume an endpoint that is paused, and pause it before much can flow; then breathe."""
        path = next(self._paths)
        self._ask(path, "resume", self._resume_ms)
        self._ask(path, "pause", self._pause_ms)
        time.sleep(_GAP_S)

    def _ask(self, path: str, what: str, took_ms: list[float]) -> None:
        took_ms.append(self._api.timed_ms("POST", f"{path}/{what}"))

    def summary(self) -> dict[str, Any]:
        """Return the percentiles and how many there were."""
        return {
            "count": len(self._pause_ms),
            "pause_ms": percentiles(self._pause_ms),
            "resume_ms": percentiles(self._resume_ms),
        }


def repeated(action: Callable[[], None], *, seconds: float) -> Callable[[], None]:
    """Return what does an action again and again for so many seconds."""

    def run() -> None:
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            action()

    return run


def ratios(waiting: dict[str, Any], none: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Return how much longer answers take with messages waiting, from two summaries."""
    return {
        what: {p: waiting[f"{what}_ms"][p] / none[f"{what}_ms"][p] for p in ("p50", "p99")}
        for what in ("pause", "resume")
    }


class FirstAttempts:
    """Resumes of an endpoint, and how long each took until the sink had the first request.

    From the moment the resume is written, on the clock that all processes share. Nothing else
    may be sent to the sink meanwhile.
    """

    def __init__(self, api: Api, endpoint_id: str, sink: Worker) -> None:
        self._api = api
        self._path = f"/v1/endpoints/{endpoint_id}"
        self._sink = sink
        self._took_ms: list[float] = []

    def resume_and_pause(self) -> None:
        """Resume; when the first attempt has come, pause again and wait for those in flight."""
        self._sink.do({"do": "arm"}, timeout_s=5)
        written_ns = time.monotonic_ns()
        self._api.call("POST", f"{self._path}/resume")
        came = self._sink.do({"do": "first", "timeout_s": _FIRST_ATTEMPT_S}, timeout_s=15)
        self._took_ms.append((came["first_ns"] - written_ns) / 1e6)
        self._api.call("POST", f"{self._path}/pause")
        while self._api.call("GET", self._path)["counts"]["delivering"]:
            time.sleep(_GAP_S)

    def summary(self) -> dict[str, Any]:
        """Return the percentiles and how many there were."""
        return {"count": len(self._took_ms), "ms": percentiles(self._took_ms)}
