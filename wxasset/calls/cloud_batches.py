"""Batches of cloud file ids: they are collected, asked for and settled. Pure."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from attrs import define, field

from wxasset.calls.fileids import BATCH, check_fileid
from wxasset.errors import WxAssetError

__all__ = ["Asking", "Collected"]

R = TypeVar("R")
S = TypeVar("S")


@define
class Collected:
    """Collect ids into batches, without duplicates."""

    _seen: set[str] = field(factory=set)
    _batch: list[str] = field(factory=list)

    def add(self, fileid: str) -> tuple[str, ...] | None:
        """Add the next id; return the batch if it is full."""
        if check_fileid(fileid) not in self._seen:
            self._seen.add(fileid)
            self._batch.append(fileid)
        return self.rest() if len(self._batch) == BATCH else None

    def rest(self) -> tuple[str, ...]:
        """Return the incomplete batch."""
        batch, self._batch = tuple(self._batch), []
        return batch


@define
class Asking(Generic[R, S]):
    """The outcomes of the requests for batches, in order."""

    _settle: Callable[[Sequence[str], R | WxAssetError], S]
    _parts: dict[int, S] = field(factory=dict, init=False)
    _errors: dict[int, WxAssetError] = field(factory=dict, init=False)

    def take(self, number: int, batch: Sequence[str], result: R | WxAssetError) -> None:
        """Record the outcome of every id of a batch, from the response or the error of its request."""
        if isinstance(result, WxAssetError):
            self._errors[number] = result
        self._parts[number] = self._settle(batch, result)

    def outcomes(self) -> list[S]:
        """Return the outcomes of all batches, in order.

        Raises:
            WxAssetError: The first error, if all requests failed.
        """
        if self._errors and len(self._errors) == len(self._parts):
            raise self._errors[min(self._errors)]
        return self.settled()

    def settled(self) -> list[S]:
        """Return the outcomes of all batches so far, in order."""
        return [self._parts[number] for number in sorted(self._parts)]
