"""The ledger's tables in SQLite. All functions block; they run in threads, one at a time."""

import copy
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from operator import attrgetter
from typing import Any, Final

from attrs import asdict, define

from wxasset.errors import LedgerError
from wxasset.ledger import sqlite_rows as uploads
from wxasset.ledger.files import real_path, sync
from wxasset.ledger.liveness import ProcessLock
from wxasset.ledger.records import FetchKey, LedgerCounts, LedgerRow, LedgerState, UploadKey
from wxasset.ledger.schema import open_database, transaction
from wxasset.ledger.sqlite_changes import Asked, Changes
from wxasset.transfer.private_files import UnsafeFileError
from wxasset.transfer.threads import NoThreadError
from wxasset.transfer.uploads.file_reader import Identity
from wxasset.transfer.uploads.files import ReadFile, read_ahead

__all__ = ["Database", "Work", "failures"]

_PAGE: Final = 500  # rows that are read at a time
_of_identity: Final = attrgetter("device", "inode", "size", "modified_ns")

_HASHES: Final = "SELECT path, device, inode, size, modified_ns, sha256 FROM files WHERE path IN "
_REMEMBER: Final = "INSERT OR REPLACE INTO files VALUES "
_FETCHED: Final = (
    "SELECT document FROM fetched"
    " WHERE directory = :directory AND realm = :realm AND appid = :appid AND media_id = :media_id"
)
_NOTE_FETCHED: Final = "INSERT OR REPLACE INTO fetched VALUES (:directory, :realm, :appid, :media_id, :document)"


@define
class Work:
    """A function to run with exclusive access to the tables.

    Attributes:
        function: The function.
        writes: True if it needs a transaction.
    """

    function: Callable[["Database"], Any]
    writes: bool = False


@contextmanager
def failures(path: str) -> Iterator[None]:
    """Raise `LedgerError` for the errors of SQLite and of the system."""
    try:
        yield
    except UnsafeFileError as error:
        raise LedgerError(f"The ledger {path} is not used: {error}.", error.remedy) from error
    except (sqlite3.Error, OSError, NoThreadError) as error:
        raise LedgerError(f"The ledger {path} failed: {error}.") from error


