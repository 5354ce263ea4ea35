"""Transitions of many rows in SQLite, in one transaction. All functions block."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from attrs import define, field, frozen

from wxasset.errors import LedgerError
from wxasset.ledger import sqlite_rows as uploads
from wxasset.ledger.liveness import ProcessLock
from wxasset.ledger.records import LedgerRow, UploadKey
from wxasset.ledger.schema import transaction
from wxasset.ledger.transitions import Change, Kept, Write

__all__ = ["Asked", "Changes"]


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


class _NotHeldError(Exception):
    """A row that this process held was moved to another realm, or taken by another process."""


@define(eq=False)
class Changes:
    """Transitions of the rows of one ledger by one process.

    The rows that the process holds are kept in memory, and not read again before they are written.

    Attributes:
        base: The database.
        process: The lock of the process.
        failures: Function that returns a context to convert the errors of the system.
    """

    base: sqlite3.Connection
    process: ProcessLock
    failures: Callable[[], AbstractContextManager[None]]
    _held: dict[UploadKey, LedgerRow] = field(factory=dict, init=False)

    def apply(self, group: Sequence[Asked]) -> list[object]:
        """Return the result of each transition, or its error; a second transition of one row sees the first one."""
        try:
            return self._apply(group)
        except _NotHeldError:
            return self._apply(group)

    def _apply(self, group: Sequence[Asked]) -> list[object]:
        held, self._held = self._held, {}  # after a failure the rows are read again
        writes: dict[UploadKey, Write] = {}
        with transaction(self.base):
            found = uploads.kept(self.base, [key for key in {one.key for one in group} if key not in held])
            now = time.time()
            results = [self._one(one, held, found, writes, now) for one in group]
            self._write(writes, held)
        for key, write in writes.items():
            if write.hold:
                held[key] = write.row
            else:
                held.pop(key, None)
        self._held = held
        return results

    def _one(
        self,
        asked: Asked,
        held: dict[UploadKey, LedgerRow],
        found: dict[UploadKey, tuple[str | None, LedgerRow]],
        writes: dict[UploadKey, Write],
        now: float,
    ) -> object:
        """Return the result of one transition, or its error."""
        key = asked.key
        try:
            if (last := writes.get(key)) is not None:
                kept = Kept(row=last.row, mine=last.hold)
            elif (row := held.get(key)) is not None:
                kept = Kept(row=row, mine=True)
            else:
                kept = self._kept(*found[key], now) if key in found else Kept()
            result, write = asked.change(kept, now)
        except LedgerError as error:
            return error
        if write is not None:
            writes[key] = write
        return result

    def _kept(self, holder: str | None, row: LedgerRow, now: float) -> Kept:
        mine = holder == self.process.id
        if mine or holder is None:
            return Kept(row=row, mine=mine)
        with self.failures():
            alive = self.process.is_alive(holder)
        return Kept(row=row, held=alive, lost_at=None if alive else now)

    def _write(self, writes: dict[UploadKey, Write], held: dict[UploadKey, LedgerRow]) -> None:
        read = [write for key, write in writes.items() if key not in held]
        known = [write for key, write in writes.items() if key in held]
        if read:
            uploads.put(self.base, read, self.process.id)
        if known and not uploads.put_held(self.base, known, self.process.id):
            raise _NotHeldError
