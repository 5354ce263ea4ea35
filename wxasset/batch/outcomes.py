"""Outcomes of the items of a batch, and their sum."""

import reprlib
from typing import Any, Generic, TypeVar

from attrs import define, field, frozen

from wxasset.errors import UploadOutcomeUnknown, WxAssetError

__all__ = ["BatchReport", "Failed", "NotTried", "Sum", "Unknown"]

T = TypeVar("T")


@frozen
class Failed(Generic[T]):
    """A failed item. A batch continues with the others.

    Attributes:
        item: The item.
        error: Why.
    """

    item: T = field(repr=reprlib.repr)
    error: WxAssetError


@frozen
class Unknown(Generic[T]):
    """An upload that may or may not have happened; it was not sent again, and a second copy may be the price of that.

    Attributes:
        item: The item.
        error: The facts to find out with, by ``await error.resolve(wx)``.
    """

    item: T = field(repr=reprlib.repr)
    error: UploadOutcomeUnknown


@frozen
class NotTried(Generic[T]):
    """An item left undone after the batch was stopped; nothing of it has reached WeChat.

    Attributes:
        item: The item.
        error: The error behind the stop; the same for all of them.
    """

    item: T = field(repr=reprlib.repr)
    error: WxAssetError


@frozen(kw_only=True)
class BatchReport(Generic[T]):
    """Sum of a batch.

    Attributes:
        done: Number of items that succeeded, skipped ones included.
        skipped: Number of items for which nothing had to be sent.
        failed: The failed items.
        unknown: The uploads that may or may not have happened.
        left: The items left undone; the error of each says why the batch was stopped.
        unrecorded: The outcomes of `done` that the ledger could not record.
    """

    done: int = 0
    skipped: int = 0
    failed: tuple[Failed[T], ...] = ()
    unknown: tuple[Unknown[T], ...] = ()
    left: tuple[NotTried[T], ...] = ()
    unrecorded: tuple[Any, ...] = ()

    @property
    def complete(self) -> bool:
        """Return True if every item succeeded."""
        return not (self.failed or self.unknown or self.left)

    def __str__(self) -> str:
        counts = (len(self.failed), len(self.unknown), len(self.left))
        return f"{self.done} done ({self.skipped} skipped), {counts[0]} failed, {counts[1]} unknown, {counts[2]} left"


@define(eq=False)
class Sum(Generic[T]):
    """Add up outcomes."""

    _done: int = 0
    _skipped: int = 0
    _failed: list[Failed[T]] = field(factory=list)
    _unknown: list[Unknown[T]] = field(factory=list)
    _left: list[NotTried[T]] = field(factory=list)
    _unrecorded: list[Any] = field(factory=list)

    def add(self, outcome: Any) -> None:
        """Count one outcome; only what is not done is kept."""
        match outcome:
            case Failed():
                self._failed.append(outcome)
            case Unknown():
                self._unknown.append(outcome)
            case NotTried():
                self._left.append(outcome)
            case _:
                self._done += 1
                self._skipped += getattr(outcome, "skipped", False)
                if getattr(outcome, "unrecorded", None) is not None:
                    self._unrecorded.append(outcome)

    def report(self) -> BatchReport[T]:
        """Return the sum so far."""
        return BatchReport(
            done=self._done,
            skipped=self._skipped,
            failed=tuple(self._failed),
            unknown=tuple(self._unknown),
            left=tuple(self._left),
            unrecorded=tuple(self._unrecorded),
        )
