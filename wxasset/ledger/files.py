"""The files of a ledger in SQLite, of one user alone. All functions block."""

import os
import re
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

from wxasset.errors import Hint, LedgerError, UsageError
from wxasset.transfer.private_files import CREATE, UnsafeFileError, check_private, open_private

__all__ = ["check_files", "check_path", "connect", "real_path", "sync"]

_COMPANIONS: Final = ("-wal", "-shm", "-journal")  # SQLite takes what it finds in them for its own
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_SHARED: Final = frozenset(
    {"9p", "afs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "lustre", "nfs", "nfs4", "smb3", "smbfs"}
)
"""File systems of other machines. Their locks do not tell whether a process of another host is alive, and SQLite's WAL
mode needs memory that all processes share (sqlite.org/wal.html)."""
_POSIX: Final = os.name == "posix"
_MOUNTS: Final = "/proc/self/mountinfo"
_SYNC: Final = getattr(os, "fdatasync", os.fsync)  # as SQLite does; macOS and Windows have no other


def check_path(path: str) -> None:
    """Raise `UsageError` for what SQLite or SQLAlchemy, but not a ledger, takes for a database."""
    if not path or path == ":memory:":
        raise UsageError(f'A ledger has to outlive its process; {path!r} does not. Pass a path: Ledger("uploads.db").')
    if path.startswith("file:"):
        raise UsageError('A ledger is named by a plain path, not by a file: URI. Pass Ledger("uploads.db").')
    if found := _ADDRESS.match(path):
        raise UsageError(  # without the address: it may have a password
            f"A ledger is named by the path of a file, not by an address such as {found[0]}/... Pass"
            ' Ledger("uploads.db"), or for PostgreSQL: Ledger(PostgresStore("postgresql://host/database")).'
        )


def real_path(path: str) -> str:
    """Return the path of the file itself, which all processes have to agree on; follow a link of this user.

    Raises:
        UnsafeFileError: It is a link of another user, or has a hard link; or it is as in `check_files`.
        LedgerError: The file is on another machine.
    """
    real = path
    if os.path.islink(path):
        if _POSIX and os.lstat(path).st_uid != os.geteuid():
            check_private(Path(path))
        real = os.path.realpath(path)
    kind = _file_system(os.path.dirname(real) or ".")
    if kind in _SHARED:
        raise LedgerError(
            f"The ledger {path} is on a file system of another machine ({kind}), where locks do not tell which"
            " processes are alive.",
            Hint(
                'Keep it on a local disk; to share a ledger between hosts use Ledger(PostgresStore("postgresql://...")).',
                "请把台账放在本地磁盘；多台主机共用台账时请使用 PostgresStore。",
            ),
        )
    with suppress(FileNotFoundError):
        if check_private(Path(real)).st_nlink > 1:
            remedy = Hint("Remove the other name, or copy the file.", "请删除另一个硬链接，或复制该文件。")
            name = os.path.basename(real)
            raise UnsafeFileError(f"{name} has a hard link, and SQLite keeps a journal of its own beside each", remedy)
    return real


def _file_system(directory: str) -> str | None:
    """Return the type of a directory's file system, in the words of Linux; None if unknown."""
    try:
        device = os.stat(directory).st_dev
        with open(_MOUNTS, encoding="utf-8", errors="replace") as mounts:
            lines = mounts.readlines()
    except OSError:
        return None
    number = f"{os.major(device)}:{os.minor(device)}"
    found = [line.partition(" - ")[2].split(" ", 1)[0] for line in lines if line.split(" ", 3)[2] == number]
    return found[-1] if found else None


def connect(path: str, timeout: float) -> sqlite3.Connection:
    """Open a ledger, or create it with mode 0600; SQLite gives its companion files the same mode.

    An existing file is opened by SQLite alone: closing it would release the SQLite locks of another ledger in this
    process.

    Raises:
        UnsafeFileError: A file is not a regular file, or other users own it or have access to it.
        LedgerError: The file was replaced meanwhile.
        OSError: The file cannot be created.
    """
    with suppress(FileExistsError):
        os.close(open_private(Path(path), CREATE))
    found = check_files(path)
    base = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    try:
        # SQLite has read nothing yet.
        same = os.path.samestat(found, check_files(path))
    except BaseException:
        base.close()
        raise
    if same:
        return base
    base.close()
    raise LedgerError(f"The ledger {path} was replaced while it was opened.")


def check_files(path: str) -> os.stat_result:
    """Check that a ledger, and the files of SQLite beside it, belong to this user alone; return its status.

    Raises:
        UnsafeFileError: One is not a regular file, or other users own it or have access to it.
        OSError: The ledger does not exist.
    """
    for suffix in _COMPANIONS:
        with suppress(FileNotFoundError):
            check_private(Path(path + suffix))
    return check_private(Path(path))


def sync(path: str) -> None:
    """Wait until all earlier commits survive a power failure.

    They are in the file beside the tables, which SQLite itself writes to the disk before it moves them to the tables.
    With ``synchronous = FULL`` it would do the same in each commit, while no other can begin.
    """
    descriptor = os.open(f"{path}-wal", os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        _SYNC(descriptor)
    finally:
        os.close(descriptor)
