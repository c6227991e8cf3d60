"""How long a pause and a resume take, idle and under load, with nothing waiting and with a million.

Two servers: one has an endpoint for which nothing waits, the other one for which a million messages
do; what is compared is done in turn. On an idle machine a third one, with some thousand messages,
tells what the backlog costs from what the messages cost that begin to flow with each resume.
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
_FEW_PER_ROUND = 25
"""How many messages wait where few do, for each resume: more than begin to flow with it."""
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
    def started(cls, run: Run, *, waiting: int, first: int = FIRST_STORED) -> Iterator["_Side"]:
        """Run its server; so many messages wait for the paused endpoint, numbered from `first`."""
        owners = [Owner(f"{run.sink_url}/{number}") for number in range(_ACTIVE)]
        owners.append(Owner(f"{run.sink_url}/paused", waiting=waiting, paused=True))
        with run.serving(owners, first=first) as server:
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
    few_waiting = _FEW_PER_ROUND * count
    numbers = waiting + count + few_waiting
    book = {"first": FIRST_STORED, "count": numbers, "payload_bytes": PAYLOAD_BYTES}
    run.sink.do({"do": "open", "book": _BOOK, **book}, timeout_s=5)
    run.steps.say(f"pauses, storing {waiting:,} messages")
    few_first = FIRST_STORED + waiting + count
    with (
        _Side.started(run, waiting=waiting) as many,
        _Side.started(run, waiting=0) as none,
        _Side.started(run, waiting=few_waiting, first=few_first) as few,
    ):
        run.steps.say("pauses, idle")
        for _ in range(count):
            for side in (none, few, many):
                side.idle.resume_and_pause()
        run.steps.say("first attempts, idle")
        for number in range(count):
            none.send_one(FIRST_STORED + waiting + number)
            none.first.resume_and_pause()
            many.first.resume_and_pause()
        half, full = _under_load(run, none, many)
        left = [side.api.call("GET", side.path)["counts"]["paused"] for side in (none, few, many)]
        came = run.sink.do({"do": "report", "book": _BOOK, "timeout_s": 0}, timeout_s=5)
    flowed = numbers - sum(left)
    if came["received"] != flowed or came["duplicates"] or came["signed"] != flowed:
        run.faults.append(f"of {flowed} that waited and were let go, the sink has {came}")
    answers = {
        "half_load": half,
        "full_load": full,
        "idle_none": none.idle,
        "idle_few": few.idle,
        "idle_many": many.idle,
        "loaded_none": none.loaded,
        "loaded_many": many.loaded,
    }
    figures = {name: each.summary() for name, each in answers.items()}
    return figures | {
        "waiting": waiting,
        "few_waiting": few_waiting,
        "flowed": flowed,
        "idle_ratio": ratios(figures["idle_many"], figures["idle_few"]),
        "flow_ratio": ratios(figures["idle_few"], figures["idle_none"]),
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
    many, few = (f"{figures[name]:,} waiting" for name in ("waiting", "few_waiting"))
    rows = [
        _answers(f"one of {_ACTIVE:,} active, half load", figures["half_load"]),
        _answers(f"one of {_ACTIVE:,} active, full load", figures["full_load"]),
    ]
    rows += [
        _answers("idle, none waiting", figures["idle_none"]),
        _answers(f"idle, {few}", figures["idle_few"]),
        _ratio("ratio, few to none", figures["flow_ratio"]),
        _answers(f"idle, {many}", figures["idle_many"]),
        _ratio("ratio, many to few", figures["idle_ratio"]),
        _answers("full load, none waiting", figures["loaded_none"]),
        _answers(f"full load, {many}", figures["loaded_many"]),
        _ratio("ratio, many to none", figures["loaded_ratio"]),
    ]
    yield Section(
        "Pause and resume answered",
        ("", "pause p50 ms", "p99 ms", "resume p50 ms", "p99 ms", "answers"),
        rows,
        "Over HTTP, commit included, as the client sees it. The load goes to "
        f"{_ACTIVE:,} endpoints. In the first two rows one after the other of these is paused and "
        "resumed; in the others one that nothing else is sent to, on a server where nothing waits "
        f"and on one where {figures['waiting']:,} messages wait for it, in turn: it is resumed and "
        "paused at once. With each resume some messages begin to flow, and the pause waits until "
        f"they are on their way; what that costs, a server with {figures['few_waiting']:,} tells. "
        "Nothing here is discarded or remarked when other programs took the core.",
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


def _ratio(name: str, ratio: dict[str, dict[str, float]]) -> tuple[str, ...]:
    return (name, *_pairs(ratio["pause"], ratio["resume"]), "")


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
