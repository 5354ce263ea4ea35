"""The tables of a ledger: create them, check whose they are, open transactions. All functions block."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from wxasset.errors import Hint, LedgerError
from wxasset.ledger.files import connect
from wxasset.wire.realms import realm_of

__all__ = ["open_database", "transaction"]

_APPLICATION: Final = 0x77786C64  # "wxld", where the file command and others look for whose file it is
_SCHEMA: Final = 3
_BUSY: Final = 10.0  # seconds to wait for another process, whose writes take a few ms each, on a slow disk some 100
_PAUSE: Final = 0.01  # seconds between two tries where it does not wait by itself

_TABLES: Final = """
CREATE TABLE uploads (
    id INTEGER PRIMARY KEY,
    appid TEXT NOT NULL,
    realm TEXT NOT NULL,
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
    errcode INTEGER,
    holder TEXT,
    UNIQUE (sha256, type, described, appid, realm)
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

# Not part of the version: a mere index, which an earlier wxasset may ignore.
_FETCHED: Final = """
CREATE TABLE IF NOT EXISTS fetched (
    directory TEXT NOT NULL,
    realm TEXT NOT NULL,
    appid TEXT NOT NULL,
    media_id TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (directory, realm, appid, media_id)
) WITHOUT ROWID
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
        base.execute("PRAGMA temp_store = MEMORY")  # or a statement that changes over 64 KB creates a temporary file
        with transaction(base):
            version = _version(base, path)
            if version == 0:
                for statement in _TABLES.split(";\n"):
                    base.execute(statement)
                base.execute(f"PRAGMA application_id = {_APPLICATION}")
            if version == 1:
                _key_by_realm(base)
            if version in {1, 2}:
                base.execute("ALTER TABLE uploads ADD COLUMN errcode INTEGER")
            if version != _SCHEMA:
                base.execute(f"PRAGMA user_version = {_SCHEMA}")
            base.execute(_FETCHED)
    except BaseException:
        base.close()
        raise
    return base


def _version(base: sqlite3.Connection, path: str) -> int:
    """Return the version of the tables, 0 if there are none; refuse other databases and later versions."""
    version, owner = (base.execute(f"PRAGMA {one}").fetchone()[0] for one in ("user_version", "application_id"))
    if version == 0 and not base.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        return 0
    if owner != _APPLICATION:
        raise LedgerError(f"{path} is a database of something else.")
    if not 1 <= version <= _SCHEMA:
        raise LedgerError(
            f"{path} is of version {version}; this wxasset knows version {_SCHEMA}.",
            Hint("Update wxasset, or use another ledger.", "请升级 wxasset，或改用其他台账。"),
        )
    return int(version)


def _key_by_realm(base: sqlite3.Connection) -> None:
    """Migrate version 1, where the host was in the key; of equal uploads to several hosts keep the most certain one."""
    base.execute("ALTER TABLE uploads RENAME COLUMN api TO realm")
    certain = "CASE state WHEN 'done' THEN 0 WHEN 'in flight' THEN 1 WHEN 'unknown' THEN 2 ELSE 3 END"
    rows = base.execute(f"SELECT id, realm FROM uploads ORDER BY {certain}, id DESC").fetchall()
    for number, api in rows:
        if (realm := realm_of(api)) == api:
            continue
        moved = base.execute("UPDATE OR IGNORE uploads SET realm = ? WHERE id = ?", (realm, number)).rowcount
        if not moved:
            base.execute("DELETE FROM uploads WHERE id = ?", (number,))


def _write_ahead(base: sqlite3.Connection, path: str) -> None:
    """Enable WAL mode: readers and a writer do not block each other, and a commit is a single write."""
    deadline = time.monotonic() + _BUSY
    while True:
        try:
            # The mode is written into the file, and nothing is to be written to what is not ours.
            base.execute("BEGIN")
            try:
                _version(base, path)
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
def transaction(base: sqlite3.Connection) -> Iterator[None]:
    """Open a write transaction.

    Commits survive a killed process. The last commits may be lost in a power failure, but for those before a `sync` of
    `wxasset.ledger.files`.
    """
    base.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        base.execute("ROLLBACK")
        raise
    base.execute("COMMIT")
