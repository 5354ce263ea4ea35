"""Offsets for a list of materials that may change while it is read."""

from attrs import define, field

from wxasset.calls.materials import MaterialItem, MaterialPage

__all__ = ["Pager"]


@define
class Pager:
    """Read a list page by page, without gaps or repetitions.

    Deleting materials moves the rest of the list forward. A fall of the total shows it; the pager then steps back by
    the difference and skips the items it has returned before.

    Attributes:
        offset: The offset of the next page to request.
        ended: Whether the list has been read to its end.
    """

    offset: int = 0
    ended: bool = False
    _total: int | None = None
    _seen: set[str] = field(init=False, factory=set)

    def take(self, page: MaterialPage) -> tuple[MaterialItem, ...]:
        """Advance by one page and return its new items; none after a step back."""
        if self._total is not None and page.total < self._total and self.offset:
            self.offset, self._total = max(0, self.offset - (self._total - page.total)), page.total
            return ()
        self._total = page.total
        self.offset += len(page.items)
        self.ended = not page.items or self.offset >= page.total
        new = {item.media_id: item for item in page.items if item.media_id not in self._seen}
        self._seen |= new.keys()
        return tuple(new.values())
