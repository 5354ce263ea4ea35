"""Slots of a batch: as many items as its limit allows make requests at once."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from attrs import define, field

from wxasset.batch.pacing import ConcurrencyLimiter, Slot
from wxasset.errors import Later

__all__ = ["Slots", "Turn"]

_BEFORE: Final = 3
"""Most early items before a slot, for each slot. They begin in groups: with 8 slots, 16 begin when 8 are left, and
their claims are written together while the 8 take the slots. With two for each slot, which begin one by one, a batch of
files of 20 KB takes a twentieth longer. After a kill, those before and in a slot are in doubt."""
_STAGES: Final = 5
"""Items under way for each slot: three before, one in it, and one whose outcome is written."""


@define(eq=False)
class Slots:
    """The slots of one batch.

    Attributes:
        limiter: The limit of slots.
        closed: Function that returns the seconds until an item may make requests, beside a number of others.
        changed: Called when an item takes or leaves a slot.
        held: Slots in use.
        waiting: Items that began without a slot, and have had none so far.
        begun: Items that began and have not ended.
    """

    limiter: ConcurrencyLimiter
    closed: Callable[[int], float]
    changed: Callable[[], object]
    held: int = 0
    waiting: int = 0
    begun: int = 0
    _refills: bool = True
    _queue: deque["asyncio.Future[None]"] = field(factory=deque)

    def full(self, *, early: bool) -> bool:
        """Return True if no item may begin; an `early` one needs no slot at its beginning."""
        limit = self.limiter.limit
        busy = not self._refills if early else self.waiting + self.held >= limit
        return busy or self.begun >= _STAGES * limit

    def queue(self, change: int) -> None:
        """Add 1 for an item that begins without a slot, and -1 when it has one or ends."""
        self.waiting += change
        if self.waiting <= self.limiter.limit:
            self._refills = True
        elif self.waiting >= _BEFORE * self.limiter.limit:
            self._refills = False

    async def take(self) -> None:
        """Wait for a slot, first come, first served.

        Raises:
            Later: No item may make requests at present.
        """
        if self.held < self.limiter.limit and not self._queue:
            self.held += 1
        else:
            turn = asyncio.get_running_loop().create_future()
            self._queue.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self.release()
                raise
        if (wait := self.closed(self.held - 1)) > 0:
            self.release()
            raise Later("The batch makes no requests at present.", at=time.time() + wait)

    def release(self) -> None:
        """Give a slot to the next item."""
        self.held -= 1
        while self._queue and self.held < self.limiter.limit:
            turn = self._queue.popleft()
            if not turn.done():
                self.held += 1
                turn.set_result(None)
        self.changed()


@define(eq=False)
class Turn:
    """The turn of one item.

    An early one holds its slot from `take` to `release`, and claims and records without one; others from their begin to
    their end.

    Attributes:
        waits: True before its slot.
    """

    _slots: Slots
    _slot: Slot
    waits: bool
    _early: bool = field(init=False)
    _holds: bool = field(init=False)

    @classmethod
    def begin(cls, slots: Slots, *, early: bool) -> "Turn":
        """Begin an item: without a slot, or with one."""
        slots.begun += 1
        if early:
            slots.queue(1)
        else:
            slots.held += 1
        return cls(slots, slots.limiter.begin(), early)

    def __attrs_post_init__(self) -> None:
        self._early, self._holds = self.waits, not self.waits

    async def take(self) -> None:
        """Wait for a slot, unless it had one before.

        Raises:
            Later: The batch makes no requests at present.
        """
        if self.waits:
            await self._slots.take()
            self._slot.round = self._slots.limiter.round
            self._left_queue()
            self._holds = True
            self._slots.changed()

    def release(self) -> None:
        """Leave the slot of an early item to the next one, before the result is recorded."""
        if self._early:
            self._leave()

    def end(self) -> None:
        """End the item."""
        self._slots.begun -= 1
        if self.waits:
            self._left_queue()
        self._leave()

    def throttled(self) -> None:
        """Note that the service throttles requests."""
        self._slots.limiter.throttled(self._slot)

    def succeeded(self) -> None:
        """Note a success."""
        self._slots.limiter.succeeded(self._slot)

    def _leave(self) -> None:
        if self._holds:
            self._holds = False
            self._slots.release()

    def _left_queue(self) -> None:
        self.waits = False
        self._slots.queue(-1)
