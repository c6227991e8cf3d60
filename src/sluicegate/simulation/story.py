"""What happened in a small world, in plain words."""

from collections import Counter
from collections.abc import Sequence

from sluicegate.simulation.errors import UnhandledError
from sluicegate.simulation.receivers import Exchange, Fate, Mishap, MishapKind, ReceiverHost
from sluicegate.simulation.simulation import Simulation

__all__ = ["story_of"]

_PAYLOAD_CHARS = 60
_EXCHANGES_MAX = 40

_ENDINGS = {
    MishapKind.ANSWER_LOST: "acts, and answers {status}; the answer is lost on its way",
    MishapKind.ANSWER_NEVER: "acts, but its answer never comes",
    MishapKind.BUSY: "is busy, and answers {status} without acting",
    MishapKind.CRASH_MIDWAY: "dies while it works on it",
    MishapKind.CRASH_BEFORE_ANSWER: "acts, and dies before it can answer",
    MishapKind.SENDER_CRASH: (
        "acts, and answers {status}; the sender dies before it can take that down"
    ),
    MishapKind.CRASH_AFTER_ANSWER: "answers {status}, and dies a moment later",
}
_FATES = {
    Fate.SENT: "acts, and answers {status}",
    Fate.LOST: _ENDINGS[MishapKind.ANSWER_LOST],
    Fate.NEVER: _ENDINGS[MishapKind.ANSWER_NEVER],
    Fate.DRIP: "acts, and answers {status} one byte at a time",
    Fate.FLOODED: "acts, and answers {status} behind a hundred interim responses",
}


def story_of(simulation: Simulation, mishaps: Sequence[Mishap], error: BaseException) -> str:
    """Tell how a run came to its end.

    Messages that arrived once, without incident, are only counted, unless there are few requests.

    Args:
        simulation: the world.
        mishaps: what was planned for it.
        error: what the scenario raised, or what nobody handled.
    """
    told = [(host, exchange) for host in simulation.hosts for exchange in host.exchanges]
    told.sort(key=lambda each: each[1].request.at_s)
    arrivals = Counter(exchange.request.message_id for _, exchange in told)
    lines: list[str] = []
    silent = 0
    seen: Counter[str] = Counter()
    for host, exchange in told:
        message = exchange.request.message_id
        seen[message] += 1
        ordinary = arrivals[message] == 1 and exchange.mishap is None and exchange.error is None
        if (ordinary and len(told) > _EXCHANGES_MAX // 4) or len(lines) >= _EXCHANGES_MAX:
            silent += 1
        else:
            lines.append(_line(host, exchange, again=seen[message] > 1))
    if silent:
        lines.append(f"({silent} more requests are not told of here.)")
    pending = len(mishaps) - sum(each.mishap is not None for _, each in told)
    if pending > 0:
        lines.append(f"({pending} of the faults had nothing to befall.)")
    return "\n".join((*lines, "", f"Then: {_words(error)}"))


def _line(host: ReceiverHost, exchange: Exchange, *, again: bool) -> str:
    request = exchange.request
    payload = request.body.decode("utf-8", "replace")
    if len(payload) > _PAYLOAD_CHARS:
        payload = payload[: _PAYLOAD_CHARS - 1] + "…"
    number = request.attempt_no
    which = f", attempt {number}" if number is not None else ""
    return (
        f"{_moment(request.at_s)}  {host.name} gets {payload}{' again' if again else ''}{which};"
        f" it {_ending(exchange)}."
    )


def _ending(exchange: Exchange) -> str:
    status = exchange.answer.status if exchange.answer is not None else 0
    if exchange.mishap is not None:
        return _ENDINGS[MishapKind(exchange.mishap)].format(status=status)
    if exchange.answer is None:
        return "has not answered yet"
    if exchange.error is not None:
        return f"fails with {type(exchange.error).__name__}, and answers {status}"
    if not exchange.acted:
        return f"answers {status} without acting"
    return _FATES[exchange.answer.fate].format(status=status)


def _moment(at_s: float) -> str:
    """Return a virtual moment as people would: hours, minutes and seconds since the beginning."""
    minutes, seconds = divmod(at_s, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours:3d}:{minutes:02d}:{seconds:05.2f}"


def _words(error: BaseException) -> str:
    if isinstance(error, UnhandledError):
        told = "; ".join(map(_words, error.exceptions))
        return f"at the end of the world nobody has handled {told}"
    # What pytest adds to an assertion's own words is in the error that this one comes from.
    text = str(error).split("\nassert ", 1)[0].strip()
    name = type(error).__name__
    return f"{name}: {text}" if text else name
