"""Rows of uploads in SQLite, several to a statement. All functions block.

Each execution of a statement, and each row that it returns, releases the interpreter. While the event loop is busy it
takes longer to get it back than to write the row.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, TypeVar

from attrs import fields

from wxasset.ledger.records import LedgerRow, UploadKey
from wxasset.ledger.transitions import Write

__all__ = ["COLUMNS", "MOST", "add", "find", "kept", "parts", "places", "put", "row_of"]

T = TypeVar("T")

MOST: Final = 32
"""Rows of a statement: SQLite may allow no more than 999 values."""

_FIELDS: Final = tuple(one.name for one in fields(LedgerRow))
COLUMNS: Final = ", ".join(_FIELDS)
_KEY: Final = ("sha256", "type", "described", "appid", "realm")
_UPDATE: Final = (
    f" ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET"
    f" {', '.join(f'{name} = excluded.{name}' for name in (*_FIELDS, 'holder') if name not in _KEY)}"
)
_ADD: Final = (
    f"INSERT INTO uploads ({COLUMNS}) VALUES ({', '.join('?' for _ in _FIELDS)})"
    f" ON CONFLICT ({', '.join(_KEY)}) DO NOTHING"
)
_RECONCILED: Final = _FIELDS.index("reconciled")
_of_key: Final = attrgetter(*_KEY)
_of_row: Final = attrgetter(*_FIELDS)


def parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Divide values into those of single statements."""
    return (values[at : at + MOST] for at in range(0, len(values), MOST))


def places(rows: int, columns: int) -> str:
    """Return the places of some values in a statement."""
    row = f"({', '.join('?' * columns)})"
    return ", ".join([row] * rows)


@lru_cache(maxsize=MOST)
def _read(rows: int) -> str:
    same = " AND ".join(f"uploads.{name} = wanted.{name}" for name in _KEY)
    return (
        f"WITH wanted ({', '.join(_KEY)}) AS (VALUES {places(rows, len(_KEY))})"
        f" SELECT holder, {', '.join(f'uploads.{name}' for name in _FIELDS)} FROM wanted CROSS JOIN uploads ON {same}"
    )


@lru_cache(maxsize=MOST)
def _put(rows: int) -> str:
    same = " AND ".join(f"old.{name} = new.{name}" for name in _KEY)
    held = f"SELECT coalesce(old.holder = ?, 0) FROM uploads AS old WHERE {same}"
    # The table refuses a row without a size, and with it the whole statement.
    size = f"CASE WHEN expected IS NULL OR ({held}) IS nullif(expected, 0) THEN size END"
    values = ", ".join(size if name == "size" else name for name in _FIELDS)
    return (
        f"WITH new ({COLUMNS}, holder, expected) AS (VALUES {places(rows, len(_FIELDS) + 2)})"
        f" INSERT INTO uploads ({COLUMNS}, holder) SELECT {values}, holder FROM new WHERE true{_UPDATE}"
    )


def kept(base: sqlite3.Connection, keys: Sequence[UploadKey]) -> dict[UploadKey, tuple[str | None, LedgerRow]]:
    """Return the holders and rows of many keys; missing ones are left out."""
    found = {}
    for some in parts(keys):
        for holder, *values in base.execute(_read(len(some)), [value for key in some for value in _of_key(key)]):
            row = row_of(values)
            found[row.key] = holder, row
    return found


def find(base: sqlite3.Connection, keys: Sequence[UploadKey]) -> dict[UploadKey, LedgerRow]:
    """Return the rows of many keys; missing ones are left out."""
    return {key: row for key, (_, row) in kept(base, keys).items()}


def put(base: sqlite3.Connection, writes: Sequence[Write], expected: Sequence[bool | None], holder: str) -> bool:
    """Write rows of different keys; return False if one is not as expected.

    Its statement has written nothing then. More than `MOST` rows take several: the caller rolls back the others.

    Args:
        base: The connection.
        writes: The rows.
        expected: What is expected of each: True if the process holds it, False if there is none, None if it was read
            in this transaction.
        holder: The process.
    """
    try:
        for some, known in zip(parts(writes), parts(expected), strict=True):
            base.execute(_put(len(some)), [*_values(some, known, holder), holder])
    except sqlite3.IntegrityError:
        if None in expected:
            raise
        return False
    return True


def _values(writes: Sequence[Write], expected: Sequence[bool | None], holder: str) -> list[Any]:
    values: list[Any] = []
    for write, known in zip(writes, expected, strict=True):
        row = [*_of_row(write.row), holder if write.hold else None, known if known is None else int(known)]
        row[_RECONCILED] = int(write.row.reconciled)  # for a bool, sqlite3 looks for an adapter, which takes 1 us
        values += row
    return values


def add(base: sqlite3.Connection, rows: Sequence[LedgerRow]) -> int:
    """Add rows without a claim; leave out those with a known key."""
    before = base.total_changes
    base.executemany(_ADD, [_of_row(row) for row in rows])
    return base.total_changes - before


def row_of(values: Sequence[Any]) -> LedgerRow:
    """Return the row of some values of `COLUMNS`."""
    named = dict(zip(_FIELDS, values, strict=True))
    named["reconciled"] = bool(named["reconciled"])
    return LedgerRow(**named)
