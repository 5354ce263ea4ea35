"""A ledger of uploads: it prevents duplicates and lets a killed job resume."""

import os
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from wxasset.calls.materials import AddedMaterial
from wxasset.errors import LedgerError, UsageError
from wxasset.ledger.database import Claim, Database
from wxasset.ledger.records import LedgerCounts, LedgerRow, LedgerState, Step, UploadKey
from wxasset.transfer.threads import NoThreadError, in_background, run_in_thread
from wxasset.transfer.uploads.file_reader import Identity

__all__ = ["Ledger", "LedgerCounts", "LedgerRow", "LedgerState"]

T = TypeVar("T")

_STATES: Final = frozenset({"planned", "in flight", "done", "failed", "unknown"})


class Ledger:
    """A ledger in a file, for any number of sessions, tasks and processes of one user on one host.

    ::

        async with Ledger("uploads.db") as ledger:
            added = await wx.ensure_material("image", "poster.png", ledger=ledger)

    An upload is known by the account, the API's host, the type, and the sha256 of the media; of a video also by its
    title and introduction. It is an SQLite database in WAL mode, which needs a local disk. Its file is created with
    mode 0600; a ledger, or a file of SQLite beside it, is refused if it is a link, if another user owns it, or if
    other users have access to it. What is committed survives the death of the process; that an upload was begun
    survives a loss of power as well, as it is on the disk before the first byte is sent. Whether another process is
    alive is told by a locked file beside it, which the system unlocks as soon as that process ends; one that is alive
    is waited for, also where it is merely stopped. One that is open belongs to one event loop: another loop, or
    thread, opens its own.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Name the file; it is opened, and made if there is none, by ``async with``.

        Args:
            path: Where it is; its directory has to exist.
        """
        if not isinstance(path, str | bytes | os.PathLike):
            raise UsageError(f"path= must be the path of a file, not {type(path).__name__}.")
        self.path: str = os.fsdecode(path)
        self._database: Database | None = None
        self._busy: set[UploadKey] = set()

    def __repr__(self) -> str:
        return f"Ledger({self.path!r})"

    async def __aenter__(self) -> Self:
        if self._database is not None:
            raise UsageError(f"{self!r} is open already.")
        opened: list[Database] = []
        try:
            await run_in_thread(lambda: opened.append(Database(self.path)))
        except BaseException:
            for database in opened:  # cancelled just then
                await in_background(database.close).join()
            raise
        self._database = opened[0]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        database, self._database = self._database, None
        if database is not None:
            await _uncancellable(database.do, Database.close)

    def _opened(self) -> Database:
        if self._database is None:
            raise UsageError(f"{self!r} is not open: async with Ledger(...) as ledger.")
        return self._database

    # Queries

    async def counts(self) -> LedgerCounts:
        """Count the uploads in each state, of all accounts.

        Raises:
            LedgerError: The file cannot be read.
        """
        found = await self._read(Database.counts)
        return LedgerCounts(**{state.replace(" ", "_"): count for state, count in found.items()})

    async def rows(self, *, state: LedgerState | None = None) -> AsyncGenerator[LedgerRow, None]:
        """Iterate over the uploads, of all accounts, in the order in which they were first claimed.

        Args:
            state: ``planned``, ``in flight``, ``done``, ``failed`` or ``unknown``; None for all.

        Raises:
            LedgerError: The file cannot be read.
        """
        if state is not None and state not in _STATES:
            raise UsageError(f"state= is one of {', '.join(sorted(_STATES))}; not {state!r}.")
        last = 0
        while page := await self._read(partial(Database.page, state=state, after=last)):
            last = page[-1][0]
            for _, row in page:
                yield row

    async def forget(self, media_id: str) -> bool:
        """Take out a material that the library does not have any more, so that it can be uploaded again.

        A session with this ledger does so by itself where it deletes a material, or where WeChat does not know one.

        Returns:
            Whether it was there.

        Raises:
            LedgerError: The file cannot be written.
        """
        return bool(await self._write(lambda database: database.forget(media_id)))

    # For the sessions

    async def known(self, key: UploadKey, path: str) -> tuple[LedgerRow | None, Identity | None]:
        """Look up an unchanged file; see `Database.known`."""
        return await self._read(lambda database: database.known(key, path))

    async def claim(self, key: UploadKey, filename: str, size: int) -> Claim:
        """Claim an upload and return the next step; after LOOK or SEND the caller must call `end`."""
        if key in self._busy:
            row = await self._read(lambda database: database.find(key))
            return Claim(Step.WAIT if row is None or row.state != "done" else Step.SKIP, row)
        self._busy.add(key)  # before anything is awaited: two tasks never both think that they are alone
        try:
            claim = await self._write(lambda database: database.claim(key, filename, size))
        except BaseException:
            try:
                await self._write(lambda database: database.release(key))
            finally:
                self._busy.discard(key)  # not before, or what another task claims meanwhile would be let go of
            raise
        if claim.step in {Step.WAIT, Step.SKIP}:
            self._busy.discard(key)
        return claim

    async def begin(self, key: UploadKey, now: float) -> None:
        """Record the start of sending, in unix seconds of WeChat's clock."""
        await self._write(lambda database: database.begin(key, now))

    async def plan(self, key: UploadKey, filename: str) -> None:
        """Record that the library does not have it."""
        await self._write(lambda database: database.plan(key, filename))

    async def done(self, key: UploadKey, material: AddedMaterial) -> None:
        """Record that the library has it."""
        await self.end(key, "done", media_id=material.media_id, url=material.url, reconciled=material.reconciled)

    async def end(self, key: UploadKey, state: LedgerState, *, now: float | None = None, **values: object) -> None:
        """Record the final state, even if the caller is cancelled; `now` is WeChat's unix time in seconds."""
        when = time.time() if now is None else now
        try:
            await self._write(lambda database: database.end(key, state, when, **values))
        finally:
            self._busy.discard(key)

    async def remember(self, path: str, identity: Identity, sha256: str) -> None:
        """Store the hash of a file."""
        await self._write(lambda database: database.remember(path, identity, sha256))

    async def _read(self, work: Callable[[Database], T]) -> T:
        with self._failures():
            return await run_in_thread(self._opened().do, work)

    async def _write(self, work: Callable[[Database], T]) -> T:
        with self._failures():
            return await _uncancellable(self._opened().do, work)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except NoThreadError as error:
            raise LedgerError(f"The ledger {self.path} failed: {error}.") from error


async def _uncancellable(function: Callable[..., T], *arguments: Any) -> T:
    """Run a function in a thread to its end, even if the caller is cancelled."""
    job = in_background(function, *arguments)
    await job.join()
    return await job.result()
