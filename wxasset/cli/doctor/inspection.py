"""Looks at this machine: versions, the file with tokens, a ledger. What it writes on the way it removes again."""

import os
import platform
import secrets
import sqlite3
import ssl
import time
from contextlib import closing, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from anyio import to_thread
from attrs import evolve

from wxasset import Ledger, __version__
from wxasset.cli.doctor.ledger import LedgerFile
from wxasset.cli.doctor.programs import LEAST, Programs
from wxasset.cli.doctor.stores import FileStore, RedisStore
from wxasset.errors import LedgerError

__all__ = ["inspect_file", "inspect_ledger", "inspect_redis", "inspect_versions", "password_of", "place_of"]

_SQLITE: Final = b"SQLite format 3\0"
_APPLICATION: Final = 0x77786C64  # "wxld", by which a ledger is known: another database is not opened as one
_MOUNTS: Final = Path("/proc/self/mounts")
_PATIENCE: Final = 1.0  # seconds; a save holds the lock of a token file for about 0.5 ms
_POLL: Final = 0.02


def inspect_versions() -> Programs:
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


def inspect_file(path: Path) -> FileStore:
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


async def inspect_ledger(path: Path) -> LedgerFile:
    """See whether a ledger can be read and written and is whole, and how far its uploads are; none is made."""
    found = await to_thread.run_sync(_inspect_database, path)
    if found.fault is not None or found.damage is not None:
        return found
    try:
        async with Ledger(path) as ledger:
            return evolve(found, counts=await ledger.counts())
    except LedgerError as error:
        return evolve(found, error=error)


def _inspect_database(path: Path) -> LedgerFile:
    try:
        with path.open("r+b") as file:
            start = file.read(len(_SQLITE))
    except OSError as error:
        return LedgerFile(path=str(path), fault=_why(error))
    if start not in (_SQLITE, b""):  # an empty file is a ledger that is still to be made
        return LedgerFile(path=str(path), damage="it is no SQLite database")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=_PATIENCE)) as database:
            message = str(database.execute("PRAGMA quick_check(1)").fetchone()[0])
            owner = database.execute("PRAGMA application_id").fetchone()[0]
    except sqlite3.Error as error:
        return LedgerFile(path=str(path), damage=str(error))
    if message == "ok" and start and owner != _APPLICATION:
        return LedgerFile(path=str(path), damage="it is a database of something else")
    return LedgerFile(path=str(path), damage=None if message == "ok" else message)


_REDIS_PATIENCE: Final = 3.0  # seconds for each command; one takes about 0.2 ms
_KINDS: Final = {
    "AuthenticationError": ("it refuses the password, or wants one", "password"),
    "AuthenticationWrongNumberOfArgsError": ("it wants a user as well as a password, or none", "password"),
    "ConnectionError": ("no connection", "connection"),
    "InvalidResponse": ("what answers there is no Redis", "other"),
    "NoPermissionError": ("the user may not run scripts", "script"),
    "TimeoutError": (f"no answer within {_REDIS_PATIENCE:g} s", "timeout"),
    "ValueError": ("the address is none", "other"),
}


def password_of(url: str) -> str:
    """Take the password out of an address, so that it can be kept out of everything else."""
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""


def place_of(url: str) -> str:
    """Say where an address leads, without user and password."""
    try:
        parts = urlsplit(url)
        port = parts.port or 6379
    except ValueError:
        return "?"
    return parts.path if parts.scheme == "unix" else f"{parts.hostname or 'localhost'}:{port}"


def inspect_redis(url: str) -> RedisStore:
    """See whether Redis answers, lets us in, runs scripts and keeps what it is given; blocks, for a thread."""
    place = place_of(url)
    try:
        from redis import Redis  # noqa: PLC0415 - an extra
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415
    except ImportError:
        return RedisStore(place=place, trouble="redis is not installed", kind="package")
    try:
        client: Any = Redis.from_url(
            url, socket_timeout=_REDIS_PATIENCE, socket_connect_timeout=_REDIS_PATIENCE, retry=Retry(NoBackoff(), 0)
        )
        with closing(client):
            found = _look(client, place)
    except Exception as error:  # noqa: BLE001 - redis-py lets some through that are none of its own
        # By the class alone: the text may repeat what was sent.
        trouble, kind = _KINDS.get(type(error).__name__, (type(error).__name__, "other"))
        return RedisStore(place=place, trouble=trouble, kind=kind)
    return found


def _look(client: Any, place: str) -> RedisStore:
    begun = time.perf_counter()
    client.execute_command("PING")
    took = (time.perf_counter() - begun) * 1000
    client.execute_command("EVAL", "return 1", 0)
    told: dict[str, Any] = client.info()
    return RedisStore(
        place=place,
        version=str(told.get("redis_version", "")),
        role=str(told.get("role", "master")),
        policy=told.get("maxmemory_policy"),
        memory=int(told.get("maxmemory", 0)),
        milliseconds=took,
    )
