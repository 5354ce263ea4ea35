"""Transitions of many rows in SQLite, in one transaction. All functions block."""

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final, TypeAlias

from attrs import define, field, frozen

from wxasset.errors import LedgerError
from wxasset.ledger import sqlite_rows as uploads
from wxasset.ledger.liveness import ProcessLock
from wxasset.ledger.records import LedgerRow, UploadKey
from wxasset.ledger.schema import transaction
from wxasset.ledger.transitions import Change, Kept, Write

__all__ = ["Asked", "Changes"]

_MISSING: Final = Kept()
_Applied: TypeAlias = tuple[list[object], dict[UploadKey, Write]]
"""The result of each transition, or its error; and what is to be written."""


@frozen(eq=False)
class Asked:
    """A transition of one row.

    Attributes:
        key: The key of the row.
        change: The transition.
        durable: True if it has to survive a power failure.
    """

    key: UploadKey
    change: Change
    durable: bool = False


class _UnexpectedError(Exception):
    """A row is not as expected: there is one of a new upload, or a claim was moved or taken by another process."""


@define(eq=False)
class Changes:
    """Transitions of the rows of one ledger by one process.

    The rows that the process holds are kept in memory. Others are expected to be missing, as those of new uploads are:
    a group is one statement, which writes nothing if a row is otherwise. Only then are the rows read.

    Attributes:
        base: The database.
        process: The lock of the process.
        failures: Function that returns a context to convert the errors of the system.
    """

    base: sqlite3.Connection
    process: ProcessLock
    failures: Callable[[], AbstractContextManager[None]]
    _held: dict[UploadKey, Kept] = field(factory=dict, init=False)

    def apply(self, group: Sequence[Asked]) -> list[object]:
        """Return the result of each transition, or its error; a second transition of one row sees the first one."""
        held, self._held = self._held, {}  # after a failure the rows are read
        try:
            results, writes = self._as_expected(group, held)
        except _UnexpectedError:
            for asked in group:
                held.pop(asked.key, None)
            results, writes = self._as_read(group)
        for key, write in writes.items():
            if write.hold:
                held[key] = Kept(row=write.row, mine=True)
            else:
                held.pop(key, None)
        self._held = held
        return results

    def _as_expected(self, group: Sequence[Asked], held: Mapping[UploadKey, Kept]) -> _Applied:
        """Apply transitions to the rows in memory."""
        results, writes = _apply(group, lambda key: held.get(key, _MISSING), time.time())
        if any(asked.key not in writes and asked.key not in held for asked in group):
            raise _UnexpectedError  # only a write proves that the row is missing
        expected = [key in held for key in writes]
        with transaction(self.base) if len(writes) > uploads.MOST else nullcontext():
            if not uploads.put(self.base, list(writes.values()), expected, self.process.id):
                raise _UnexpectedError
        return results, writes

    def _as_read(self, group: Sequence[Asked]) -> _Applied:
        """Read the rows, and apply transitions to them."""
        with transaction(self.base):
            found = uploads.kept(self.base, list({asked.key for asked in group}))
            now = time.time()
            results, writes = _apply(group, lambda key: self._kept(*found[key], now) if key in found else _MISSING, now)
            uploads.put(self.base, list(writes.values()), [None] * len(writes), self.process.id)
        return results, writes

    def _kept(self, holder: str | None, row: LedgerRow, now: float) -> Kept:
        mine = holder == self.process.id
        if mine or holder is None:
            return Kept(row=row, mine=mine)
        with self.failures():
            alive = self.process.is_alive(holder)
        return Kept(row=row, held=alive, lost_at=None if alive else now)


def _apply(group: Sequence[Asked], kept_of: Callable[[UploadKey], Kept], now: float) -> _Applied:
    """Apply transitions; a second one of a row sees the first one."""
    results: list[object] = []
    writes: dict[UploadKey, Write] = {}
    for asked in group:
        key = asked.key
        try:
            last = writes.get(key)
            kept = kept_of(key) if last is None else Kept(row=last.row, mine=last.hold)
            result, write = asked.change(kept, now)
        except LedgerError as error:
            result, write = error, None
        if write is not None:
            writes[key] = write
        results.append(result)
    return results, writes
