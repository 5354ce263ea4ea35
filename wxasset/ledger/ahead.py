"""Look up many files of a batch at once, and read those that have to be sent."""

from collections.abc import Mapping, Sequence

from attrs import frozen

from wxasset.errors import LedgerError
from wxasset.ledger.database import identity_of
from wxasset.ledger.records import LedgerRow, UploadKey
from wxasset.ledger.sqlite_store import SqliteStore
from wxasset.ledger.store import LedgerStore
from wxasset.transfer.threads import run_in_thread
from wxasset.transfer.uploads.file_reader import Identity
from wxasset.transfer.uploads.files import ReadFile, read_ahead

__all__ = ["Unsent", "look_up_all"]


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
    known = await _hashes(index, paths)
    found: list[LedgerRow | Unsent | None] = [None] * len(paths)
    wanted = {at: keys[at].of(sha256) for at, (sha256, _) in enumerate(known) if sha256 is not None}
    for at, row in (await _done(store, wanted)).items():
        found[at] = row
    left = [at for at, row in enumerate(found) if row is None]
    if not left:
        return found
    files = await run_in_thread(lambda: read_ahead([paths[at] for at in left], most=most, hashed=True))
    fresh: dict[int, UploadKey] = {}
    identified: list[tuple[str, Identity, str]] = []
    for at, one in zip(left, files, strict=True):
        if one is None:
            continue
        key = keys[at]
        if one.sha256 is not None:
            key = key.of(one.sha256)
            if key != wanted.get(at):
                fresh[at] = key
            if (identity := known[at][1]) is not None:
                identified.append((paths[at], identity, one.sha256))
        found[at] = Unsent(one, key)
    if index is not None and identified:
        index.remember(identified)
    for at, row in (await _done(store, fresh)).items():
        found[at] = row
    return found


async def _hashes(index: SqliteStore | None, paths: Sequence[str]) -> Sequence[tuple[str | None, Identity | None]]:
    """Return the hashes of unchanged files, as far as they are known, and the identities of all."""
    try:
        if index is not None:
            return await index.hashes_of(paths)
    except LedgerError:  # a mere cache
        pass
    return await run_in_thread(lambda: [(None, identity_of(path)) for path in paths])


async def _done(store: LedgerStore, wanted: Mapping[int, UploadKey]) -> dict[int, LedgerRow]:
    """Return the rows of uploads that are in the library, by the places of their keys."""
    if not wanted:
        return {}
    adopted = {at: key.adopted for at, key in wanted.items()}
    found = await store.find([*wanted.values(), *adopted.values()])
    rows = {at: found.get(key) or found.get(adopted[at]) for at, key in wanted.items()}
    return {at: row for at, row in rows.items() if row is not None and row.state == "done"}
