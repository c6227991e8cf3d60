"""The use cases of messages: send, read, list."""

from collections.abc import Awaitable, Sequence
from datetime import datetime

from sluicegate.engine import bounds
from sluicegate.engine.cursors import encode_cursor
from sluicegate.engine.drafts import BATCH_MAX, MessageDraft
from sluicegate.engine.errors import InvalidRequestError, NotFoundError, SluicegateError
from sluicegate.engine.filters import checked_endpoint_id, checked_status, moment_ms
from sluicegate.engine.ids import is_message_id
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.message_rules import MessageRules
from sluicegate.engine.model import Accepted, Attempt, LogEntry, Message, NewMessage
from sluicegate.engine.outbox import OutboxEntry
from sluicegate.engine.pages import Page, position_of
from sluicegate.engine.ports import Clock, LogQuery, Owners, Random, Storage
from sluicegate.engine.settings import Settings

__all__ = ["LOGS_LISTED_MAX", "Messages", "only"]

LOGS_LISTED_MAX = 500
"""Log entries on one page."""


class Messages:
    """The messages of every project. Used on the engine's event loop only.

    Every method takes the project that asks; another project's message is an unknown one.
    """

    def __init__(
        self, storage: Storage, owners: Owners, clock: Clock, random: Random, settings: Settings
    ) -> None:
        self._storage = storage
        self._owners = owners
        self._rules = MessageRules(clock=clock, random=random, settings=settings)
        self._settings = settings

    async def send(self, project_id: str, draft: MessageDraft) -> Accepted:
        """Accept a message. When this returns it survives a crash and a power loss.

        Cancelled, the message may have been accepted all the same: send it again with the same
        idempotency key.

        Raises:
            InvalidRequestError: a field of the wrong type, form or range.
            PayloadTooLargeError: the payload is over the limit.
            InvalidHeadersError: a header is reserved, malformed, or one too many.
            EndpointNotFoundError: the project has no such endpoint.
            IdempotencyMismatchError: the key stands for another payload.
            UnavailableError: the message was not stored; try again later.
        """
        return only(await self.begin_send(project_id, draft))

    def begin_send(
        self, project_id: str, draft: MessageDraft
    ) -> Awaitable[list[Accepted | SluicegateError]]:
        """Check a message at once and begin to accept it, as `send` does.

        For who waits without a coroutine. What is awaited has one slot: see `only`.

        Raises:
            SluicegateError: what `send` raises of a message that cannot be accepted as it is.
        """
        return self._storage.append([self._rules.checked(project_id, draft)])

    async def send_batch(
        self, project_id: str, drafts: Sequence[MessageDraft | SluicegateError]
    ) -> list[Accepted | SluicegateError]:
        """Accept messages in one durable commit; each slot answers for itself, in order.

        Args:
            project_id: whose.
            drafts: 1 to `BATCH_MAX`. An error in place of a draft, of a message that could not
                even be read, comes back in its slot.

        Raises:
            InvalidRequestError: there are none, or too many.
            UnavailableError: nothing was stored; try again later.
        """
        if not 1 <= len(drafts) <= BATCH_MAX:
            raise InvalidRequestError(
                f"messages must be a list of 1 to {BATCH_MAX}",
                details={"field": "messages", "minimum": 1, "maximum": BATCH_MAX},
            )
        checked = [self._rules.checked_or_refused(project_id, draft) for draft in drafts]
        good = [slot for slot in checked if isinstance(slot, NewMessage)]
        answers = iter(await self._storage.append(good) if good else ())
        return [next(answers) if isinstance(slot, NewMessage) else slot for slot in checked]

    async def relay(
        self,
        project_id: str,
        outbox_id: str,
        entries: Sequence[OutboxEntry],
        *,
        gone: Sequence[str] = (),
    ) -> list[Accepted | SluicegateError]:
        """Accept messages out of an outbox in one durable commit; each slot answers for itself.

        A message of an id that was relayed before is accepted, as a duplicate, and not again: so
        a relay that does not know what came of a call makes the same one once more.

        Args:
            project_id: whose they become.
            outbox_id: out of which outbox.
            entries: in the order in which they were written there.
            gone: ids relayed earlier out of this outbox, that are certainly in it no more.

        Raises:
            UnavailableError: nothing was stored; try again later.
        """
        checked = [self._rules.relayed_or_refused(project_id, entry) for entry in entries]
        good = [slot for slot in checked if isinstance(slot, NewMessage)]
        if not good and not gone:
            return [slot for slot in checked if isinstance(slot, SluicegateError)]
        answers = iter(await self._storage.append_relayed(outbox_id, good, gone=gone))
        return [next(answers) if isinstance(slot, NewMessage) else slot for slot in checked]

    async def get(self, project_id: str, message_id: str) -> Message:
        """Return a message.

        Raises:
            NotFoundError: the project has no such message.
        """
        message = None
        if is_message_id(message_id):
            message = await self._storage.get_message(
                project_id, message_id, in_flight=self._owners.in_flight()
            )
        if message is None:
            raise NotFoundError("Message not found")
        return message

    async def get_payload(self, project_id: str, message_id: str) -> bytes:
        """Return the payload, byte for byte as it was sent.

        Raises:
            NotFoundError: the project has no such message.
            RetentionExpiredError: the payload was removed because its retention is over.
            PayloadUnavailableError: the message was deleted, and its payload with it.
        """
        payload = None
        if is_message_id(message_id):
            payload = await self._storage.get_payload(project_id, message_id)
        if payload is None:
            raise NotFoundError("Message not found")
        return payload

    async def list_attempts(self, project_id: str, message_id: str) -> tuple[list[Attempt], bool]:
        """Return the attempts, oldest first, and whether there are more than are listed.

        An unknown message has none.
        """
        if not is_message_id(message_id):
            return [], False
        return await self._storage.list_attempts(
            project_id, message_id, limit=self._settings.attempts_listed_max
        )

    async def list_logs(
        self,
        project_id: str,
        *,
        endpoint_id: str | None = None,
        status: MessageStatus | str | None = None,
        start_time: datetime | None = None,
        end_time: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[LogEntry]:
        """Return a page of the log, newest first.

        Args:
            project_id: whose.
            endpoint_id: only messages to this endpoint; an unknown one has none.
            status: only messages that read so now.
            start_time: accepted then or later; without a time zone UTC is meant.
            end_time: accepted before.
            limit: 1 to `LOGS_LISTED_MAX`.
            cursor: the `next_cursor` of the page before, with the same filters.

        Raises:
            InvalidRequestError: a value out of range or form, or a broken or foreign cursor.
        """
        bounds.whole("limit", limit, minimum=1, maximum=LOGS_LISTED_MAX)
        endpoint_id = checked_endpoint_id(endpoint_id)
        wanted = None if status is None else checked_status(status)
        start_at_ms = moment_ms("start_time", start_time)
        end_at_ms = moment_ms("end_time", end_time)
        filters = {
            "project_id": project_id,
            "endpoint_id": endpoint_id,
            "status": wanted,
            "start_at_ms": start_at_ms,
            "end_at_ms": end_at_ms,
        }
        query = LogQuery(
            project_id=project_id,
            limit=limit,
            before_seq=position_of(cursor, "logs", filters),
            endpoint_id=endpoint_id,
            status=wanted,
            start_at_ms=start_at_ms,
            end_at_ms=end_at_ms,
        )
        items, position = await self._storage.list_logs(query, in_flight=self._owners.in_flight())
        following = None if position is None else encode_cursor("logs", filters, position)
        return Page(items, following)


def only(answers: list[Accepted | SluicegateError]) -> Accepted:
    """Return what became of a message that was sent by itself.

    Raises:
        SluicegateError: it was not accepted.
    """
    [answer] = answers
    if isinstance(answer, SluicegateError):
        raise answer
    return answer
