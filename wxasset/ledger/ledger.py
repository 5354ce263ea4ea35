"""A ledger of uploads: it prevents duplicates and lets a killed job resume."""

import os
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import anyio

from wxasset.engine.library import SharedPages
from wxasset.errors import UsageError
from wxasset.errors.frames import concealed
from wxasset.ledger.claims import Claims
from wxasset.ledger.file_index import open_index
from wxasset.ledger.library import AccountLibrary, HasLibrary, Verified, listed_as
from wxasset.ledger.records import LedgerCounts, LedgerRow, LedgerState, UploadKey, digests_of
from wxasset.ledger.sqlite_store import SqliteStore
from wxasset.ledger.store import LedgerStore
from wxasset.ledger.transitions import resolving
from wxasset.transfer.uploads.source import open_source, sha256_of
from wxasset.wire.filenames import guarded_name
from wxasset.wire.limits import Limits
from wxasset.wire.realms import realm_of

__all__ = ["Ledger", "LedgerCounts", "LedgerRow", "LedgerState"]

_DOUBTS: Final[tuple[LedgerState, ...]] = ("unknown", "in flight")
_STATES: Final = frozenset({"planned", "in flight", "done", "failed", "unknown"})


class Ledger(Claims):
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
        super().__init__(store if isinstance(store, LedgerStore) else SqliteStore(store))
        self.realm: str | None = realm
        self._index_path = None if index is None else os.fsdecode(index)
        self.adopts: bool = adopt
        self._moved: set[str] = set()
        self._adoptions: dict[tuple[str, str, str], anyio.Lock] = {}
        self._adopted: set[tuple[str, str, str]] = set()
        self._passes: dict[tuple[str, str, str], SharedPages] = {}

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

    async def find(
        self, media: str | os.PathLike[str] | bytes, *, title: str | None = None, introduction: str | None = None
    ) -> LedgerRow | None:
        """Return the row of a file or of bytes, of any account; a finished one rather than another.

        The mark of an adopted video is made of its title and introduction too: it is found with these, and with no
        title under the name of its file, as `wxasset batch` names videos.

        Args:
            media: The path of a file, or bytes.
            title: The title of a video.
            introduction: The introduction of a video.

        Raises:
            SourceError: The file cannot be read.
            LedgerError: The store cannot be read.
        """
        name = "" if isinstance(media, bytes | bytearray | memoryview) else Path(os.fsdecode(media)).stem
        source = await open_source(media, filename="media", size=None, limit=None, limits=Limits())
        try:
            digests = digests_of(await sha256_of(source), title or guarded_name(name), introduction)
        finally:
            await source.aclose()
        rows: Sequence[LedgerRow] = await self._ask(self.store.matching(digests))
        return max(rows, key=lambda row: row.state == "done", default=None)

    async def resolve(self, upload: LedgerRow | str, media_id: str | None = None) -> bool:
        """Decide about an upload in doubt, after a look at the library.

        Args:
            upload: The row of the upload; or the id of its material in the library, where a single upload is in doubt.
            media_id: With a row, the id of its material in the library; None if it is not there, so that the next run
                sends it.

        Returns:
            False if it is not in doubt.

        Raises:
            LedgerError: Another task or process has claimed it, or the ledger cannot be written.
            UsageError: An id is given alone, and several uploads are in doubt.
        """
        row = upload if isinstance(upload, LedgerRow) else await self._doubt()
        if row is None:
            return False
        change = resolving(media_id if isinstance(upload, LedgerRow) else upload)
        return bool(await self._ask(self.store.change(row.key, change, durable=True)))

    async def _doubt(self) -> LedgerRow | None:
        """Return the only upload in doubt; None if there is none."""
        doubts = [row async for row in self.doubts()]
        if len(doubts) > 1:
            raise UsageError(f"{len(doubts)} uploads are in doubt: pass the row of one as well, from Ledger.doubts().")
        return doubts[0] if doubts else None

    async def doubts(self) -> AsyncGenerator[LedgerRow, None]:
        """Iterate over the uploads of which nobody knows whether they happened; some may be under way.

        Raises:
            LedgerError: The store cannot be read.
        """
        for state in _DOUBTS:
            async for row in self.rows(state=state):
                yield row

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
