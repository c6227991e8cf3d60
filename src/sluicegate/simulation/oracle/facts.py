"""A history, ordered by what it is about: endpoints and messages."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar, cast

from sluicegate.simulation.oracle.effects import may_have_happened, until_s
from sluicegate.simulation.oracle.history import (
    Call,
    Exchange,
    History,
    Operation,
    Sighting,
)
from sluicegate.simulation.oracle.singles import as_singles, is_of_many
from sluicegate.simulation.oracle.subjects import EndpointFacts, MessageFacts
from sluicegate.simulation.oracle.timing import Span, Timing
from sluicegate.simulation.oracle.weather import Weather

__all__ = ["EndpointFacts", "Facts", "MessageFacts"]

_T = TypeVar("_T")

_TIMEOUT_S = 30
_IN_FLIGHT_MAX = 16


class Facts:
    """Everything that rules ask for. Made once for a history, which must not change meanwhile.

    Attributes:
        history: what all of it is made of.
        weather: what could go wrong when.
        timing: bounds for the moments of exchanges.
        endpoints: by name.
        messages: by id.
        strangers: requests without a known endpoint.
        judged: how many cases each rule has looked at that nothing excused. A rule that is widened
            until it says nothing shows here.
    """

    def __init__(self, history: History) -> None:
        """Order a history."""
        hosts = frozenset(exchange.request.host for exchange in history.exchanges)
        self.history = history
        self.weather = Weather(history.events, receivers=hosts)
        self.timing = Timing(history, self.weather, self._timeouts_s)
        self.endpoints: dict[str, EndpointFacts] = {}
        self.messages: dict[str, MessageFacts] = {}
        self.strangers: list[Exchange] = []
        self.judged: Counter[str] = Counter()
        self._kept: dict[tuple[str, str], object] = {}
        self._sends: dict[tuple[str, bytes], list[Call]] = defaultdict(list)
        self._sightings: dict[str, list[Sighting]] = defaultdict(list)
        for sighting in sorted(history.sightings, key=lambda each: each.ended_s):
            self._sightings[sighting.id].append(sighting)
        for call in history.calls:
            if not is_of_many(call):
                self._take_call(call)
        for exchange in sorted(history.exchanges, key=lambda each: each.request.at_s):
            self._take_exchange(exchange)
        for view in history.messages:
            message = self._message(view.id)
            message.view = view
            if message.endpoint is None:
                message.endpoint = self._with_id(view.endpoint_id)
        self._take_singles([call for call in history.calls if is_of_many(call)])
        for message in self.messages.values():
            message.sends.sort(key=lambda call: call.number)
        self.ends_s = max(
            self.weather.ends_s,
            max((call.ended_s or call.began_s for call in history.calls), default=0.0),
            max((exchange.request.at_s for exchange in history.exchanges), default=0.0),
        )

    def sends_of(self, endpoint: str, payload: bytes) -> list[Call]:
        """Return the calls that sent a payload to an endpoint, whatever came of them."""
        return self._sends.get((endpoint, payload), [])

    def readings_of(self, message: MessageFacts) -> list[Sighting]:
        """Return how a message was read, in the order of the answers; at the end by its view."""
        found = self._sightings.get(message.id, [])
        if message.view is None:
            return found
        at_s, view = self.ends_s, message.view
        last = Sighting(
            began_s=at_s, ended_s=at_s, id=view.id, status=view.status, attempts=view.attempts
        )
        return [*found, last]

    def until_s(self, call: Call) -> float:
        """Return by when a call had its effect, if it had one."""
        return until_s(call, self.weather)

    def kept(self, name: str, endpoint: EndpointFacts, make: Callable[[], _T]) -> _T:
        """Return what `make` once said of an endpoint; `name` stands for what is asked."""
        key = (name, endpoint.name)
        if key not in self._kept:
            self._kept[key] = make()
        return cast("_T", self._kept[key])

    def deliveries(self) -> Iterator[tuple[MessageFacts, EndpointFacts]]:
        """Yield every message whose endpoint is known, with the endpoint."""
        for message in self.messages.values():
            if message.endpoint is not None:
                yield message, message.endpoint

    def message_of(self, exchange: Exchange) -> MessageFacts | None:
        """Return the message that a request carries the id of."""
        return self.messages.get(exchange.request.message_id)

    def is_withdrawn(self, message: MessageFacts) -> bool:
        """Return whether the message, or its endpoint, may have been deleted."""
        endpoint = message.endpoint
        return bool(message.effective(Operation.DELETE_MESSAGE)) or (
            endpoint is not None and endpoint.gone().lo < math.inf
        )

    # -- taking in ------------------------------------------------------------------------------

    def endpoint(self, name: str) -> EndpointFacts:
        """Return the endpoint with a name; it need not have been created on record."""
        return self.endpoints.setdefault(name, EndpointFacts(name, self.weather))

    def _take_call(self, call: Call) -> None:
        endpoint = self.endpoint(call.endpoint.strip("/"))
        endpoint.calls[call.operation].append(call)
        if call.endpoint_id is not None:
            endpoint.ids[call.endpoint_id] = None
        if call.operation is Operation.SEND:
            self._sends[endpoint.name, call.payload].append(call)
            if call.succeeded and call.message_id is not None:
                self._join(self._message(call.message_id), endpoint, [call])

    def _take_singles(self, calls: Iterable[Call]) -> None:
        """Take what was done to many messages, when their endpoints are known."""
        for single in (single for call in calls for single in as_singles(call)):
            if single.message_id is not None:
                message = self.messages.get(single.message_id)
                of = [] if message is None or message.endpoint is None else [message.endpoint]
            elif single.endpoint:
                of = [self.endpoint(single.endpoint.strip("/"))]
            else:
                of = list(self.endpoints.values())
            for endpoint in of:
                endpoint.calls[single.operation].append(single)
                endpoint.calls[single.operation].sort(key=lambda call: call.number)

    def _take_exchange(self, exchange: Exchange) -> None:
        request = exchange.request
        name = request.path.split("?", 1)[0].strip("/")
        endpoint = self.endpoints.get(name)
        if endpoint is None:
            self.strangers.append(exchange)
            return
        endpoint.exchanges.append(exchange)
        message = self._message(request.message_id)
        message.exchanges.append(exchange)
        unanswered = [
            call
            for call in self.sends_of(name, request.body)
            if not call.succeeded and may_have_happened(call)
        ]
        self._join(message, endpoint, unanswered)

    def _join(self, message: MessageFacts, endpoint: EndpointFacts, sends: Iterable[Call]) -> None:
        if message.endpoint is None:
            message.endpoint = endpoint
        for call in sends:
            if call not in message.sends:
                message.sends.append(call)
        # Whoever sent it in vain, under the same key, may have been first after all.
        for call in list(message.sends):
            for twin in self.sends_of(endpoint.name, call.payload):
                if (
                    twin not in message.sends
                    and may_have_happened(twin)
                    and not twin.succeeded
                    and twin.idempotency_key is not None
                    and twin.idempotency_key == call.idempotency_key
                ):
                    message.sends.append(twin)

    def _message(self, message_id: str) -> MessageFacts:
        return self.messages.setdefault(message_id, MessageFacts(message_id, self.weather))

    def _with_id(self, endpoint_id: str) -> EndpointFacts | None:
        return next((each for each in self.endpoints.values() if endpoint_id in each.ids), None)

    def _timeouts_s(self, exchange: Exchange) -> Span:
        request = exchange.request
        endpoint = self.endpoints.get(request.path.split("?", 1)[0].strip("/"))
        if endpoint is None:
            return Span(_TIMEOUT_S, _TIMEOUT_S)
        # An attempt begins at most a minute or so before it arrives, whatever holds it up.
        values = endpoint.numbers("timeout_s", _TIMEOUT_S, request.at_s - 120, request.at_s)
        return Span(min(values), max(values))

    def in_flight_max(self, endpoint: EndpointFacts, from_s: float, to_s: float) -> float:
        """Return how many attempts an endpoint may have had in flight, begun in a stretch."""
        if endpoint.is_ordered(from_s, to_s):
            return 1
        return max(endpoint.numbers("max_in_flight", _IN_FLIGHT_MAX, from_s, to_s))
