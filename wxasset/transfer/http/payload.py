"""Adapters for aiohttp: bodies of known length, and the secret query parameters."""

from collections.abc import Mapping
from typing import Any, Final, cast

import aiohttp
from aiohttp import payload
from aiohttp.abc import AbstractStreamWriter
from aiohttp.connector import Connection
from yarl import URL

from wxasset.transfer.http.request import Request
from wxasset.transfer.uploads.body import Sending, UploadBody, Writer
from wxasset.wire.url_policy import DownloadPolicy, may_connect

__all__ = ["BrokenConnection", "ForbiddenAddressError", "LinkObserver", "Payload", "RequestObserver"]

_KEPT: Final = "_wxasset_kept"
_PROXY_REFUSES: Final = 407  # "Proxy Authentication Required"; no origin server sends it
_LINK_HEADERS: Final = frozenset(
    {"Host", "Accept", "Accept-Encoding", "User-Agent", "Content-Length", "Content-Type", "Connection"}
)
"""Headers of requests to links; others would come from a borrowed session."""


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


class BrokenConnection(aiohttp.ClientError):
    """A connection that broke, in a form for which aiohttp does not repeat a GET on its own.

    Attributes:
        error: The error of aiohttp.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class ForbiddenAddressError(Exception):
    """A link leads to an address that its policy forbids."""


class RequestObserver:
    """Middleware to complete the URL, and to observe the connection of a request.

    Attributes:
        waiting: Whether the request has no connection yet, or the proxy did not pass it on.
        on_kept_connection: Whether the connection was used before, as far as known here.
        proxy: The proxy of the request; None without one.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self.waiting = True
        self.on_kept_connection = False
        self.proxy: URL | None = None

    async def __call__(self, request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        """Complete a request and send it."""
        self.complete(request)
        self.proxy = request.proxy
        send = request.send

        async def watched(conn: Connection) -> aiohttp.ClientResponse:
            # Remove the reference cycle: its garbage collection cost a fifth of a small call.
            del request.send
            self.check(conn)
            self.waiting = False
            self._request.delivery.whole = not isinstance(self._request.body, UploadBody)
            self._request.sent = len(self._request.body) if isinstance(self._request.body, bytes) else 0
            self.on_kept_connection = getattr(conn.protocol, _KEPT, False)
            setattr(conn.protocol, _KEPT, True)
            return await send(conn)

        # A custom connector could do the same, but not for a borrowed session.
        request.send = watched  # type: ignore[method-assign]
        try:
            response: aiohttp.ClientResponse = await handler(request)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            raise BrokenConnection(error) from error
        if self.waiting:
            response.close()
            raise RuntimeError("aiohttp sends requests in another way; this version of wxasset does not work with it.")
        if response.status == _PROXY_REFUSES and self.proxy is not None:
            # Over plain http the proxy answers in the place of the server.
            response.close()
            self.waiting = True
            self._request.delivery.whole = False
            raise aiohttp.ClientHttpProxyError(response.request_info, (), status=response.status)
        return response

    def complete(self, request: aiohttp.ClientRequest) -> None:
        """Add the query, which holds the secrets: it stays out of aiohttp's errors, traces and `url`."""
        request.url = request.url.with_query(self._request.query)

    def check(self, conn: Connection) -> None:
        """Check the connection of a request before it is sent."""
        del conn
        if not self.waiting:
            # A create must not be repeated behind the back of the retry policy.
            raise RuntimeError("A middleware of the borrowed session sent a request twice.")


class LinkObserver(RequestObserver):
    """Middleware for a URL given by the server: it is sent unchanged, and only to an allowed address.

    Attributes:
        url: The URL.
        headers: Additional headers.
    """

    def __init__(
        self, request: Request, url: URL, policy: DownloadPolicy, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(request)
        self.url = url
        self.headers = headers or {}
        self._policy = policy

    def complete(self, request: aiohttp.ClientRequest) -> None:
        """Set the URL, which is signed; remove what a borrowed session adds of its own, such as cookies."""
        request.url = self.url
        kept = _LINK_HEADERS | {name.title() for name in self.headers}
        for name in {name for name in request.headers if name.title() not in kept}:
            del request.headers[name]

    def check(self, conn: Connection) -> None:
        """Check the address, except behind a proxy: only the proxy knows it."""
        super().check(conn)
        if self.proxy is None and conn.transport is not None:
            peer = conn.transport.get_extra_info("peername")
            if not may_connect(str(peer[0]) if peer else "", self._policy, self.url.host or ""):
                raise ForbiddenAddressError
