"""Each check of the doctor, with each fault planted for real."""

import asyncio
import os
import shutil
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sluicegate import Engine, Settings
from sluicegate.cli.doctor import database, files, machine
from sluicegate.cli.doctor.examination import examine
from sluicegate.cli.doctor.results import Patient, Result, Status
from sluicegate.cli.doctor.sqlite_bugs import KNOWN, NEEDED, bugs_of
from sluicegate.clock import SystemClock

OTHER_KEY = "A" * 43 + "="


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    """A database that has been used: an endpoint with a message that waits, closed in order."""
    chosen = Settings(database=str(tmp_path / "d.db"), dev=True, drain_s=0)
    async with Engine(chosen) as engine:
        endpoint = (await engine.create_endpoint("http://localhost:9/hook")).endpoint.id
        await engine.create_endpoint("http://127.0.0.1:9/an-address-needs-no-look-up")
        await engine.pause(endpoint)
        await engine.send(endpoint, {"n": "x" * 100})
    return chosen


def results(settings: Settings, *, deep: bool = False, **patient: Any) -> dict[str, Result]:
    """Examine, and return what each check found; of those that found more, the last."""
    clock = patient.pop("clock", None) or SystemClock()
    names = patient.pop("names", ("localhost",))
    return {r.name: r for r in examine(settings, clock=clock, deep=deep, names=names)}


def found(settings: Settings, name: str, **options: Any) -> tuple[str, str]:
    """Return how it stands with one check, and what it saw; a fault has advice."""
    result = results(settings, **options)[name]
    assert bool(result.advice) or result.status not in {Status.WARNING, Status.ERROR}
    return str(result.status), result.seen


def path_of(settings: Settings, suffix: str = "") -> Path:
    """Return the database, or a file beside it."""
    return Path(f"{settings.database}{suffix}")


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return every file with its mode and content, but for the process that the lock names."""
    return {
        each.name: (each.stat().st_mode, b"" if each.suffix == ".lock" else each.read_bytes())
        for each in folder.iterdir()
    }


# -- all is well --------------------------------------------------------------------------------


def test_nothing_is_wrong_with_what_is_as_it_should_be(settings: Settings) -> None:
    """The warnings that are left are the machine's."""
    told = results(settings, deep=True)
    faults = {r.name for r in told.values() if r.status in {Status.WARNING, Status.ERROR}}
    assert faults <= {"sqlite", "clock synchronisation", "file system", "python", "open files"}
    assert {"schema", "integrity", "secret key", "counters", "key file", "dns"} <= set(told)
    assert told["schema"].seen.endswith("the newest")


@pytest.mark.parametrize("deep", [False, True])
def test_the_doctor_changes_nothing(settings: Settings, tmp_path: Path, deep: bool) -> None:  # noqa: FBT001 - a parameter
    """No file appears, goes, or becomes another; nor does a mode."""
    before = snapshot(tmp_path)
    results(settings, deep=deep)
    assert snapshot(tmp_path) == before


def test_where_there_is_nothing_yet_nothing_is_made(tmp_path: Path) -> None:
    """The first start makes the files, as the user that it runs as."""
    told = results(Settings(database=str(tmp_path / "new.db")), deep=True)
    assert list(tmp_path.iterdir()) == []
    assert not [r for r in told.values() if r.status is Status.ERROR]
    assert told["database"].status is Status.SKIPPED


def test_a_log_that_a_crash_left_is_read_and_stays(settings: Settings, tmp_path: Path) -> None:
    """Commits that only stand in the log are part of the database."""
    copy = tmp_path / "crashed"
    copy.mkdir()
    with sqlite3.connect(settings.database, isolation_level=None) as db:
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute("UPDATE endpoint_loads SET queued_count = 7")
        for each in tmp_path.glob("d.db*"):
            shutil.copy2(each, copy)
    db.close()
    crashed = Settings(database=str(copy / "d.db"))
    log = path_of(crashed, "-wal").read_bytes()
    assert log
    assert found(crashed, "counters", deep=True)[0] == "error"
    assert path_of(crashed, "-wal").read_bytes() == log


