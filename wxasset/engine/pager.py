"""Page through the library while it changes. Pure."""

from attrs import define, field

from wxasset.calls.materials import MaterialItem, MaterialPage

__all__ = ["Pager"]


@define
class Pager:
    """Position in a list of materials, newest first.

    Attributes:
        offset: The offset of the next page.
        total: The total of the last page; None before the first one.
        ended: True after the last page.
    """

    offset: int = 0
    total: int | None = None
    ended: bool = False
    _seen: set[str] = field(factory=set, init=False)

    def take(self, page: MaterialPage) -> list[MaterialItem] | None:
        """Return the items of a page without those of earlier pages, and advance.

        A deletion shifts the remaining items forward. If the total shrank, the page is dropped and the offset moves
        back by the difference; the result is None.
        """
        if self.total is not None and page.total < self.total and self.offset:
            self.offset, self.total = max(0, self.offset - (self.total - page.total)), page.total
            return None
        self.total = page.total
        self.offset += len(page.items)
        self.ended = not page.items or self.offset >= page.total
        fresh = [item for item in page.items if item.media_id not in self._seen]
        self._seen.update(item.media_id for item in fresh)
        return fresh
