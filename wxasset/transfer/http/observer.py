"""Observers of requests: they complete the URL with its secret query, and note the connection."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias, TypeVar, cast

import aiohttp
from aiohttp import hdrs
from aiohttp.connector import Connection
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from wxasset.transfer.deadlines import Deadline
from wxasset.transfer.http.meter import Meter, meter_connection
from wxasset.transfer.http.request import Request
from wxasset.transfer.uploads.body import UploadBody
from wxasset.wire.url_policy import DownloadPolicy, may_connect

__all__ = [
    "BrokenConnection",
    "ForbiddenAddressError",
    "Lines",
    "LinkObserver",
    "LinkResponse",
    "RequestObserver",
]

_PROXY_REFUSES: Final = 407  # "Proxy Authentication Required"; no origin server sends it
_LINK_HEADERS: Final = frozenset(
    {"Host", "Accept", "Accept-Encoding", "User-Agent", "Content-Length", "Content-Type", "Connection"}
)
"""Headers of requests to links; others would come from a borrowed session."""


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


class LinkResponse(aiohttp.ClientResponse):
    """Response to a link. The target of a redirect is signed, too: tracing agents do not see it in the headers.

    Attributes:
        location: The target of a redirect; None without one.
    """

    location: str | None = None

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        """Wait for the response headers, and take the target of a redirect out of them."""
        await super().start(connection)
        self.location = self._headers.get(hdrs.LOCATION)
        self._headers = CIMultiDictProxy(CIMultiDict(_shown(self._headers.items())))
        self._raw_headers = tuple(_shown(self._raw_headers or ()))
        self._cache = {}  # of the same headers
        return self


_Name = TypeVar("_Name", str, bytes)


def _shown(headers: Iterable[tuple[_Name, _Name]]) -> list[tuple[_Name, _Name]]:
    return [one for one in headers if one[0].lower() not in ("location", b"location")]


class _Target:
    """A URL whose request line is read once; for everything else it is the URL without its secrets."""

    def __init__(self, shown: URL, line: str) -> None:
        self._shown = shown
        self._line = line

    @property
    def raw_path_qs(self) -> str:
        line, self._line = self._line or self._shown.raw_path_qs, ""
        return line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shown, name)

    def __str__(self) -> str:
        return str(self._shown)

    def __repr__(self) -> str:
        return repr(self._shown)


Lines: TypeAlias = dict[str, tuple[Mapping[str, str], str]]
"""Queries and request lines, by path."""


class RequestObserver:
    """Middleware to complete the URL, and to observe the connection of a request.

    Attributes:
        waiting: Whether the request has no connection yet, or the proxy did not pass it on.
        on_kept_connection: Whether the connection was used before, as far as known here.
        proxy: The proxy of the request; None without one.
        deadline: The deadline that watches for silence from the sending on; None if aiohttp does.
    """

    deadline: Deadline | None = None

    def __init__(self, request: Request, lines: Lines | None = None) -> None:
        """Observe a request.

        Args:
            request: The request.
            lines: The last request lines of its transport, by path; a line costs more than the rest of this class.
        """
        self._request = request
        self._lines = {} if lines is None else lines
        self.waiting: bool = True
        self.on_kept_connection: bool = False
        self.proxy: URL | None = None
        self._end: Callable[[], None] | None = None  # of the connection

    async def __call__(self, request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        """Complete a request and send it."""
        self.prepare(request)
        self.proxy = request.proxy
        send = request.send

        async def watched(conn: Connection) -> aiohttp.ClientResponse:
            # Remove the reference cycle: its garbage collection cost a fifth of a small call.
            del request.send
            self.check(conn)
            self._end = None if conn.transport is None else conn.transport.close
            self.connected(conn)
            if self.deadline is not None:
                self.deadline.listen(self._request.meter, self._request.timeouts.stall)
            shown = request.url
            # For the request line alone: the secrets stay out of aiohttp's errors, traces and `url`.
            # A proxy gets its request line from the target, too.
            request.url, request.proxy = cast("URL", _Target(shown, self._line(request))), None
            try:
                return await send(conn)
            finally:
                request.url, request.proxy = shown, self.proxy

        # A custom connector could do the same, but not for a borrowed session.
        request.send = watched  # type: ignore[method-assign]
        response: aiohttp.ClientResponse | BrokenConnection
        try:
            response = await handler(request)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError, aiohttp.ClientResponseError) as error:
            response = BrokenConnection(error)
        if isinstance(response, BrokenConnection):
            # Raised outside of the handler: tracing agents show causes, and aiohttp's own quote URLs and headers.
            raise response
        if self.waiting:
            response.close()
            raise RuntimeError("aiohttp sends requests in another way; this version of wxasset does not work with it.")
        if response.status == _PROXY_REFUSES and self.proxy is not None:
            # Over plain http the proxy answers in the place of the server.
            raise self._refused(response)
        return response

    def _refused(self, response: aiohttp.ClientResponse) -> aiohttp.ClientHttpProxyError:
        """Close the connection to a proxy that did not pass the request on, and return the error for it."""
        response.close()
        if self._end is not None:
            # A short response has given it back already. Many proxies close it now: the next upload would be lost.
            self._end()
        self.waiting = True
        self._request.delivery.whole = False
        return aiohttp.ClientHttpProxyError(response.request_info, (), status=response.status)

    def prepare(self, request: aiohttp.ClientRequest) -> None:
        """Change a request before it gets its connection."""

    def complete(self, shown: URL) -> URL:
        """Return the URL to request: the query holds the secrets."""
        return shown.with_query(self._request.query)

    def _line(self, request: aiohttp.ClientRequest) -> str:
        """Return the target of the request line, or the whole URL for a plain proxy."""
        plain = request.proxy is not None and not request.is_ssl()
        return str(self.complete(request.url)) if plain else self.target(request.url)

    def target(self, shown: URL) -> str:
        """Return the target of the request line.

        Args:
            shown: The URL without its secrets.
        """
        path, query = self._request.path, self._request.query
        known = self._lines.get(path)
        if known is None or known[0] != query:
            known = self._lines[path] = query, self.complete(shown).raw_path_qs
        return known[1]

    def connected(self, conn: Connection) -> None:
        """Note the connection on which the request is sent now."""
        request, self.waiting = self._request, False
        request.delivery.whole = not isinstance(request.body, UploadBody)
        request.sent = len(request.body) if isinstance(request.body, bytes) else 0
        request.meter = Meter()
        self.on_kept_connection = meter_connection(conn, request.meter)

    def check(self, conn: Connection) -> None:
        """Check the connection of a request before it is sent."""
        if not self.waiting:
            # A create must not be repeated behind the back of the retry policy.
            raise RuntimeError("A middleware of the borrowed session sent a request twice.")
        if conn.protocol is not None and conn.protocol.should_close:
            raise aiohttp.ServerDisconnectedError  # a response that nobody asked for would be taken for the next one


class LinkObserver(RequestObserver):
    """Middleware for a URL given by the server: it is sent unchanged, and only to an allowed address.

    Attributes:
        url: The URL.
        headers: Additional headers.
    """

    def __init__(
        self,
        request: Request,
        url: URL,
        policy: DownloadPolicy,
        headers: Mapping[str, str] | None = None,
        near: URL | None = None,
    ) -> None:
        super().__init__(request)
        self.url: URL = url
        self.headers: Mapping[str, str] = headers or {}
        self._policy = policy
        self._near = near

    def prepare(self, request: aiohttp.ClientRequest) -> None:
        """Remove what a borrowed session adds of its own, such as cookies."""
        request.response_class = LinkResponse
        kept = _LINK_HEADERS | {name.title() for name in self.headers}
        for name in {name for name in request.headers if name.title() not in kept}:
            del request.headers[name]

    def complete(self, shown: URL) -> URL:
        """Return the URL to request, which is signed."""
        del shown
        return self.url

    def check(self, conn: Connection) -> None:
        """Check the address, except behind a proxy: only the proxy knows it."""
        super().check(conn)
        if self.proxy is None and conn.transport is not None:
            peer = conn.transport.get_extra_info("peername")
            address, host = str(peer[0]) if peer else "", self.url.raw_host or ""
            if not may_connect(address, self._policy, host, self.url.port, self._near):
                raise ForbiddenAddressError
