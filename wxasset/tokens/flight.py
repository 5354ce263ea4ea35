"""A fetch of a token that is in progress, and the calls that wait for it."""

import asyncio
from typing import TYPE_CHECKING, Final

from wxasset.tokens.token import Exchange, Token

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Flight"]

_AT_ONCE: Final = 400
"""Calls that are woken in one turn of the event loop: others go on between them, and the garbage collector has less
to do where the first have ended before the last are woken."""


class Flight:
    """A fetch in progress, in a task of the cache; any number of calls wait for it, each for a future of its own.

    Attributes:
        exchange: Makes the calls of the fetch.
        task: The task that fetches.
        token: The token, if it was fetched.
        error: The failure, if it was not.
        origin: Where it failed: each task that raises the error adds its own frames.
    """

    def __init__(self, exchange: Exchange) -> None:
        """Begin a fetch."""
        self.exchange: Exchange = exchange
        self.task: asyncio.Task[None] | None = None
        self.token: Token | None = None
        self.error: Exception | None = None
        self.origin: TracebackType | None = None
        self._waiters: dict[asyncio.Future[None], None] = {}
        self._over = False

    def wait(self) -> "asyncio.Future[None]":
        """Return a future for its end, to be awaited by one call."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._over:
            waiter.set_result(None)
        else:
            self._waiters[waiter] = None
        return waiter

    def leave(self, waiter: "asyncio.Future[None]") -> None:
        """Forget a call that was cancelled."""
        self._waiters.pop(waiter, None)

    def end(self) -> None:
        """Wake all that wait."""
        self._over, waiters = True, list(self._waiters)
        self._waiters.clear()
        self._wake(waiters, 0)

    def _wake(self, waiters: "list[asyncio.Future[None]]", begin: int) -> None:
        """Wake some of them, and the others in the next turn of the loop."""
        end = begin + _AT_ONCE
        for waiter in waiters[begin:end]:
            if not waiter.done():
                waiter.set_result(None)
        if end < len(waiters):
            asyncio.get_running_loop().call_soon(self._wake, waiters, end)
