"""Requests to the API host over persistent connections."""

import ipaddress
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Final, TypeAlias

import aiohttp
from aiohttp import hdrs
from multidict import CIMultiDict
from yarl import URL

from wxasset.errors import UsageError, WxAssetError
from wxasset.transfer.event_loop import LoopGuard, LoopResource
from wxasset.transfer.http.compatibility import check_aiohttp, has_connections
from wxasset.transfer.http.decoding import ACCEPTED
from wxasset.transfer.http.direct import Direct, Response, is_watched
from wxasset.transfer.http.errors import FAULTS, broken_exchange
from wxasset.transfer.http.exchange import Exchange, middlewares_of
from wxasset.transfer.http.observer import Lines, RequestObserver
from wxasset.transfer.http.payload import JSONBody, Payload
from wxasset.transfer.http.pool import CONNECTIONS, Pool, close_pool
from wxasset.transfer.http.proxies import ENVIRONMENT, Proxies
from wxasset.transfer.http.redirects import LinkClient
from wxasset.transfer.http.reply import Reply
from wxasset.transfer.http.request import Request
from wxasset.transfer.uploads.body import Sending
from wxasset.wire.url_policy import DownloadPolicy, is_loopback, is_plain_name

__all__ = ["ClientSession", "Transport"]

ClientSession: TypeAlias = aiohttp.ClientSession

_API_HOST: Final = "api.weixin.qq.com"
_NEAR: Final = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))