class Database:
    """The tables of one ledger, opened by one process."""

    def __init__(self, path: str) -> None:
        """Open the tables, or create them."""
        self.path = path
        self._lock = threading.Lock()
        with failures(path):
            self._real = os.path.abspath(real_path(path))
            self._base = open_database(self._real)
            try:
                self._process_lock = ProcessLock.take(self._real)
            except BaseException:
                self._base.close()
                raise
        self._changes = Changes(self._base, self._process_lock, lambda: failures(path))

    def change(self, group: Sequence[Asked]) -> list[object]:
        """Apply transitions in one transaction; return the result of each, or its error."""
        with failures(self.path), self._lock:
            results = self._changes.apply(group)
        if any(asked.durable for asked in group):
            try:
                with failures(self.path):
                    sync(self._real)  # without the lock: others read meanwhile
            except LedgerError as error:  # the others are committed, which is all that they need
                return [copy.copy(error) if asked.durable else one for asked, one in zip(group, results, strict=True)]
        return results

    def do(self, group: Sequence[Work]) -> list[Any]:
        """Run functions in the calling thread, with exclusive access, in one transaction if any of them writes."""
        with (
            failures(self.path),
            self._lock,
            transaction(self._base) if any(work.writes for work in group) else nullcontext(),
        ):
            return [work.function(self) for work in group]

    def close(self) -> None:
        """Release all claims and close; uploads being sent become unknown."""
        with self._lock, failures(self.path):
            try:
                with transaction(self._base):
                    ended = {"holder": self._process_lock.id, "now": time.time()}
                    self._base.execute(
                        "UPDATE uploads SET holder = NULL, ended = coalesce(ended, :now),"
                        " state = CASE state WHEN 'in flight' THEN 'unknown' ELSE state END WHERE holder = :holder",
                        ended,
                    )
            finally:
                self._process_lock.end()
                self._base.close()

    # Uploads

    def find(self, keys: Sequence[UploadKey]) -> dict[UploadKey, LedgerRow]:
        """Return the rows of many keys."""
        return uploads.find(self._base, keys)

    def examine(self, paths: Sequence[str], most: int) -> list[str | ReadFile | None]:
        """Return the hash of each unchanged file, as far as it is known, and else the file.

        The hash of a file that was read is stored, unless the file is large or was written just now.

        Args:
            paths: The paths.
            most: Most bytes to read; None is returned for files beyond, and for those that cannot be read.
        """
        known: Sequence[str | None] = [None] * len(paths)
        with suppress(LedgerError):  # a mere cache
            (known,) = self.do([Work(lambda database: database.hashes_of(paths))])
        unknown = [path for path, sha256 in zip(paths, known, strict=True) if sha256 is None]
        read = read_ahead(unknown, most=most, hashed=True)
        fresh = [(one.path, one.settled, one.sha256) for one in read if one is not None and one.settled and one.sha256]
        if fresh:
            with suppress(LedgerError):
                self.do([Work(lambda database: database.remember(fresh), writes=True)])
        files = iter(read)
        return [next(files) if sha256 is None else sha256 for sha256 in known]

    def hashes_of(self, paths: Sequence[str]) -> list[str | None]:
        """Return the hashes of unchanged files, as far as they are known."""
        full = [os.path.abspath(path) for path in paths]
        texts = [_text(path) for path in full]
        known: dict[str, tuple[Identity, str]] = {}
        for some in uploads.parts(texts):
            for text, *identity, sha256 in self._base.execute(_HASHES + uploads.places(1, len(some)), some):
                known[text] = Identity(*identity), sha256
        hashes: list[str | None] = []
        for path, text in zip(full, texts, strict=True):
            identity, sha256 = known.get(text, (None, None))
            hashes.append(sha256 if identity is not None and identity == _identity_of(path) else None)
        return hashes

    def remember(self, files: Sequence[tuple[str, Identity, str]]) -> None:
        """Store the hashes of files with settled identities."""
        rows = [(_text(os.path.abspath(path)), *_of_identity(identity), sha256) for path, identity, sha256 in files]
        for some in uploads.parts(rows):
            self._base.execute(
                _REMEMBER + uploads.places(len(some), len(some[0])), [one for row in some for one in row]
            )

    def fetched(self, key: FetchKey) -> str | None:
        """Return the document of a fetched material."""
        values = {name: _text(value) for name, value in asdict(key).items()}
        found = self._base.execute(_FETCHED, values).fetchone()
        return None if found is None else str(found[0])

    def note_fetched(self, key: FetchKey, document: str) -> None:
        """Store the document of a fetched material."""
        values = {name: _text(value) for name, value in asdict(key).items()}
        self._base.execute(_NOTE_FETCHED, {**values, "document": document})

    def matching(self, digests: Sequence[str]) -> list[LedgerRow]:
        """Return the rows with one of these hashes or marks."""
        query = f"SELECT {uploads.COLUMNS} FROM uploads WHERE sha256 IN {uploads.places(1, len(digests))} ORDER BY id"
        return [uploads.row_of(values) for values in self._base.execute(query, digests).fetchall()]

    def holds(self, appid: str, realm: str, types: Sequence[str]) -> bool:
        """Return True if there is a row of one of these types of an account."""
        query = "SELECT 1 FROM uploads WHERE appid = ? AND realm = ? AND type = ? LIMIT 1"
        return any(self._base.execute(query, (appid, realm, one)).fetchone() is not None for one in types)

    def add(self, rows: Sequence[LedgerRow]) -> int:
        """Add rows without a claim; leave out those with a known key."""
        return uploads.add(self._base, rows)

    def forget(self, media_id: str) -> int:
        """Remove the record of a deleted material."""
        return self._base.execute("DELETE FROM uploads WHERE media_id = ? AND state = 'done'", (media_id,)).rowcount

    def move(self, old: str, new: str) -> None:
        """Move the rows of one realm to another; a row that is there already stays."""
        self._base.execute("UPDATE OR IGNORE uploads SET realm = ? WHERE realm = ?", (new, old))

    # Queries

    def counts(self) -> LedgerCounts:
        """Count the uploads in each state."""
        found = self._base.execute("SELECT state, count(*) FROM uploads GROUP BY state").fetchall()
        return LedgerCounts(**{state.replace(" ", "_"): count for state, count in found})

    def page(self, state: LedgerState | None, after: int) -> list[tuple[int, LedgerRow]]:
        """Read one page of rows, with their numbers."""
        found = self._base.execute(
            f"SELECT id, {uploads.COLUMNS} FROM uploads WHERE id > ? AND (? IS NULL OR state = ?)"
            f" ORDER BY id LIMIT {_PAGE}",
            (after, state, state),
        )
        return [(number, uploads.row_of(values)) for number, *values in found.fetchall()]


def _text(said: str) -> str:
    """Escape surrogates, as in paths that are not UTF-8, for SQLite."""
    return said if said.isascii() else said.encode("utf-8", "backslashreplace").decode()


def _identity_of(path: str) -> Identity | None:
    """Return the identity of a file; None if it cannot be read."""
    try:
        return Identity.of(os.stat(path))
    except OSError:
        return None
