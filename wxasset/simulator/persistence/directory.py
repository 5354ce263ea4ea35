"""A directory with a version, rows of JSON in SQLite, and bytes in files named by their SHA-256."""

import hashlib
import json
import mmap
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from attrs import frozen

__all__ = ["DirectoryInUseError", "Row", "StateDirectory", "StateDirectoryError"]

_VERSION: Final = "1"
_OWN: Final = frozenset({"version", "version.new", "bytes", "state.db", "state.db-wal", "state.db-shm"})
_LARGE: Final = 4 * 1024 * 1024  # bytes; files of this size or more are mapped, not read
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS items (position INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, "
    "store TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (account, store, key))"
)
_PUT: Final = (
    "INSERT INTO items (account, store, key, value) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (account, store, key) DO UPDATE SET value = excluded.value"
)
_REMOVE: Final = "DELETE FROM items WHERE account = ? AND store = ? AND key = ?"


class StateDirectoryError(ValueError):
    """A directory that cannot be used for the state."""


class DirectoryInUseError(StateDirectoryError):
    """A directory used by another simulator."""


@frozen
class Row:
    """One stored value; `value` is its JSON, None removes it."""

    account: str
    store: str
    key: str
    value: str | None


class StateDirectory:
    """An open directory, locked against other simulators until `close`."""

    def __init__(self, path: Path) -> None:
        """Open or create a directory.

        Raises:
            StateDirectoryError: It is in use, has another version or other files, or cannot be read or written.
        """
        self._path = path
        try:
            _prepare(path)
            self._database = _connect(path)
        except OSError as error:
            raise StateDirectoryError(f"the state directory {path} cannot be used: {error.strerror}") from None

    def rows(self) -> list[Row]:
        """Return all rows in the order of their first storage.

        Raises:
            StateDirectoryError: The database is damaged.
        """
        try:
            found = self._database.execute("SELECT account, store, key, value FROM items ORDER BY position").fetchall()
        except sqlite3.Error as error:
            raise StateDirectoryError(f"the state in {self._path} is damaged: {error}") from None
        return [Row(*one) for one in found]

    def write(self, rows: Iterable[Row], *, replace: bool = False) -> None:
        """Store and remove rows, all or none; with `replace`, remove all others.

        Raises:
            OSError: They cannot be written.
        """
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                if replace:
                    self._database.execute("DELETE FROM items")
                for row in rows:
                    where = (row.account, row.store, row.key)
                    self._database.execute(*((_REMOVE, where) if row.value is None else (_PUT, (*where, row.value))))
                self._database.execute("COMMIT")
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise OSError(f"the state in {self._path} cannot be written: {error}") from error

    def keep(self, content: bytes | memoryview) -> str:
        """Store bytes and return their name; equal bytes are stored once.

        Raises:
            OSError: They cannot be written.
        """
        name = hashlib.sha256(content).hexdigest()
        file = self._file(name)
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            new = file.with_suffix(".new")
            new.write_bytes(content)
            new.replace(file)
        return name

    def load(self, name: str) -> bytes | memoryview:
        """Return stored bytes.

        Raises:
            StateDirectoryError: They are missing or damaged.
        """
        file = self._file(name)
        try:
            if file.stat().st_size < _LARGE:
                content: bytes | memoryview = file.read_bytes()
            else:
                with file.open("rb") as opened:
                    content = memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))
        except OSError as error:
            raise StateDirectoryError(f"the state in {self._path} lacks {file}: {error.strerror}") from None
        if hashlib.sha256(content).hexdigest() != name:
            raise StateDirectoryError(f"the state in {self._path} is damaged: {file} has other bytes than stored")
        return content

    def sweep(self, used: set[str]) -> None:
        """Remove the bytes that no row uses any longer."""
        for file in self._path.glob("bytes/*/*"):
            if file.name not in used:
                file.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the database; another simulator can use the directory."""
        self._database.close()

    def _file(self, name: str) -> Path:
        return self._path / "bytes" / name[:2] / name


def _prepare(path: Path) -> None:
    """Create the directory with its version, or check the version of an existing one."""
    if path.exists() and not path.is_dir():
        raise StateDirectoryError(f"the state needs a directory, and {path} is a file; use another path")
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    version = path / "version"
    if not version.exists():
        others = sorted({one.name for one in path.iterdir()} - _OWN)
        if others:
            raise StateDirectoryError(
                f"the directory {path} has other files than a state, such as {others[0][:80]!r}; use an empty directory"
            )
        new = path / "version.new"
        new.write_text(f"{_VERSION}\n", "ascii")
        new.replace(version)
    found = version.read_text("utf-8", errors="replace").strip()
    if found != _VERSION:
        raise StateDirectoryError(
            f"the state directory {path} has version {found[:20]!r}, this simulator reads version {_VERSION!r}; "
            "use another directory, or the release of wxasset that wrote it"
        )


def _connect(path: Path) -> sqlite3.Connection:
    file = path / "state.db"
    # One thread at a time uses the connection; it is opened in another one.
    database = sqlite3.connect(file, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        for statement in (
            "PRAGMA locking_mode = EXCLUSIVE",
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = NORMAL",
            "BEGIN IMMEDIATE",
            _TABLE,
            "COMMIT",
        ):
            database.execute(statement)
    except sqlite3.Error as error:
        database.close()
        if "locked" in str(error):
            text = f"the state directory {path} is used by another simulator; stop it first"
            raise DirectoryInUseError(text) from None
        raise StateDirectoryError(f"the state in {path} is damaged: {error}") from None
    file.chmod(0o600)
    return database


def json_of(document: object) -> str:
    """Return JSON in ASCII: names of files can have bytes outside UTF-8."""
    return json.dumps(document, separators=(",", ":"))
