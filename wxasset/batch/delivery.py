"""Outcomes of a batch, from the items to the loop that iterates over them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final, Generic, TypeVar

from wxasset.errors import StreamConsumedError
from wxasset.transfer.event_loop import LoopGuard

__all__ = ["Delivery"]

R = TypeVar("R")

_END: Final[Any] = object()


class Delivery(Generic[R]):
    """An iterator over the outcomes of one batch. Not a generator: another task would close an abandoned generator.

    Attributes:
        taken: Whether an outcome was asked for.
        broken: The exception to raise after the last outcome; None without one.
    """

    def __init__(self, most: int) -> None:
        """Keep at most `most` outcomes that were not taken."""
        self.taken: bool = False
        self.broken: BaseException | None = None
        self._queue: asyncio.Queue[R] = asyncio.Queue(most)
        self._left = False
        self._guard = LoopGuard("batch")

    def begin(self) -> None:
        """Bind to the running event loop."""
        self._guard.require_same()

    async def put(self, outcome: R) -> None:
        """Pass on an outcome; wait while there is no room for it."""
        await self._queue.put(outcome)

    def breaks(self, failure: BaseException) -> None:
        """Note an exception, unless there was one before."""
        self.broken = self.broken or failure

    async def end(self) -> None:
        """End after the outcomes so far."""
        await self._queue.put(_END)

    def leave(self) -> None:
        """Give no further outcome."""
        self._left = True
        with suppress(asyncio.QueueFull):  # then nobody waits for one
            self._queue.put_nowait(_END)

    def __aiter__(self) -> AsyncIterator[R]:
        return self

    async def __anext__(self) -> R:
        self._guard.require_same()
        self.taken = True
        if self._left:
            raise StreamConsumedError("The block of this batch has been left.")
        outcome = await self._queue.get() if self._queue.empty() else self._queue.get_nowait()
        if outcome is not _END:
            return outcome
        self._queue.put_nowait(_END)  # for whoever asks again
        if self.broken is not None:
            raise self.broken from None
        raise StopAsyncIteration
