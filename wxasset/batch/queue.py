"""Items of a batch that wait for their time, and hold no slot meanwhile."""

import heapq
import math
from collections.abc import Iterator
from typing import Final, Generic, TypeVar

from attrs import define, field

from wxasset.batch.outcomes import NotTried, Unknown
from wxasset.errors import UploadOutcomeUnknown, WxAssetError

__all__ = ["Again", "LaterQueue"]

T = TypeVar("T")

_PER_SLOT: Final = 16
"""Waiting items for each slot: what is kept in memory depends on the concurrency alone."""


@define(eq=False)
class Again(Generic[T]):
    """An item to try again.

    Attributes:
        at: The time from which it may begin, in seconds of the batch's clock.
        item: The item.
        unreached: How often its requests did not reach the service.
        looked: What was found when it was looked at ahead; only for the first try, as it may be large.
        doubt: The error of its upload, if the response was lost; a further try looks for it.
        lost: How often that happened.
    """

    at: float
    item: T
    unreached: int = 0
    looked: object = None
    doubt: UploadOutcomeUnknown | None = None
    lost: int = 0

    def later(self, at: float) -> "Again[T]":
        """Return it for a further try."""
        return Again(at, self.item, doubt=self.doubt, lost=self.lost)

    def left(self, stop: WxAssetError) -> NotTried[T] | Unknown[T]:
        """Return its outcome if there is no further try."""
        return NotTried(self.item, stop) if self.doubt is None else Unknown(self.item, self.doubt)


@define(eq=False)
class LaterQueue(Generic[T]):
    """Items to try again, by their times.

    Attributes:
        concurrency: The slots of the batch.
    """

    concurrency: int
    _heap: list[tuple[float, int, Again[T]]] = field(factory=list)
    _pushed: int = 0

    def __len__(self) -> int:
        return len(self._heap)

    def __iter__(self) -> Iterator[Again[T]]:
        return (again for _, _, again in self._heap)

    @property
    def full(self) -> bool:
        """Return True if no new item should be read before one of these has ended."""
        return len(self._heap) >= _PER_SLOT * self.concurrency

    def push(self, again: Again[T]) -> None:
        """Keep an item until its time."""
        heapq.heappush(self._heap, (again.at, self._pushed, again))
        self._pushed += 1

    def pop(self, now: float) -> Again[T] | None:
        """Return an item whose time has come, if there is one."""
        if not self._heap or self._heap[0][0] > now:
            return None
        return heapq.heappop(self._heap)[2]

    def wait(self, now: float) -> float:
        """Return the seconds until the first of them; infinite without one."""
        return max(0.0, self._heap[0][0] - now) if self._heap else math.inf
