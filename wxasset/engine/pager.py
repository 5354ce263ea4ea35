"""Offsets for a list of materials, or of accounts, that may change while it is read."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, Generic, Protocol, TypeVar

__all__ = ["Page", "Pager"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_BY_ID: Final = attrgetter("media_id")


class Page(Protocol[T_co]):
    """A page of a list: its items, and the number of all items."""

    @property
    def items(self) -> tuple[T_co, ...]:
        """Return the items of this page."""
        ...

    @property
    def total(self) -> int:
        """Return the number of all items."""
        ...


class Pager(Generic[T]):
    """Read a list page by page, without gaps or repetitions.

    Deleting items moves the rest of the list forward. A fall of the total shows it; the pager then steps back by
    the difference and skips the items it has returned before.

    Attributes:
        offset: The offset of the next page to request.
        ended: Whether the list has been read to its end.
        key: Returns the id of an item.
    """

    def __init__(self, offset: int = 0, key: Callable[[Any], str] = _BY_ID) -> None:
        """Begin at an offset."""
        self.offset: int = offset
        self.ended: bool = False
        self.key: Callable[[T], str] = key
        self._total: int | None = None
        self._seen: set[str] = set()

    def take(self, page: Page[T]) -> tuple[T, ...]:
        """Advance by one page and return its new items; none after a step back."""
        if self._total is not None and page.total < self._total and self.offset:
            self.offset, self._total = max(0, self.offset - (self._total - page.total)), page.total
            return ()
        self._total = page.total
        self.offset += len(page.items)
        self.ended = not page.items or self.offset >= page.total
        new = {self.key(item): item for item in page.items if self.key(item) not in self._seen}
        self._seen |= new.keys()
        return tuple(new.values())
