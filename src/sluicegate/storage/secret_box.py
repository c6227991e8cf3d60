"""Signing secrets, encrypted at rest with a key that is not in the database."""

import base64
import binascii
import contextlib
import os
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sluicegate.engine.errors import SettingError
from sluicegate.engine.ports import Random
from sluicegate.storage.database_file import real_path, refuse_foreign, refuse_unfit

__all__ = ["SecretBox"]

_VERSION = b"\x01"
_NONCE_BYTES = 12
_KEY_BYTES = 32


class SecretBox:
    """Encrypts secrets with AES-256-GCM (NIST SP 800-38D).

    A sealed secret is one version byte, a random nonce of 12 bytes, then the ciphertext with its
    tag. What the secret belongs to is authenticated with it, so a sealed secret that was copied
    to another row does not open. Thread-safe if `random` is.
    """

    def __init__(self, key: bytes, *, random: Random) -> None:
        """Take a key of 32 bytes.

        Raises:
            SettingError: the key has another length.
        """
        if len(key) != _KEY_BYTES:
            message = f"secret key must be {_KEY_BYTES} bytes, this one is {len(key)}"
            raise SettingError(message, details={"setting": "secret_key"})
        self._cipher = AESGCM(key)
        self._random = random

    @classmethod
    def for_database(cls, database: str, *, secret_key: str | None, random: Random) -> Self:
        """Return the box of a database file: from a setting, else from `<database>.key`.

        A missing key file is made (mode 600, synced) when there is no database yet, never
        beside a database that has been written with another key. Blocks on small files.

        Args:
            database: path of the database file.
            secret_key: base64 of 32 bytes, or `None` to use the key file.
            random: where a new key and the nonces come from.

        Raises:
            SettingError: the setting or the key file is malformed or unreadable, the
                database exists and its key file does not, or it is no file to be used.
            StorageVersionError: the database is another program's.
        """
        if secret_key is not None:
            return cls(_decode(secret_key, "secret_key"), random=random)
        database = real_path(database)
        refuse_unfit(database)
        path = Path(f"{database}.key")
        try:
            text = _read(path)
            if text is None:
                refuse_foreign(database)  # else it would be told that its key is missing
                _refuse_beside_data(Path(database), path)
                _create(path, random.token_bytes(_KEY_BYTES))
                text = _read(path) or ""
        except OSError as error:
            message = f"secret key file {path}: {error.strerror}"
            raise SettingError(message, details={"setting": "secret_key"}) from error
        return cls(_decode(text, str(path)), random=random)

    @classmethod
    def existing(cls, database: str, *, secret_key: str | None, random: Random) -> Self | None:
        """Return the box of a database file; `None` if there is no key yet. Makes nothing.

        Raises:
            SettingError: the setting or the key file is malformed or unreadable.
        """
        if secret_key is not None:
            return cls(_decode(secret_key, "secret_key"), random=random)
        path = Path(f"{database}.key")
        try:
            text = _read(path)
        except OSError as error:
            message = f"secret key file {path}: {error.strerror}"
            raise SettingError(message, details={"setting": "secret_key"}) from error
        return None if text is None else cls(_decode(text, str(path)), random=random)

    def __repr__(self) -> str:
        """Show nothing of the key."""
        return "SecretBox()"

    def seal(self, secret: str, *, owner: str) -> bytes:
        """Encrypt `secret` for the row whose id is `owner`."""
        nonce = self._random.token_bytes(_NONCE_BYTES)
        return _VERSION + nonce + self._cipher.encrypt(nonce, secret.encode(), owner.encode())

    def unseal(self, sealed: bytes, *, owner: str) -> str:
        """Decrypt what was sealed for `owner`.

        Raises:
            SettingError: sealed with another key, for another owner, or damaged.
        """
        nonce, ciphertext = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        if sealed[:1] == _VERSION:
            try:
                return self._cipher.decrypt(nonce, ciphertext, owner.encode()).decode()
            except (InvalidTag, ValueError):
                pass  # said below; no context manager, for each endpoint that comes into memory
        message = f"the secret key does not open what is stored for {owner}: it is another key"
        raise SettingError(message, details={"setting": "secret_key"})


def _decode(text: str, source: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        message = f"secret key from {source} must be base64 of {_KEY_BYTES} bytes"
        raise SettingError(message, details={"setting": "secret_key"}) from None


def _read(path: Path) -> str | None:
    try:
        return path.read_text("ascii", errors="replace")
    except FileNotFoundError:
        return None


def _refuse_beside_data(database: Path, path: Path) -> None:
    if database.exists() and database.stat().st_size:
        message = (
            f"{database} exists but its key file {path} does not: restore the file, or set "
            "secret_key; without the key the stored signing secrets cannot be read"
        )
        raise SettingError(message, details={"setting": "secret_key", "file": path})


def _create(path: Path, key: bytes) -> None:
    """Write a new key file that is complete from the moment it has its name."""
    new_path = path.with_name(f"{path.name}.{os.getpid()}.new")
    new_path.unlink(missing_ok=True)
    fd = os.open(new_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, base64.b64encode(key) + b"\n")
        os.fsync(fd)
    finally:
        os.close(fd)
    try:
        # A process that starts at the same moment may win; then its key is the key.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(new_path)
    finally:
        new_path.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
