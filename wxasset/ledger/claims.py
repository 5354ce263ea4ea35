"""Claims of uploads in a ledger, and the index of this host's files: what the sessions use."""

from collections.abc import Coroutine, Sequence
from typing import Any, cast

from wxasset.calls.materials import AddedMaterial
from wxasset.errors import UsageError
from wxasset.ledger.ahead import Unsent, look_up_all
from wxasset.ledger.records import FetchKey, LedgerRow, LedgerState, UploadKey
from wxasset.ledger.sqlite_store import SqliteStore
from wxasset.ledger.store import LedgerStore
from wxasset.ledger.transitions import (
    Change,
    Claim,
    ClaimLostError,
    Step,
    beginning,
    claiming,
    doubting,
    ending,
    planning,
    releasing,
)
from wxasset.transfer.uploads.file_reader import Identity

__all__ = ["Claims"]


class Claims:
    """Claims of uploads by this process, one task at a time.

    Attributes:
        store: The store of the rows.
    """

    def __init__(self, store: LedgerStore) -> None:
        """Set the store.

        Args:
            store: The store of the rows.
        """
        self.store: LedgerStore = store
        self._index: SqliteStore | None = store if isinstance(store, SqliteStore) else None
        self._open = False
        self._busy: set[UploadKey] = set()

    async def _ask(self, work: Coroutine[Any, Any, Any]) -> Any:
        try:
            self._opened()
        except UsageError:
            work.close()
            raise
        return await work

    def _opened(self) -> LedgerStore:
        """Return the store.

        Raises:
            UsageError: The ledger is not open.
        """
        if not self._open:
            raise UsageError(f"{self!r} is not open: async with Ledger(...) as ledger.")
        return self.store

    async def claim(
        self, key: UploadKey, filename: str, size: int, *, retry_refused: bool = False, begun: float | None = None
    ) -> Claim:
        """Claim an upload and return the next step; after LOOK or SEND the caller must call `end`.

        Args:
            key: The key of the upload.
            filename: The name used for sending.
            size: The number of bytes.
            retry_refused: True to send what WeChat refused before.
            begun: Unix time in seconds of WeChat's clock, to record the start of the first attempt at once where a
                claim cannot be lost meanwhile: in a file it ends with the process.
        """
        if key in self._busy:
            row = (await self._ask(self.store.find([key]))).get(key)
            return Claim(Step.WAIT if row is None or row.state != "done" else Step.SKIP, row)
        begun = begun if isinstance(self.store, SqliteStore) else None
        change = claiming(key, filename, size, retry_refused=retry_refused, begun=begun)
        self._busy.add(key)  # before anything is awaited: two tasks never both think that they are alone
        try:
            claim = cast("Claim", await self._opened().change(key, change, durable=begun is not None))
        except BaseException:
            try:
                await self._opened().change(key, releasing(begun))
            finally:
                self._busy.discard(key)  # not before, or what another task claims meanwhile would be released
            raise
        if claim.step is not Step.SEND and claim.step is not Step.LOOK:
            self._busy.discard(key)
        return claim

    async def begin(self, key: UploadKey, now: float) -> None:
        """Record the start of an attempt, in unix seconds of WeChat's clock, before its first byte is sent.

        Raises:
            ClaimLostError: Another process may have claimed it meanwhile; send nothing.
        """
        await self._step(key, beginning(now), durable=True)

    async def doubt(self, key: UploadKey, ended: float) -> None:
        """Record when the last attempt of a lost process ended, in unix seconds of WeChat's clock."""
        await self._opened().change(key, doubting(ended))

    async def plan(self, key: UploadKey, filename: str) -> None:
        """Record that the library does not have it.

        Raises:
            ClaimLostError: Another process may have claimed it meanwhile; send nothing.
        """
        await self._step(key, planning(filename))

    async def _step(self, key: UploadKey, change: Change, *, durable: bool = False) -> None:
        if not await self._opened().change(key, change, durable=durable):
            raise ClaimLostError(f"The claim was lost; nothing was sent. (sha256 {key.sha256[:12]}, {key.type})")

    async def done(self, key: UploadKey, material: AddedMaterial) -> None:
        """Record that the library has it."""
        await self.end(key, "done", material=material)

    async def end(
        self,
        key: UploadKey,
        state: LedgerState,
        *,
        now: float | None = None,
        material: AddedMaterial | None = None,
        error: str | None = None,
        errcode: int | None = None,
    ) -> None:
        """Record the final state, unless the claim was lost, even if the caller is cancelled.

        Args:
            key: The key of the upload.
            state: The final state.
            now: Unix time in seconds of WeChat's clock; by default the store's.
            material: The material, once it is in the library.
            error: The error message.
            errcode: WeChat's code, if it refused this very file.
        """
        ended = ending(state, ended=now, material=material, error=error, errcode=errcode)
        try:
            await self._opened().change(key, ended)
        finally:
            self._busy.discard(key)

    # The index of files

    async def look_up(
        self, keys: Sequence[UploadKey], paths: Sequence[str], most: int
    ) -> Sequence[LedgerRow | Unsent | None]:
        """Return for each file its row, if it is in the library, or else the file itself; None if it was not read.

        Args:
            keys: The keys of the uploads, without the hash.
            paths: The paths of the files.
            most: Most bytes to read.
        """
        index = self._index if self._open else None
        found: Sequence[LedgerRow | Unsent | None] = await self._ask(look_up_all(self.store, index, keys, paths, most))
        return found

    def remember(self, path: str, identity: Identity, sha256: str) -> None:
        """Store the hash of a file with the next write; it may fail, as it is a mere cache."""
        if self._index is not None and self._open:
            self._index.remember([(path, identity, sha256)])

    async def fetched(self, key: FetchKey) -> str | None:
        """Return what is noted of a material that was fetched into a directory; None if nothing is."""
        found: str | None = None if self._index is None else await self._ask(self._index.fetched(key))
        return found

    async def note_fetched(self, key: FetchKey, document: str) -> None:
        """Note that a material was fetched into a directory of this host."""
        if self._index is not None:
            await self._ask(self._index.note_fetched(key, document))
