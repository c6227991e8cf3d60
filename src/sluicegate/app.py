"""The composition root: the only place that knows every part. Public face: `Engine`."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Self

from sluicegate import __version__
from sluicegate.actors.directory import Directory
from sluicegate.actors.parts import Parts
from sluicegate.actors.slots import Slots
from sluicegate.clock import SystemClock, SystemRandom
from sluicegate.engine.addresses import AddressPolicy
from sluicegate.engine.api_keys import ApiKeys
from sluicegate.engine.drafts import (
    EndpointDraft,
    EndpointPatch,
    MessageDraft,
    draft,
    json_text,
)
from sluicegate.engine.endpoints import Endpoints
from sluicegate.engine.errors import SluicegateError
from sluicegate.engine.lifecycle import MessageStatus
from sluicegate.engine.log import log
from sluicegate.engine.messages import Messages
from sluicegate.engine.model import (
    Accepted,
    ApiKey,
    Attempt,
    CreatedApiKey,
    CreatedEndpoint,
    CreatedSigningKey,
    Endpoint,
    LogEntry,
    Message,
    SigningKey,
)
from sluicegate.engine.ports import Clock, Random, Sender, Storage
from sluicegate.engine.schedule import RetrySchedule
from sluicegate.engine.services import Page, Services
from sluicegate.engine.settings import Settings
from sluicegate.http.resolver import PooledResolver
from sluicegate.http.sender import AiohttpSender
from sluicegate.storage import SecretBox, SqliteStorage

__all__ = ["Engine", "Readiness"]


class Readiness:
    """Whether requests are taken: the server reads it, a drain takes it away."""

    __slots__ = ("ready",)

    def __init__(self) -> None:
        """Begin not ready."""
        self.ready = False


class Engine:
    """Accepts, stores, signs and delivers webhooks; pauses and resumes endpoints.

    An asynchronous context manager, used on one event loop:

        async with Engine(Settings(database="webhooks.db")) as engine:
            endpoint = await engine.create_endpoint(url="https://example.com/hook")
            await engine.send(endpoint.id, {"event": "order.created"})

    Leaving the context starts nothing more, gives attempts in flight `drain_s` to end, and closes
    the file; what was not delivered is durable and goes on at the next start. No method blocks
    the loop. Methods speak for the file's first project; `services` speaks for any.

    Every method raises the errors of `sluicegate.engine.errors` that HTTP answers with codes,
    and `UnavailableError` when the disk is full, too much waits, or the engine is closing.

    Attributes:
        settings: as given.
        services: the use cases, by project: what the HTTP server speaks to.
        readiness: whether the server takes requests.
        failed: set when storage can no longer be trusted (a commit's outcome is unknown): stop
            the process and start anew.
        first_key: the API key that this start made, if it made one; told only here.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        storage: Storage | None = None,
        sender: Sender | None = None,
        resolver: PooledResolver | None = None,
    ) -> None:
        """Put the parts together; nothing is opened or started.

        Args:
            settings: the defaults when not given.
            clock: the machine's when not given, as are the other ports.
            random: chance.
            storage: where everything durable lives.
            sender: posts the requests.
            resolver: looks up host names.

        Raises:
            SettingError: a setting has a value that is not allowed.
        """
        self.settings = settings = settings if settings is not None else Settings()
        self.clock: Clock = clock if clock is not None else SystemClock()
        self.random: Random = random if random is not None else SystemRandom()
        self.readiness = Readiness()
        self.failed = asyncio.Event()
        self.first_key: str | None = None
        self._project_id: str | None = None
        policy = AddressPolicy(
            allow_internal=settings.dev, allowed_networks=settings.allowed_networks
        )
        self._resolver = resolver or PooledResolver(settings, clock=self.clock)
        self._own_sender = None
        if sender is None:
            sender = self._own_sender = AiohttpSender(
                settings, policy=policy, resolver=self._resolver, clock=self.clock
            )
        self._storage = storage if storage is not None else self._open_file(settings)
        self._directory = Directory(
            Parts(
                storage=self._storage,
                sender=sender,
                clock=self.clock,
                random=self.random,
                slots=Slots(settings.in_flight_max),
                schedule=RetrySchedule.from_settings(settings),
                settings=settings,
                user_agent=f"Sluicegate/{__version__}",
            )
        )
        self.services = Services(
            endpoints=Endpoints(
                storage=self._storage,
                owners=self._directory,
                resolver=self._resolver,
                policy=policy,
                clock=self.clock,
                random=self.random,
                settings=settings,
            ),
            messages=Messages(
                storage=self._storage,
                owners=self._directory,
                clock=self.clock,
                random=self.random,
                settings=settings,
            ),
            api_keys=ApiKeys(storage=self._storage, clock=self.clock, random=self.random),
        )

    def _open_file(self, settings: Settings) -> SqliteStorage:
        return SqliteStorage(
            settings.database,
            secret_box=SecretBox.for_database(
                settings.database, secret_key=settings.secret_key, random=self.random
            ),
            clock=self.clock,
            pending_bytes_max=settings.pending_bytes_max,
            window_payload_bytes_max=settings.window_payload_bytes_max,
        )

    # -- life -------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Open the database and begin to deliver.

        Raises:
            StorageLockedError: another process owns the file.
            StorageVersionError: the file was written by a newer version.
            SettingError: the secret key is not the one that the file was made with.
        """
        await self._storage.open()
        try:
            self._storage.on_accepted(self._directory.hint_all)
            self._storage.on_fatal(self._on_fatal)
            created = await self.services.api_keys.bootstrap(self.settings.bootstrap_api_key)
            if created is not None and self.settings.bootstrap_api_key is None:
                self.first_key = created.key
            self._project_id = await self._storage.default_project()
            await self._directory.start()
        except BaseException:
            await self._storage.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Drain, then close everything."""
        await self.aclose()

    async def drain(self, timeout_s: float) -> bool:
        """Start no more attempts and wait for those in flight.

        Returns:
            Whether all of them ended within `timeout_s` seconds.
        """
        self.readiness.ready = False
        return await self._directory.drain(timeout_s)

    async def aclose(self) -> None:
        """Drain for at most `drain_s`, then close everything. Twice is fine."""
        if not self.failed.is_set():
            await self.drain(self.settings.drain_s)
        await self.abort()

    async def abort(self) -> None:
        """Close everything at once: attempts in flight are cut, their messages stay waiting."""
        self.readiness.ready = False
        await self._directory.close()
        if self._own_sender is not None:
            await self._own_sender.close()
        await self._resolver.close()
        try:
            if not self.failed.is_set():
                await self.services.api_keys.flush()
        finally:
            await self._storage.close()

    def _on_fatal(self, error: BaseException) -> None:
        log.critical("storage.failed", error=str(error))
        self.readiness.ready = False
        self.failed.set()

    @property
    def _project(self) -> str:
        if self._project_id is None:
            msg = "the engine is not open: use `async with Engine(...) as engine:`"
            raise RuntimeError(msg)
        return self._project_id

    # -- endpoints --------------------------------------------------------------------------

    async def create_endpoint(self, url: str, **config: object) -> CreatedEndpoint:
        """Create an endpoint.

        Args:
            url: where to deliver; `https`, 12 to 2048 characters.
            **config: `description`, `rate_limit_rps`, `burst`, `headers`, `ordered`,
                `max_in_flight`, `timeout_s`, as in `EndpointConfig`.

        Raises:
            InvalidEndpointError, EndpointBlockedError, EndpointUnreachableError: the URL.
            DuplicateUrlError: an endpoint has it.
            InvalidRequestError, InvalidHeadersError: another field.
        """
        return await self.services.endpoints.create(
            self._project, draft(EndpointDraft, url=url, **config)
        )

    async def get_endpoint(self, endpoint_id: str) -> Endpoint:
        """Return an endpoint with the counts of its messages."""
        return await self.services.endpoints.get(self._project, endpoint_id)

    async def list_endpoints(self, *, limit: int = 50, cursor: str | None = None) -> Page[Endpoint]:
        """Return a page of endpoints, newest first; `limit` 1..100."""
        return await self.services.endpoints.list(self._project, limit=limit, cursor=cursor)

    async def update_endpoint(self, endpoint_id: str, **changes: object) -> Endpoint:
        """Change any field of `create_endpoint`; the next attempt uses the result."""
        patch = draft(EndpointPatch, **changes)
        return await self.services.endpoints.update(self._project, endpoint_id, patch)

    async def delete_endpoint(self, endpoint_id: str) -> None:
        """Delete an endpoint; what waits is given up."""
        await self.services.endpoints.delete(self._project, endpoint_id)

    async def pause(self, endpoint_id: str) -> None:
        """Pause: once this returns no attempt starts until a resume, whatever happens.

        Raises:
            AlreadyPausedError: it is paused.
        """
        await self.services.endpoints.pause(self._project, endpoint_id)

    async def resume(self, endpoint_id: str) -> int:
        """Make everything held due at once, in order; return how many messages that are.

        Raises:
            NotPausedError: it is not paused.
        """
        return await self.services.endpoints.resume(self._project, endpoint_id)

    async def create_signing_key(self, endpoint_id: str) -> CreatedSigningKey:
        """Add a second signing key; both sign until one is deleted."""
        return await self.services.endpoints.create_signing_key(self._project, endpoint_id)

    async def list_signing_keys(self, endpoint_id: str) -> list[SigningKey]:
        """Return the signing keys, newest first, without their secrets."""
        return await self.services.endpoints.list_signing_keys(self._project, endpoint_id)

    async def delete_signing_key(self, endpoint_id: str, key_id: str) -> None:
        """Delete one of two signing keys."""
        await self.services.endpoints.delete_signing_key(self._project, endpoint_id, key_id)

    # -- messages ---------------------------------------------------------------------------

    async def send(
        self,
        endpoint_id: str,
        payload: object,
        *,
        headers: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        retention_hours: int | None = None,
    ) -> Accepted:
        """Accept a message; when this returns it survives `kill -9` and power loss.

        Args:
            endpoint_id: where to.
            payload: any JSON value; `bytes` are JSON text, delivered byte for byte.
            headers: sent beside the endpoint's own.
            idempotency_key: 1 to 255 of `[a-zA-Z0-9_-]`; the same key and payload again give
                the same message.
            retention_hours: how long the payload is kept once delivered; 0 = not at all.

        Raises:
            EndpointNotFoundError: there is no such endpoint.
            IdempotencyMismatchError: the key stands for another payload.
            PayloadTooLargeError, InvalidHeadersError, InvalidRequestError: the message.
        """
        message = draft(
            MessageDraft,
            endpoint_id=endpoint_id,
            payload=json_text(payload),
            headers=dict(headers or {}),
            idempotency_key=idempotency_key,
            retention_hours=retention_hours,
        )
        return await self.services.messages.send(self._project, message)

    async def send_batch(
        self, messages: Sequence[Mapping[str, Any]]
    ) -> list[Accepted | SluicegateError]:
        """Accept 1 to 1,000 messages in one durable commit; each answers for itself.

        Args:
            messages: the arguments of `send`, by name.
        """
        drafts = []
        for message in messages:
            fields = dict(message)
            payload = json_text(fields.pop("payload", None))
            drafts.append(draft(MessageDraft, payload=payload, **fields))
        return await self.services.messages.send_batch(self._project, drafts)

    async def get_message(self, message_id: str) -> Message:
        """Return a message as it stands."""
        return await self.services.messages.get(self._project, message_id)

    async def get_payload(self, message_id: str) -> bytes:
        """Return a message's payload, byte for byte."""
        return await self.services.messages.get_payload(self._project, message_id)

    async def list_attempts(self, message_id: str) -> list[Attempt]:
        """Return a message's attempts, oldest first, at most `attempts_listed_max`."""
        attempts, _ = await self.services.messages.list_attempts(self._project, message_id)
        return attempts

    async def list_logs(
        self,
        *,
        endpoint_id: str | None = None,
        status: MessageStatus | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[LogEntry]:
        """Return a page of the log, newest first; `limit` 1..500."""
        return await self.services.messages.list_logs(
            self._project, endpoint_id=endpoint_id, status=status, limit=limit, cursor=cursor
        )

    # -- API keys ---------------------------------------------------------------------------

    async def create_api_key(
        self, label: str | None = None, *, mode: str = "live"
    ) -> CreatedApiKey:
        """Create an API key for the HTTP server; it is told only here."""
        return await self.services.api_keys.create(self._project, label, mode)

    async def list_api_keys(self) -> list[ApiKey]:
        """Return the API keys, without the keys."""
        return await self.services.api_keys.list(self._project)

    async def delete_api_key(self, key_id: str) -> None:
        """Delete an API key; it stops working at once."""
        await self.services.api_keys.delete(self._project, key_id)
