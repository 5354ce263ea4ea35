"""The ledger's tables in SQLite. All functions block; they run in threads, one at a time."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from attrs import asdict, frozen

from wxasset.errors import LedgerError
from wxasset.ledger.files import connect
from wxasset.ledger.liveness import ProcessLock
from wxasset.ledger.records import LedgerRow, LedgerState, Step, UploadKey, next_step
from wxasset.transfer.private_files import UnsafeFileError
from wxasset.transfer.uploads.file_reader import Identity

__all__ = ["Claim", "Database"]

T = TypeVar("T")

_APPLICATION: Final = 0x77786C64  # "wxld", where the file command and others look for whose file it is
_SCHEMA: Final = 1
_BUSY: Final = 10.0  # seconds to wait for another process, whose writes take a few ms each, on a slow disk some 100
_PAUSE: Final = 0.01  # seconds between two tries where it does not wait by itself
_SETTLED: Final = 2.0
"""Seconds for which a file has to be unchanged before its times are believed: FAT keeps even seconds, and a second
write in the same tick of a clock leaves the times as they were."""
_PAGE: Final = 500  # rows that are read at a time

_TABLES: Final = """
CREATE TABLE uploads (
    id INTEGER PRIMARY KEY,
    appid TEXT NOT NULL,
    api TEXT NOT NULL,
    type TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    described TEXT NOT NULL,
    state TEXT NOT NULL,
    filename TEXT NOT NULL,
    size INTEGER NOT NULL,
    media_id TEXT,
    url TEXT,
    reconciled INTEGER NOT NULL DEFAULT 0,
    begun REAL,
    ended REAL,
    error TEXT,
    holder TEXT,
    UNIQUE (sha256, type, described, appid, api)
);
CREATE INDEX uploads_by_media_id ON uploads (media_id) WHERE media_id IS NOT NULL;
CREATE INDEX uploads_by_holder ON uploads (holder) WHERE holder IS NOT NULL;
CREATE TABLE files (
    path TEXT PRIMARY KEY,
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    sha256 TEXT NOT NULL
) WITHOUT ROWID;
"""
_COLUMNS: Final = (
    "appid, api, type, sha256, described, state, filename, size, media_id, url, reconciled, begun, ended, error"
)
_THIS: Final = "sha256 = :sha256 AND type = :type AND described = :described AND appid = :appid AND api = :api"


@frozen
class Claim:
    """The next step for an upload, and its record."""

    step: Step
    row: LedgerRow | None


class Database:
    """The tables of one ledger, opened by one process."""

    def __init__(self, path: str) -> None:
        """Open the tables, or create them."""
        self.path = path
        self._lock = threading.Lock()
        with self._failures():
            self._base = connect(path, _BUSY)
            try:
                self._prepare()
                self._process_lock = ProcessLock.take(os.path.abspath(path))
            except BaseException:
                self._base.close()
                raise

    def _prepare(self) -> None:
        self._write_ahead()
        self._base.execute("PRAGMA synchronous = NORMAL")
        with self._transaction() as base:
            if self._is_new():
                for statement in _TABLES.split(";\n"):
                    base.execute(statement)
                base.execute(f"PRAGMA application_id = {_APPLICATION}")
                base.execute(f"PRAGMA user_version = {_SCHEMA}")

    def _is_new(self) -> bool:
        """Return whether the database is empty; refuse other databases and later versions."""
        version, owner = (
            self._base.execute(f"PRAGMA {one}").fetchone()[0] for one in ("user_version", "application_id")
        )
        if version == 0 and not self._base.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return True
        if owner != _APPLICATION:
            raise LedgerError(f"{self.path} is a database of something else.")
        if version != _SCHEMA:
            raise LedgerError(f"{self.path} is of version {version}; this wxasset knows version {_SCHEMA}.")
        return False

    def _write_ahead(self) -> None:
        """Enable WAL mode: readers and a writer do not block each other, and a commit is a single write."""
        deadline = time.monotonic() + _BUSY
        while True:
            try:
                # The mode is written into the file, and nothing is to be written to what is not ours.
                self._base.execute("BEGIN")
                try:
                    self._is_new()
                finally:
                    self._base.execute("ROLLBACK")
                self._base.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:
                # Where several open a new file at once, SQLite does not wait for this one by itself.
                if time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE)
            else:
                return

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except UnsafeFileError as error:
            raise LedgerError(f"The ledger {self.path} is not used: {error}.", error.remedy) from error
        except (sqlite3.Error, OSError) as error:
            raise LedgerError(f"The ledger {self.path} failed: {error}.") from error

    @contextmanager
    def _transaction(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """Open a write transaction.

        Commits survive a killed process. The last commits may be lost in a power failure; a `durable` commit
        survives it, with all earlier ones.
        """
        if durable:
            self._base.execute("PRAGMA synchronous = FULL")
        try:
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield self._base
            except BaseException:
                self._base.execute("ROLLBACK")
                raise
            self._base.execute("COMMIT")
        finally:
            if durable:
                self._base.execute("PRAGMA synchronous = NORMAL")

    def do(self, work: Callable[["Database"], T]) -> T:
        """Run a function in the calling thread, with exclusive access."""
        with self._lock, self._failures():
            return work(self)

    def close(self) -> None:
        """Release all claims and close; uploads being sent become unknown."""
        try:
            with self._transaction() as base:
                ended = {"holder": self._process_lock.id, "now": time.time()}
                base.execute(
                    "UPDATE uploads SET holder = NULL, ended = coalesce(ended, :now),"
                    " state = CASE state WHEN 'in flight' THEN 'unknown' ELSE state END WHERE holder = :holder",
                    ended,
                )
        finally:
            self._process_lock.end()
            self._base.close()

    # Uploads

    def known(self, key: UploadKey, path: str) -> tuple[LedgerRow | None, Identity | None]:
        """Look up an unchanged file; return its record if it is in the library, and its identity.

        Args:
            key: Its key, without the hash.
            path: Its path.
        """
        path = os.path.abspath(path)
        identity = _identity(path)
        if identity is None:
            return None, None
        wanted = {**asdict(key), **asdict(identity), "path": _text(path)}
        found = self._base.execute(
            "SELECT sha256 FROM files WHERE path = :path AND device = :device AND inode = :inode AND size = :size"
            " AND modified_ns = :modified_ns",
            wanted,
        ).fetchone()
        if found is None:
            return None, identity
        row = self._find(wanted | {"sha256": found[0]})
        return (row if row is not None and row.state == "done" else None), identity

    def find(self, key: UploadKey) -> LedgerRow | None:
        """Return the record of an upload."""
        return self._find(asdict(key))

    def _find(self, key: dict[str, Any]) -> LedgerRow | None:
        found = self._base.execute(f"SELECT {_COLUMNS} FROM uploads WHERE {_THIS}", key).fetchone()
        return None if found is None else _row(found)

    def claim(self, key: UploadKey, filename: str, size: int) -> Claim:
        """Claim an upload and return the next step.

        Args:
            key: The key of the upload.
            filename: The name used for sending.
            size: The number of bytes.
        """
        wanted = asdict(key)
        with self._transaction() as base:
            row = self._find(wanted)
            holder = base.execute(f"SELECT holder FROM uploads WHERE {_THIS}", wanted).fetchone()
            step = next_step(row, held=holder is not None and self._is_held(holder[0]))
            fresh = wanted | {"filename": _text(filename), "size": size, "holder": self._process_lock.id}
            if step is Step.SEND:
                base.execute(
                    "INSERT INTO uploads (appid, api, type, sha256, described, state, filename, size, holder)"
                    " VALUES (:appid, :api, :type, :sha256, :described, 'planned', :filename, :size, :holder)"
                    " ON CONFLICT (sha256, type, described, appid, api) DO UPDATE SET state = 'planned',"
                    " filename = :filename, holder = :holder, media_id = NULL, url = NULL, reconciled = 0,"
                    " begun = NULL, ended = NULL, error = NULL",
                    fresh,
                )
            elif step is Step.LOOK:
                base.execute(f"UPDATE uploads SET holder = :holder WHERE {_THIS}", fresh)
        return Claim(step, row)

    def _is_held(self, holder: str | None) -> bool:
        """Return whether another process, or another ledger of this process, has claimed it."""
        return holder not in {None, self._process_lock.id} and self._process_lock.is_alive(str(holder))

    def release(self, key: UploadKey) -> None:
        """Release a claim."""
        with self._transaction() as base:
            wanted = asdict(key) | {"holder": self._process_lock.id}
            base.execute(f"UPDATE uploads SET holder = NULL WHERE {_THIS} AND holder = :holder", wanted)

    def begin(self, key: UploadKey, now: float) -> None:
        """Record, durably, the start of sending; call it before the first byte is sent."""
        with self._transaction(durable=True) as base:
            base.execute(
                f"UPDATE uploads SET state = 'in flight', begun = :now WHERE {_THIS}", asdict(key) | {"now": now}
            )

    def end(self, key: UploadKey, state: LedgerState, now: float, **values: object) -> None:
        """Record the final state and release the claim."""
        named = {"media_id": None, "url": None, "reconciled": False, "error": None} | values
        if isinstance(error := named["error"], str):
            named["error"] = _text(error)
        with self._transaction() as base:
            base.execute(
                "UPDATE uploads SET state = :state, ended = :now, media_id = :media_id, url = :url,"
                f" reconciled = :reconciled, error = :error, holder = NULL WHERE {_THIS}",
                asdict(key) | named | {"state": state, "now": now},
            )

    def plan(self, key: UploadKey, filename: str) -> None:
        """Record that the library does not have it."""
        with self._transaction() as base:
            base.execute(
                f"UPDATE uploads SET state = 'planned', filename = :filename, begun = NULL, ended = NULL WHERE {_THIS}",
                asdict(key) | {"filename": _text(filename)},
            )

    def remember(self, path: str, identity: Identity, sha256: str) -> None:
        """Store the hash of a file, unless it changed recently or while it was hashed."""
        path = os.path.abspath(path)
        if time.time_ns() - identity.modified_ns < _SETTLED * 1e9 or _identity(path) != identity:
            return
        with self._transaction() as base:
            base.execute(
                "INSERT OR REPLACE INTO files VALUES (:path, :device, :inode, :size, :modified_ns, :sha256)",
                asdict(identity) | {"path": _text(path), "sha256": sha256},
            )

    def forget(self, media_id: str) -> int:
        """Remove the record of a deleted material."""
        with self._transaction() as base:
            return base.execute("DELETE FROM uploads WHERE media_id = ? AND state = 'done'", (media_id,)).rowcount

    # Queries

    def counts(self) -> dict[str, int]:
        """Count the uploads in each state."""
        return dict(self._base.execute("SELECT state, count(*) FROM uploads GROUP BY state").fetchall())

    def page(self, state: LedgerState | None, after: int) -> list[tuple[int, LedgerRow]]:
        """Read one page of rows."""
        found = self._base.execute(
            f"SELECT id, {_COLUMNS} FROM uploads WHERE id > ? AND (? IS NULL OR state = ?) ORDER BY id LIMIT {_PAGE}",
            (after, state, state),
        )
        return [(number, _row(values)) for number, *values in found.fetchall()]


def _text(said: str) -> str:
    """Escape surrogates, as in paths that are not UTF-8, for SQLite."""
    return said.encode("utf-8", "backslashreplace").decode()


def _identity(path: str) -> Identity | None:
    try:
        return Identity.of(os.stat(path))
    except OSError:
        return None


def _row(values: Any) -> LedgerRow:
    named = dict(zip(_COLUMNS.split(", "), values, strict=True))
    return LedgerRow(**(named | {"reconciled": bool(named["reconciled"])}))
