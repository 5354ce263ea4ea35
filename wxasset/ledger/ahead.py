"""Look up many files of a batch at once, and read those that have to be sent."""

from collections.abc import Mapping, Sequence

from wxasset.errors import LedgerError
from wxasset.ledger.database import identity_of
from wxasset.ledger.records import LedgerRow, UploadKey
from wxasset.ledger.sqlite_store import SqliteStore
from wxasset.ledger.store import LedgerStore
from wxasset.transfer.threads import run_in_thread
from wxasset.transfer.uploads.file_reader import Identity
from wxasset.transfer.uploads.files import ReadFile, read_ahead

__all__ = ["look_up_all"]


async def look_up_all(
    store: LedgerStore, index: SqliteStore | None, keys: Sequence[UploadKey], paths: Sequence[str], most: int
) -> list[LedgerRow | ReadFile | None]:
    """Return for each file its row, if it is in the library, or else the file itself; None if it was not read.

    Args:
        store: The rows.
        index: The hashes of unchanged files of this host.
        keys: The keys of the uploads, without the hash.
        paths: The paths of the files.
        most: Most bytes to read.
    """
    known = await _hashes(index, paths)
    found: list[LedgerRow | ReadFile | None] = [None] * len(paths)
    hashes: dict[int, str] = {at: sha256 for at, (sha256, _) in enumerate(known) if sha256 is not None}
    for at, row in (await _done(store, keys, hashes)).items():
        found[at] = row
    left = [at for at, row in enumerate(found) if row is None]
    if not left:
        return found
    files = await run_in_thread(lambda: read_ahead([paths[at] for at in left], most=most, hashed=True))
    read = {at: one for at, one in zip(left, files, strict=True) if one is not None}
    new = {at: one.sha256 for at, one in read.items() if one.sha256 is not None}
    identified = [(paths[at], identity, sha256) for at, sha256 in new.items() if (identity := known[at][1]) is not None]
    if index is not None and identified:
        index.remember(identified)
    fresh = {at: sha256 for at, sha256 in new.items() if hashes.get(at) != sha256}
    for at, one in (read | await _done(store, keys, fresh)).items():
        found[at] = one
    return found


async def _hashes(index: SqliteStore | None, paths: Sequence[str]) -> Sequence[tuple[str | None, Identity | None]]:
    """Return the hashes of unchanged files, as far as they are known, and the identities of all."""
    try:
        if index is not None:
            return await index.hashes_of(paths)
    except LedgerError:  # a mere cache
        pass
    return await run_in_thread(lambda: [(None, identity_of(path)) for path in paths])


async def _done(store: LedgerStore, keys: Sequence[UploadKey], hashes: Mapping[int, str]) -> dict[int, LedgerRow]:
    """Return the rows of uploads that are in the library, by the places of their keys."""
    if not hashes:
        return {}
    wanted = {at: keys[at].of(sha256) for at, sha256 in hashes.items()}
    adopted = {at: key.adopted for at, key in wanted.items()}
    found = await store.find([*wanted.values(), *adopted.values()])
    rows = {at: found.get(key) or found.get(adopted[at]) for at, key in wanted.items()}
    return {at: row for at, row in rows.items() if row is not None and row.state == "done"}
