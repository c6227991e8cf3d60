"""The program that embeds the engine: it lives in its process, and dies with it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

from sluicegate.app import Engine
from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.operations import DeletionOutcome, ReplayStatus
from sluicegate.simulation.engine_host import EngineHost
from sluicegate.simulation.loop import SimulationLoop
from sluicegate.simulation.oracle.history import BulkAnswer, BulkOutcome, BulkRequest
from sluicegate.simulation.runs.client import Draft, Key, NewEndpoint, RefusedError, Seen

__all__ = ["EmbeddedClient"]

_T = TypeVar("_T")
_PAGE = 500


class EmbeddedClient:
    """Calls the engine. Implements `sluicegate.simulation.runs.client.Client`.

    Who asks while the process dies never hears anything.
    """

    def __init__(self, host: EngineHost, loop: SimulationLoop) -> None:
        """Live in a host."""
        self._host = host
        self._loop = loop

    @property
    def is_up(self) -> bool:
        """Whether the engine runs."""
        return self._host.is_up

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a coroutine in the engine's process."""
        return self._loop.spawn(self._host.life, work)

    async def create_endpoint(self, url: str, config: dict[str, Any]) -> NewEndpoint:
        """See `Client`."""
        created = await self._ask(lambda engine: engine.create_endpoint(url, **config))
        key = Key(id=created.signing_key.id, secret=created.signing_key.signing_secret)
        return NewEndpoint(id=created.endpoint.id, key=key)

    async def update_endpoint(self, endpoint_id: str, changes: dict[str, Any]) -> None:
        """See `Client`."""
        await self._ask(lambda engine: engine.update_endpoint(endpoint_id, **changes))

    async def delete_endpoint(self, endpoint_id: str) -> None:
        """See `Client`."""
        await self._ask(lambda engine: engine.delete_endpoint(endpoint_id))

    async def paused(self, endpoint_id: str) -> tuple[bool, str | None]:
        """See `Client`."""
        endpoint = await self._ask(lambda engine: engine.get_endpoint(endpoint_id))
        return endpoint.paused_at is not None, endpoint.pause_reason

    async def add_key(self, endpoint_id: str) -> Key:
        """See `Client`."""
        key = await self._ask(lambda engine: engine.create_signing_key(endpoint_id))
        return Key(id=key.id, secret=key.signing_secret)

    async def remove_key(self, endpoint_id: str, key_id: str) -> None:
        """See `Client`."""
        await self._ask(lambda engine: engine.delete_signing_key(endpoint_id, key_id))

    async def send(self, draft: Draft) -> str:
        """See `Client`."""
        accepted = await self._ask(
            lambda engine: engine.send(
                draft.endpoint_id,
                draft.payload,
                headers=draft.headers,
                idempotency_key=draft.idempotency_key,
                retention_hours=draft.retention_hours,
            )
        )
        return accepted.message_id

    async def send_batch(self, drafts: Sequence[Draft]) -> list[str | RefusedError]:
        """See `Client`."""
        fields = [
            {name: getattr(draft, name) for name in Draft.__struct_fields__} for draft in drafts
        ]
        answers = await self._ask(lambda engine: engine.send_batch(fields))
        return [
            RefusedError(each.code) if isinstance(each, SluicegateError) else each.message_id
            for each in answers
        ]

    async def pause(self, endpoint_id: str) -> None:
        """See `Client`."""
        await self._ask(lambda engine: engine.pause(endpoint_id))

    async def resume(self, endpoint_id: str) -> int:
        """See `Client`."""
        return await self._ask(lambda engine: engine.resume(endpoint_id))

    async def on_message(self, operation: str, message_id: str) -> None:
        """See `Client`."""

        async def act(engine: Engine) -> None:
            match operation:
                case "replay":
                    await engine.replay(message_id)
                case "retry_now":
                    await engine.retry_now(message_id)
                case "cancel":
                    await engine.cancel(message_id)
                case "delete_message":
                    await engine.delete_message(message_id)
                case "replay_from_dlq":
                    await engine.replay_from_dlq(message_id)
                case _:
                    raise AssertionError(operation)

        await self._ask(act)

    async def bulk(
        self, operation: str, request: BulkRequest, *, endpoint_id: str | None
    ) -> BulkAnswer:
        """See `Client`."""
        if operation.startswith("replay"):
            return await self._ask(lambda engine: _replay(engine, operation, request, endpoint_id))
        return await self._ask(lambda engine: _delete(engine, operation, request, endpoint_id))

    async def dead_letters(self, *, limit: int = _PAGE) -> list[str]:
        """See `Client`."""
        found: list[str] = []
        cursor: str | None = None
        while True:
            page = await self._ask(
                lambda engine, after=cursor: engine.list_dlq(limit=limit, cursor=after)  # type: ignore[misc]
            )
            found += [each.entry.message_id for each in page.items]
            cursor = page.next_cursor
            if cursor is None or limit < _PAGE:
                return found

    async def messages(
        self, endpoint_id: str, *, status: str | None = None, limit: int = _PAGE
    ) -> list[Seen]:
        """See `Client`."""
        found: list[Seen] = []
        cursor: str | None = None
        wanted = None if status is None else MessageStatus(status)
        while True:
            page = await self._ask(
                lambda engine, after=cursor: engine.list_logs(  # type: ignore[misc]
                    endpoint_id=endpoint_id, status=wanted, limit=limit, cursor=after
                )
            )
            found += [
                Seen(id=each.message_id, status=str(each.status), attempts=each.attempt_count)
                for each in page.items
            ]
            cursor = page.next_cursor
            if cursor is None or limit < _PAGE:
                return found

    async def outcomes(self, message_id: str) -> tuple[str, ...]:
        """See `Client`."""
        attempts = await self._ask(lambda engine: engine.list_attempts(message_id))
        return tuple(
            str(each.response_status) if each.response_status else each.error_text or ""
            for each in attempts
        )

    async def _ask(self, work: Callable[[Engine], Awaitable[_T]]) -> _T:
        if not self._host.is_up:
            raise RefusedError("DOWN")
        try:
            return await work(self._host.engine)
        except SluicegateError as error:
            raise RefusedError(error.code) from None


