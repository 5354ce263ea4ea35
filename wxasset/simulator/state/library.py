"""Mappings for use by several threads, and the permanent library with its sorted lists."""

import threading
from bisect import bisect_left, insort
from collections.abc import ItemsView, Iterator, KeysView, MutableMapping, Sequence, ValuesView
from operator import attrgetter
from typing import Generic, Protocol, TypeVar, overload

from attrs import frozen

__all__ = ["Library", "Listing", "SharedMapping"]

Stored = TypeVar("Stored")


class _Material(Protocol):
    @property
    def update_time(self) -> int: ...

    @property
    def listed_as(self) -> str: ...


Listed = TypeVar("Listed", bound=_Material)


class SharedMapping(MutableMapping[str, Stored], Generic[Stored]):
    """Mapping in the order of insertion; an iteration shows the items of its beginning, while other threads change it.

    The interpreter copies a dict with string keys without a switch to another thread.
    """

    def __init__(self) -> None:
        """Create an empty mapping."""
        self._items: dict[str, Stored] = {}
        self._lock = threading.RLock()

    def __getitem__(self, key: str) -> Stored:
        return self._items[key]

    def __setitem__(self, key: str, value: Stored) -> None:
        self._items[key] = value

    def __delitem__(self, key: str) -> None:
        del self._items[key]

    def __contains__(self, key: object) -> bool:
        return key in self._items

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._items))

    def __reversed__(self) -> Iterator[str]:
        return reversed(list(self._items))

    def __repr__(self) -> str:
        return repr(self.copy())

    def keys(self) -> KeysView[str]:
        """Return the keys at this moment."""
        return self.copy().keys()

    def values(self) -> ValuesView[Stored]:
        """Return the values at this moment."""
        return self.copy().values()

    def items(self) -> ItemsView[str, Stored]:
        """Return the items at this moment."""
        return self.copy().items()

    def copy(self) -> dict[str, Stored]:
        """Return the items at this moment as a dict."""
        return dict(self._items)

    @property
    def newest_key(self) -> str:
        """The key added last; found without a copy."""
        return next(reversed(self._items))

    def clear(self) -> None:
        """Remove all items."""
        with self._lock:
            for key in self:
                self.pop(key, None)


@frozen
class _Row(Generic[Listed]):
    place: tuple[int, int]  # the time, and the position in the order of insertion
    material: Listed


_place = attrgetter("place")


class Listing(Sequence[Listed]):
    """Materials of one type, newest first, read from rows in ascending order."""

    def __init__(self, rows: list[_Row[Listed]]) -> None:
        """Create a view of the rows; it shows later changes."""
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Listed: ...

    @overload
    def __getitem__(self, index: slice) -> list[Listed]: ...

    def __getitem__(self, index: int | slice) -> Listed | list[Listed]:
        if isinstance(index, int):
            return self._rows[-1 - index].material
        size = len(self._rows)
        start, stop, step = index.indices(size)
        if step != 1:
            return [row.material for row in self._rows[::-1][index]]
        return [row.material for row in self._rows[size - stop : size - start][::-1]]


class Library(SharedMapping[Listed]):
    """Permanent materials by media_id, with a sorted list of each type that every change keeps up to date."""

    def __init__(self) -> None:
        """Create an empty library."""
        super().__init__()
        self._lists: dict[str, list[_Row[Listed]]] = {}
        self._rows: dict[str, _Row[Listed]] = {}
        self._made = 0

    def __setitem__(self, key: str, value: Listed) -> None:
        with self._lock:
            earlier = self._unlist(key)
            self._made += earlier is None
            row = _Row((value.update_time, self._made if earlier is None else earlier.place[1]), value)
            insort(self._lists.setdefault(value.listed_as, []), row, key=_place)
            self._rows[key] = row
            super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        with self._lock:
            super().__delitem__(key)
            self._unlist(key)

    def newest_first(self, kind: str) -> Listing[Listed]:
        """Return the materials listed under a type; its length and a page cost the same at any size."""
        return Listing(self._lists.setdefault(kind, []))

    def _unlist(self, key: str) -> _Row[Listed] | None:
        row = self._rows.pop(key, None)
        if row is not None:
            rows = self._lists[row.material.listed_as]
            del rows[bisect_left(rows, row.place, key=_place)]
        return row
