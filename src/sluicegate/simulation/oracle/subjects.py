"""What is known of one endpoint, and of one message."""

import math
from collections import defaultdict

from sluicegate.simulation.oracle.effects import may_have_happened, until_s
from sluicegate.simulation.oracle.history import Call, Exchange, MessageView, Operation
from sluicegate.simulation.oracle.timing import Span
from sluicegate.simulation.oracle.weather import Weather

__all__ = ["EndpointFacts", "MessageFacts"]


class EndpointFacts:
    """What clients know of one endpoint.

    Attributes:
        name: in this run.
        ids: by which it was answered; almost always one.
        calls: about it, in the order in which they began.
        exchanges: that came to its path, in the order of arrival.
    """

    def __init__(self, name: str, weather: Weather) -> None:
        self.name = name
        self.ids: dict[str, None] = {}
        self.calls: dict[Operation, list[Call]] = defaultdict(list)
        self.exchanges: list[Exchange] = []
        self._weather = weather

    def effective(self, *operations: Operation) -> list[Call]:
        """Return the calls that were, or may have been, carried out."""
        return [
            call
            for operation in operations
            for call in self.calls.get(operation, ())
            if may_have_happened(call)
        ]

    def succeeded(self, operation: Operation) -> list[Call]:
        """Return the calls that were answered with success."""
        return [call for call in self.calls.get(operation, ()) if call.succeeded]

    def may_happen(self, operation: Operation, from_s: float, to_s: float) -> bool:
        """Return whether such a call may have been carried out within a stretch."""
        return any(
            call.began_s <= to_s and until_s(call, self._weather) >= from_s
            for call in self.effective(operation)
        )

    def values(self, name: str, default: object, from_s: float, to_s: float) -> list[object]:
        """Return every value that a field of the configuration may have had in a stretch.

        A change that was answered ends what was certainly before it; one that was not answered
        adds its value, and ends nothing. Without a creation on record: the default.
        """
        changes = [
            call
            for call in self.effective(Operation.CREATE_ENDPOINT, Operation.UPDATE_ENDPOINT)
            if call.operation is Operation.CREATE_ENDPOINT or name in call.config
        ]
        found: list[object] = []
        for call in changes:
            by_s = until_s(call, self._weather)
            over_s = min(
                (
                    later.ended_s
                    for later in changes
                    if later.succeeded and later.ended_s is not None and later.began_s > by_s
                ),
                default=math.inf,
            )
            if call.began_s <= to_s and over_s >= from_s:
                found.append(call.config.get(name, default))
        return found or [default]

    def numbers(self, name: str, default: float, from_s: float, to_s: float) -> list[float]:
        """Return the same of a field that is a number."""
        found = self.values(name, default, from_s, to_s)
        return [value if isinstance(value, int | float) else default for value in found]

    def may_be_ordered(self, from_s: float, to_s: float) -> bool:
        """Return whether it may have been ordered at some moment of a stretch."""
        return any(self.values("ordered", default=False, from_s=from_s, to_s=to_s))

    def is_ordered(self, from_s: float, to_s: float) -> bool:
        """Return whether it was ordered all through a stretch, for certain."""
        return all(self.values("ordered", default=False, from_s=from_s, to_s=to_s))

    def gone(self) -> Span:
        """Return when the endpoint was deleted: not before, and not after; infinity: never."""
        calls = self.effective(Operation.DELETE_ENDPOINT)
        answered = [call.ended_s for call in calls if call.succeeded and call.ended_s is not None]
        return Span(
            min((call.began_s for call in calls), default=math.inf), min(answered, default=math.inf)
        )


class MessageFacts:
    """What is known of one message.

    Attributes:
        id: its id.
        endpoint: where it was sent, or came to; `None` if only a view tells of it.
        sends: the calls that made it, or may have.
        exchanges: its requests, in the order of arrival.
        view: how it reads at the end.
    """

    def __init__(self, message_id: str, weather: Weather) -> None:
        self.id = message_id
        self.endpoint: EndpointFacts | None = None
        self.sends: list[Call] = []
        self.exchanges: list[Exchange] = []
        self.view: MessageView | None = None
        self._weather = weather

    @property
    def was_accepted(self) -> bool:
        """Whether a client was told so."""
        return any(call.succeeded for call in self.sends)

    @property
    def may_be_replayed(self) -> bool:
        """Whether a replay of it may have been carried out at any time."""
        return bool(self.effective(Operation.REPLAY))

    def accepted(self) -> Span:
        """Return when it was accepted: between the first try and the first answer, or arrival."""
        tried = (call.began_s for call in self.sends)
        seen = [
            call.ended_s for call in self.sends if call.succeeded and call.ended_s is not None
        ] + [exchange.request.at_s for exchange in self.exchanges[:1]]
        return Span(min(tried, default=-math.inf), min(seen, default=math.inf))

    def effective(self, operation: Operation) -> list[Call]:
        """Return the calls about this message, or about all, that may have been carried out."""
        if self.endpoint is None:
            return []
        return [
            call
            for call in self.endpoint.effective(operation)
            if call.message_id in {None, self.id}
        ]

    def may_happen(self, operation: Operation, from_s: float, to_s: float) -> bool:
        """Return whether such a call may have been carried out within a stretch."""
        return any(
            call.began_s <= to_s and until_s(call, self._weather) >= from_s
            for call in self.effective(operation)
        )

    def accepted_before(self, other: "MessageFacts") -> bool:
        """Return whether it was accepted before another, for certain.

        Of one batch the order is that of the batch; two that overlap may have come either way.
        """
        mine, others = self.accepted(), other.accepted()
        if mine.hi < others.lo:
            return True
        if len(self.sends) != 1 or len(other.sends) != 1:
            return False
        one, two = self.sends[0], other.sends[0]
        return one.batch is not None and one.batch == two.batch and one.number < two.number