# -- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "name", "mode"),
    [
        (".key", "key file", 0o640),
        (".key", "key file", 0o604),
        ("", "database file", 0o604),
        ("", "database file", 0o602),
    ],
)
def test_a_file_that_others_may_use_is_warned_of(
    settings: Settings, suffix: str, name: str, mode: int
) -> None:
    """The key opens the signing secrets, the database has the payloads."""
    path_of(settings, suffix).chmod(mode)
    status, seen = found(settings, name)
    assert status == "warning"
    assert f"mode {mode:o}" in seen
    path_of(settings, suffix).chmod(0o600)
    assert found(settings, name)[0] == "ok"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_of_another_user_are_warned_of(settings: Settings) -> None:
    """A server that runs as somebody else could not use them."""
    os.chown(settings.database, 65534, 65534)
    assert "belongs to user 65534" in found(settings, "database file")[1]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
@pytest.mark.parametrize(("suffix", "name"), [("", "database file"), (".key", "key file")])
def test_a_file_that_must_not_be_used_is_an_error(
    settings: Settings, suffix: str, name: str
) -> None:
    """A start would fail."""
    path_of(settings, suffix).chmod(0o000)
    assert found(settings, name)[0] == "error"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may do everything")
def test_a_folder_that_must_not_be_entered_is_an_error(settings: Settings, tmp_path: Path) -> None:
    """And no check falls over it."""
    tmp_path.chmod(0o000)
    try:
        told = results(settings)
    finally:
        tmp_path.chmod(0o700)
    assert {told[name].status for name in ("folder", "database file")} == {Status.ERROR}


def test_a_folder_that_everybody_may_write_is_warned_of(settings: Settings, tmp_path: Path) -> None:
    """Unless nobody can take another's file away there, as in /tmp."""
    tmp_path.chmod(0o777)
    assert found(settings, "folder")[0] == "warning"
    tmp_path.chmod(0o1777)
    assert found(settings, "folder")[0] == "ok"


def test_a_second_name_of_the_database_is_an_error(settings: Settings, tmp_path: Path) -> None:
    """It would have a lock and a log of its own; and the file is not opened by either name."""
    (tmp_path / "second.db").hardlink_to(settings.database)
    told = results(settings)
    assert told["database file"].status is Status.ERROR
    assert "2 names" in told["database file"].seen
    assert told["database"].status is Status.ERROR


def test_a_database_that_is_no_file_is_an_error(tmp_path: Path) -> None:
    """A pipe would hang whoever opens it."""
    os.mkfifo(tmp_path / "d.db")
    settings = Settings(database=str(tmp_path / "d.db"))
    assert found(settings, "database file")[0] == "error"


def test_what_is_no_regular_file_is_not_taken_for_a_second_name(tmp_path: Path) -> None:
    """The advice fits the fault."""
    os.mkfifo(tmp_path / "pipe.db")
    result = results(Settings(database=str(tmp_path / "pipe.db")))["database file"]
    assert (result.status, "names" in result.advice) == (Status.ERROR, False)


def test_a_symbolic_link_is_followed_to_the_files_beside_the_real_one(
    settings: Settings, tmp_path: Path
) -> None:
    """As a server does."""
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "d.db").symlink_to(settings.database)
    linked = Settings(database=str(tmp_path / "links" / "d.db"))
    assert found(linked, "key file") == ("ok", f"{settings.database}.key (mode 600)")
    assert found(linked, "secret key")[0] == "ok"


def test_a_key_that_is_missing_beside_a_used_database_is_an_error(settings: Settings) -> None:
    """The signing secrets cannot be read; unless the key is a setting."""
    path_of(settings, ".key").unlink()
    assert found(settings, "key file")[0] == "error"
    with_key = Settings(database=settings.database, secret_key=OTHER_KEY)
    assert found(with_key, "key file")[0] == "ok"


@pytest.mark.parametrize("content", [OTHER_KEY, "not base64!", "AAAA", ""])
def test_a_key_that_does_not_open_what_is_stored_is_an_error(
    settings: Settings, content: str
) -> None:
    """Another one, or none at all."""
    path_of(settings, ".key").write_text(content)
    assert found(settings, "secret key")[0] == "error"


def test_a_reserve_that_is_cut_is_warned_of(settings: Settings) -> None:
    """The disk was full: a sign before the next time."""
    os.truncate(path_of(settings, ".reserve"), 1000)
    assert found(settings, "reserve")[0] == "warning"
    path_of(settings, ".reserve").unlink()
    assert found(settings, "reserve")[0] == "warning"


