"""A ledger's store in a file, for the processes of one user on one host."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from wxasset.errors import UsageError
from wxasset.errors.frames import concealed
from wxasset.ledger.database import Database, Work, failures
from wxasset.ledger.files import check_path
from wxasset.ledger.grouping import Grouped
from wxasset.ledger.records import FetchKey, LedgerCounts, LedgerRow, LedgerState, UploadKey
from wxasset.ledger.sqlite_changes import Asked
from wxasset.ledger.store import Page
from wxasset.ledger.transitions import Change
from wxasset.transfer.event_loop import LoopGuard
from wxasset.transfer.threads import in_background, run_in_thread
from wxasset.transfer.uploads.file_reader import Identity
from wxasset.transfer.uploads.files import ReadFile

__all__ = ["SqliteStore"]

A = TypeVar("A")
B = TypeVar("B")
T = TypeVar("T")

_TURNS: Final = 6
"""Most turns of the loop that an outcome waits for the claim of another upload: a slot is taken, an item begins, and
claims. Both are written together. A claim waits for one turn: in a busy batch of small files a turn takes 1 ms and
more, and slots would be left empty. Files of 20 KB take 0.92 to 1.00 of the time that they take with 3 turns."""


class SqliteStore:
    """A ledger's store in an SQLite database in WAL mode, which needs a local disk.

    The file is created with mode 0600; a file of another user, or open to others, is refused, and so are those of
    SQLite beside it. A symbolic link of this user is followed. Commits survive the death of the process; the start of
    an upload also survives a loss of power. A locked file beside it tells whether a process is alive: the system
    unlocks it when the process ends. A process that is merely stopped counts as alive.

    A file of an earlier version is migrated when it is opened; one of a later version is refused.
    """

    @concealed
    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Name the file; it is opened, or created, by the ledger.

        Args:
            path: Where it is; its directory has to exist.

        Raises:
            UsageError: It is not a path: an address, a URI, or ``:memory:``.
        """
        if not isinstance(path, str | bytes | os.PathLike):
            raise UsageError(f"path= must be the path of a file, not {type(path).__name__}.")
        self.path: str = os.fsdecode(path)
        check_path(self.path)
        self._database: Database | None = None
        self._guard = LoopGuard("Ledger")
        self._groups: Grouped[Work, Any] = Grouped(lambda group: self._serve(Database.do, group))
        # Apart: a disk takes some ms to write.
        self._changes: Grouped[Asked, object] = Grouped(lambda group: self._serve(Database.change, group), turns=_TURNS)

    def __repr__(self) -> str:
        return f"SqliteStore({self.path!r})"

    async def open(self) -> None:
        """Open the file, or create it; migrate an earlier version."""
        if self._database is not None:
            raise UsageError(f"The ledger {self.path} is open already.")
        self._guard.changed()
        opened: list[Database] = []
        try:
            with failures(self.path):
                await run_in_thread(lambda: opened.append(Database(self.path)))
        except BaseException:
            for database in opened:  # cancelled just then
                await in_background(database.close).join()
            raise
        self._database = opened[0]

    async def close(self) -> None:
        """Release all claims and close the file."""
        cancelled = await self._changes.finish()
        cancelled = await self._groups.finish() or cancelled
        database, self._database = self._database, None
        if database is not None:
            job = in_background(database.close)
            await job.join()
            await job.result()
        if cancelled:
            raise asyncio.CancelledError

    def change(self, key: UploadKey, change: Change, *, durable: bool = False) -> Coroutine[Any, Any, object]:
        """Apply a transition."""
        self._opened()
        return self._changes.ask(Asked(key, change, durable), urgent=durable)

    async def find(self, keys: Iterable[UploadKey]) -> Mapping[UploadKey, LedgerRow]:
        """Return the rows of many keys."""
        wanted = list(keys)
        return await self._do(lambda database: database.find(wanted))

    async def matching(self, digests: Sequence[str]) -> Sequence[LedgerRow]:
        """Return the rows with one of these hashes or marks."""
        return await self._do(lambda database: database.matching(digests))

    async def holds(self, appid: str, realm: str, types: Sequence[str]) -> bool:
        """Return True if there is a row of one of these types of an account."""
        return await self._do(lambda database: database.holds(appid, realm, types))

    async def add(self, rows: Sequence[LedgerRow]) -> int:
        """Add rows without a claim, all or none."""
        return await self._do(lambda database: database.add(rows), writes=True)

    async def page(self, state: LedgerState | None, after: object) -> Page:
        """Return some rows."""
        last = after if isinstance(after, int) else 0
        found = await self._do(lambda database: database.page(state, last))
        return Page([row for _, row in found], found[-1][0] if found else last)

    async def counts(self) -> LedgerCounts:
        """Count the uploads in each state."""
        return await self._do(Database.counts)

    async def forget(self, media_id: str) -> int:
        """Remove the rows of a deleted material."""
        return await self._do(lambda database: database.forget(media_id), writes=True)

    async def move(self, old: str, new: str) -> None:
        """Move the rows of one realm to another."""
        await self._do(lambda database: database.move(old, new), writes=True)

    # The index of files

    async def examine(self, paths: Sequence[str], most: int) -> list[str | ReadFile | None]:
        """Return the hash of each unchanged file, as far as it is known, and else the file.

        The hash of a file that was read is stored, unless the file is large or was written just now.

        Args:
            paths: The paths.
            most: Most bytes to read; None is returned for files beyond, and for those that cannot be read.
        """
        database = self._opened()
        with failures(self.path):
            return await run_in_thread(database.examine, paths, most)

    def remember(self, files: Sequence[tuple[str, Identity, str]]) -> None:
        """Store the hashes of files with the next group of work; if that fails, they are read again."""
        self._opened()
        self._groups.add(Work(lambda database: database.remember(files), writes=True))

    async def fetched(self, key: FetchKey) -> str | None:
        """Return the document of a fetched material."""
        return await self._do(lambda database: database.fetched(key))

    async def note_fetched(self, key: FetchKey, document: str) -> None:
        """Store the document of a fetched material."""
        await self._do(lambda database: database.note_fetched(key, document), writes=True)

    async def _do(self, function: Callable[[Database], T], *, writes: bool = False) -> T:
        """Run a function with the tables, together with others that arrive meanwhile."""
        self._opened()
        result: T = await self._groups.ask(Work(function, writes))
        return result

    def _opened(self) -> Database:
        if self._database is None:
            raise UsageError(f"The ledger {self.path} is not open: async with Ledger(...) as ledger.")
        self._guard.changed()
        return self._database

    async def _serve(self, serve: Callable[[Database, Sequence[A]], Sequence[B]], group: Sequence[A]) -> Sequence[B]:
        database = self._database
        if database is None:
            raise UsageError(f"The ledger {self.path} was closed.")
        with failures(self.path):
            return await run_in_thread(serve, database, group)
