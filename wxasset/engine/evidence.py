"""Judge what a list of materials says about one upload. Pure.

That a material is listed and that it is not are two questions. For the first a mark is enough, or equal bytes. For the
second the list has to prove itself: its order, its completeness and the names in it are stated nowhere (wire reference
8), so that absence is concluded only from a list that contradicts none of the assumptions.
"""

import math
from typing import Final

from attrs import define, field

from wxasset.calls.library import PAGE, MaterialItem, MaterialPage
from wxasset.engine.pager import Pager
from wxasset.engine.register import Pending, UploadRegister
from wxasset.engine.uploads import mark_in
from wxasset.engine.windows import Window

__all__ = ["Evidence"]

_NEAR: Final = 300.0
"""Seconds around an upload in which a material of unknown origin may be it under another name (our choice): the clock
of the list need not be the one of the Date header."""
_BEYOND: Final = 5
"""Pages of older materials that are read before absence is concluded (our choice): another order shows in them."""


@define(eq=False, repr=False)
class Evidence:
    """Pages of the list, each of `PAGE` materials but the last, read for one upload.

    Attributes:
        upload: The upload.
        register: The uploads of the account in this process.
        owned: Ids of other calls in the process of the upload.
        named: Materials with its name, or with its mark.
        unknown: Materials of its time and of unknown origin.
        count: Number of materials seen.
        flaw: Why absence cannot be concluded from this list; None without a reason.
        pager: Position in the list.
    """

    upload: Pending
    register: UploadRegister
    owned: frozenset[str] = frozenset()
    named: list[MaterialItem] = field(factory=list)
    unknown: list[MaterialItem] = field(factory=list)
    count: int = 0
    flaw: str | None = None
    pager: Pager[MaterialItem] = field(factory=Pager)
    _began: int | None = None
    _oldest: int | None = None
    _older: int = 0
    _fewest: float = math.inf
    _stepped_back: bool = False
    _mark: str = field(init=False)

    @_mark.default
    def _find_mark(self) -> str:
        return (mark_in(self.upload.name) or self.upload.name.lower()) if self.upload.marked else ""

    def take(self, page: MaterialPage, window: Window) -> None:
        """Take in the next page."""
        before = self.pager.offset
        self._fewest = min(page.total, self._fewest)
        self._began = page.total if self._began is None else self._began
        # What came after the first page, and stands before what was listed then, says nothing about the order.
        later = {item.media_id for item in page.items[: max(0, page.total - self._began - before)]}
        if len(page.items) < PAGE and before + len(page.items) < page.total:
            self.flaw = f"it has only {len(page.items)} materials on the page at {before} of {page.total}"
        new = self.pager.take(page)
        for item in new:
            self.count += 1
            if item.media_id not in later:
                self._check_time(item, window)
            self._sort(item, window)
        self._check_count(page, forward=self.pager.offset > before, repeated=not new)
        if self._oldest is not None and self._oldest < window.begin - _NEAR:
            self._older += 1

    @property
    def thorough(self) -> bool:
        """True if it was read far enough to conclude absence; in another order it may be listed anywhere."""
        return self.pager.ended or (self._older > _BEYOND and self.flaw is None)

    @property
    def whole(self) -> bool:
        """True if a list in the usual order was read back to the start of the upload."""
        return self.pager.ended or (self._older > 0 and self.flaw is None)

    @property
    def doubt(self) -> str | None:
        """Why absence cannot be concluded; None if it can."""
        if self.flaw is not None:
            return f"the list proves nothing: {self.flaw}"
        if self.unknown:
            ids = ", ".join(item.media_id for item in self.unknown[:3])
            return f"{len(self.unknown)} listed materials of that time may be it under another name ({ids})"
        return None

    def _check_time(self, item: MaterialItem, window: Window) -> None:
        if item.update_time <= 0:
            self.flaw = f"{item.media_id} has no update_time"
        elif item.update_time > window.now + _NEAR:
            self.flaw = f"{item.media_id} has an update_time in the future"
        elif self._oldest is not None and item.update_time > self._oldest:
            self.flaw = "it is not sorted by update_time"
        else:
            self._oldest = item.update_time

    def _check_count(self, page: MaterialPage, *, forward: bool, repeated: bool) -> None:
        """Check that pages do not repeat, and that their items add up to the total."""
        self._stepped_back |= not forward and bool(page.items)
        if forward and repeated and not self._stepped_back:
            self.flaw = "it repeats a page"
        if self.pager.offset > page.total:
            self.flaw = f"it has more materials than its total of {page.total}"
        if self.pager.ended and self.count < self._fewest:
            self.flaw = self.flaw or f"it has only {self.count} different materials of {page.total}"

    def _sort(self, item: MaterialItem, window: Window) -> None:
        """Add a material to those that may be the upload."""
        if self.upload.marked:
            if self._mark in item.name.lower():
                self.named.append(item)
                return
        elif self._is_anothers(item):
            return
        elif item.name == self.upload.name and window.holds(item):
            self.named.append(item)
            return
        near = item.update_time <= 0 or window.holds(item, _NEAR)
        if near and not self._is_anothers(item) and not self._has_other_mark(item):
            self.unknown.append(item)

    def _is_anothers(self, item: MaterialItem) -> bool:
        return item.media_id in self.owned or self.register.is_anothers(item.media_id, self.upload.owner)

    def _has_other_mark(self, item: MaterialItem) -> bool:
        """Tell whether another upload of this package made it; a cut mark may be this upload's own."""
        mark = mark_in(item.name)
        return mark is not None and not self._mark.startswith(mark)
