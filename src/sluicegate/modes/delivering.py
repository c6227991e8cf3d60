"""The mode `deliver`: the file is this process's own."""

from contextlib import AsyncExitStack

from sluicegate.assembly import Assembly
from sluicegate.modes.life import Life

__all__ = ["Delivering"]


class Delivering(Life):
    """Opens every part in order, and closes them in the opposite one."""

    def __init__(self, parts: Assembly) -> None:
        """Take what the engine is made of; nothing is opened or started."""
        super().__init__()
        self._parts = parts
        self.services = parts.services
        self.telemetry, self.exposition = parts.telemetry, parts.exposition

    @property
    def parts(self) -> Assembly:
        """What it is made of."""
        return self._parts

    async def _open(self) -> str:
        parts = self._parts
        await parts.storage.open()
        parts.storage.on_accepted(parts.directory.accepted)
        parts.storage.on_accepted(parts.listeners.accepted)
        parts.storage.on_committed(parts.chores.stir)
        if parts.exposition is not None:
            parts.storage.on_committed(parts.loop_lag.stir)
        parts.storage.on_fatal(self.fail)
        given = parts.settings.bootstrap_api_key
        created = await parts.services.api_keys.bootstrap(given)
        if created is not None and given is None:
            self.first_key = created.key
        project_id = await parts.storage.default_project()
        assert project_id is not None, "the first start has made one"
        parts.listeners.start()
        await parts.directory.start()
        parts.chores.start()
        for relay in parts.relays:
            relay.start(project_id)
        return project_id

    async def _drain(self, timeout_s: float) -> bool:
        self._stop_chores()
        return await self._parts.directory.drain(timeout_s)

    async def _close(self) -> None:
        parts = self._parts
        async with AsyncExitStack() as stack:  # the last first
            stack.push_async_callback(parts.listeners.close)
            stack.push_async_callback(parts.storage.close)
            if not self.failed.is_set():
                stack.push_async_callback(parts.services.api_keys.flush)
            stack.push_async_callback(parts.resolver.close)
            if parts.own_sender is not None:
                stack.push_async_callback(parts.own_sender.close)
            stack.push_async_callback(parts.directory.close)
            stack.push_async_callback(parts.export_files.close)
            stack.push_async_callback(parts.chores.close)
            for relay in parts.relays:
                stack.push_async_callback(relay.close)
            if parts.exposition is not None:
                stack.push_async_callback(parts.exposition.close)
            stack.callback(parts.loop_lag.stop)

    def _halt(self, error: BaseException) -> None:
        self._stop_chores()
        self._parts.directory.halt()
        self._parts.listeners.storage_failed(error)

    def _stop_chores(self) -> None:
        self._parts.chores.stop()
        for relay in self._parts.relays:
            relay.stop()
