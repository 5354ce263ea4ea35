"""Tokens in a file, for the processes of one host."""

import hashlib
import json
import logging
import os
import re
import shlex
import stat
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
from attrs import define, field

from wxasset.errors import Hint, TokenStoreError, UsageError
from wxasset.tokens.store import to_the_end
from wxasset.tokens.token import TokenRecord
from wxasset.transfer.threads import run_in_thread
from wxasset.wire.checks import check_number

if TYPE_CHECKING:
    from filelock import BaseFileLock

__all__ = ["FileTokenStore"]

T = TypeVar("T")

_log: Final = logging.getLogger("wxasset.tokens")

_POLL_LEASE: Final = 0.05  # seconds; a fetch, which the holder makes meanwhile, takes about 0.1
_POLL_DOCUMENT: Final = 0.005  # seconds; a save holds the lock for about 0.5 ms
_OPEN: Final = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_POSIX: Final = os.name == "posix"  # elsewhere neither owners nor modes say who may read
_PLAIN: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")


class _RefusedError(Exception):
    """An unsafe file, with its remedy."""

    def __init__(self, why: str, remedy: Hint) -> None:
        super().__init__(why)
        self.remedy = remedy


def _check(descriptor: int, path: Path) -> None:
    """Reject a file owned or readable by other users."""
    found = os.fstat(descriptor)
    name = shlex.quote(str(path))
    if not stat.S_ISREG(found.st_mode):
        raise _RefusedError("it is no regular file", Hint("Pass the path of a file.", "请传入普通文件的路径。"))
    if _POSIX and found.st_uid != os.geteuid():
        why = f"it belongs to user {found.st_uid}, not to {os.geteuid()}, who runs this"
        cure = f"chown {os.geteuid()} {name} && chmod 600 {name}"
        raise _RefusedError(why, Hint(f"If you trust what it holds: {cure}", f"如确认内容可信，请执行：{cure}"))
    if _POSIX and found.st_mode & _OTHERS:
        why = f"others have access to it (mode {stat.S_IMODE(found.st_mode):04o})"
        raise _RefusedError(why, Hint(f"Run: chmod 600 {name}", f"请执行：chmod 600 {name}"))


def _open(path: Path, flags: int) -> int:
    """Open a file of this user alone; it is created with mode 0600."""
    if path.is_symlink():
        # O_NOFOLLOW holds as well where it is swapped in just now; this one has the better message.
        name = shlex.quote(str(path))
        cure = f"ls -l {name}; rm {name}"
        raise _RefusedError(
            "it is a symbolic link",
            Hint(f"Pass the path of the file itself (chmod 600), or: {cure}", f"请传入文件本身的路径，或执行：{cure}"),
        )
    descriptor = os.open(path, flags | _OPEN, 0o600)
    try:
        _check(descriptor, path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@define
class _Lock:
    """A lock between processes; its file stays. Its methods block for less than a millisecond."""

    path: Path
    _new: Callable[[Path], "BaseFileLock"]
    _held: "BaseFileLock | None" = None

    def take(self) -> bool:
        """Take it if it is free."""
        from filelock import Timeout  # noqa: PLC0415 - the extra is there: the store was built with it

        os.close(_open(self.path, os.O_RDWR | os.O_CREAT))
        lock = self._new(self.path)
        try:
            lock.acquire(blocking=False)
        except (Timeout, FileNotFoundError):
            return False
        except NotImplementedError:
            raise OSError("its file system has no locks") from None
        self._held = lock
        return True

    def free(self) -> None:
        """Release it, if held; after a failure the system does so."""
        lock, self._held = self._held, None
        if lock is not None:
            with suppress(OSError):
                lock.release()


def _new_lock() -> Callable[[Path], "BaseFileLock"]:
    try:
        from filelock import FileLock  # noqa: PLC0415 - an extra, imported by those who use it
    except ImportError:
        raise UsageError("FileTokenStore needs filelock; run: pip install 'wxasset[file]'.") from None
    # Any thread may give back what another one has taken.
    return lambda path: FileLock(path, mode=0o600, thread_local=False)


def _read(path: Path) -> bytes | None:
    try:
        descriptor = _open(path, os.O_RDONLY)
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise
        return None
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor is no path
        return file.read()


def _document(path: Path) -> dict[str, Any]:
    """Return the content of the file; an empty document if it is missing or unreadable."""
    data = _read(path)
    if data is None:
        return {}
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return found
    _log.warning("%s holds no token records that can be read; the next one that is saved replaces it", path)
    return {}


def _record(document: dict[str, Any], key: str, path: Path) -> TokenRecord | None:
    entry = document.get(key)
    if entry is None:
        return None
    try:
        return TokenRecord.parse(json.dumps(entry).encode())
    except (ValueError, RecursionError):
        _log.warning("the record %s in %s cannot be read; the next one that is saved replaces it", key, path)
        return None


def _is_flat(entry: object) -> bool:
    """Tell whether an entry may be a record, now or in a later version: an object of plain values."""
    return isinstance(entry, dict) and not any(isinstance(value, dict | list) for value in entry.values())


def _replace(path: Path, document: dict[str, Any]) -> None:
    """Put a document in the place of the old one, at once. The lock is held: the temporary name is ours alone."""
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.unlink(missing_ok=True)  # of a process that was killed
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN, 0o600)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor is no path
            file.write(json.dumps(document, separators=(",", ":")).encode())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@define(init=False, eq=False)
