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
from wxasset.ledger.liveness import ProcessLock
from wxasset.ledger.records import LedgerRow, LedgerState, Step, UploadKey, next_step
from wxasset.ledger.schema import open_database, transaction
from wxasset.transfer.private_files import UnsafeFileError
from wxasset.transfer.uploads.file_reader import Identity

__all__ = ["Claim", "Database"]

T = TypeVar("T")

_SETTLED: Final = 2.0
"""Seconds for which a file has to be unchanged before its times are believed: FAT keeps even seconds, and a second
write in the same tick of a clock leaves the times as they were."""
_PAGE: Final = 500  # rows that are read at a time

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
            self._base = open_database(path)
            try:
                self._process_lock = ProcessLock.take(os.path.abspath(path))
            except BaseException:
                self._base.close()
                raise

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except UnsafeFileError as error:
            raise LedgerError(f"The ledger {self.path} is not used: {error}.", error.remedy) from error
        except (sqlite3.Error, OSError) as error:
            raise LedgerError(f"The ledger {self.path} failed: {error}.") from error

    def do(self, work: Callable[["Database"], T]) -> T:
        """Run a function in the calling thread, with exclusive access."""
        with self._lock, self._failures():
            return work(self)

    def close(self) -> None:
        """Release all claims and close; uploads being sent become unknown."""
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
        with transaction(self._base):
            row = self._find(wanted)
            holder = self._base.execute(f"SELECT holder FROM uploads WHERE {_THIS}", wanted).fetchone()
            step = next_step(row, held=holder is not None and self._is_held(holder[0]))
            fresh = wanted | {"filename": _text(filename), "size": size, "holder": self._process_lock.id}
            if step is Step.SEND:
                self._base.execute(
                    "INSERT INTO uploads (appid, api, type, sha256, described, state, filename, size, holder)"
                    " VALUES (:appid, :api, :type, :sha256, :described, 'planned', :filename, :size, :holder)"
                    " ON CONFLICT (sha256, type, described, appid, api) DO UPDATE SET state = 'planned',"
                    " filename = :filename, holder = :holder, media_id = NULL, url = NULL, reconciled = 0,"
                    " begun = NULL, ended = NULL, error = NULL",
                    fresh,
                )
            elif step is Step.LOOK:
                self._base.execute(f"UPDATE uploads SET holder = :holder WHERE {_THIS}", fresh)
        return Claim(step, row)

    def _is_held(self, holder: str | None) -> bool:
        """Return whether another process, or another ledger of this process, has claimed it."""
        return holder not in {None, self._process_lock.id} and self._process_lock.is_alive(str(holder))

    def release(self, key: UploadKey) -> None:
        """Release a claim."""
        with transaction(self._base):
            wanted = asdict(key) | {"holder": self._process_lock.id}
            self._base.execute(f"UPDATE uploads SET holder = NULL WHERE {_THIS} AND holder = :holder", wanted)

    def begin(self, key: UploadKey, now: float) -> None:
        """Record, durably, the start of sending; call it before the first byte is sent."""
        with transaction(self._base, durable=True):
            self._base.execute(
                f"UPDATE uploads SET state = 'in flight', begun = :now WHERE {_THIS}", asdict(key) | {"now": now}
            )

    def end(self, key: UploadKey, state: LedgerState, now: float, **values: object) -> None:
        """Record the final state and release the claim."""
        named = {"media_id": None, "url": None, "reconciled": False, "error": None} | values
        if isinstance(error := named["error"], str):
            named["error"] = _text(error)
        with transaction(self._base):
            self._base.execute(
                "UPDATE uploads SET state = :state, ended = :now, media_id = :media_id, url = :url,"
                f" reconciled = :reconciled, error = :error, holder = NULL WHERE {_THIS}",
                asdict(key) | named | {"state": state, "now": now},
            )

    def plan(self, key: UploadKey, filename: str) -> None:
        """Record that the library does not have it."""
        with transaction(self._base):
            self._base.execute(
                f"UPDATE uploads SET state = 'planned', filename = :filename, begun = NULL, ended = NULL WHERE {_THIS}",
                asdict(key) | {"filename": _text(filename)},
            )

    def remember(self, path: str, identity: Identity, sha256: str) -> None:
        """Store the hash of a file, unless it changed recently or while it was hashed."""
        path = os.path.abspath(path)
        if time.time_ns() - identity.modified_ns < _SETTLED * 1e9 or _identity(path) != identity:
            return
        with transaction(self._base):
            self._base.execute(
                "INSERT OR REPLACE INTO files VALUES (:path, :device, :inode, :size, :modified_ns, :sha256)",
                asdict(identity) | {"path": _text(path), "sha256": sha256},
            )

    def forget(self, media_id: str) -> int:
        """Remove the record of a deleted material."""
        with transaction(self._base):
            return self._base.execute("DELETE FROM uploads WHERE media_id = ? AND state = 'done'", (media_id,)).rowcount

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
