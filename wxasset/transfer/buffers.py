"""Memory budgets for transfers: the more transfers an event loop runs, the smaller the buffer of each."""

import asyncio
from typing import Final, Self
from weakref import WeakKeyDictionary

from wxasset.wire.limits import KIB

__all__ = ["DOWNLOAD_BUFFERS", "SPOOL_BUFFERS", "UPLOAD_BUFFERS", "BufferBudget", "BufferLease"]

_RECORD: Final = 16 * KIB  # maximum size of a TLS record


_SPARE: Final = 8  # buffers of the largest size that an event loop keeps: new memory costs more than its use


class _Count:
    def __init__(self) -> None:
        self.number = 0
        self.spare: list[bytearray] = []


class BufferLease:
    """Buffer size granted to one transfer."""

    def __init__(self, budget: "BufferBudget", count: _Count) -> None:
        """Create a lease; use `BufferBudget.lease`."""
        self._budget, self._count = budget, count
        self._smallest = budget.maximum
        self._seen = 0  # active transfers at the last look

    def __enter__(self) -> Self:
        """Count this transfer as active."""
        self._count.number += 1
        return self

    def __exit__(self, *_: object) -> None:
        self._count.number -= 1

    @property
    def minimum(self) -> int:
        """Guaranteed size in bytes. Start with it, since other transfers may be about to start as well."""
        return self._budget.minimum

    @property
    def current(self) -> int:
        """Size in bytes granted now. It never grows again, since a connection keeps its buffers for good."""
        number = self._count.number
        if number != self._seen:
            self._seen, self._smallest = number, min(self._smallest, self._budget.for_each_of(number))
        return self._smallest

    def buffer(self, size: int) -> bytearray:
        """Return a buffer with any contents."""
        spare = self._count.spare
        return spare.pop() if spare and size == self._budget.maximum else bytearray(size)

    def keep(self, buffer: bytearray) -> None:
        """Take a buffer back, for the next transfer of this event loop; nothing else may hold it."""
        if len(buffer) == self._budget.maximum and len(self._count.spare) < _SPARE:
            self._count.spare.append(buffer)


class BufferBudget:
    """A number of bytes shared by the transfers of one event loop."""

    def __init__(self, *, total: int, minimum: int, maximum: int) -> None:
        """Set the sizes.

        Args:
            total: Bytes for all transfers.
            minimum: Smallest buffer of one transfer in bytes, however many are active.
            maximum: Largest buffer of one transfer in bytes, however few are active.
        """
        self._total = total
        self.minimum: int = minimum
        self.maximum: int = maximum
        self._counts: WeakKeyDictionary[asyncio.AbstractEventLoop, _Count] = WeakKeyDictionary()

    def for_each_of(self, number: int) -> int:
        """Return the bytes for each of `number` transfers, in whole TLS records."""
        return max(self.minimum, min(self.maximum, self._total // max(number, 1) // _RECORD * _RECORD))

    def lease(self) -> BufferLease:
        """Return the lease of one more transfer; it counts while it is entered."""
        loop = asyncio.get_running_loop()
        count = self._counts.get(loop)
        return BufferLease(self, self._counts.setdefault(loop, _Count()) if count is None else count)


UPLOAD_BUFFERS: Final = BufferBudget(total=8192 * KIB, minimum=32 * KIB, maximum=512 * KIB)
"""Sizes of the chunks of an upload. With 512 KiB eight uploads over TLS are 5 % faster than with 256 KiB, and with
256 KiB a fifth faster than with 64 KiB. A TLS connection keeps four thirds of its largest chunk: with 256 KiB for each
of 200 connections this made 42 MB instead of 2."""

DOWNLOAD_BUFFERS: Final = BufferBudget(total=32 * 1024 * KIB, minimum=256 * KIB, maximum=1024 * KIB)
"""Bytes collected for one write of a download to a file; as much again is being written to the disk. Below 256 KiB
handing over to the thread costs more than the writes."""

SPOOL_BUFFERS: Final = BufferBudget(total=16 * 1024 * KIB, minimum=128 * KIB, maximum=1024 * KIB)
"""Bytes of a stream of unknown size that are kept in memory; what is more goes to a file."""
