"""Transitions of many rows in PostgreSQL: those that arrive while one group is written form the next."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeAlias

from wxasset.errors import LedgerError
from wxasset.ledger import postgres_tables as tables
from wxasset.ledger.records import UploadKey
from wxasset.ledger.transitions import Change, Write

__all__ = ["Asked", "change_all"]

Asked: TypeAlias = tuple[UploadKey, Change]


class _Lent(Protocol):
    """Connections, and the lease of the process."""

    holder: str

    async def run(self, work: Callable[[Any], Awaitable[Any]], /) -> Any: ...
    async def renew(self) -> None: ...


async def change_all(link: _Lent, group: Sequence[Asked]) -> list[object]:
    """Return the result of each transition, or its error.

    Rows are read together and written together, each one unless its fence has moved meanwhile; those are read again.
    """
    results: dict[int, object] = {}
    while len(results) < len(group):
        first: dict[UploadKey, int] = {}  # a second transition of one row has to see the first one
        for at, (key, _) in enumerate(group):
            if at not in results:
                first.setdefault(key, at)
        await _round(link, group, list(first.values()), results)
    return [results[at] for at in range(len(group))]


async def _round(link: _Lent, group: Sequence[Asked], places: Sequence[int], results: dict[int, object]) -> None:
    """Apply transitions of different rows; those without a result have to be applied again."""
    keys = [group[at][0] for at in places]
    found = await link.run(partial(tables.read, keys=keys, holder=link.holder))
    expired, writes, ready = False, list[tuple[tables.Found, Write]](), dict[UploadKey, tuple[int, object]]()
    for at, key, one in zip(places, keys, found, strict=True):
        try:
            result, write = group[at][1](one.kept, one.now)
        except LedgerError as error:
            results[at] = error
            continue
        if write is None:
            results[at] = result
        elif write.hold and not one.leased:
            expired = True
        else:
            writes.append((one, write))
            ready[key] = at, result
    if expired:
        await link.renew()
    if writes:
        for key in await link.run(partial(tables.write, writes=writes, holder=link.holder)):
            at, result = ready[key]
            results[at] = result
