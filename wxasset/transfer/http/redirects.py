"""Requests to URLs sent by the server, without tokens, cookies or headers of the API."""

import socket
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Final, TypeAlias

import aiohttp
from aiohttp import hdrs
from aiohttp.abc import ResolveResult
from yarl import URL

from wxasset.errors import UnsafeURLError
from wxasset.transfer.event_loop import LoopResource
from wxasset.transfer.http.compatibility import check_aiohttp
from wxasset.transfer.http.errors import FAULTS, broken_exchange
from wxasset.transfer.http.exchange import Exchange, middlewares_of
from wxasset.transfer.http.observer import ForbiddenAddressError, LinkObserver
from wxasset.transfer.http.payload import Payload
from wxasset.transfer.http.pool import CONNECTIONS, Pool, close_pool
from wxasset.transfer.http.proxies import Proxies
from wxasset.transfer.http.reply import OK, REDIRECTS, Reply, raise_for_status
from wxasset.transfer.http.request import Request
from wxasset.transfer.uploads.body import Sending
from wxasset.wire.url_policy import DownloadPolicy, check_link, check_redirect, may_connect

__all__ = ["LinkClient"]

_PARTIAL: Final = (206, 416)  # partial content, and range not satisfiable
_DONE: Final = (204, OK)  # object storage returns 204; 200 has been observed too (wire reference 3.1)


class LinkClient:
    """Request URLs given by the server, without the token and the headers of the API.

    A borrowed session is used for links too. Otherwise each policy has connections of its own. The address of a host is
    checked when it is connected; behind a proxy only the host name can be checked.
    """

    def __init__(
        self, headers: Mapping[str, str], proxies: Proxies, borrowed: Callable[[], Pool | None], near: URL | None
    ) -> None:
        """Set the means of all requests.

        Args:
            headers: Headers of all requests.
            proxies: The proxies of own sessions.
            borrowed: Returns the pool of the borrowed session, or None.
            near: The base URL if it is on loopback: links to its host and port are followed, as a simulator gives them.
        """
        # Compression does not shrink video files, and an uncompressed body cannot be a decompression bomb.
        self._headers = {**headers, hdrs.ACCEPT_ENCODING: "identity"}
        self._proxies = proxies
        self._borrowed = borrowed
        self._near = near
        self._pools = LoopResource("session", _no_pools, _close_all)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pools.aclose()

    @asynccontextmanager
    async def follow(
        self, link: str, policy: DownloadPolicy, request: Request, headers: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Reply, None]:
        """Download a URL sent by the server; the response is open inside the block.

        Args:
            link: The URL.
            policy: The allowed URLs.
            request: The request, for the path in errors and the timeouts.
            headers: Additional headers, such as a Range.

        Raises:
            UnsafeURLError: The URL, or a redirect, is not allowed.
            RequestError: The request failed.
            HTTPStatusError: The status is not 200; with a Range header, 206 and 416 are accepted too.
        """
        url, pool = check_link(link, policy, request.path, self._near), self._pool(policy, link, request.path)
        good = (OK, *_PARTIAL) if headers and hdrs.RANGE in headers else (OK,)
        async with pool.slot(request).taken():
            limit = request.limit()
            for hop in range(policy.max_redirects + 1):
                observer = LinkObserver(request, url, policy, headers, self._near)
                response = await self._respond(observer, pool, request, None, limit)
                try:
                    reply = Reply(request, response, limit - time.monotonic(), pool.deadlines)
                    if response.status in REDIRECTS and hop < policy.max_redirects:
                        url = check_redirect(url, getattr(response, "location", None), policy, request.path, self._near)
                        continue
                    if response.status not in good:
                        await raise_for_status(reply, response.status)
                    yield reply
                    return
                finally:
                    response.close()

    def post(self, link: str, policy: DownloadPolicy, request: Request) -> AbstractAsyncContextManager[Reply]:
        """Post an upload to a URL sent by the server, without redirects; the response is open inside the block.

        Raises:
            UnsafeURLError: The URL is not allowed. No byte was sent.
            ConnectError: No connection could be made, and no byte was sent.
            TransferError: The exchange failed.
            HTTPStatusError: The status is neither 200 nor 204; a redirect is not followed.
            SourceError: The media to upload could not be read.
        """
        url = check_link(link, policy, request.path, self._near)
        return Exchange(
            partial(self._pool, policy, link, request.path),
            partial(self._respond, LinkObserver(request, url, policy, near=self._near)),
            request,
            _DONE,
        )

    async def _respond(
        self, observer: LinkObserver, pool: Pool, request: Request, sending: Sending | None, limit: float
    ) -> aiohttp.ClientResponse:
        """Send a request to a checked URL, and wait for the response headers."""
        url = observer.url
        failure: BaseException
        try:
            with pool.deadlines.at(limit):
                return await pool.session.request(
                    "GET" if sending is None else "POST",
                    # Path and query hold the signature; the observer adds them below the reach of tracing.
                    url.origin(),
                    data=None if sending is None else Payload(sending),
                    headers={**self._headers, **observer.headers},
                    allow_redirects=False,
                    raise_for_status=False,
                    auto_decompress=False,
                    timeout=request.timeouts.client(request.grace),
                    proxy=None if self._borrowed() is not None else self._proxies.for_url(url),
                    middlewares=middlewares_of(pool.session, observer),
                )
        except ForbiddenAddressError:
            failure = UnsafeURLError(f"{url.raw_host} is not a public address.", request.path)
        except FAULTS as error:
            failure = broken_exchange(url.host, error, request, sending, observer)
        raise failure

    def _pool(self, policy: DownloadPolicy, link: str, path: str) -> Pool:
        """Return the pool for a policy: the borrowed one, or one that checks addresses when it resolves them."""
        borrowed = self._borrowed()
        if borrowed is not None:
            return borrowed
        proxied = self._proxies.for_url(check_link(link, policy, path, self._near)) is not None
        pools = self._pools.get()
        pool = pools.get((policy, proxied))
        if pool is None:
            check_aiohttp()
            # Behind a proxy only the name of the proxy itself is resolved here.
            resolver = aiohttp.ThreadedResolver() if proxied else _Resolver(policy, self._near)
            connector = aiohttp.TCPConnector(resolver=resolver, limit=0)
            session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
            pool = pools[policy, proxied] = Pool.of(session, CONNECTIONS)
        return pool


_Pools: TypeAlias = dict[tuple[DownloadPolicy, bool], Pool]


def _no_pools() -> _Pools:
    return {}


async def _close_all(pools: _Pools) -> None:
    while pools:
        await close_pool(pools.popitem()[1])


class _Resolver(aiohttp.ThreadedResolver):
    """Check addresses before they are connected, regardless of earlier resolutions of the name."""

    def __init__(self, policy: DownloadPolicy, near: URL | None) -> None:
        super().__init__()
        self._policy = policy
        self._near = near

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await super().resolve(host, port, family)
        if not all(may_connect(one["host"], self._policy, host, port, self._near) for one in found):
            raise ForbiddenAddressError
        return found
