"""Adapters for aiohttp: bodies of known length, and the secret query parameters."""

from typing import Any, Final, cast

import aiohttp
from aiohttp import payload
from aiohttp.abc import AbstractStreamWriter
from aiohttp.connector import Connection

from wxasset.transfer.http.request import Request
from wxasset.transfer.uploads.body import Sending, UploadBody, Writer

__all__ = ["Payload", "RequestObserver"]

_KEPT: Final = "_wxasset_kept"


class Payload(payload.Payload):
    """A body of known length as an aiohttp payload; create a new one for each attempt."""

    def __init__(self, sending: Sending) -> None:
        super().__init__(None, content_type=sending.body.frame.content_type)
        self._sending = sending
        self._size = sending.body.size

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Raise `TypeError`: an upload has no text form."""
        del encoding, errors
        raise TypeError("an upload is not decoded")

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the whole body."""
        await self._sending.write(cast("Writer", writer))  # the client writes to no other

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write the whole body."""
        del content_length  # it is this payload's own size
        await self.write(writer)


class RequestObserver:
    """Middleware to add the query, and to observe the connection of a request.

    Attributes:
        waiting: Whether the request has no connection yet.
        on_kept_connection: Whether the connection was used before, as far as known here.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self.waiting = True
        self.on_kept_connection = False

    async def __call__(self, request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        """Add the query to a request and send it."""
        request.url = request.url.with_query(self._request.query)
        send = request.send

        async def watched(conn: Connection) -> aiohttp.ClientResponse:
            # Remove the reference cycle: its garbage collection cost a fifth of a small call.
            del request.send
            if not self.waiting:
                # A create must not be repeated behind the back of the retry policy.
                raise RuntimeError("A middleware of the borrowed session sent a request twice.")
            self.waiting = False
            self._request.delivery.whole = not isinstance(self._request.body, UploadBody)
            self._request.sent = len(self._request.body) if isinstance(self._request.body, bytes) else 0
            self.on_kept_connection = getattr(conn.protocol, _KEPT, False)
            setattr(conn.protocol, _KEPT, True)
            return await send(conn)

        # A custom connector could do the same, but not for a borrowed session.
        request.send = watched  # type: ignore[method-assign]
        response: aiohttp.ClientResponse = await handler(request)
        return response
