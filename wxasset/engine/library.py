"""Read the list of one type once, for many questions."""

import re
from typing import Final

import anyio
from attrs import define, field

from wxasset.calls.library import MaterialItem, MaterialPage
from wxasset.engine.evidence import Evidence
from wxasset.engine.reconcile import Listing
from wxasset.engine.register import Pending, UploadRegister
from wxasset.engine.uploads import MARK_LETTERS
from wxasset.engine.windows import Window

__all__ = ["LibraryIndex", "SharedPages"]

_UUID: Final = "(?<![0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4})"
_MARK: Final = re.compile(rf"{_UUID}-([{MARK_LETTERS}]{{12}})(?=\.[^.]*\Z|\Z)")
"""A mark made of bytes, at the end of a name. The last group of a UUID is none."""


@define
class LibraryIndex:
    """Materials of one list, in one pass.

    Attributes:
        evidence: The pages; an empty name, as a mark, is in the name of each material.
    """

    evidence: Evidence

    @classmethod
    def of(cls, listing: str, register: UploadRegister) -> "LibraryIndex":
        """Return an empty index."""
        return cls(Evidence(Pending(listing=listing, name="", marked=True), register))

    def take(self, page: MaterialPage, now: float) -> None:
        """Take in the next page, at WeChat's unix time in seconds."""
        self.evidence.take(page, Window(begin=0.0, end=now, now=now))

    @property
    def offset(self) -> int:
        """Offset of the next page."""
        return self.evidence.pager.offset

    @property
    def ended(self) -> bool:
        """True if the list was read to its end."""
        return self.evidence.pager.ended

    @property
    def flaw(self) -> str | None:
        """Why a missing material need not be absent; None if the list proves it."""
        return self.evidence.flaw or (None if self.ended else "it was not read to its end")

    @property
    def ids(self) -> frozenset[str]:
        """Ids of the listed materials."""
        return frozenset(item.media_id for item in self.evidence.named)

    @property
    def by_mark(self) -> dict[str, MaterialItem]:
        """The newest material of each mark."""
        marks: dict[str, MaterialItem] = {}
        for item in self.evidence.named:
            if found := _MARK.search(item.name.lower()):
                marks.setdefault(found[1], item)
        return marks


@define(eq=False)
class SharedPages:
    """Pages of the newest materials, read once for many uploads in doubt.

    Attributes:
        begun: Start of the pass in unix seconds of WeChat's clock.
    """

    begun: float
    _pages: dict[tuple[str, int], tuple[MaterialPage, float | None]] = field(factory=dict)
    _lock: anyio.Lock = field(factory=anyio.Lock)

    def over(self, listing: Listing) -> Listing:
        """Return a listing: pages of this pass, and further ones by `listing`."""

        async def page(kind: str, offset: int, /) -> tuple[MaterialPage, float | None]:
            async with self._lock:
                if (kind, offset) not in self._pages:
                    self._pages[kind, offset] = await listing(kind, offset)
            return self._pages[kind, offset]

        return page
