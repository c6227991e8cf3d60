"""Moving messages out of an outbox into the engine's file, each once, in order.

A piece at a time: read some, store them (with their ids, in one commit of the engine's file), take
them out of the outbox, forget their ids with the next piece. Whatever ends between two of these
steps, the next relay reads the same entries again and finds their ids remembered; and what is
remembered of entries that are gone is forgotten when a relay begins.
"""

import asyncio
from collections.abc import Sequence

from sluicegate.engine.errors import SluicegateError, UnavailableError
from sluicegate.engine.log import log
from sluicegate.engine.messages import Messages
from sluicegate.engine.model import Accepted
from sluicegate.engine.outbox import OutboxEntry
from sluicegate.engine.ports import Storage
from sluicegate.outbox.source import Source, SourceError

__all__ = ["Relay"]

_ROWS_MAX = 256
_BYTES_MAX = 1 << 20
"""Of payloads: they are checked again, on the event loop, which takes some 10 ms."""
_AGAIN_MIN_S = 0.25
_AGAIN_MAX_S = 30.0


class Relay:
    """Moves one outbox's messages from `start` to `stop`. Used on the engine's event loop.

    What the engine refuses is put aside in the outbox, with the reason, and logged. What cannot be
    done now (storage full or busy, outbox not reachable) is tried again, ever less often.

    Between full pieces it rests as long as the last one took, so that a backlog, however large,
    leaves half of the time to others.

    Attributes:
        at_rest: set while nothing that was looked at waits to be moved.
    """

    def __init__(self, source: Source, *, messages: Messages, storage: Storage) -> None:
        """Take what it connects; nothing is begun."""
        self._source = source
        self._messages = messages
        self._storage = storage
        self.at_rest = asyncio.Event()
        self._gone: list[str] = []
        """Remembered by the storage, and certainly not in the outbox any more."""
        self._again_s = _AGAIN_MIN_S
        self._stopped = False
        self._task: asyncio.Task[None] | None = None

    def start(self, project_id: str) -> None:
        """Begin, unless stopped.

        Args:
            project_id: whose the messages become.
        """
        if not self._stopped and self._task is None:
            self._task = asyncio.create_task(self._run(project_id), name="sluicegate-relay")

    def stop(self) -> None:
        """Move nothing more; what is cut off, the next start does again. Twice is fine."""
        if self._task is not None and not self._stopped:  # a second one would cut its closing
            self._task.cancel()
        self._stopped = True

    async def close(self) -> None:
        """Stop, and wait until the outbox is closed. Twice is fine."""
        self.stop()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self, project_id: str) -> None:
        while True:
            try:
                await self._live(project_id)
            except (SourceError, UnavailableError) as error:
                log.warning("relay.postponed", outbox=self._source.name, reason=str(error))
            except Exception as error:  # noqa: BLE001 - a bug here must not end the other relays
                log.error("relay.failed", outbox=self._source.name, exc_info=error)
            finally:  # also when it is cancelled, by `stop` or by the end of the loop
                await self._source.close()
            self._gone = []
            await asyncio.sleep(self._again_s)
            self._again_s = min(2 * self._again_s, _AGAIN_MAX_S)

    async def _live(self, project_id: str) -> None:
        """Open the outbox, and move whatever comes, until something fails."""
        while (outbox_id := await self._source.open(project_id)) is None:
            await self._source.wait()
        remembered = await self._storage.relayed(outbox_id)
        there = set(await self._source.still_there(remembered))
        self._gone = [id_ for id_ in remembered if id_ not in there]
        while True:
            while entries := await self._source.take(rows_max=_ROWS_MAX, bytes_max=_BYTES_MAX):
                self.at_rest.clear()
                await self._move(entries, outbox_id=outbox_id, project_id=project_id)
            self.at_rest.set()
            await self._source.wait()

    async def _move(
        self, entries: Sequence[OutboxEntry], *, outbox_id: str, project_id: str
    ) -> None:
        """Move a piece."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        moved: list[str] = []
        refused: list[tuple[str, SluicegateError]] = []
        answers = await self._relay(entries, outbox_id=outbox_id, project_id=project_id)
        for entry, answer in zip(entries, answers, strict=True):
            if isinstance(answer, Accepted):
                moved.append(entry.id)
            else:
                refused.append((entry.id, answer))
        await self._source.settle(moved=moved, refused=refused)
        self._gone = moved
        self._again_s = _AGAIN_MIN_S
        for id_, error in refused:
            log.warning(
                "message.refused",
                outbox=self._source.name,
                message_id=id_,
                code=error.code,
                reason=error.message,
            )
        if len(entries) == _ROWS_MAX or sum(each.size_bytes for each in entries) >= _BYTES_MAX:
            await asyncio.sleep(loop.time() - began_s)

    async def _relay(
        self, entries: Sequence[OutboxEntry], *, outbox_id: str, project_id: str
    ) -> list[Accepted | SluicegateError]:
        """Store a piece; if that breaks, each entry by itself, so that only the bad one is refused.

        Raises:
            UnavailableError: it cannot be stored now.
        """
        try:
            return await self._messages.relay(project_id, outbox_id, entries, gone=self._gone)
        except UnavailableError:
            raise
        except SluicegateError as error:
            if len(entries) == 1:
                return [error]
        answers: list[Accepted | SluicegateError] = []
        for entry in entries:
            answers += await self._relay([entry], outbox_id=outbox_id, project_id=project_id)
        return answers
