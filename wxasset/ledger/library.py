"""Compare a ledger with the library of an account: adopt what is there, forget what is gone."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol

from attrs import define, frozen

from wxasset.engine.engine import Engine
from wxasset.engine.reconcile import MORE_PAGES
from wxasset.errors import APIError, MediaNotFoundError, UsageError
from wxasset.ledger.records import LedgerRow, adopted_row

__all__ = ["AccountLibrary", "HasLibrary", "Verified", "listed_as"]

_TYPES: Final = {"image": ("image", "thumb"), "voice": ("voice",), "video": ("video",)}
"""Lists of the library, and the types of materials in each."""
_log: Final = logging.getLogger("wxasset.ledger")


def listed_as(kind: str) -> str:
    """Return the list of a type; thumbs are listed among the images.

    Raises:
        UsageError: There is no such type.
    """
    for listed, types in _TYPES.items():
        if kind in types:
            return listed
    raise UsageError(f"type= must be one of image, voice, video, thumb, not {kind!r}.")


@frozen(kw_only=True)
class Verified:
    """The result of `Ledger.verify`.

    Attributes:
        present: Uploads whose material is in the library.
        forgotten: Uploads whose material is gone; they are sent again when they are asked for.
        undecided: Uploads whose material was not listed, by a list that does not prove absence.
    """

    present: int = 0
    forgotten: int = 0
    undecided: int = 0


class HasLibrary(Protocol):
    """A session."""

    def account_library(self, ledger: Any, /) -> "AccountLibrary":
        """Return the library of its account."""
        ...


@define(eq=False)
class AccountLibrary:
    """The library of an account, beside a ledger.

    Attributes:
        engine: The engine that makes the calls.
        ledger: The ledger; its module imports this one.
        appid: The account's appid.
        realm: The service.
        open_material: Fetch a material by its id.
    """

    engine: Engine
    ledger: Any
    appid: str
    realm: str
    open_material: Callable[[str], AbstractAsyncContextManager[object]]

    async def adopt(self, kind: str | None) -> int:
        """Add rows for the materials with marks; return their number."""
        return sum([await self.ledger.store.add(await self._found(listed)) for listed in _lists(kind)])

    async def adopt_first(self, kind: str) -> None:
        """Adopt a type if the ledger has no row of it; without a list uploads go on."""
        listed = listed_as(kind)
        if await self._is_known(listed):
            return
        try:
            found = await self._found(listed, MORE_PAGES)
            if not await self._is_known(listed):  # another host has adopted meanwhile, and what is new is its own
                await self.ledger.store.add(found)
        except APIError as error:  # nothing was sent: other failures are those of the call
            _log.warning("Earlier uploads are not looked for in the library: %s", error.message)

    async def _is_known(self, listed: str) -> bool:
        known: bool = await self.ledger.store.holds(self.appid, self.realm, _TYPES[listed])
        return known

    async def _found(self, listed: str, pages: int | None = None) -> list[LedgerRow]:
        """Return a row for each material with a mark."""
        items = (await self.engine.index(listed, pages)).by_mark.items()
        return [adopted_row(self.appid, self.realm, listed, mark, item) for mark, item in items]

    async def verify(self, kind: str | None) -> Verified:
        """Forget the rows whose materials are gone."""
        rows: dict[str, list[LedgerRow]] = {listed: [] for listed in _lists(kind)}
        async for row in self.ledger.rows(state="done"):
            if (row.appid, row.realm) == (self.appid, self.realm) and listed_as(row.type) in rows:
                rows[listed_as(row.type)].append(row)
        counts: Counter[bool | None] = Counter()
        for listed, known in rows.items():
            if not known:
                continue
            index = await self.engine.index(listed)
            ids, proven = index.ids, index.flaw is None
            for row in known:
                counts[False if row.media_id in ids else await self._is_gone(row, proven=proven)] += 1
        return Verified(present=counts[False], forgotten=counts[True], undecided=counts[None])

    async def _is_gone(self, row: LedgerRow, *, proven: bool) -> bool | None:
        """Forget a missing material; a new one may not be listed yet, and is asked for. None without a proof."""
        fresh = row.ended is None or abs(self.engine.register.clock.time() - row.ended) < max(_FRESH, self.settled)
        if fresh:
            try:
                async with self.open_material(row.material.media_id):
                    return False
            except MediaNotFoundError:
                proven = True
        if not proven:
            return None
        await self.ledger.forget(row.material.media_id)
        return True

    @property
    def settled(self) -> float:
        """Seconds before a new material is listed."""
        return max(self.engine.uploads.visibility, self.engine.uploads.settle)


_FRESH: Final = 60.0  # seconds; clocks of hosts differ


def _lists(kind: str | None) -> Sequence[str]:
    return tuple(_TYPES) if kind is None else (listed_as(kind),)
