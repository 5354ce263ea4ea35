"""Sessions of aiohttp, with a slot for each of their connections."""

import asyncio
import time
from contextlib import AbstractAsyncContextManager
from typing import Final

import aiohttp
from attrs import frozen

from wxasset.errors import ConnectError
from wxasset.transfer.http.request import Request

__all__ = ["CONNECTIONS", "Pool", "close_pool"]

CONNECTIONS: Final = 100  # of one own session at once, as aiohttp's default
_NO_LIMIT: Final = 1_000_000


@frozen(eq=False)
class Pool:
    """A session of aiohttp, and a semaphore for its connections.

    aiohttp counts the wait for a free connection as connecting. Here a request gets its slot first, and its time limits
    start after that.
    """

    session: aiohttp.ClientSession
    slots: asyncio.Semaphore

    @classmethod
    def of(cls, session: aiohttp.ClientSession, connections: int) -> "Pool":
        """Return the pool of a session.

        Args:
            session: The session.
            connections: The number of its connections; 0 for no limit.
        """
        return cls(session, asyncio.Semaphore(connections or _NO_LIMIT))

    def slot(self, request: Request) -> "_Slot":
        """Return the slot of a request; it is taken inside the block."""
        return _Slot(self.slots, request)


async def close_pool(pool: Pool) -> None:
    """Close the session of a pool."""
    await pool.session.close()


class _Slot(AbstractAsyncContextManager[None]):
    """A slot for one request; the time of waiting for it counts against `Timeouts.pool` alone."""

    def __init__(self, slots: asyncio.Semaphore, request: Request) -> None:
        self._slots = slots
        self._request = request

    async def __aenter__(self) -> None:
        if not self._slots.locked():
            await self._slots.acquire()  # without waiting
            return
        request, begun = self._request, time.monotonic()
        try:
            async with asyncio.timeout(request.timeouts.pool):
                await self._slots.acquire()
        except TimeoutError:
            wait = f"{request.timeouts.pool:g}"
            raise ConnectError(
                f"No connection of the session became free for {request.path} in {wait} seconds.", request.path
            ) from None
        request.postpone(time.monotonic() - begun)

    async def __aexit__(self, *_: object) -> None:
        self._slots.release()
