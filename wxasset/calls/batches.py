"""Ids of cloud files in any number: cut into batches as they are read, and what came of each. Pure."""

from collections.abc import AsyncIterable, Callable, Collection, Iterable, Sequence
from typing import Generic, TypeAlias, TypeVar

from attrs import define, field

from wxasset.calls.base import Call
from wxasset.calls.cloud import BATCH, check_fileid, stops_all
from wxasset.errors import UsageError, WxAssetError

__all__ = ["Asking", "Collected", "FileIds", "checked"]

R = TypeVar("R")
S = TypeVar("S")
FileIds: TypeAlias = Iterable[str] | AsyncIterable[str]
"""Ids of cloud files, from anything that can be iterated over."""


def checked(fileids: FileIds) -> FileIds:
    """Refuse what are no ids, before anything is sent where all of them are there already."""
    if isinstance(fileids, str | bytes) or not isinstance(fileids, Iterable | AsyncIterable):
        raise UsageError("fileids= is a list of ids, or something else that gives them; not a single text.")
    if isinstance(fileids, Collection):
        for one in fileids:
            check_fileid(one)
    return fileids


@define
class Collected:
    """Ids on their way into a batch."""

    _seen: set[str] = field(factory=set)
    _batch: list[str] = field(factory=list)

    def add(self, fileid: str) -> tuple[str, ...] | None:
        """Take the next id; give a batch that is full."""
        if check_fileid(fileid) not in self._seen:
            self._seen.add(fileid)
            self._batch.append(fileid)
        return self.rest() if len(self._batch) == BATCH else None

    def rest(self) -> tuple[str, ...]:
        """Give what is there."""
        batch, self._batch = tuple(self._batch), []
        return batch


@define
class Asking(Generic[R, S]):
    """Requests about batches, and their outcomes.

    Attributes:
        make: Makes the request about a batch.
        stop: The error for which no more are sent, if there was one.
    """

    make: Callable[[tuple[str, ...]], Call[R]]
    _settle: Callable[[Sequence[str], R | WxAssetError], S]
    stop: WxAssetError | None = field(default=None, init=False)
    _parts: dict[int, S] = field(factory=dict, init=False)
    _errors: dict[int, WxAssetError] = field(factory=dict, init=False)

    def take(self, number: int, batch: Sequence[str], answer: R | WxAssetError) -> None:
        """Give every id of a batch its outcome, whatever was answered or not."""
        if isinstance(answer, WxAssetError):
            self._errors[number] = answer
            if stops_all(answer):
                self.stop = answer
        self._parts[number] = self._settle(batch, answer)

    def outcomes(self) -> list[S]:
        """Give the outcomes of all batches, in order.

        Raises:
            WxAssetError: The first error, where not one request was answered.
        """
        if self._errors and len(self._errors) == len(self._parts):
            raise self._errors[min(self._errors)]
        return [self._parts[number] for number in sorted(self._parts)]
