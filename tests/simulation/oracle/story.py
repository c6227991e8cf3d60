"""Tells a history in a few lines: calls, requests, events, and how messages read at the end."""

from typing import Any, Self

from sluicegate.engine.signing import signature_headers
from sluicegate.simulation import Faults
from sluicegate.simulation.oracle import judge
from sluicegate.simulation.oracle.history import (
    Call,
    EndpointView,
    Event,
    EventKind,
    Exchange,
    History,
    MessageView,
    Operation,
    Sighting,
)
from sluicegate.simulation.receivers.exchange import Answer, Fate, ReceivedRequest
from sluicegate.simulation.world import EPOCH_MS

TOOK_S = 0.01
JOURNEY_S = 0.02
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
OTHER_SECRET = "whsec_ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="


class Story:
    """A history that grows line by line. All moments are in seconds.

    Requests travel as values; the schedule is 10 and 60 s (slow), 1 and 2 s (fast), 3 attempts.
    """

    def __init__(self, **facts: object) -> None:
        """Begin with the endpoint `e1`, created at 0 s with `config` (of `facts`), if any."""
        config = facts.pop("config", {})
        assert isinstance(config, dict)
        settings: dict[str, object] = {
            "direct": True,
            "retry_slow_s": (10.0, 60.0),
            "retry_fast_s": (1.0, 2.0),
            "attempts_max": 3,
        }
        self.history = History(**(settings | facts))  # type: ignore[arg-type] # fields of it
        self.call(
            "create_endpoint",
            0,
            endpoint_id="ep_e1",
            secret=SECRET,
            key_id="sk_1",
            config=config,
        )

    def call(
        self,
        operation: str,
        at: float,
        *,
        took: float | None = TOOK_S,
        endpoint: str = "e1",
        **facts: object,
    ) -> Call:
        """Let a client ask for something; `took=None`: it never hears anything."""
        call = Call(
            number=len(self.history.calls) + 1,
            operation=Operation(operation),
            endpoint=endpoint,
            began_s=at,
            ended_s=None if took is None else at + took,
            **facts,  # type: ignore[arg-type] # fields of it
        )
        self.history.calls.append(call)
        return call

    def send(self, at: float, message: str, **facts: object) -> Call:
        """Send the message called `message`, whose payload says so."""
        facts.setdefault("message_id", message)
        facts.setdefault("payload", b'"%s"' % message.encode())
        return self.call("send", at, **facts)  # type: ignore[arg-type] # fields of it

    def arrives(
        self,
        at: float,
        message: str,
        *,
        no: int = 1,
        status: int | None = 200,
        begun: float | None = None,
        dated: float | None = None,
        endpoint: str = "e1",
        body: bytes | None = None,
        secrets: tuple[str, ...] = (SECRET,),
        headers: dict[str, str | None] | None = None,
        answer: tuple[tuple[str, str], ...] = (),
        fate: Fate = Fate.SENT,
        after: float = 0.0,
    ) -> Exchange:
        """Let a request of `message` arrive, and be answered at once, or `after` some seconds.

        Args:
            at: when it arrives.
            message: whose id it carries.
            no: the attempt's number.
            status: of the answer; `None`: there is none.
            begun: when the engine began; a journey before `at` if it is not said.
            dated: what its timestamp says; by default `begun`.
            endpoint: the path.
            body: if it is not the message's payload.
            secrets: it is signed with.
            headers: that replace others, or with `None` remove them.
            answer: headers of it.
            fate: of the answer.
            after: how long the receiver takes.
        """
        begun = at - JOURNEY_S if begun is None else begun
        body = b'"%s"' % message.encode() if body is None else body
        timestamp_s = int(EPOCH_MS / 1000 + (begun if dated is None else dated))
        signed = signature_headers(
            message_id=message, timestamp_s=timestamp_s, body=body, secrets=secrets
        )
        given = {
            "Content-Type": "application/json",
            **dict(signed),
            "X-Webhook-Attempt": str(no),
            **(headers or {}),
        }
        exchange = Exchange(
            request=ReceivedRequest(
                at_s=at,
                host="shop.example",
                path=f"/{endpoint}",
                headers=tuple((k, v) for k, v in given.items() if v is not None),
                body=body,
            ),
            answer=None
            if status is None
            else Answer(status=status, headers=answer, fate=fate, delay_s=after),
            answered_s=None if status is None else at,
        )
        self.history.exchanges.append(exchange)
        return exchange

    def event(self, kind: str, at: float, *, jump_s: float = 0.0, **rates: Any) -> Self:
        """Let something happen; `rates` are those of `faults`."""
        faults = Faults(**rates) if rates else None
        self.history.events.append(
            Event(at_s=at, kind=EventKind(kind), faults=faults, jump_s=jump_s)
        )
        return self

    def crash(self, at: float) -> Self:
        """Let the engine crash, and start again a second later."""
        return self.event("crashed", at).event("started", at + 1)

    def seen(self, at: float, message: str, status: str, attempts: int = 0) -> Self:
        """Let a client read a message."""
        self.history.sightings.append(
            Sighting(began_s=at, ended_s=at + TOOK_S, id=message, status=status, attempts=attempts)
        )
        return self

    def ends(self, message: str, status: str, *outcomes: str) -> Self:
        """Let a message read so at the end."""
        self.history.messages.append(
            MessageView(
                id=message,
                endpoint_id="ep_e1",
                status=status,
                attempts=len(outcomes),
                outcomes=outcomes,
            )
        )
        return self

    def shows(self, *, paused: bool, reason: str | None = None) -> Self:
        """Let `e1` read so at the end."""
        self.history.endpoints.append(EndpointView(name="e1", paused=paused, reason=reason))
        return self

    def settles(self, at: float = 10_000) -> Self:
        """Let everything have its time."""
        return self.event("settled", at)

    @property
    def broken(self) -> set[str]:
        """The rules that were broken."""
        return {violation.rule for violation in judge(self.history)}


def an_ordinary_day() -> Story:
    """A message that is delivered, one that is repeated, one that is given up; all lawful."""
    story = Story()
    story.send(1, "a")
    story.arrives(1.05, "a")
    story.send(2, "b")
    story.arrives(2.05, "b", status=500)
    story.arrives(12.5, "b", no=2, status=503)
    story.arrives(73, "b", no=3)
    story.send(3, "c")
    story.arrives(3.05, "c", status=404)
    story.settles()
    story.ends("a", "succeeded", "200").ends("b", "succeeded", "500", "503", "200")
    return story.ends("c", "failed_permanent", "404")
