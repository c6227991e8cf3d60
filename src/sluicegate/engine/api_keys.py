"""The use cases of API keys: create, list, delete, and tell whom a key stands for."""

import hashlib
from collections.abc import Sequence

import msgspec

from sluicegate.engine import bounds
from sluicegate.engine.bounds import Limits
from sluicegate.engine.errors import (
    InvalidRequestError,
    NotFoundError,
    SettingError,
    SluicegateError,
    UnauthorizedError,
)
from sluicegate.engine.ids import (
    API_KEY_MODES,
    is_api_key_id,
    new_api_key,
    new_api_key_id,
    new_project_id,
)
from sluicegate.engine.log import log
from sluicegate.engine.model import ApiKey, CreatedApiKey, Principal
from sluicegate.engine.moments import from_ms, to_ms
from sluicegate.engine.ports import ApiKeyRow, Clock, Random, Storage

__all__ = ["ACTORS_MAX", "LABEL", "ApiKeys", "sha256_of"]

ACTORS_MAX = 100
"""Ids in one look-up."""

_PREFIX_CHARS = 11
LABEL = Limits(0, 255)
"""Characters of a key's label."""
_KEY_CHARS_MIN = 24
_KEY_CHARS_MAX = 255
_CACHED_MAX = 1024
_CACHED_S = 60.0
_FLUSH_EVERY_S = 60.0


class _Known(msgspec.Struct, frozen=True):
    """A key that was found in storage."""

    principal: Principal
    until_s: float
    """On the monotonic clock: then storage is asked again."""