class FileTokenStore:
    """Share tokens in one JSON file between the processes of one user on one host.

    The file has mode 0600 and is replaced as a whole. Beside it lie ``<path>.lock`` and, for each account,
    ``<path>.<key>.lease``: empty files that stay. All of them have to belong to the user who runs this, and to be
    closed to everybody else; symbolic links are refused. A process that dies loses its lease at once.

    Meant for a local file system: the locks of network file systems are not to be trusted.
    Needs the extra ``file``: ``pip install 'wxasset[file]'``.
    """

    _path: Path
    _wait: float
    _now: Callable[[], float] = field(repr=False)
    _sleep: Callable[[float], Awaitable[object]] = field(repr=False)
    _new: Callable[[Path], "BaseFileLock"] = field(repr=False)

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        wait: float = 15.0,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
    ) -> None:
        """Keep the tokens in the file `path`; its directory must exist.

        Args:
            path: The file; it is created when the first token is saved.
            wait: Maximum seconds to wait for a lease, or for the right to save.
            now: A clock in seconds, never set back.
            sleep: Waits for a number of seconds.

        Raises:
            UsageError: filelock is not installed.
        """
        if not isinstance(path, str | os.PathLike):
            raise UsageError(f"path= must be the path of a file, not {type(path).__name__}.")
        check_number("wait", wait, at_least=0)
        self._path, self._wait = Path(path), wait
        self._now, self._sleep = now, sleep
        self._new = _new_lock()

    async def load(self, key: str) -> TokenRecord | None:
        """Return the newest record, also an expired one; None if it is missing or unreadable.

        Raises:
            TokenStoreError: The file must not be used, or cannot be read; the error names the cure.
        """
        return await self._hop(lambda: _record(_document(self._path), key, self._path))

    async def save(self, key: str, record: TokenRecord) -> bool:
        """Save a record if its version is higher than the kept one (compare-and-set); return True if saved.

        Raises:
            TokenStoreError: The file must not be used or cannot be written, or others kept it locked for too long.
        """
        lock = self._lock("lock")
        deadline = self._now() + self._wait
        while (saved := await self._hop(lambda: self._save_if_free(lock, key, record))) is None:
            await self._pause(_POLL_DOCUMENT, deadline, lock.path)
        return saved

    @asynccontextmanager
    async def lease(self, key: str) -> AsyncGenerator[None, None]:
        """Hold the right to fetch a token: one holder at a time, among all processes and tasks.

        Raises:
            TokenStoreError: It was not to be had within `wait` seconds, or its file must not be used.
        """
        name = key if _PLAIN.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()
        lock = self._lock(f"{name}.lease")
        deadline = self._now() + self._wait
        try:
            while not await self._hop(lock.take):
                await self._pause(_POLL_LEASE, deadline, lock.path)
            yield
        finally:
            await to_the_end(run_in_thread(lock.free))

    async def aclose(self) -> None:
        """Close no file: none stays open."""

    def _lock(self, suffix: str) -> _Lock:
        return _Lock(self._path.with_name(f"{self._path.name}.{suffix}"), self._new)

    async def _pause(self, seconds: float, deadline: float, path: Path) -> None:
        if self._now() >= deadline:
            raise TokenStoreError(f"Somebody has held {path} for {self._wait:g} s.")
        await self._sleep(seconds)

    def _save_if_free(self, lock: _Lock, key: str, record: TokenRecord) -> bool | None:
        """Save in a single thread hop, so that cancellation cannot leave the lock held; None if not free."""
        if not lock.take():
            return None
        try:
            document = _document(self._path)
            kept = _record(document, key, self._path)
            if kept is not None and kept.version >= record.version:
                return False
            others = {name: entry for name, entry in document.items() if _is_flat(entry)}
            _replace(self._path, {**others, key: json.loads(record.dump())})
            return True
        finally:
            lock.free()

    async def _hop(self, function: Callable[[], T]) -> T:
        """Run blocking work in a thread; its failures become a `TokenStoreError` without data."""

        def work() -> T | TokenStoreError:
            try:
                return function()
            except _RefusedError as error:
                return TokenStoreError(f"The token store {self._path} is not used: {error}.", error.remedy)
            except OSError as error:
                what = error.filename if isinstance(error.filename, str) else str(self._path)
                return TokenStoreError(f"The token store failed: {what}: {error.strerror or error}.")

        done = await run_in_thread(work)
        if isinstance(done, TokenStoreError):
            raise done  # here, where no frame holds a token
        return done
