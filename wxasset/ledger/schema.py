"""The tables of a ledger: create them, check whose they are, open transactions. All functions block."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from wxasset.errors import LedgerError
from wxasset.ledger.files import connect

__all__ = ["open_database", "transaction"]

_APPLICATION: Final = 0x77786C64  # "wxld", where the file command and others look for whose file it is
_SCHEMA: Final = 1
_BUSY: Final = 10.0  # seconds to wait for another process, whose writes take a few ms each, on a slow disk some 100
_PAUSE: Final = 0.01  # seconds between two tries where it does not wait by itself

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


def open_database(path: str) -> sqlite3.Connection:
    """Open a ledger with its tables, or create them.

    Raises:
        UnsafeFileError: A file is not a regular file, or other users own it or have access to it.
        LedgerError: The file is the database of another program, or of a later version, or was replaced meanwhile.
        OSError: The file cannot be created.
        sqlite3.Error: SQLite cannot read or write it.
    """
    base = connect(path, _BUSY)
    try:
        _write_ahead(base, path)
        base.execute("PRAGMA synchronous = NORMAL")
        with transaction(base):
            if _is_new(base, path):
                for statement in _TABLES.split(";\n"):
                    base.execute(statement)
                base.execute(f"PRAGMA application_id = {_APPLICATION}")
                base.execute(f"PRAGMA user_version = {_SCHEMA}")
    except BaseException:
        base.close()
        raise
    return base


def _is_new(base: sqlite3.Connection, path: str) -> bool:
    """Return whether the database is empty; refuse other databases and later versions."""
    version, owner = (base.execute(f"PRAGMA {one}").fetchone()[0] for one in ("user_version", "application_id"))
    if version == 0 and not base.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return True
    if owner != _APPLICATION:
        raise LedgerError(f"{path} is a database of something else.")
    if version != _SCHEMA:
        raise LedgerError(f"{path} is of version {version}; this wxasset knows version {_SCHEMA}.")
    return False


def _write_ahead(base: sqlite3.Connection, path: str) -> None:
    """Enable WAL mode: readers and a writer do not block each other, and a commit is a single write."""
    deadline = time.monotonic() + _BUSY
    while True:
        try:
            # The mode is written into the file, and nothing is to be written to what is not ours.
            base.execute("BEGIN")
            try:
                _is_new(base, path)
            finally:
                base.execute("ROLLBACK")
            base.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            # Where several open a new file at once, SQLite does not wait for this one by itself.
            if time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE)
        else:
            return


@contextmanager
def transaction(base: sqlite3.Connection, *, durable: bool = False) -> Iterator[None]:
    """Open a write transaction.

    Commits survive a killed process. The last commits may be lost in a power failure; a `durable` commit
    survives it, with all earlier ones.
    """
    if durable:
        base.execute("PRAGMA synchronous = FULL")
    try:
        base.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            base.execute("ROLLBACK")
            raise
        base.execute("COMMIT")
    finally:
        if durable:
            base.execute("PRAGMA synchronous = NORMAL")
