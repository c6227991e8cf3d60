"""The files: whether they can be used, and whether others can."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from sluicegate.cli.doctor.results import Check, Patient, Result, error, ok, skipped, warning
from sluicegate.engine.errors import SluicegateError
from sluicegate.storage.database_file import refuse_unfit
from sluicegate.storage.reserve import RESERVE_BYTES

__all__ = ["CHECKS", "file_system_of"]

_MOUNTS = Path("/proc/self/mounts")
_NETWORK = (
    *("afs", "ceph", "cifs", "coda", "davfs", "fuse.davfs", "fuse.glusterfs", "fuse.s3fs"),
    *("fuse.sshfs", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs"),
)
_SHARED = "it is shared with the machine's host: locks and shared memory may not hold"
_PASSING = {
    "tmpfs": "it is in memory, and gone when the machine restarts",
    "ramfs": "it is in memory, and gone when the machine restarts",
    "9p": _SHARED,
    "vboxsf": _SHARED,
    "virtiofs": _SHARED,
    "overlay": "it may be a container's own layer, which is removed with the container",
}
_MIB = 1 << 20


def folder(patient: Patient) -> Iterator[Result]:
    """Can the folder be used, and by us alone?"""
    path = Path(patient.database).parent
    mode = path.stat().st_mode
    if not os.access(path, os.W_OK | os.X_OK):
        yield error("folder", f"{path} must not be written", "give it to the server's user")
    elif mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        yield warning(
            "folder",
            f"everybody may replace files in {path} (mode {stat.S_IMODE(mode):o})",
            f"chmod o-w {path}",
        )
    else:
        yield ok("folder", f"{path} (mode {stat.S_IMODE(mode):o})")


def database(patient: Patient) -> Iterator[Result]:
    """Is the database one regular file that we may use?"""
    path = Path(patient.database)
    try:
        refuse_unfit(patient.database)
    except SluicegateError as refusal:
        yield error(
            "database file",
            refusal.message,
            "remove the other names, or name another file: SQLite's files stand beside one name"
            if path.is_file()
            else "name a regular file, or one that does not exist yet",
        )
        return
    if not path.exists():
        yield ok("database file", f"{path} does not exist yet: the first start makes it")
        return
    yield _judged("database file", path, others=stat.S_IRWXO, whose="payloads")


def key(patient: Patient) -> Iterator[Result]:
    """Is the key that opens the signing secrets there, and ours alone?"""
    path = Path(f"{patient.database}.key")
    if patient.settings.secret_key is not None:
        yield ok("key file", "not used: secret_key is set")
    elif path.exists():
        others = stat.S_IRWXG | stat.S_IRWXO
        yield _judged("key file", path, others=others, whose="signing secrets")
    elif _is_filled(Path(patient.database)):
        yield error(
            "key file",
            f"{path} is missing beside a database that has been used",
            "restore it from the backup, or set secret_key: without it no signing secret can be "
            "read",
        )
    else:
        yield ok("key file", f"{path} does not exist yet: the first start makes it")


def lock(patient: Patient) -> Iterator[Result]:
    """Does a server run on the database?"""
    path = Path(f"{patient.database}.lock")
    if patient.held_by is not None:
        yield ok("lock", f"held by process {patient.held_by}: a server runs")
    elif path.exists() and not os.access(path, os.R_OK | os.W_OK):
        yield error("lock", f"{path} cannot be opened", f"chown it to the server's user: {path}")
    else:
        yield ok("lock", "free: no server runs on this database")


def reserve(patient: Patient) -> Iterator[Result]:
    """Is there room put aside for the results of attempts?"""
    path = Path(f"{patient.database}.reserve")
    if not path.exists() and not _is_filled(Path(patient.database)):
        yield ok("reserve", "does not exist yet: the first start makes it")
    elif not path.exists() or path.stat().st_size != RESERVE_BYTES:
        yield warning(
            "reserve",
            f"{path} is missing or cut: the disk was full",
            "make room; a running server makes it again by itself",
        )
    else:
        yield ok("reserve", f"{RESERVE_BYTES // _MIB} MiB put aside")


def file_system(patient: Patient) -> Iterator[Result]:
    """Is it a file system that SQLite's write-ahead log works on, and that lasts?"""
    path = str(Path(patient.database).parent)
    if not _MOUNTS.exists():
        yield skipped("file system", "this system does not tell")
        return
    kind = file_system_of(path, _MOUNTS.read_text("utf-8", errors="replace"))
    if kind in _NETWORK:
        yield error(
            "file system",
            f"{path} is on {kind}, a network file system",
            "use a local disk: the write-ahead log needs shared memory and locks that hold "
            "(https://sqlite.org/wal.html)",
        )
    elif kind in _PASSING:
        yield warning(
            "file system", f"{path} is on {kind}: {_PASSING[kind]}", "use a disk, a volume"
        )
    else:
        yield ok("file system", kind)


def space(patient: Patient) -> Iterator[Result]:
    """Is there room on the disk?"""
    disk = os.statvfs(Path(patient.database).parent)
    free = disk.f_bavail * disk.f_frsize
    wanted = RESERVE_BYTES + patient.settings.pending_bytes_max
    seen = f"{free // _MIB} MiB free"
    if free < 2 * RESERVE_BYTES:
        yield error("disk space", seen, "make room: sends are refused while the disk is full")
    elif free < wanted:
        yield warning(
            "disk space",
            f"{seen}; the reserve and what may wait to be written are {wanted // _MIB} MiB",
            "make room, or lower pending_bytes_max",
        )
    else:
        yield ok("disk space", seen)


def file_system_of(path: str, mounts: str) -> str:
    """Return the kind of file system that `path` is on, by the lines of `/proc/self/mounts`."""
    found, kind = "", "unknown"
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:  # noqa: PLR2004 - device, folder, kind
            continue
        folder_name = fields[1].replace("\\040", " ")
        inside = path == folder_name or path.startswith(folder_name.rstrip("/") + "/")
        if inside and len(folder_name) >= len(found):  # the later mount hides the earlier
            found, kind = folder_name, fields[2]
    return kind


def _judged(name: str, path: Path, *, others: int, whose: str) -> Result:
    """Judge a file that is there: can we use it, and who else can?"""
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    if not os.access(path, os.R_OK | os.W_OK):
        return error(name, f"{path} must not be read and written", "give it to the server's user")
    if mode & others:
        return warning(
            name,
            f"others may use {path} (mode {mode:o}), and with it the {whose}",
            f"chmod 600 {path}",
        )
    if status.st_uid != os.geteuid():
        return warning(
            name,
            f"{path} belongs to user {status.st_uid}, and this is user {os.geteuid()}",
            "run the doctor, and the server, as the user whose files these are",
        )
    return ok(name, f"{path} (mode {mode:o})")


def _is_filled(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


CHECKS: tuple[Check, ...] = (folder, database, key, lock, reserve, file_system, space)
