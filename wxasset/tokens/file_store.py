"""Tokens in files, for the processes of one host."""

import functools
import hashlib
import os
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import anyio
from attrs import define, field

from wxasset.errors import TokenStoreError, UsageError
from wxasset.errors.frames import concealed
from wxasset.tokens.claims import Claim, Pauses
from wxasset.tokens.file_records import EarlierDocument, read_document, record_in, replace_document
from wxasset.tokens.records import TokenRecord
from wxasset.tokens.store import KeyLocks
from wxasset.transfer.file_lock import FileLock
from wxasset.transfer.private_files import UnsafeFileError, check_private_directory, make_private_directory
from wxasset.transfer.threads import in_background, run_in_thread
from wxasset.wire.checks import check_number

__all__ = ["FileTokenStore"]

T = TypeVar("T")

_POLL_RECORD: Final = 0.005  # seconds; a save holds the lock for about 0.2 ms
_PLAIN: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")


@define(init=False, eq=False)
class FileTokenStore:
    """Share tokens in JSON files between the processes of one user on one host.

    The directory ``<path>.d``, with mode 0700, has for each account ``<key>.json`` with the record, which is replaced
    as a whole, and the empty files ``<key>.lock`` and ``<key>.lease``; all have mode 0600. They have to belong to the
    user who runs this, and to be closed to everybody else; symbolic links are refused. A process that dies loses its
    lease at once.

    A refresh token that WeChat replaced is on the disk (fsync) before its access token is used: the one before may be
    worth nothing. All other records are left to the operating system: after a power failure, which may lose those of
    the last seconds, the refresh token before still serves, or the one that was given, or WeChat's list has it.

    The file `path` itself, where earlier versions kept the records of all accounts, is read and not written: of two
    records of an account the newer one counts. A file written by another program is refused and stays as it is. Meant
    for a local file system: the locks of network file systems are not to be trusted.
    """

    _path: Path
    _wait: float
    _now: Callable[[], float] = field(repr=False)
    _sleep: Callable[[float], Awaitable[object]] = field(repr=False)
    _earlier: EarlierDocument = field(repr=False)
    _directory: Path = field(repr=False)
    _queues: KeyLocks = field(repr=False)

    @concealed
    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        wait: float = 15.0,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
    ) -> None:
        """Keep the tokens in the directory `path` + ``.d``; the directory of `path` must exist.

        Args:
            path: Such as ``tokens.json``; ``tokens.json.d`` is created when the first token is fetched.
            wait: Maximum seconds to wait for a lease, or for the right to save.
            now: A clock in seconds, never set back.
            sleep: Waits for a number of seconds.
        """
        if not isinstance(path, str | os.PathLike):
            raise UsageError(f"path= must be the path of a file, not {type(path).__name__}.")
        check_number("wait", wait, at_least=0)
        self._path, self._wait = Path(path), wait
        self._now, self._sleep = now, sleep
        self._earlier = EarlierDocument(self._path)
        self._directory = Path(f"{self._path}.d")
        self._queues = KeyLocks()

    async def load(self, key: str) -> TokenRecord | None:
        """Return the newest record, also an expired one; None if it is missing or unreadable.

        Raises:
            TokenStoreError: A file must not be used, or cannot be read; the error names the cure.
        """
        return await self._hop(lambda: self._load(key))

    async def save(self, key: str, record: TokenRecord) -> bool:
        """Save a record if its version is higher than the kept one (compare-and-set); return True if saved.

        Raises:
            TokenStoreError: A file must not be used or cannot be written, or others kept it locked for too long.
        """
        return await self._save(None, key, record)

    @asynccontextmanager
    async def lease(self, key: str) -> AsyncGenerator[None, None]:
        """Hold the right to fetch a token: one holder at a time, among all processes and tasks.

        Tasks of one event loop wait for each other without looking at the file.

        Raises:
            TokenStoreError: It was not to be had within `wait` seconds, or its file must not be used.
        """
        own, pauses = FileLock(self._file(key, "lease")), self.pauses(key)
        async with self._queues.hold(key, self._wait, pauses.error):
            try:
                while not await self._hop(lambda: self._take(own)):
                    await pauses.pause()
                yield
            finally:
                await _freed(own)

    @asynccontextmanager
    async def attempt(self, key: str, known: Claim | None) -> AsyncGenerator[Claim, None]:
        """Look at a record; take the lease if it is the `known` one, or missing, and nobody has the lease.

        One thread hop does so, and one saves and gives the lease back.
        """
        own = FileLock(self._file(key, "lease"))
        async with self._queues.hold(key, self._wait, lambda: self._held(own.path)):
            try:
                record = await self._hop(lambda: self._look(own, key, None if known is None else known.state))
                yield Claim(record, record, functools.partial(self._save, own, key) if own.held else None)
            finally:
                await _freed(own)

    def pauses(self, key: str) -> Pauses:
        """Return the pauses of one who waits for a lease."""
        path = self._file(key, "lease")
        return Pauses(lambda: self._held(path), self._wait, self._now, self._sleep)

    async def aclose(self) -> None:
        """Close no file: none stays open."""

    def _file(self, key: str, suffix: str) -> Path:
        name = key if _PLAIN.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()
        return self._directory / f"{name}.{suffix}"

    def _held(self, path: Path) -> TokenStoreError:
        return TokenStoreError(f"Somebody has held {path} for {self._wait:g} s.")

    def _load(self, key: str) -> TokenRecord | None:
        try:
            check_private_directory(self._directory)
        except FileNotFoundError:
            os.stat(self._directory.parent)  # noqa: PTH116 - its error names the directory that is missing
            return self._earlier.record(key)
        return self._newest(key, read_document(self._file(key, "json")))

    def _newest(self, key: str, document: dict[str, Any]) -> TokenRecord | None:
        """Return the newer record of a document and of the file of earlier versions."""
        earlier, record = self._earlier.record(key), record_in(document, key, self._file(key, "json"))
        if record is None or earlier is None:
            return record or earlier
        return max(record, earlier, key=lambda one: one.version)

    def _look(self, lease: FileLock, key: str, known: object) -> TokenRecord | None:
        """Return the record; take the lease if it is the known one, and look again under the lease."""
        record = self._load(key)
        return self._load(key) if record == known and self._take(lease) else record

    def _take(self, own: FileLock) -> bool:
        make_private_directory(self._directory)
        return own.take()

    async def _save(self, lease: FileLock | None, key: str, record: TokenRecord) -> bool:
        """Save a record if its version is higher, and give the lease back if it was saved."""
        own = FileLock(self._file(key, "lock"))
        deadline = self._now() + self._wait
        while (saved := await self._hop(lambda: self._save_if_free(own, lease, key, record))) is None:
            if self._now() >= deadline:
                raise self._held(own.path)
            await self._sleep(_POLL_RECORD)
        return saved

    def _save_if_free(self, own: FileLock, lease: FileLock | None, key: str, record: TokenRecord) -> bool | None:
        """Save in a single thread hop, so that cancellation cannot leave the lock held; None if not free."""
        if not self._take(own):
            return None
        try:
            path = self._file(key, "json")
            document = read_document(path)
            kept = self._newest(key, document)
            if kept is not None and kept.version >= record.version:
                return False
            rotated = kept is not None and record.refresh_token not in (None, kept.refresh_token)
            replace_document(path, {**document, key: record.values()}, durable=rotated)
        finally:
            own.free()
        if lease is not None:
            lease.free()
        return True

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


async def _freed(lease: FileLock) -> None:
    """Give a lease back, if it is held still."""
    if lease.held:
        await in_background(lease.free).join()
