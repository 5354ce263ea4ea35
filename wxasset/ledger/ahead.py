"""Look up many files of a batch at once, and read those that have to be sent."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from attrs import frozen

from wxasset.ledger.records import LedgerRow, UploadKey
from wxasset.ledger.sqlite_store import SqliteStore
from wxasset.ledger.store import LedgerStore
from wxasset.transfer.threads import run_in_thread
from wxasset.transfer.uploads.files import ReadFile, read_ahead, read_at_once

__all__ = ["Unsent", "look_up_all"]

_IN_A_TURN: Final = 8
"""Files that are read and hashed in one turn of the event loop, at most: some 0.3 ms."""


@frozen
class Unsent:
    """A file that is not in the library, as far as the ledger knows.

    Attributes:
        file: The file, which was read.
        key: The key of its upload; without the hash, if the file was not hashed.
    """

    file: ReadFile
    key: UploadKey


async def look_up_all(
    store: LedgerStore, index: SqliteStore | None, keys: Sequence[UploadKey], paths: Sequence[str], most: int
) -> list[LedgerRow | Unsent | None]:
    """Return for each file its row, if it is in the library, or else the file itself; None if it was not read.

    Args:
        store: The rows.
        index: The hashes of unchanged files of this host.
        keys: The keys of the uploads, without the hash.
        paths: The paths of the files.
        most: Most bytes to read.
    """
    looked = await _examined(index, paths, most)
    files: dict[int, ReadFile] = {}
    wanted: dict[int, UploadKey] = {}
    for at, one in enumerate(looked):
        sha256 = one
        if isinstance(one, ReadFile):
            files[at], sha256 = one, one.sha256
        if isinstance(sha256, str):
            wanted[at] = keys[at].of(sha256)
    done = await _done(store, wanted)
    left = [at for at in wanted if at not in done and at not in files]
    if left:  # an earlier run hashed them, and has not sent them
        most -= sum(one.content.size for one in files.values() if one.content.whole is not None)
        again = await run_in_thread(lambda: read_ahead([paths[at] for at in left], most=most, hashed=True))
        late = {at: one for at, one in zip(left, again, strict=True) if one is not None}
        changed = {
            at: keys[at].of(one.sha256)
            for at, one in late.items()
            if one.sha256 is not None and one.sha256 != wanted[at].sha256
        }
        done |= await _done(store, changed)
        files, wanted = files | late, wanted | changed
    rest: list[LedgerRow | Unsent | None] = []
    for at, key in enumerate(keys):
        file = files.get(at)
        rest.append(done.get(at) or (None if file is None else Unsent(file, wanted.get(at, key))))
    return rest


async def _examined(index: SqliteStore | None, paths: Sequence[str], most: int) -> Sequence[str | ReadFile | None]:
    """Return the hash of each unchanged file, as far as it is known, and else the file, if it was read."""
    looked: list[str | ReadFile | None] = []
    for at, path in enumerate(paths):
        if at and at % _IN_A_TURN == 0:
            await asyncio.sleep(0)
        looked.append(one := read_at_once(path) if most > 0 else None)
        most -= 0 if one is None else one.content.size
    left = [at for at, one in enumerate(looked) if one is None]
    if left:
        for at, found in zip(left, await _examined_in_thread(index, [paths[at] for at in left], most), strict=True):
            looked[at] = found
    return looked


async def _examined_in_thread(
    index: SqliteStore | None, paths: Sequence[str], most: int
) -> Sequence[str | ReadFile | None]:
    if index is not None:
        return await index.examine(paths, most)
    return await run_in_thread(lambda: read_ahead(paths, most=most, hashed=True))


async def _done(store: LedgerStore, wanted: Mapping[int, UploadKey]) -> dict[int, LedgerRow]:
    """Return the rows of uploads that are in the library, by the places of their keys."""
    if not wanted:
        return {}
    adopted = {at: key.adopted for at, key in wanted.items()}
    found = await store.find([*wanted.values(), *adopted.values()])
    if not found:
        return {}
    rows = {at: found.get(key) or found.get(adopted[at]) for at, key in wanted.items()}
    return {at: row for at, row in rows.items() if row is not None and row.state == "done"}