class ApiKeys:
    """The API keys of every project. Used on the engine's event loop only.

    A key itself is told once and never stored: storage and the cache know its SHA-256. Keys are
    found by that digest, which whoever guesses keys cannot steer, so the time of a look-up says
    nothing about the keys that exist.
    """

    def __init__(self, storage: Storage, clock: Clock, random: Random) -> None:
        self._storage = storage
        self._clock = clock
        self._random = random
        self._known: dict[bytes, _Known] = {}
        self._deletions = 0
        self._used_at_ms: dict[str, int] = {}
        self._flushed_at_s = clock.monotonic_s()

    async def bootstrap(self, key: str | None) -> CreatedApiKey | None:
        """Create the first project and the first key; return `None` when there are some.

        Args:
            key: what the key shall be, 24 to 255 visible ASCII characters; `None` makes one.

        Raises:
            SettingError: `key` is not of that form.
        """
        project_id = await self._storage.default_project()
        if project_id is None:
            project_id = new_project_id(self._random)
            await self._storage.create_project(
                project_id, "default", created_at_ms=self._clock.wall_ms()
            )
        elif await self._storage.list_api_keys(project_id):
            return None
        if key is None:
            key = new_api_key(self._random, mode="live")
        elif len(key) < _KEY_CHARS_MIN or not _is_possible(key):
            raise SettingError(
                f"bootstrap_api_key must be {_KEY_CHARS_MIN} to {_KEY_CHARS_MAX} "
                "visible ASCII characters",
                details={"setting": "bootstrap_api_key"},
            )
        return await self._store(project_id, key, label="bootstrap")

    async def create(
        self, project_id: str, label: str | None = None, mode: str = "live"
    ) -> CreatedApiKey:
        """Create a key; it is told in the answer and never again.

        Args:
            project_id: whose.
            label: what people call it, at most 255 characters.
            mode: `live` or `test`: a label, nothing more.

        Raises:
            InvalidRequestError: a label or a mode of the wrong type, length or value.
        """
        if label is not None:
            bounds.text("label", label, chars_max=LABEL.maximum)
        if mode not in API_KEY_MODES:
            raise InvalidRequestError(
                "mode must be live or test",
                details={"field": "mode", "allowed": list(API_KEY_MODES)},
            )
        return await self._store(project_id, new_api_key(self._random, mode=mode), label=label)

    async def list(self, project_id: str) -> list[ApiKey]:
        """Return the project's keys, newest first, without the keys themselves."""
        keys = await self._storage.list_api_keys(project_id)
        return [self._with_last_use(key) for key in keys]

    async def labels(self, project_id: str, key_ids: Sequence[str]) -> dict[str, str | None]:
        """Return what keys of the project are called, deleted ones too; unknown ids are absent.

        Raises:
            InvalidRequestError: it is no list, or there are more than `ACTORS_MAX` ids.
        """
        given: object = key_ids
        if not isinstance(given, Sequence) or isinstance(given, str | bytes):
            raise InvalidRequestError("key_ids must be a list", details={"field": "key_ids"})
        if len(key_ids) > ACTORS_MAX:
            raise InvalidRequestError(
                f"at most {ACTORS_MAX} ids can be looked up at once, not {len(key_ids)}",
                details={"maximum": ACTORS_MAX},
            )
        known = [key_id for key_id in key_ids if is_api_key_id(key_id)]
        return await self._storage.api_key_labels(project_id, known) if known else {}

    async def delete(self, project_id: str, key_id: str) -> None:
        """Delete a key; it is refused once this returns.

        Raises:
            NotFoundError: the project has no such key.
            CannotDeleteLastKeyError: it is the only one.
        """
        if not is_api_key_id(key_id):
            raise NotFoundError("API key not found")
        try:
            await self._storage.delete_api_key(project_id, key_id)
        finally:  # a write that failed or was cancelled may still have happened
            self._deletions += 1
            self._known = {
                digest: known
                for digest, known in self._known.items()
                if known.principal.api_key_id != key_id
            }
        self._used_at_ms.pop(key_id, None)

    def known(self, key_sha256: bytes) -> Principal | None:
        """Return whom a key stands for, if that can be told without waiting.

        `None` says nothing of the key: `authenticate` knows.

        Args:
            key_sha256: of the key: see `sha256_of`.
        """
        return None if self._flush_is_due else self._fresh(key_sha256)

    async def authenticate(self, key: str) -> Principal:
        """Return whom a key stands for.

        Waits for storage only when the key is not in the cache, or once a minute to record
        when keys were last used.

        Raises:
            UnauthorizedError: no such key, or not any more.
        """
        digest = sha256_of(key)
        principal = self._fresh(digest)
        if principal is None:
            if not _is_possible(key):
                raise UnauthorizedError
            principal = await self._find(digest)
        if self._flush_is_due:
            await self.flush()
        return principal

    async def flush(self) -> None:
        """Record when keys were last used. A failure is logged, and the record kept for later."""
        self._flushed_at_s = self._clock.monotonic_s()
        used, self._used_at_ms = self._used_at_ms, {}
        if not used:
            return
        try:
            await self._storage.touch_api_keys(used)
        except SluicegateError as error:
            self._used_at_ms = used | self._used_at_ms
            log.warning("api_keys.flush_failed", error=error.message)

    async def close(self) -> None:
        """Record what is not recorded yet. Storage must still be open."""
        await self.flush()

    @property
    def _flush_is_due(self) -> bool:
        return self._clock.monotonic_s() - self._flushed_at_s >= _FLUSH_EVERY_S

    def _fresh(self, digest: bytes) -> Principal | None:
        """Return whom a key stands for if storage was asked lately; it is used now."""
        known = self._known.get(digest)
        if known is None or known.until_s <= self._clock.monotonic_s():
            return None
        self._used_at_ms[known.principal.api_key_id] = self._clock.wall_ms()
        return known.principal

    async def _find(self, digest: bytes) -> Principal:
        deletions = self._deletions
        principal = await self._storage.find_api_key(digest)
        if principal is None:
            self._known.pop(digest, None)
            raise UnauthorizedError
        if deletions == self._deletions:  # else what was read may be older than a deletion
            self._known.pop(digest, None)
            self._known[digest] = _Known(principal, self._clock.monotonic_s() + _CACHED_S)
            if len(self._known) > _CACHED_MAX:
                del self._known[next(iter(self._known))]
        self._used_at_ms[principal.api_key_id] = self._clock.wall_ms()
        return principal

    async def _store(self, project_id: str, key: str, *, label: str | None) -> CreatedApiKey:
        row = ApiKeyRow(
            id=new_api_key_id(self._random),
            project_id=project_id,
            key_sha256=hashlib.sha256(key.encode()).digest(),
            prefix=key[:_PREFIX_CHARS],
            label=label,
            created_at_ms=self._clock.wall_ms(),
        )
        await self._storage.create_api_key(row)
        return CreatedApiKey(
            key_id=row.id,
            key=key,
            prefix=row.prefix,
            label=label,
            created_at=from_ms(row.created_at_ms),
        )

    def _with_last_use(self, key: ApiKey) -> ApiKey:
        used_at_ms = self._used_at_ms.get(key.key_id)
        if used_at_ms is None or (
            key.last_used_at is not None and to_ms(key.last_used_at) >= used_at_ms
        ):
            return key
        return msgspec.structs.replace(key, last_used_at=from_ms(used_at_ms))


def sha256_of(key: str) -> bytes:
    """Return what a key is found by."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def _is_possible(key: str) -> bool:
    """Whether `key` has a form that some key may have; anything else is not worth a look-up."""
    return 0 < len(key) <= _KEY_CHARS_MAX and key.isascii() and key.isprintable() and " " not in key