async def _replay(
    engine: Engine, operation: str, request: BulkRequest, endpoint_id: str | None
) -> BulkAnswer:
    if operation == "replay_batch":
        summary = await engine.replay_messages(request.message_ids)
    else:
        status = MessageStatus(request.status or "")
        summary = await engine.replay_all(status, endpoint_id=endpoint_id, limit=request.limit)
    outcomes = tuple(
        BulkOutcome(
            message_id=each.message_id,
            outcome=str(each.status),
            code="" if each.error is None else each.error.code,
        )
        for each in summary.results
    )
    counts = {str(status): len(summary.ids(status)) for status in ReplayStatus}
    return BulkAnswer(outcomes=outcomes, counts=counts)


async def _delete(
    engine: Engine, operation: str, request: BulkRequest, endpoint_id: str | None
) -> BulkAnswer:
    if operation == "delete_batch":
        deletions = await engine.delete_messages(request.message_ids)
        outcomes = [(each.message_id, str(each.outcome)) for each in deletions]
        error = None
    else:
        statuses = [] if request.status is None else [MessageStatus(request.status)]
        found = await engine.delete_all(
            statuses=statuses, endpoint_id=endpoint_id, limit=request.limit
        )
        outcomes = [(each, str(DeletionOutcome.DELETED)) for each in found.message_ids]
        error = found.error
    return BulkAnswer(
        outcomes=tuple(BulkOutcome(message_id=id_, outcome=what) for id_, what in outcomes),
        error="" if error is None else error.code,
    )
