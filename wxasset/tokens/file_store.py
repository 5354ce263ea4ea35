"""Tokens in a file, for the processes of one host."""

import hashlib
import json
import logging
import os
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import anyio
from attrs import define, field

from wxasset.errors import Hint, TokenStoreError, UsageError
from wxasset.errors.frames import concealed
from wxasset.tokens.store import run_shielded
from wxasset.tokens.token import TokenRecord, parse_document
from wxasset.transfer.file_lock import FileLock
from wxasset.transfer.private_files import CREATE, UnsafeFileError, open_private
from wxasset.transfer.threads import run_in_thread
from wxasset.wire.checks import check_number
from wxasset.wire.limits import MIB

__all__ = ["FileTokenStore"]

T = TypeVar("T")

_log: Final = logging.getLogger("wxasset.tokens")

_POLL_LEASE: Final = 0.05  # seconds; a fetch, which the holder makes meanwhile, takes about 0.1
_POLL_DOCUMENT: Final = 0.005  # seconds; a save holds the lock for about 0.5 ms
_PLAIN: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
_MOST: Final = 32 * MIB  # bytes; a record has up to 3 KiB
_BLANK: Final = b" \t\r\n\0"  # a file system may leave a file of zeros after a power failure
_OWN: Final = re.compile(rb'\{\s*"[^"]*"\s*:\s*\{\s*"token"\s*:\s*"[^"]*"\s*,\s*"issued"\s*:')
_CUT: Final = re.compile(
    rb'\{\s*("[^"]{0,64}("\s*(:\s*(\{\s*("t?o?k?e?n?"?\s*:?\s*("[^"]*("\s*,?\s*"?i?s?s?u?e?d?"?)?)?)?)?)?)?)?'
)
"""The start of a file of token records, and a file that ends within it."""
_FOREIGN: Final = Hint(
    "Pass the path of a file for wxasset alone, which it creates; if the content is not needed, delete the file.",
    "请传入供 wxasset 专用的文件路径（文件由它自动创建）；如果现有内容不再需要，请先删除该文件。",
)


def _read(path: Path) -> bytes:
    """Return the content of the file; empty if it is missing."""
    try:
        descriptor = open_private(path, os.O_RDONLY)
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise
        return b""
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor is no path
        return file.read(_MOST + 1)


def _document(path: Path) -> dict[str, Any]:
    """Return the content of the file; an empty document if it is missing, or was cut off while it was written.

    Raises:
        UnsafeFileError: The file was not written by this package.
    """
    data = _read(path)
    if len(data) <= _MOST and not data.strip(_BLANK):
        return {}
    try:
        found = parse_document(data) if len(data) <= _MOST else None
    except (ValueError, RecursionError):
        if _OWN.match(data) or _CUT.fullmatch(data):
            _log.warning("%s is damaged; the next token that is saved replaces it", path)
            return {}
        found = None
    if isinstance(found, dict) and (not found or any(map(TokenRecord.is_named, found.values()))):
        return found
    raise UnsafeFileError("it exists, but was not written by wxasset", _FOREIGN)


def _record(document: dict[str, Any], key: str, path: Path) -> TokenRecord | None:
    entry = document.get(key)
    if entry is None:
        return None
    try:
        return TokenRecord.parse(json.dumps(entry).encode())
    except (ValueError, RecursionError):
        _log.warning("the record %s in %s cannot be read; the next one that is saved replaces it", key, path)
        return None


def _replace(path: Path, document: dict[str, Any]) -> None:
    """Put a document in the place of the old one, at once. The lock is held: the temporary name is ours alone."""
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.unlink(missing_ok=True)  # of a process that was killed
    descriptor = open_private(temporary, CREATE)
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

    A file written by another program is refused and stays as it is. Meant for a local file system: the locks of
    network file systems are not to be trusted.
    """

    _path: Path
    _wait: float
    _now: Callable[[], float] = field(repr=False)
    _sleep: Callable[[float], Awaitable[object]] = field(repr=False)

    @concealed
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
        """
        if not isinstance(path, str | os.PathLike):
            raise UsageError(f"path= must be the path of a file, not {type(path).__name__}.")
        check_number("wait", wait, at_least=0)
        self._path, self._wait = Path(path), wait
        self._now, self._sleep = now, sleep

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
        own = self._lock("lock")
        deadline = self._now() + self._wait
        while (saved := await self._hop(lambda: self._save_if_free(own, key, record))) is None:
            await self._pause(_POLL_DOCUMENT, deadline, own.path)
        return saved

    @asynccontextmanager
    async def lease(self, key: str) -> AsyncGenerator[None, None]:
        """Hold the right to fetch a token: one holder at a time, among all processes and tasks.

        Raises:
            TokenStoreError: It was not to be had within `wait` seconds, or its file must not be used.
        """
        name = key if _PLAIN.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()
        own = self._lock(f"{name}.lease")
        deadline = self._now() + self._wait
        try:
            while not await self._hop(own.take):
                await self._pause(_POLL_LEASE, deadline, own.path)
            yield
        finally:
            await run_shielded(run_in_thread(own.free))

    async def aclose(self) -> None:
        """Close no file: none stays open."""

    def _lock(self, suffix: str) -> FileLock:
        return FileLock(self._path.with_name(f"{self._path.name}.{suffix}"))

    async def _pause(self, seconds: float, deadline: float, path: Path) -> None:
        if self._now() >= deadline:
            raise TokenStoreError(f"Somebody has held {path} for {self._wait:g} s.")
        await self._sleep(seconds)

    def _save_if_free(self, own: FileLock, key: str, record: TokenRecord) -> bool | None:
        """Save in a single thread hop, so that cancellation cannot leave the lock held; None if not free."""
        if not own.take():
            return None
        try:
            document = _document(self._path)
            kept = _record(document, key, self._path)
            if kept is not None and kept.version >= record.version:
                return False
            _replace(self._path, {**document, key: json.loads(record.dump())})
            return True
        finally:
            own.free()

    async def _hop(self, function: Callable[[], T]) -> T:
        """Run blocking work in a thread; its failures become a `TokenStoreError` without data."""

        def work() -> T | TokenStoreError:
            try:
                return function()
            except UnsafeFileError as error:
                return TokenStoreError(f"The token store {self._path} is not used: {error}.", error.remedy)
            except OSError as error:
                what = error.filename if isinstance(error.filename, str) else str(self._path)
                return TokenStoreError(f"The token store failed: {what}: {error.strerror or error}.")

        done = await run_in_thread(work)
        if isinstance(done, TokenStoreError):
            raise done  # here, where no frame holds a token
        return done