def test_a_disk_without_room_is_told_of(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error below twice the reserve, a warning below what may have to be written."""
    real = os.statvfs(settings.database)

    def with_free(free: int) -> tuple[str, str]:
        fields = list(real)
        fields[4] = free // real.f_frsize
        monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(fields))
        return found(settings, "disk space")

    assert with_free(1 << 20)[0] == "error"
    assert with_free(64 << 20)[0] == "warning"
    assert with_free(1 << 30)[0] == "ok"


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/share /srv/net nfs4 rw 0 0
//server/share /srv/net/win cifs rw 0 0
tmpfs /srv/with\\040space tmpfs rw 0 0
/dev/sdb1 /srv/twice ext4 rw 0 0
overlay /srv/twice overlay rw 0 0
broken
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/srv", "ext4"),
        ("/srv/network", "ext4"),
        ("/srv/net", "nfs4"),
        ("/srv/net/a/b", "nfs4"),
        ("/srv/net/win/x", "cifs"),
        ("/srv/with space", "tmpfs"),
        ("/srv/twice/x", "overlay"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(path: str, kind: str) -> None:
    """The longest folder that holds the path; of two in one place, the later."""
    assert files.file_system_of(path, MOUNTS) == kind


@pytest.mark.parametrize(
    ("kind", "status"),
    [("nfs", "error"), ("cifs", "error"), ("tmpfs", "warning"), ("9p", "warning"), ("xfs", "ok")],
)
def test_a_file_system_that_cannot_hold_a_log_is_told_of(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, status: str
) -> None:
    """SQLite's log does not work over a network; memory does not last."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"x / {kind} rw 0 0\n")
    monkeypatch.setattr(files, "_MOUNTS", mounts)
    assert found(settings, "file system")[0] == status


# -- the database -------------------------------------------------------------------------------


async def test_a_database_that_a_server_runs_on_is_not_looked_into(settings: Settings) -> None:
    """And that is said loudly; the server goes on, and keeps its lock."""
    async with Engine(settings) as engine:
        told = await asyncio.to_thread(results, settings, deep=True)
        assert told["database"].status is Status.SKIPPED
        assert told["database"].seen.startswith("NOT LOOKED INTO")
        assert told["lock"].seen == f"held by process {os.getpid()}: a server runs"
        assert not {"schema", "integrity", "counters", "secret key"} & set(told)
        assert (await engine.list_endpoints()).items
        with pytest.raises(Exception, match="in use"):
            await Engine(settings).__aenter__()


def test_no_server_can_start_while_the_doctor_looks(settings: Settings) -> None:
    """What it says would else be of another time."""
    looking = examine(settings, clock=SystemClock(), deep=False, names=("localhost",))
    next(looking)
    assert "process" in found(settings, "lock")[1]
    looking.close()
    assert found(settings, "lock")[1].startswith("free")


def test_a_damaged_page_is_found(settings: Settings) -> None:
    """One page of rubbish in the middle of the file."""
    size = path_of(settings).stat().st_size
    with path_of(settings).open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xff" * 4096)
    status, seen = found(settings, "integrity")
    assert status == "error"
    assert "damaged" in seen
    assert found(settings, "integrity", deep=True)[0] == "error"


def test_a_look_through_the_file_ends_in_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not seen is said; `--deep` has no limit."""
    with sqlite3.connect(settings.database) as db:
        db.execute("CREATE TABLE filler (a, b UNIQUE)")
        db.executemany("INSERT INTO filler VALUES (?, ?)", ((n, n) for n in range(50_000)))
    db.close()
    monkeypatch.setattr(database, "_QUICK_S", 0.0)
    status, seen = found(settings, "integrity")
    assert (status, "--deep" in seen) == ("ok", True)
    assert found(settings, "integrity", deep=True) == ("ok", "integrity_check found no fault")


@pytest.mark.parametrize("content", [b"rubbish" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_an_error(settings: Settings, content: bytes) -> None:
    """And no check falls over it."""
    path_of(settings).write_bytes(content)
    told = results(settings, deep=True)
    assert told["schema"].status is Status.ERROR


def test_another_programs_database_is_an_error(tmp_path: Path) -> None:
    """It is left alone."""
    with sqlite3.connect(tmp_path / "d.db") as db:
        db.execute("CREATE TABLE theirs (a)")
    db.close()
    status, seen = found(Settings(database=str(tmp_path / "d.db")), "schema")
    assert (status, "another program" in seen) == ("error", True)


def change(settings: Settings, sql: str) -> None:
    """Change the file, past all of our code."""
    with sqlite3.connect(settings.database) as db:
        db.execute(sql)
    db.close()


def test_a_newer_schema_is_an_error(settings: Settings) -> None:
    """This version must not touch it."""
    change(settings, "PRAGMA user_version = 9999")
    told = results(settings, deep=True)
    assert told["schema"].status is Status.ERROR
    assert "newer version" in told["schema"].seen


def test_an_older_schema_is_migrated_by_the_next_start(settings: Settings) -> None:
    """The doctor only says so."""
    change(settings, "PRAGMA user_version = 1")
    status, seen = found(settings, "schema")
    assert (status, "back up first" in seen) == ("ok", True)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE endpoint_loads SET queued_count = queued_count + 1",
        "UPDATE activity SET accepted = accepted + 1",
        "UPDATE usage_months SET accepted = accepted + 1",
    ],
)
def test_wrong_counters_are_found_by_a_deep_look(settings: Settings, sql: str) -> None:
    """It reads every message, so not without being asked."""
    change(settings, sql)
    assert "counters" not in results(settings)
    assert found(settings, "counters", deep=True)[0] == "error"


def test_what_retention_may_have_removed_is_not_recounted(settings: Settings) -> None:
    """Activity is kept for longer than the messages that it was counted from."""
    change(
        settings,
        "INSERT INTO activity SELECT minute - 1440 * 200, project_no, endpoint_no, 5, succeeded,"
        " failed, retried, answered, latency_ms FROM activity",
    )
    assert found(settings, "counters", deep=True)[0] == "ok"
    longer = Settings(database=settings.database, history_days=400)
    assert found(longer, "counters", deep=True)[0] == "error"


def test_messages_from_the_future_are_warned_of(settings: Settings) -> None:
    """A clock was wrong, then or now."""
    change(settings, "UPDATE accepted_minutes SET minute = minute + 1000")
    assert found(settings, "stored times")[0] == "warning"


# -- SQLite -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "names"),
    [
        ((3, 37, 0), {"WAL reset", "savepoints in memory"}),
        ((3, 37, 1), {"WAL reset", "savepoints in memory"}),
        ((3, 37, 2), {"WAL reset"}),
        ((3, 44, 5), {"WAL reset"}),
        ((3, 44, 6), set()),
        ((3, 45, 0), {"WAL reset"}),
        ((3, 50, 6), {"WAL reset"}),
        ((3, 50, 7), set()),
        ((3, 51, 0), {"WAL reset"}),
        ((3, 51, 2), {"WAL reset"}),
        ((3, 51, 3), set()),
        ((3, 52, 0), {"withdrawn release"}),
        ((3, 53, 0), set()),
    ],
)
def test_a_version_has_the_bugs_of_its_range(
    version: tuple[int, int, int], names: set[str]
) -> None:
    """From the release that brought it to the one that fixed it, apart from backports."""
    assert {bug.name for bug in bugs_of(version)} == names


def test_every_known_bug_says_what_it_does_and_where_that_is_written() -> None:
    """A fact without a source is a rumour."""
    for bug in KNOWN:
        assert bug.since < bug.fixed
        assert bug.harm
        assert bug.source.startswith("https://sqlite.org/")


@pytest.mark.parametrize(
    ("version", "status"), [((3, 36, 0), "error"), ((3, 40, 1), "warning"), ((3, 53, 2), "ok")]
)
def test_the_version_that_runs_is_judged(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: tuple[int, int, int], status: str
) -> None:
    """Too old for the schema, faulty, or well."""
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    assert found(Settings(database=str(tmp_path / "d.db")), "sqlite")[0] == status
    assert NEEDED == (3, 37, 0)


# -- the network --------------------------------------------------------------------------------


def test_a_name_that_is_not_found_is_warned_of(settings: Settings) -> None:
    """An offline machine is no reason to fail."""
    status, seen = found(settings, "dns", names=("no-such-name.invalid",))
    assert (status, "no-such-name.invalid" in seen) == ("warning", True)


@pytest.mark.parametrize("name", ["", "a" * 300, "\x00", "ü" * 70, "x..y", "[::1"])
def test_a_name_that_cannot_be_is_not_found(settings: Settings, name: str) -> None:
    """Whatever is given to `--dns-name`, the doctor goes on."""
    assert found(settings, "dns", names=(name,))[0] == "warning"


def test_a_name_server_that_hangs_costs_the_time_of_one_look_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is the one that attempts have."""
    released = threading.Event()

    def hang(*_: object, **__: object) -> list[Any]:
        released.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    quick = Settings(database=settings.database, dns_timeout_s=0.1)
    try:
        assert "within 0.1 s" in found(quick, "dns", names=("a.example", "b.example"))[1]
    finally:
        released.set()


def test_without_a_name_those_of_the_endpoints_are_looked_up(settings: Settings) -> None:
    """They are what deliveries need."""
    told = [
        r for r in examine(settings, clock=SystemClock(), deep=False, names=()) if r.name == "dns"
    ]
    assert [r.seen.split()[0] for r in told] == ["localhost"]


# -- the machine --------------------------------------------------------------------------------


class WrongClock(SystemClock):
    """A wall clock that is off."""

    def __init__(self, *, off_ms: int, stepped_ms: int = 0) -> None:
        super().__init__()
        self._off_ms = off_ms
        self._stepped_ms = stepped_ms

    def wall_ms(self) -> int:
        """The wrong time."""
        return super().wall_ms() + self._off_ms + self._stepped_ms

    def steady_ms(self) -> int:
        """The same, but for the step."""
        return super().steady_ms() + self._off_ms


YEAR_MS = 365 * 86_400_000


@pytest.mark.parametrize(
    ("clock", "status", "word"),
    [
        (WrongClock(off_ms=-50 * YEAR_MS), "error", "cannot be"),
        (WrongClock(off_ms=100 * YEAR_MS), "error", "cannot be"),
        (WrongClock(off_ms=-3_600_000), "warning", "younger"),
        (WrongClock(off_ms=0, stepped_ms=5000), "warning", "was set by 5 s"),
        (WrongClock(off_ms=0), "ok", ":"),
    ],
)
def test_a_clock_that_cannot_be_right_is_told_of(
    settings: Settings, clock: SystemClock, status: str, word: str
) -> None:
    """By the year, by the files, and by a step while the doctor looks."""
    told = found(settings, "clock", clock=clock)
    assert told[0] == status
    assert word in told[1]


@pytest.mark.parametrize(
    ("answer", "status"), [(True, "ok"), (False, "warning"), (None, "skipped")]
)
def test_what_the_kernel_says_of_its_clock_is_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, answer: object, status: str
) -> None:
    """Receivers refuse signatures whose time is off."""
    monkeypatch.setattr(machine, "kernel_clock_synchronised", lambda: answer)
    assert found(settings, "clock synchronisation")[0] == status


def test_the_kernel_can_be_asked() -> None:
    """It answers or not; it never fails."""
    assert machine.kernel_clock_synchronised() in {True, False, None}


def test_too_few_files_are_warned_of(settings: Settings) -> None:
    """By what the settings may need."""
    hungry = Settings(database=settings.database, connections_max=1_000_000)
    status, seen = found(hungry, "open files")
    assert (status, "1003172" in seen) == ("warning", True)


def test_an_untested_python_is_warned_of(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may work; nobody has seen it."""
    monkeypatch.setattr(machine, "SUPPORTED", ((2, 6), (2, 7)))
    assert found(settings, "python")[0] == "warning"


def test_a_check_that_cannot_be_made_is_an_error_and_the_others_go_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The doctor does not fall over what it finds."""

    def broken(_patient: Patient) -> Iterator[Result]:
        raise PermissionError(13, "Permission denied")

    checks: tuple[Callable[[Patient], Any], ...] = (broken, machine.python)
    monkeypatch.setattr("sluicegate.cli.doctor.examination.CHECKS", checks)
    told = results(settings)
    assert told["broken"].status is Status.ERROR
    assert "Permission denied" in told["broken"].seen
    assert "python" in told
