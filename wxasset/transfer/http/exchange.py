"""One request and its response."""

import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

import aiohttp

from wxasset.transfer.buffers import UPLOAD_BUFFERS
from wxasset.transfer.http.direct import Response
from wxasset.transfer.http.pool import Pool, Slots
from wxasset.transfer.http.reply import OK, Reply, raise_for_status
from wxasset.transfer.http.request import Request
from wxasset.transfer.uploads.body import Sending, UploadBody

__all__ = ["Exchange", "middlewares_of"]

Respond: TypeAlias = Callable[[Pool, Request, Sending | None, float], Awaitable[aiohttp.ClientResponse | Response]]


class Exchange(AbstractAsyncContextManager[Reply]):
    """One request and its response. A generator would be shorter, but cost 3 us more per call."""

    def __init__(
        self, pool: Callable[[], Pool], respond: Respond, request: Request, good: tuple[int, ...] = (OK,)
    ) -> None:
        """Prepare an exchange.

        Args:
            pool: Returns the pool of connections.
            respond: Sends the request and returns the response.
            request: The request.
            good: The statuses of success.
        """
        self._pool = pool
        self._respond = respond
        self._request = request
        self._good = good
        body = request.body
        self._sending = Sending(body, request.timeouts.stall) if isinstance(body, UploadBody) else None
        self._response: aiohttp.ClientResponse | Response | None = None
        self._slots: Slots | None = None  # of which one is taken

    async def __aenter__(self) -> Reply:
        pool = self._pool()
        if not pool.slots.take():
            await pool.slot(self._request).wait()
        self._slots = pool.slots
        try:
            limit = self._request.limit()
            if self._sending is None or self._sending.is_single:  # it needs no buffer
                response = self._response = await self._respond(pool, self._request, self._sending, limit)
            else:
                with UPLOAD_BUFFERS.lease():
                    response = self._response = await self._respond(pool, self._request, self._sending, limit)
            reply = Reply(self._request, response, limit - time.monotonic(), pool.deadlines)
            if response.status not in self._good:
                early = self._sending is not None and not self._sending.whole
                await raise_for_status(reply, response.status, early=early)
        except BaseException:
            await self.__aexit__()
            raise
        return reply

    async def __aexit__(self, *_: object) -> None:
        try:
            if self._response is not None and not self._response.closed:
                # The body was not read to its end; else the connection is back in the pool already.
                self._response.close()
            if self._sending is not None:
                await self._sending.ended()
                self._request.sent = self._sending.sent
                self._request.delivery.whole = self._sending.whole
        finally:
            if self._slots is not None:
                self._slots.release()


def middlewares_of(session: aiohttp.ClientSession, *more: Any) -> tuple[Any, ...]:
    """Return the middlewares of a session and more of them; those of a request replace those of its session."""
    own = session._middlewares  # noqa: SLF001 - there is no public attribute; `check_aiohttp` looks for it
    return (*own, *more)
