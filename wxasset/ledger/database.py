"""The ledger's tables in SQLite. All of it blocks, and is done in threads, one statement after the other."""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

from attrs import asdict, frozen

from wxasset.errors import LedgerError
from wxasset.ledger.liveness import ProcessLock
from wxasset.ledger.records import LedgerRow, LedgerState, Step, UploadKey, next_step
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
    """Next step of an upload, and its row."""

    step: Step
    row: LedgerRow | None


class Database:
    """The tables of one ledger, as one process has them open."""

    def __init__(self, path: str) -> None:
        """Open them, or make them."""
        self.path = path
        self._lock = threading.Lock()
        with self._failures():
            _create(path)
            self._base = sqlite3.connect(path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
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
        """Tell whether there is nothing in it; refuse what is something else, or of a later version."""
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
        """Readers and one writer do not wait for each other then, and a commit is one write in place of several."""
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
        except (sqlite3.Error, OSError) as error:
            raise LedgerError(f"The ledger {self.path} failed: {error}.") from error

    @contextmanager
    def _transaction(self, *, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """Write, alone.

        The process may be killed at any time, after which all that was committed is there. Where the power fails the
        last commits are gone, unless they are `durable`: then they, and all before them, are on the disk.
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
        """Do something, in the thread of the caller, while no other thread does."""
        with self._lock, self._failures():
            return work(self)

    def close(self) -> None:
        """Let go: what is claimed is free again, and what was being sent is unknown."""
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
        """Look whether a file that has not changed is in the library; say what it is known by now.

        Args:
            key: Its key, of which the hash is not known yet.
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
        """Say what is known of an upload."""
        return self._find(asdict(key))

    def _find(self, key: dict[str, Any]) -> LedgerRow | None:
        found = self._base.execute(f"SELECT {_COLUMNS} FROM uploads WHERE {_THIS}", key).fetchone()
        return None if found is None else _row(found)

    def claim(self, key: UploadKey, filename: str, size: int) -> Claim:
        """Say what is to be done, and have nobody else do it.

        Args:
            key: What it is about.
            filename: The name that it would be sent under.
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
        """Tell whether another process, or another ledger of this one, has it; what this one is at it knows itself."""
        return holder not in {None, self._process_lock.id} and self._process_lock.is_alive(str(holder))

    def release(self, key: UploadKey) -> None:
        """Let go of what was claimed."""
        with self._transaction() as base:
            wanted = asdict(key) | {"holder": self._process_lock.id}
            base.execute(f"UPDATE uploads SET holder = NULL WHERE {_THIS} AND holder = :holder", wanted)

    def begin(self, key: UploadKey, now: float) -> None:
        """Note that its first byte is about to be sent; that is on the disk before it is."""
        with self._transaction(durable=True) as base:
            base.execute(
                f"UPDATE uploads SET state = 'in flight', begun = :now WHERE {_THIS}", asdict(key) | {"now": now}
            )

    def end(self, key: UploadKey, state: LedgerState, now: float, **values: object) -> None:
        """Note what came of it, and let go of it."""
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
        """Note that it is not in the library after all."""
        with self._transaction() as base:
            base.execute(
                f"UPDATE uploads SET state = 'planned', filename = :filename, begun = NULL, ended = NULL WHERE {_THIS}",
                asdict(key) | {"filename": _text(filename)},
            )

    def remember(self, path: str, identity: Identity, sha256: str) -> None:
        """Note the hash of a file, if it has been left alone for a while and was while it was hashed."""
        path = os.path.abspath(path)
        if time.time_ns() - identity.modified_ns < _SETTLED * 1e9 or _identity(path) != identity:
            return
        with self._transaction() as base:
            base.execute(
                "INSERT OR REPLACE INTO files VALUES (:path, :device, :inode, :size, :modified_ns, :sha256)",
                asdict(identity) | {"path": _text(path), "sha256": sha256},
            )

    def forget(self, media_id: str) -> int:
        """Take out what is not in the library any more."""
        with self._transaction() as base:
            return base.execute("DELETE FROM uploads WHERE media_id = ? AND state = 'done'", (media_id,)).rowcount

    # Queries

    def counts(self) -> dict[str, int]:
        """Count the uploads in each state."""
        return dict(self._base.execute("SELECT state, count(*) FROM uploads GROUP BY state").fetchall())

    def page(self, state: LedgerState | None, after: int) -> list[tuple[int, LedgerRow]]:
        """Read some rows behind one."""
        found = self._base.execute(
            f"SELECT id, {_COLUMNS} FROM uploads WHERE id > ? AND (? IS NULL OR state = ?) ORDER BY id LIMIT {_PAGE}",
            (after, state, state),
        )
        return [(number, _row(values)) for number, *values in found.fetchall()]


def _create(path: str) -> None:
    """Make the file for its owner alone; SQLite gives those beside it the same mode.

    One that is there is not opened: where another ledger of this process has it open, closing it would take SQLite's
    locks away.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _text(said: str) -> str:
    """Make a text that SQLite takes: a path that is not UTF-8 has surrogates, here and in the errors that name it."""
    return said.encode("utf-8", "backslashreplace").decode()


def _identity(path: str) -> Identity | None:
    try:
        return Identity.of(os.stat(path))
    except OSError:
        return None


def _row(values: Any) -> LedgerRow:
    named = dict(zip(_COLUMNS.split(", "), values, strict=True))
    return LedgerRow(**(named | {"reconciled": bool(named["reconciled"])}))
