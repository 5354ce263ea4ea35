"""Sessions of aiohttp, with a slot for each of their connections."""

import asyncio
import time
import weakref
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp

from wxasset.errors import ConnectError
from wxasset.transfer.deadlines import Deadlines
from wxasset.transfer.http.direct import Direct
from wxasset.transfer.http.request import Request

__all__ = ["CONNECTIONS", "Pool", "Slot", "Slots", "close_pool"]

CONNECTIONS: Final = 100  # of one own session at once, as aiohttp's default
_NO_LIMIT: Final = 1_000_000


class Pool:
    """A session of aiohttp, and a semaphore for its connections.

    aiohttp counts the wait for a free connection as connecting. Here a request gets its slot first, and its time limits
    start after that.
    """

    def __init__(self, session: aiohttp.ClientSession, slots: "Slots", direct: Direct | None = None) -> None:
        self.session: aiohttp.ClientSession = session
        self.slots: Slots = slots
        self.direct: Direct | None = direct
        self.deadlines: Deadlines = Deadlines()

    @classmethod
    def of(cls, session: aiohttp.ClientSession, connections: int, direct: Direct | None = None) -> "Pool":
        """Return the pool of a session.

        Args:
            session: The session.
            connections: The number of its connections; 0 for no limit.
            direct: Requests over its connections, without its client layer; None for a session of the application.
        """
        # Sessions that borrow the same connections share their slots too.
        connector = session.connector
        slots = None if connector is None else _KNOWN.get(connector)
        if slots is None:
            slots = Slots(connections or _NO_LIMIT)
            if connector is not None:
                _KNOWN[connector] = slots
        return cls(session, slots, direct)

    def slot(self, request: Request) -> "Slot":
        """Return the slot of a request, to be taken."""
        return Slot(self.slots, request, self.deadlines)


async def close_pool(pool: Pool) -> None:
    """Close the session of a pool."""
    pool.deadlines.close()
    await pool.session.close()


class Slots(asyncio.Semaphore):
    """Slots of a pool, and the number of those that were given back."""

    returned: int = 0

    def take(self) -> bool:
        """Take a slot if one is free, as `acquire` does when it need not wait; return False if none is."""
        if self.locked():
            return False
        self._value -= 1
        return True

    def release(self) -> None:
        """Give a slot back."""
        self.returned += 1
        super().release()


_KNOWN: "weakref.WeakKeyDictionary[aiohttp.BaseConnector, Slots]" = weakref.WeakKeyDictionary()


class Slot:
    """A slot for one request; the time of waiting for it counts against `Timeouts.pool` alone.

    Without that limit, the wait ends if no other request gives a slot back in the time of the whole call: the caller
    may hold all connections itself, and would wait forever.
    """

    def __init__(self, slots: Slots, request: Request, deadlines: Deadlines) -> None:
        self._slots = slots
        self._request = request
        self._deadlines = deadlines

    def take(self) -> bool:
        """Take the slot if one is free."""
        return self._slots.take()

    async def wait(self) -> None:
        """Wait for the slot.

        Raises:
            ConnectError: None became free in time.
        """
        request, begun = self._request, time.monotonic()
        patience = request.deadline - begun if request.timeouts.pool is None else request.timeouts.pool
        while not await self._acquire(patience):
            pass
        request.postpone(time.monotonic() - begun)

    async def _acquire(self, patience: float) -> bool:
        """Wait for a slot; return False if only others got one in the meantime."""
        returned = self._slots.returned
        try:
            with self._deadlines.at(time.monotonic() + patience):
                await self._slots.acquire()
        except TimeoutError:
            path = self._request.path
            if self._request.timeouts.pool is None and self._slots.returned != returned:
                return False
            raise ConnectError(
                f"No connection of the session became free for {path} in {patience:.3g} seconds.", path, permanent=True
            ) from None
        return True

    @asynccontextmanager
    async def taken(self) -> AsyncGenerator[None, None]:
        """Take the slot inside the block, waiting for it if necessary."""
        if not self.take():
            await self.wait()
        try:
            yield
        finally:
            self.release()

    def release(self) -> None:
        """Give the slot back."""
        self._slots.release()
