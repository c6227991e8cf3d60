"""Signing secrets are encrypted at rest, API keys only hashed, and the key is never made twice."""

import base64
import hashlib
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sluicegate.engine.errors import SettingError
from sluicegate.engine.ports import ApiKeyRow
from sluicegate.storage import SecretBox

if TYPE_CHECKING:
    from tests.storage.conftest import Place

PROJECT = "proj_" + "1" * 32


async def test_no_secret_is_in_the_files(place: "Place") -> None:
    """Neither a signing secret (or what it is base64 of), nor an API key, nor the secret key."""
    storage = await place.opened()
    raw = bytes(range(100, 132))
    row = place.endpoint_row()
    secret = "whsec_" + base64.b64encode(raw).decode()
    row = type(row)(
        id=row.id,
        project_id=PROJECT,
        config=row.config,
        key=type(row.key)(id=row.key.id, secret=secret, created_at_ms=1),
        created_at_ms=1,
    )
    await storage.create_endpoint(row)
    api_key = "sg_live_" + "k" * 43
    await storage.create_api_key(
        ApiKeyRow(
            id="key_1",
            project_id=PROJECT,
            key_sha256=hashlib.sha256(api_key.encode()).digest(),
            prefix=api_key[:11],
            label=None,
            created_at_ms=1,
        )
    )
    state = await storage.load_state(row.id)
    assert state is not None
    assert state.secrets == (secret,)
    assert secret not in repr(state)
    key = base64.b64decode((place.folder / "place.db.key").read_bytes())

    def written() -> bytes:
        return b"".join(
            file.read_bytes() for file in place.folder.iterdir() if file.suffix != ".key"
        )

    for closed in (False, True):
        if closed:
            await storage.close()
        content = written()
        assert row.id.encode() in content
        for hidden in (secret[6:-4].encode(), raw, api_key.encode(), key, base64.b64encode(key)):
            assert hidden not in content


def test_what_is_sealed_opens_for_its_owner_only(place: "Place") -> None:
    """With the same key, unchanged, and for the same row."""
    box = place.box()
    sealed = box.seal("whsec_secret", owner="sk_1")
    assert box.unseal(sealed, owner="sk_1") == "whsec_secret"
    assert box.seal("whsec_secret", owner="sk_1") != sealed
    other = SecretBox(bytes(32), random=place.chance)
    broken = [
        (box, sealed, "sk_2"),
        (other, sealed, "sk_1"),
        (box, b"\x02" + sealed[1:], "sk_1"),
        (box, sealed[:-1] + bytes([sealed[-1] ^ 1]), "sk_1"),
        (box, sealed[:20], "sk_1"),
        (box, sealed[:5], "sk_1"),
        (box, b"", "sk_1"),
    ]
    for opener, blob, owner in broken:
        with pytest.raises(SettingError, match="another key"):
            opener.unseal(blob, owner=owner)


def test_a_box_shows_nothing_of_its_key() -> None:
    """Not even in a traceback's locals."""
    assert repr(SecretBox(b"k" * 32, random=None)) == "SecretBox()"  # type: ignore[arg-type]  # never asked


def test_a_key_file_is_made_once_and_for_its_owner_only(place: "Place") -> None:
    """The second box reads what the first wrote; nothing else is left behind."""
    sealed = place.box().seal("x", owner="o")
    assert place.box().unseal(sealed, owner="o") == "x"
    file = place.folder / "place.db.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(base64.b64decode(file.read_bytes(), validate=False)) == 32
    assert list(place.folder.iterdir()) == [file]


async def test_a_database_without_its_key_file_is_refused(place: "Place") -> None:
    """Never a new key beside data that only the old one opens."""
    await (await place.opened()).close()
    (place.folder / "place.db.key").unlink()
    with pytest.raises(SettingError, match=r"place\.db exists but its key file"):
        place.box()
    assert not (place.folder / "place.db.key").exists()


@pytest.mark.parametrize("text", ["", "short", "!" * 44, base64.b64encode(bytes(31)).decode()])
def test_a_malformed_key_is_refused(place: "Place", text: str) -> None:
    """From the setting and from the file, without showing it."""
    database = str(place.path)
    with pytest.raises(SettingError) as refused:
        SecretBox.for_database(database, secret_key=text, random=place.chance)
    assert not text or text not in str(refused.value)
    (place.folder / "place.db.key").write_text(text)
    with pytest.raises(SettingError):
        SecretBox.for_database(database, secret_key=None, random=place.chance)


def test_a_key_file_that_cannot_be_read_is_refused(place: "Place") -> None:
    """With the path in the message."""
    (place.folder / "place.db.key").mkdir()
    with pytest.raises(SettingError, match=r"place\.db\.key"):
        place.box()


def test_a_key_that_another_process_has_just_made_is_the_key(place: "Place") -> None:
    """Ours is dropped, although we had found no file."""
    file = place.folder / "place.db.key"

    class Overtaken:
        """Chance that is slow: while it is asked, another process makes the key."""

        def random(self) -> float:
            return 0.0

        def uuid7(self) -> str:
            return ""

        def token_bytes(self, size: int, /) -> bytes:
            if not file.exists():
                file.write_bytes(base64.b64encode(b"1" * 32))
            return bytes(size)

    box = SecretBox.for_database(str(place.path), secret_key=None, random=Overtaken())
    first = SecretBox(b"1" * 32, random=place.chance)
    assert box.unseal(first.seal("x", owner="o"), owner="o") == "x"
    assert list(place.folder.iterdir()) == [file]


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    """Each makes a key; one of them becomes the file, whole; all use that one."""
    script = (
        "import sys; from sluicegate.storage import SecretBox;"
        "from sluicegate.clock import SystemRandom;"
        "box = SecretBox.for_database(sys.argv[1], secret_key=None, random=SystemRandom());"
        "print(box.seal('x', owner='o').hex())"
    )
    path = str(tmp_path / "new.db")
    children = [
        subprocess.Popen(  # noqa: S603 - our own interpreter and script
            [sys.executable, "-c", script, path], stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    sealed = [child.communicate()[0].strip() for child in children]
    box = SecretBox.for_database(path, secret_key=None, random=None)  # type: ignore[arg-type]  # never asked
    assert [box.unseal(bytes.fromhex(text), owner="o") for text in sealed] == ["x"] * 4
    assert list(tmp_path.iterdir()) == [tmp_path / "new.db.key"]
