"""Looks at this machine: versions, the file with tokens, a ledger. What it writes on the way it removes again."""

import os
import platform
import secrets
import sqlite3
import ssl
from contextlib import closing, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from anyio import to_thread
from attrs import evolve

from wxasset import Ledger, __version__
from wxasset.cli.doctor.ledger import LedgerFile
from wxasset.cli.doctor.programs import LEAST, Programs
from wxasset.cli.doctor.stores import FileStore
from wxasset.errors import LedgerError

__all__ = ["look_at_file", "look_at_ledger", "look_at_programs"]

_SQLITE: Final = b"SQLite format 3\0"
_APPLICATION: Final = 0x77786C64  # "wxld", by which a ledger is known: another database is not opened as one
_MOUNTS: Final = Path("/proc/self/mounts")
_PATIENCE: Final = 1.0  # seconds; a save holds the lock of a token file for about 0.5 ms
_POLL: Final = 0.02


def look_at_programs() -> Programs:
    """See what runs here."""
    return Programs(
        python=platform.python_version(),
        wxasset=__version__,
        packages={name: _version(name) for name in LEAST},
        others={
            "implementation": platform.python_implementation(),
            "platform": platform.platform(),
            "openssl": ssl.OPENSSL_VERSION,
        },
    )


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def look_at_file(path: Path) -> FileStore:
    """See whether a file with tokens could be replaced and locked there; the file itself is left alone."""
    directory = path.parent
    if not directory.is_dir():
        return FileStore(path=str(path), missing=str(directory))
    filesystem = _filesystem(directory)
    trial = directory / f".{path.name}.doctor-{secrets.token_hex(8)}"
    try:
        unlocked = _try(trial)
    except OSError as error:
        return FileStore(path=str(path), filesystem=filesystem, unwritable=_why(error))
    held = unlocked is None and _is_held(path.with_name(f"{path.name}.lock"))
    return FileStore(path=str(path), filesystem=filesystem, unlocked=unlocked, held=held)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _try(trial: Path) -> str | None:
    """Write a file, lock it, put it in the place of another, and remove it; say why it cannot be locked.

    Raises:
        OSError: It cannot be written or replaced.
    """
    other = trial.with_name(f"{trial.name}.tmp")
    try:
        for one in (trial, other):
            os.close(os.open(one, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        unlocked = _lock(trial, 0)
        other.replace(trial)
    finally:
        for one in (trial, other):
            with suppress(OSError):
                one.unlink()
    return unlocked


def _lock(path: Path, patience: float) -> str | None:
    """Take a lock and give it back; say why that cannot be done."""
    try:
        from filelock import FileLock, Timeout  # noqa: PLC0415 - an extra
    except ImportError:
        return "filelock is not installed (pip install 'wxasset[file]')"
    lock = FileLock(path, mode=0o600, thread_local=False)
    try:
        lock.acquire(timeout=patience, poll_interval=_POLL)
    except Timeout:
        return "it is held"
    except (NotImplementedError, OSError) as error:
        return _why(error) if isinstance(error, OSError) else "its file system has no locks"
    lock.release()
    return None


def _is_held(path: Path) -> bool:
    """Tell whether somebody holds a lock that is there, as long as one may wait for it."""
    return path.is_file() and not path.is_symlink() and _lock(path, _PATIENCE) == "it is held"


def _filesystem(directory: Path) -> str:
    """Name the type of the file system that a directory is on, where the system tells."""
    try:
        lines = _MOUNTS.read_text("utf-8", "replace").splitlines()
        place = directory.resolve()
    except OSError:
        return ""
    found = [line.split() for line in lines]
    mounted = {Path(one[1].replace("\\040", " ")): one[2] for one in found if len(one) > 2}  # noqa: PLR2004 - of six
    return next((mounted[one] for one in (place, *place.parents) if one in mounted), "")


async def look_at_ledger(path: Path) -> LedgerFile:
    """See whether a ledger can be read and written and is whole, and how far its uploads are; none is made."""
    found = await to_thread.run_sync(_look_at_database, path)
    if found.fault is not None or found.damage is not None:
        return found
    try:
        async with Ledger(path) as ledger:
            return evolve(found, counts=await ledger.counts())
    except LedgerError as error:
        return evolve(found, error=error)


def _look_at_database(path: Path) -> LedgerFile:
    try:
        with path.open("r+b") as file:
            start = file.read(len(_SQLITE))
    except OSError as error:
        return LedgerFile(path=str(path), fault=_why(error))
    if start not in (_SQLITE, b""):  # an empty file is a ledger that is still to be made
        return LedgerFile(path=str(path), damage="it is no SQLite database")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=_PATIENCE)) as database:
            said = str(database.execute("PRAGMA quick_check(1)").fetchone()[0])
            owner = database.execute("PRAGMA application_id").fetchone()[0]
    except sqlite3.Error as error:
        return LedgerFile(path=str(path), damage=str(error))
    if said == "ok" and start and owner != _APPLICATION:
        return LedgerFile(path=str(path), damage="it is a database of something else")
    return LedgerFile(path=str(path), damage=None if said == "ok" else said)
