"""The steps of clients that are about many messages, or about the dead letter queue."""

from sluicegate.simulation.oracle.history import BulkAnswer, BulkRequest, DeadLetters, Operation
from sluicegate.simulation.runs import steps
from sluicegate.simulation.runs.asking import Asking
from sluicegate.simulation.runs.client import RefusedError
from sluicegate.simulation.runs.scene import KnownEndpoint, Scene

__all__ = ["AskingMany"]

_IDS_MAX = 100
_LISTED = 50
_STRANGER = "019b76da-0000-7000-8000-000000000000"
"""No message has this id."""


class AskingMany:
    """Lets the clients of a scene do such a step."""

    def __init__(self, scene: Scene, asking: Asking) -> None:
        """Act on a scene; `asking` looks messages up."""
        self._scene = scene
        self._recorder = scene.recorder
        self._asking = asking

    def on_many(self, step: steps.OnMany) -> None:
        """Do something to many messages, several times at once."""
        endpoint = None if step.endpoint is None else self._scene.endpoint(step.endpoint)
        by_ids = step.operation.endswith("_batch")
        if endpoint is None and (by_ids or step.endpoint is not None):
            return

        async def work() -> None:
            request = BulkRequest(status=step.status, limit=step.limit)
            if endpoint is not None and (step.look or by_ids):
                found = await self._asking.look_at(endpoint, step.status)
                if by_ids:
                    ids = tuple(each.id for each in found)[: min(step.limit, _IDS_MAX - 1)]
                    ids += (_STRANGER,) if step.stranger or not ids else ()
                    request = BulkRequest(message_ids=ids)
            for _ in range(step.times):
                self._scene.begin(lambda: self._ask(step.operation, endpoint, request))

        self._scene.begin(work)

    async def _ask(
        self, operation: str, endpoint: KnownEndpoint | None, request: BulkRequest
    ) -> None:
        call = self._recorder.begin(
            Operation(operation), "" if endpoint is None else endpoint.name, bulk=request
        )

        def heard(answer: BulkAnswer) -> None:
            call.answer = answer

        endpoint_id = None if endpoint is None else endpoint.id
        work = self._scene.client.bulk(operation, request, endpoint_id=endpoint_id)
        await self._recorder.ask(call, work, heard)

    def on_dead_letter(self, step: steps.OnDeadLetter) -> None:
        """Look into the dead letter queue, and replay one of it, several times at once."""

        async def work() -> None:
            began_s = self._scene.loop.time()
            try:
                found = await self._scene.client.dead_letters(limit=_LISTED)
            except RefusedError:
                return
            self.saw(began_s, found, whole=False)
            if found:
                message_id = found[step.which % len(found)]
                for _ in range(step.times):
                    self._scene.begin(lambda: self._replay(message_id))

        self._scene.begin(work)

    async def _replay(self, message_id: str) -> None:
        call = self._recorder.begin(Operation.REPLAY_FROM_DLQ, "", message_id=message_id)
        work = self._scene.client.on_message("replay_from_dlq", message_id)
        await self._recorder.ask(call, work)

    def saw(self, began_s: float, found: list[str], *, whole: bool) -> None:
        """Write down how the dead letter queue was listed."""
        self._recorder.history.dead_letters.append(
            DeadLetters(
                began_s=began_s,
                ended_s=self._scene.loop.time(),
                message_ids=tuple(found),
                whole=whole,
            )
        )
