"""A ledger of uploads: it prevents duplicates and lets a killed job resume."""

import os
from collections.abc import AsyncGenerator, Coroutine
from types import TracebackType
from typing import Any, Final, Self

import anyio
from attrs import evolve

from wxasset.calls.materials import AddedMaterial
from wxasset.engine.library import SharedPages
from wxasset.errors import LedgerError, UsageError
from wxasset.errors.frames import concealed
from wxasset.ledger.database import identity_of
from wxasset.ledger.file_index import open_index
from wxasset.ledger.library import AccountLibrary, HasLibrary, Verified, listed_as
from wxasset.ledger.records import FetchKey, LedgerCounts, LedgerRow, LedgerState, UploadKey
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
from wxasset.transfer.threads import run_in_thread
from wxasset.transfer.uploads.file_reader import Identity
from wxasset.transfer.uploads.source import open_source, sha256_of
from wxasset.wire.limits import Limits
from wxasset.wire.realms import realm_of

__all__ = ["Ledger", "LedgerCounts", "LedgerRow", "LedgerState"]

_STATES: Final = frozenset({"planned", "in flight", "done", "failed", "unknown"})


class Ledger:
    """A ledger of uploads, for any number of sessions, tasks and processes.

    ::

        async with Ledger("uploads.db") as ledger:
            added = await wx.ensure_material("image", "poster.png", ledger=ledger)

    An upload is known by the account, the type, and the sha256 of the media; of a video also by its title and
    introduction. WeChat's own hosts are one service; another service is known by its host, or by `realm`.

    A path is the file of a `SqliteStore`, for the processes of one user on one host. A `PostgresStore` serves the
    processes of many hosts. The hashes of unchanged files are kept on this host in both cases: in that file, or in
    `index`. A ledger that is open belongs to one event loop.
    """

    @concealed
    def __init__(
        self,
        store: str | os.PathLike[str] | LedgerStore,
        *,
        realm: str | None = None,
        index: str | os.PathLike[str] | None = None,
        adopt: bool = True,
    ) -> None:
        """Name the store; it is opened, and created if there is none, by ``async with``.

        Args:
            store: The path of a file, whose directory has to exist; or a store.
            realm: The service behind the ``base_url`` of the sessions: by default "weixin" for all of WeChat's own
                hosts, else the host. Set "weixin" where a gateway of yours passes calls on to WeChat; what the ledger
                has of the gateway's host becomes that of the realm.
            index: A file with the hashes of unchanged files of this host; only beside a store that is shared by hosts.
                By default ``wxasset/files.db`` in the user's cache directory. Without it files are read again.
            adopt: Whether the library is listed once, before the first upload of a type to an account without a row of
                that type: earlier uploads are known by the marks in their names, and not sent again.

        Raises:
            UsageError: It is neither a path nor a store.
        """
        if realm is not None and not (realm and str(realm).isprintable()):
            raise UsageError(f"realm= must be a short name such as 'weixin', not {realm!r:.40}.")
        shared = isinstance(store, LedgerStore) and not isinstance(store, SqliteStore)
        if index is not None and not shared:
            raise UsageError("index= belongs to a store that is shared by hosts; a ledger in a file has its own.")
        self.store: LedgerStore = store if isinstance(store, LedgerStore) else SqliteStore(store)
        self.realm: str | None = realm
        self._index_path = None if index is None else os.fsdecode(index)
        self._index: SqliteStore | None = self.store if isinstance(self.store, SqliteStore) else None
        self.adopts: bool = adopt
        self._open = False
        self._moved: set[str] = set()
        self._adoptions: dict[tuple[str, str, str], anyio.Lock] = {}
        self._adopted: set[tuple[str, str, str]] = set()
        self._passes: dict[tuple[str, str, str], SharedPages] = {}
        self._busy: set[UploadKey] = set()

    def __repr__(self) -> str:
        store = getattr(self, "store", None)  # absent while the constructor refuses its arguments
        return f"Ledger({store.path!r})" if isinstance(store, SqliteStore) else f"Ledger({store!r})"

    @property
    def path(self) -> str:
        """Path of the file; another store's description."""
        return self.store.path if isinstance(self.store, SqliteStore) else repr(self.store)

    async def __aenter__(self) -> Self:
        if self._open:
            raise UsageError(f"{self!r} is open already.")
        await self.store.open()
        self._open = True
        if not isinstance(self.store, SqliteStore):
            try:
                self._index = await open_index(self._index_path)
            except BaseException:
                await self._close()
                raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        self._open = False
        index, self._index = self._index, self._index if self._index is self.store else None
        try:
            await self.store.close()
        finally:
            if index is not None and index is not self.store:
                await index.close()

    async def _ask(self, work: Coroutine[Any, Any, Any]) -> Any:
        if not self._open:
            work.close()
            raise UsageError(f"{self!r} is not open: async with Ledger(...) as ledger.")
        return await work

    # Queries

    async def counts(self) -> LedgerCounts:
        """Count the uploads in each state, of all accounts.

        Raises:
            LedgerError: The store cannot be read.
        """
        found: LedgerCounts = await self._ask(self.store.counts())
        return found

    async def rows(self, *, state: LedgerState | None = None) -> AsyncGenerator[LedgerRow, None]:
        """Iterate over the uploads, of all accounts, in the order in which they were first claimed.

        Args:
            state: ``planned``, ``in flight``, ``done``, ``failed`` or ``unknown``; None for all.

        Raises:
            LedgerError: The store cannot be read.
        """
        if state is not None and state not in _STATES:
            raise UsageError(f"state= is one of {', '.join(sorted(_STATES))}; not {state!r}.")
        after: object = None
        while (page := await self._ask(self.store.page(state, after))).rows:
            after = page.after
            for row in page.rows:
                yield row

    async def forget(self, media_id: str) -> bool:
        """Remove a material that the library does not have any more, so that it can be uploaded again.

        A session with this ledger does so by itself where it deletes a material, or where WeChat does not know one.

        Returns:
            Whether it was there.

        Raises:
            LedgerError: The store cannot be written.
        """
        return bool(await self._ask(self.store.forget(media_id)))

    # The library

    async def adopt(self, wx: HasLibrary, type: str | None = None) -> int:  # noqa: A002 - WeChat's own name for it
        """List the library, and record its materials with marks of this package: they are not sent again.

        A ledger without a row of a type does so by itself, at its first use (up to 5,000 materials). Call this one for
        a ledger that is old, or where other ledgers added to the library.

        Args:
            wx: A session of the account.
            type: The type of the materials; None for all. Thumbs are listed as images.

        Returns:
            The number of materials that were new to the ledger.

        Raises:
            WxAssetError: The library cannot be listed, or the ledger not written.
        """
        added: int = await self._ask(wx.account_library(self).adopt(type))
        return added

    async def verify(self, wx: HasLibrary, type: str | None = None) -> Verified:  # noqa: A002 - as above
        """List the library, and forget the uploads whose material is gone: the next run sends them again.

        Args:
            wx: A session of the account.
            type: The type of the materials; None for all.

        Raises:
            WxAssetError: The library cannot be listed, or the ledger not written.
        """
        verified: Verified = await self._ask(wx.account_library(self).verify(type))
        return verified

    async def find(self, media: str | os.PathLike[str] | bytes) -> LedgerRow | None:
        """Return the row of a file or of bytes, of any account; a finished one rather than another.

        An adopted video is not found: its mark depends on its title.

        Raises:
            SourceError: The file cannot be read.
            LedgerError: The store cannot be read.
        """
        source = await open_source(media, filename="media", size=None, limit=None, limits=Limits())
        try:
            sha256 = await sha256_of(source)
        finally:
            await source.aclose()
        found = None
        async for row in self.rows():
            if row.is_of(sha256):
                found = row if found is None or row.state == "done" else found
        return found

    async def resolve(self, row: LedgerRow, media_id: str | None) -> bool:
        """Decide about an upload in doubt, after a look at the library.

        Args:
            row: The row of the upload.
            media_id: Its id in the library; None if it is not there, so that the next run sends it.

        Returns:
            False if it is not in doubt.

        Raises:
            LedgerError: Another task or process has claimed it, or the ledger cannot be written.
        """
        claim = await self.claim(row.key, row.filename, row.size)
        if claim.step is Step.WAIT:
            raise LedgerError(f"{row.filename} is being uploaded by another task or process.")
        if claim.step is Step.SKIP:
            return False
        if claim.step is Step.SEND or media_id is None:
            await self.end(row.key, "planned")
        else:
            await self.done(row.key, AddedMaterial(media_id=media_id, reconciled=True))
        return claim.step is Step.LOOK

    # For the sessions

    async def realm_of(self, api: str) -> str:
        """Return the realm of an API host; with a realm of its own, take over what is kept of the host.

        Args:
            api: The host, with port and path prefix if present.
        """
        usual = realm_of(api)
        if self.realm is None or self.realm == usual:
            return usual
        if usual not in self._moved:
            await self._ask(self.store.move(usual, self.realm))
            self._moved.add(usual)
        return self.realm

    async def adopt_first(self, library: AccountLibrary, kind: str) -> None:
        """Adopt the materials of an account and type at their first use."""
        place = (library.appid, library.realm, listed_as(kind))
        if not self.adopts or place in self._adopted:
            return
        async with self._adoptions.setdefault(place, anyio.Lock()):
            if place not in self._adopted:
                await self._ask(library.adopt_first(kind))
                self._adopted.add(place)

    async def adopted(self, key: UploadKey) -> LedgerRow | None:
        """Return the row of an adopted material, unless the upload has a row of its own."""
        found = await self._ask(self.store.find([key, key.adopted]))
        row: LedgerRow | None = None if key in found else found.get(key.adopted)
        return row

    def pages(self, key: UploadKey, since: float, now: float) -> SharedPages:
        """Return a pass over the library that began after a time; times are WeChat's unix seconds."""
        place = (key.appid, key.realm, listed_as(key.type))
        shared = self._passes.get(place)
        if shared is None or shared.begun < since:
            shared = self._passes[place] = SharedPages(now)
        return shared

    async def known(self, key: UploadKey, path: str) -> tuple[LedgerRow | None, Identity | None]:
        """Look up an unchanged file; return its record if it is in the library, and its identity.

        Args:
            key: Its key, without the hash.
            path: Its path.
        """
        if self._index is None or not self._open:
            return None, await self._ask(run_in_thread(identity_of, path))
        if self._index is self.store:
            row, identity = await self._index.known(key, path)
        else:
            sha256, identity = await self._indexed(self._index, path)
            if sha256 is None:
                return None, identity
            key = evolve(key, sha256=sha256)
            found = await self._ask(self.store.find([key, key.adopted]))
            row = found.get(key) or found.get(key.adopted)
        return (row if row is not None and row.state == "done" else None), identity

    async def claim(self, key: UploadKey, filename: str, size: int, *, retry_refused: bool = False) -> Claim:
        """Claim an upload and return the next step; after LOOK or SEND the caller must call `end`."""
        if key in self._busy:
            row = (await self._ask(self.store.find([key]))).get(key)
            return Claim(Step.WAIT if row is None or row.state != "done" else Step.SKIP, row)
        change = claiming(key, filename, size, retry_refused=retry_refused)
        self._busy.add(key)  # before anything is awaited: two tasks never both think that they are alone
        try:
            claim: Claim = await self._ask(self.store.change(key, change))
        except BaseException:
            try:
                await self._ask(self.store.change(key, releasing))
            finally:
                self._busy.discard(key)  # not before, or what another task claims meanwhile would be released
            raise
        if claim.step not in {Step.LOOK, Step.SEND}:
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
        await self._ask(self.store.change(key, doubting(ended)))

    async def plan(self, key: UploadKey, filename: str) -> None:
        """Record that the library does not have it.

        Raises:
            ClaimLostError: Another process may have claimed it meanwhile; send nothing.
        """
        await self._step(key, planning(filename))

    async def _step(self, key: UploadKey, change: Change, *, durable: bool = False) -> None:
        if not await self._ask(self.store.change(key, change, durable=durable)):
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
            await self._ask(self.store.change(key, ended))
        finally:
            self._busy.discard(key)

    def remember(self, path: str, identity: Identity, sha256: str) -> None:
        """Store the hash of a file with the next write; it may fail, as it is a mere cache."""
        if self._index is not None and self._open:
            self._index.remember(path, identity, sha256)

    async def fetched(self, key: FetchKey) -> str | None:
        """Return what is noted of a material that was fetched into a directory; None if nothing is."""
        found: str | None = None if self._index is None else await self._ask(self._index.fetched(key))
        return found

    async def note_fetched(self, key: FetchKey, document: str) -> None:
        """Note that a material was fetched into a directory of this host."""
        if self._index is not None:
            await self._ask(self._index.note_fetched(key, document))

    async def _indexed(self, index: SqliteStore, path: str) -> tuple[str | None, Identity | None]:
        try:
            return await index.hash_of(path)
        except LedgerError:
            return None, await run_in_thread(identity_of, path)
