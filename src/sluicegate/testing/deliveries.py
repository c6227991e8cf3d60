"""What a receiver is told to say, and what it got: the same on the virtual and the real clock."""

import threading
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlsplit

import msgspec

from sluicegate.engine.errors import VerificationError
from sluicegate.engine.signing import check_secret
from sluicegate.simulation.receivers import Answer, Fate
from sluicegate.testing.sent import Sent
from sluicegate.verification import verify

__all__ = ["HANG", "Delivery", "WebhookReceiver"]

HANG = Answer(fate=Fate.NEVER)
"""In a script: never answer; the attempt fails when the endpoint's `timeout_s` is over."""

_STATUS_MIN, _STATUS_MAX = 200, 599
_SECRETS_MAX = 8
"""Of each kind, at one URL: `verify` takes twice as many."""
_FATES = (Fate.SENT, Fate.NEVER)


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt that arrived."""

    message_id: str
    """The same on every attempt of a message."""
    attempt_no: int | None
    """From 1; `None` for what no Sluicegate sent."""
    path: str
    """Which of the receiver's URLs it came to, without host and query."""
    headers: tuple[tuple[str, str], ...]
    body: bytes
    fault: str | None
    """Why it is not to be believed; `None` if its signatures are right."""
    status: int | None
    """What was answered; `None` if nothing was."""

    @property
    def is_accepted(self) -> bool:
        """Whether it was believed and answered with a 2xx."""
        return self.fault is None and self.status is not None and self.status // 100 == 2  # noqa: PLR2004 - 2xx

    def json(self) -> object:
        """Return what the body says.

        Raises:
            msgspec.DecodeError: it is not JSON.
        """
        return msgspec.json.decode(self.body)


class WebhookReceiver:
    """Answers what it is told, verifies every signature, and keeps what arrived.

    What it cannot verify it answers with 401, whatever its script says; the script's next entry
    is kept for what follows. Without a script it answers 200. Safe from any thread.

    Attributes:
        url: where it receives; it does so at every longer path, too.
        deliveries: what arrived, in order.
        ask_sent: returns what an engine was given for a URL; `None` while no engine of the kit is
            known. Blocks.
    """

    url: str
    ask_sent: Callable[[str], Sequence[Sent]] | None = None

    def __init__(self) -> None:
        """Receive nothing yet."""
        self.deliveries: list[Delivery] = []
        self._secrets: dict[str | None, list[str]] = {None: []}
        self._script: list[Answer] = []
        self._urls_given = 0
        self._lock = threading.Lock()

    def script(self, *answers: int | Answer) -> None:
        """Say what is answered from now on, one after the other; the last one for ever.

            receiver.script(500, 500, 200)

        Args:
            answers: statuses from 200 to 599, `HANG`, or an `Answer` with a body, headers or a
                delay.

        Raises:
            ValueError: there is none, or one is something else.
        """
        if not answers:
            raise ValueError("script: at least one answer is needed, such as 200")
        checked = [_checked(each) for each in answers]
        with self._lock:
            self._script = checked

    def trust(self, secret: str, *, url: str | None = None) -> None:
        """Take what is signed with a secret, besides those before: of a key that is rotated in.

        An endpoint that is created for this receiver (`webhook_engine.create_endpoint(receiver)`)
        has its secret trusted, at its own URL.

        Args:
            secret: a signing secret (`whsec_…`).
            url: where, if not at every URL of the receiver.

        Raises:
            ValueError: it is no signing secret, or there are 8 already.
        """
        checked = check_secret(secret)
        path = None if url is None else urlsplit(url).path
        with self._lock:
            trusted = self._secrets.setdefault(path, [])
            if len(trusted) >= _SECRETS_MAX:
                where = "everywhere" if url is None else f"at {url}"
                raise ValueError(f"secret: at most {_SECRETS_MAX} are trusted {where}")
            trusted.append(checked)

    def next_url(self) -> str:
        """Return `url`, and a longer one each further time: a URL has one endpoint only."""
        with self._lock:
            self._urls_given += 1
            return self.url if self._urls_given == 1 else f"{self.url}/{self._urls_given}"

    def take(
        self, headers: Iterable[tuple[str, str]], body: bytes, *, path: str, now_s: float
    ) -> Answer:
        """Record a request that arrived; return what is answered to it."""
        received = tuple(headers)
        names = {name.lower(): value for name, value in received}
        number = names.get("x-webhook-attempt", "")
        with self._lock:
            fault = self._fault(received, body, path, now_s)
            if fault is not None:
                answer = Answer(status=401, body=fault.encode())
            elif len(self._script) > 1:
                answer = self._script.pop(0)
            else:
                answer = self._script[0] if self._script else Answer()
            self.deliveries.append(
                Delivery(
                    message_id=names.get("webhook-id", ""),
                    attempt_no=int(number) if number.isascii() and number.isdecimal() else None,
                    path=path,
                    headers=received,
                    body=body,
                    fault=fault,
                    status=None if answer.fate is Fate.NEVER else answer.status,
                )
            )
        return answer

    def _fault(
        self, headers: tuple[tuple[str, str], ...], body: bytes, path: str, now_s: float
    ) -> str | None:
        secrets = [*self._secrets.get(path, ()), *self._secrets[None]]
        if not secrets:
            return (
                "the receiver knows no secret for this URL: create the endpoint with"
                " webhook_engine.create_endpoint(webhook_receiver), or call trust(secret)"
            )
        try:
            verify(secrets, headers, body, now_s=now_s)
        except VerificationError as error:
            return str(error)
        return None


def _checked(answer: object) -> Answer:
    if type(answer) is int and _STATUS_MIN <= answer <= _STATUS_MAX:
        return Answer(status=answer)
    if isinstance(answer, Answer) and answer.fate in _FATES:
        return answer
    raise ValueError(
        f"script: {answer!r} is not allowed: a status from {_STATUS_MIN} to {_STATUS_MAX}, HANG,"
        " or an Answer that is sent"
    )