class Transport:
    """Send requests to one API host over persistent connections.

    Attributes:
        origin: Scheme, host, port and path of `base_url`.
    """

    def __init__(
        self,
        base_url: str,
        http: ClientSession | None,
        user_agent: str,
        *,
        bare: bool = False,
        proxy: str | None = ENVIRONMENT,
    ) -> None:
        """Prepare a transport; no connection is opened before the first request.

        Args:
            base_url: URL of the API host.
            http: A session to borrow, or None to create one.
            user_agent: Value of the User-Agent header.
            bare: Whether calls carry no token, as inside cloud hosting; plain http to WeChat's host is then allowed.
            proxy: The proxy of own sessions: a URL, None, or that of the environment.
        """
        self._base = _checked(base_url, bare=bare)
        self.origin: str = str(self._base).rstrip("/")
        self._borrowed = http
        self._guard = LoopGuard("aiohttp.ClientSession, passed as http=,")
        self._loop = LoopGuard("session")  # one for the API and for links
        self._own = LoopResource("session", self._open_pool, close_pool)
        if http is not None and proxy not in (None, ENVIRONMENT):
            raise UsageError("proxy= belongs to the aiohttp.ClientSession that is passed as http=.")
        self._proxies = Proxies(proxy)
        self._lent: Pool | None = None
        self._closed = False
        self._headers = CIMultiDict({hdrs.USER_AGENT: user_agent, hdrs.ACCEPT_ENCODING: ACCEPTED})
        self._json_headers = CIMultiDict({**self._headers, hdrs.CONTENT_TYPE: "application/json"})
        self._urls: dict[str, URL] = {}
        self._lines: Lines = {}
        near = self._base if is_loopback(self._base.raw_host or "") else None
        self._links = LinkClient(self._headers, self._proxies, self._borrowed_pool, near)

    @property
    def api(self) -> str:
        """Host of the API, with port and path prefix if present."""
        return f"{self._base.authority}{self._base.path}".rstrip("/")

    @property
    def closed(self) -> bool:
        """True if this client was closed, or the session that it borrows."""
        return self._closed or (self._borrowed is not None and self._borrowed.closed)

    async def aclose(self) -> None:
        """Close the connections; a borrowed session stays open."""
        self._closed = True
        async with AsyncExitStack() as steps:
            steps.push_async_callback(self._links.aclose)
            steps.push_async_callback(self._own.aclose)

    def _pool(self) -> Pool:
        return self._borrowed_pool() or self._own.get()

    def _borrowed_pool(self) -> Pool | None:
        """Return the pool of a borrowed session, or None.

        Raises:
            UsageError: This session, or the borrowed one, is closed; or another loop uses this session and is running;
                or the borrowed one was used by another loop.
        """
        if self.closed:
            raise UsageError("The session is closed: use it inside its `async with`.")
        if self._borrowed is None:
            self._loop.changed()
            return None
        self._guard.require_same()
        if self._lent is None:
            check_aiohttp()
            self._lent = Pool.of(self._borrowed, _connections_of(self._borrowed))
        return self._lent

    def _open_pool(self) -> Pool:
        check_aiohttp()
        # No limit of aiohttp's own: its wait for a connection would count as connecting.
        connector = aiohttp.TCPConnector(limit=0)
        session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        direct = Direct(session, self._base, self._headers) if has_connections() else None
        return Pool.of(session, CONNECTIONS, direct)

    def send(self, request: Request) -> AbstractAsyncContextManager[Reply]:
        """Send a request; the response is open inside the block.

        Raises:
            ConnectError: No connection could be made, and no byte was sent.
            TransferError: The exchange failed; the error tells if WeChat may have received the whole request.
            HTTPStatusError: The status is not 200.
            SourceError: The media to upload could not be read.
        """
        return Exchange(self._pool, self.respond, request)

    async def respond(
        self, pool: Pool, request: Request, sending: Sending | None, limit: float
    ) -> aiohttp.ClientResponse | Response:
        """Send a request and wait for the response headers; `send` wraps the result in a `Reply`."""
        failure: BaseException
        observer, url = RequestObserver(request, self._lines), self._url(request.path)
        proxy = None if self._borrowed is not None else self._proxies.for_url(url, secret=True)
        try:
            with pool.deadlines.at(limit) as deadline:
                if proxy is None and pool.direct is not None and not is_watched(pool.session):
                    return await pool.direct.send(request, url, sending, observer, deadline)
                if request.at_once:
                    observer.deadline = deadline
                body = JSONBody(request.body) if isinstance(request.body, bytes) else None
                return await pool.session.request(
                    request.method,
                    url,
                    data=body if sending is None else Payload(sending),
                    headers=self._headers if body is None else self._json_headers,
                    allow_redirects=False,
                    raise_for_status=False,
                    auto_decompress=False,
                    timeout=request.timeouts.client(None if request.at_once else request.grace),
                    proxy=proxy,
                    middlewares=middlewares_of(pool.session, observer),
                )
        except WxAssetError as error:
            # Not about this request, and to be taken for nothing else: it may have been raised after the sending.
            raise RuntimeError("A hook or middleware of the borrowed session failed.") from error
        except FAULTS as error:
            failure = broken_exchange(self._base.host, error, request, sending, observer)
        raise failure

    def follow(
        self, link: str, policy: DownloadPolicy, request: Request, headers: Mapping[str, str] | None = None
    ) -> AbstractAsyncContextManager[Reply]:
        """Download a URL sent by the server; see `LinkClient.follow`."""
        return self._links.follow(link, policy, request, headers)

    def post(self, link: str, policy: DownloadPolicy, request: Request) -> AbstractAsyncContextManager[Reply]:
        """Post an upload to a URL sent by the server; see `LinkClient.post`."""
        return self._links.post(link, policy, request)

    def _url(self, path: str) -> URL:
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = self._base.joinpath(path.lstrip("/"), encoded=True)
        return url


def _connections_of(session: ClientSession) -> int:
    """Return the number of connections that a session has for one host; 0 for no limit."""
    connector = session.connector
    limits = () if connector is None else (connector.limit, connector.limit_per_host)
    return min((limit for limit in limits if limit), default=0)


def _checked(base_url: str, *, bare: bool) -> URL:
    try:
        url = URL(base_url)
    except (ValueError, TypeError):
        raise UsageError("The base URL (base_url) is not a valid URL.") from None
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment or "@" in url.authority:
        raise UsageError("The base URL (base_url) is not of the form https://host[:port][/prefix].")
    if url.scheme == "http" and not _is_near(url.raw_host or "") and not (bare and url.host == _API_HOST):
        raise UsageError(f"The base URL (base_url) would send the secret to {url.host} in the clear: use https.")
    return url


def _is_near(host: str) -> bool:
    """Return whether a host is local or in a private network, such as a simulator in another container."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        # A number is the address of a public host for most resolvers: 134744072, 0x8080808.
        return is_loopback(host) or ("." not in host and is_plain_name(host.lower().replace("_", "-")))
    return is_loopback(host) or any(address in network for network in _NEAR)
