"""How long a pause and a resume take, idle and under load, with nothing waiting and with a million.

Two servers at a time: one has an endpoint for which nothing waits, the other one for which a
million messages do; what is compared is done in turn.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ours import Server
from pause import Answers, FirstAttempts, ratios, repeated
from rounds import closed, paced
from run_context import Run
from section import Section
from stored import FIRST_STORED, Owner
from subjects import Ours
from wire import PAYLOAD_BYTES, Job, payload

__all__ = ["goals", "measure", "sections"]

_ACTIVE = 1000
"""Endpoints that the load goes to."""
_BOOK = "stored"
_SPARE = 10.0
"""How many times as many messages may be sent beside pauses as the measured rate asks for."""


class _Side:
    """A server with endpoints that load goes to, and one that is paused with what waits."""

    def __init__(self, run: Run, server: Server) -> None:
        self.run = run
        self.api = server.api
        self.ledger = server.ledger
        *active, self.paused_id = server.stored_ids
        self.path = f"/v1/endpoints/{self.paused_id}"
        self.load = Ours(server, run.sink_url, endpoint_ids=active)
        self.idle = Answers(self.api, [self.paused_id])
        self.loaded = Answers(self.api, [self.paused_id])
        self.first = FirstAttempts(self.api, self.paused_id, run.sink)

    @classmethod
    @contextmanager
    def started(cls, run: Run, *, waiting: int) -> Iterator["_Side"]:
        """Run its server; so many messages wait for the paused endpoint."""
        owners = [Owner(f"{run.sink_url}/{number}") for number in range(_ACTIVE)]
        owners.append(Owner(f"{run.sink_url}/paused", waiting=waiting, paused=True))
        with run.serving(owners) as server:
            yield cls(run, server)

    def warm_up(self) -> float:
        """Activate the endpoints; return how many messages a second are delivered."""
        count = self.run.rounds.warm_up(self.load, round_s=1.0)
        return self.run.rounds.throughput(self.load, max(count, _ACTIVE)).per_s

    def send_one(self, number: int) -> None:
        """Send a message to the paused endpoint."""
        send = b'{"endpoint_id":"%s","payload":%s}' % (self.paused_id.encode(), payload(number))
        self.api.send_batch([send])
        self.ledger.accepted += 1


def measure(run: Run) -> dict[str, Any]:
    """Measure answers, then first attempts; check what flowed of the messages that waited."""
    waiting, count = run.sized((1_000_000, 200), quick=(20_000, 30))
    book = {"first": FIRST_STORED, "count": waiting + count, "payload_bytes": PAYLOAD_BYTES}
    run.sink.do({"do": "open", "book": _BOOK, **book}, timeout_s=5)
    run.steps.say(f"pauses, storing {waiting:,} messages")
    with _Side.started(run, waiting=waiting) as many, _Side.started(run, waiting=0) as none:
        run.steps.say("pauses, idle")
        for _ in range(count):
            none.idle.resume_and_pause()
            many.idle.resume_and_pause()
        run.steps.say("first attempts, idle")
        for number in range(count):
            none.send_one(FIRST_STORED + waiting + number)
            none.first.resume_and_pause()
            many.first.resume_and_pause()
        half, full = _under_load(run, none, many)
        left = [side.api.call("GET", side.path)["counts"]["paused"] for side in (none, many)]
        came = run.sink.do({"do": "report", "book": _BOOK, "timeout_s": 0}, timeout_s=5)
    flowed = waiting + count - sum(left)
    if came["received"] != flowed or came["duplicates"] or came["signed"] != flowed:
        run.faults.append(f"of {flowed} that waited and were let go, the sink has {came}")
    answers = {
        "half_load": half,
        "full_load": full,
        "idle_none": none.idle,
        "idle_many": many.idle,
        "loaded_none": none.loaded,
        "loaded_many": many.loaded,
    }
    figures = {name: each.summary() for name, each in answers.items()}
    return figures | {
        "waiting": waiting,
        "flowed": flowed,
        "idle_ratio": ratios(figures["idle_many"], figures["idle_none"]),
        "loaded_ratio": ratios(figures["loaded_many"], figures["loaded_none"]),
        "first_none": none.first.summary(),
        "first_many": many.first.summary(),
    }


def _under_load(run: Run, none: _Side, many: _Side) -> tuple[Answers, Answers]:
    """Measure beside load; return those of active endpoints, at half load and at full."""
    seconds, turns = run.sized((3.0, 3), quick=(1.0, 1))
    run.steps.say(f"pauses, activating {_ACTIVE:,} endpoints")
    rate = min(none.warm_up(), many.warm_up())
    half, full = (Answers(none.api, none.load.endpoint_ids) for _ in range(2))

    def beside(side: _Side, job: Job, action: Callable[[], None]) -> None:
        count = int(job.get("rate", rate) * seconds * _SPARE)
        run.rounds.beside(side.load, job, count, repeated(action, seconds=seconds))

    for turn in range(turns):
        run.steps.say(f"pauses, under load, turn {turn + 1}")
        beside(none, paced(rate / 2), half.pause_and_resume)
        beside(none, closed(none.load), full.pause_and_resume)
        for side in (none, many):
            beside(side, closed(side.load), side.loaded.resume_and_pause)
    return half, full


def sections(figures: dict[str, Any]) -> Iterator[Section]:
    """Tell the times."""
    many = f"{figures['waiting']:,} waiting"
    rows = [
        _answers(f"one of {_ACTIVE:,} active, half load", figures["half_load"]),
        _answers(f"one of {_ACTIVE:,} active, full load", figures["full_load"]),
    ]
    for text, key in (("idle", "idle"), ("full load", "loaded")):
        ratio = figures[f"{key}_ratio"]
        rows += [
            _answers(f"{text}, none waiting", figures[f"{key}_none"]),
            _answers(f"{text}, {many}", figures[f"{key}_many"]),
            ("ratio, many to none", *_pairs(ratio["pause"], ratio["resume"]), ""),
        ]
    yield Section(
        "Pause and resume answered",
        ("", "pause p50 ms", "p99 ms", "resume p50 ms", "p99 ms", "answers"),
        rows,
        "Over HTTP, commit included, as the client sees it. The load goes to "
        f"{_ACTIVE:,} endpoints. In the first two rows one after the other of these is paused and "
        "resumed; in the others one that nothing else is sent to, on a server where nothing waits "
        f"and on one where {figures['waiting']:,} messages wait for it, in turn: it is resumed and "
        "paused at once. Nothing here is discarded or remarked when other programs took the core.",
    )
    yield Section(
        "From resume to the first attempt",
        ("", "p50 ms", "p99 ms", "greatest ms", "resumes"),
        [
            (name, *(f"{each['ms'][p]:.2f}" for p in ("p50", "p99", "max")), f"{each['count']:,}")
            for name, each in (
                ("one message waiting", figures["first_none"]),
                (many, figures["first_many"]),
            )
        ],
        "On an idle machine, in turn, on the same two servers: from the moment the resume is "
        "written to the moment the sink has the whole request. "
        f"{figures['flowed']:,} messages that waited were let go here and above, each of which "
        "arrived once.",
    )


def _answers(name: str, each: dict[str, Any]) -> tuple[str, ...]:
    return (name, *_pairs(each["pause_ms"], each["resume_ms"]), f"{each['count']:,}")


def _pairs(*pairs: dict[str, float]) -> list[str]:
    return [f"{pair[p]:.2f}" for pair in pairs for p in ("p50", "p99")]


def goals(figures: dict[str, Any]) -> dict[str, float]:
    """Tell the times of the active endpoints, and the worse of what a backlog adds or costs."""
    return {
        "pause_p50": figures["full_load"]["pause_ms"]["p50"],
        "pause_p99": figures["full_load"]["pause_ms"]["p99"],
        "pause_waiting": max(
            figures[name]["pause"]["p50"] for name in ("idle_ratio", "loaded_ratio")
        ),
        "resume_p99": max(figures[name]["ms"]["p99"] for name in ("first_none", "first_many")),
    }
