"""Requests to the API host over persistent connections."""

import ipaddress
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import Final, TypeAlias

import aiohttp
from aiohttp import hdrs
from multidict import CIMultiDict
from yarl import URL

from wxasset.errors import ConnectError, UsageError
from wxasset.transfer.buffers import UPLOAD_BUFFERS
from wxasset.transfer.http.errors import FAULTS, broken_exchange, is_break
from wxasset.transfer.http.payload import Payload, RequestObserver
from wxasset.transfer.http.redirects import LinkClient, disable_retries
from wxasset.transfer.http.reply import OK, Reply, at_most, raise_for_status
from wxasset.transfer.http.request import Request
from wxasset.transfer.uploads.body import Sending, UploadBody
from wxasset.wire.url_policy import DownloadPolicy, check_link

__all__ = ["ClientSession", "Transport"]

ClientSession: TypeAlias = aiohttp.ClientSession

_Respond: TypeAlias = Callable[[Request, Sending | None, float], Awaitable[aiohttp.ClientResponse]]
_DONE: Final = (204, OK)  # object storage returns 204; 200 has been observed too (wire reference 3.1)
_API_HOST: Final = "api.weixin.qq.com"
_NEAR: Final = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))


class Transport:
    """Send requests to one API host over persistent connections.

    Attributes:
        origin: Scheme, host, port and path of `base_url`.
    """

    def __init__(self, base_url: str, http: ClientSession | None, user_agent: str, *, bare: bool = False) -> None:
        """Prepare a transport; no connection is opened before the first request.

        Args:
            base_url: URL of the API host.
            http: A session to borrow, or None to create one.
            user_agent: Value of the User-Agent header.
            bare: Whether calls carry no token, as inside cloud hosting; plain http to WeChat's host is then allowed.
        """
        self._base = _checked(base_url, bare=bare)
        self.origin: str = str(self._base).rstrip("/")
        self._borrowed = http
        self._own: ClientSession | None = None
        self._closed = False
        self._headers = CIMultiDict({hdrs.USER_AGENT: user_agent})
        self._json_headers = CIMultiDict({**self._headers, hdrs.CONTENT_TYPE: "application/json"})
        self._urls: dict[str, URL] = {}
        self._links = LinkClient(self._headers)

    @property
    def api(self) -> str:
        """Host of the API, with port and path prefix if present."""
        return f"{self._base.authority}{self._base.path}".rstrip("/")

    async def aclose(self) -> None:
        """Close the connections; a borrowed session stays open."""
        self._closed = True
        if self._own is not None:
            await self._own.close()
            self._own = None
        await self._links.aclose()

    def _session(self) -> ClientSession:
        if self._closed or (self._borrowed is not None and self._borrowed.closed):
            raise UsageError("The session is closed: use it inside its `async with`.")
        if self._borrowed is not None:
            return self._borrowed
        if self._own is None:
            self._own = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
            disable_retries(self._own)
        return self._own

    def send(self, request: Request) -> AbstractAsyncContextManager[Reply]:
        """Send a request; the response is open inside the block.

        Raises:
            ConnectError: No connection could be made, and no byte was sent.
            TransferError: The exchange failed; the error tells if WeChat may have received the whole request.
            HTTPStatusError: The status is not 200.
            SourceError: The media to upload could not be read.
        """
        return _Exchange(self.respond, request)

    async def respond(self, request: Request, sending: Sending | None, limit: float) -> aiohttp.ClientResponse:
        """Send a request and wait for the response headers; `send` wraps the result in a `Reply`."""
        session = self._session()
        failure: BaseException
        observer = RequestObserver(request)
        try:
            async with at_most(limit - time.monotonic()):
                return await session.request(
                    request.method,
                    self._url(request.path),
                    data=request.body if sending is None else Payload(sending),
                    headers=self._json_headers if isinstance(request.body, bytes) else self._headers,
                    allow_redirects=False,
                    raise_for_status=False,
                    timeout=request.timeouts.client(request.grace),
                    # The query holds the secrets. Added here, it stays out of aiohttp's errors, traces and `url`.
                    middlewares=(*getattr(session, "_middlewares", ()), observer),
                )
        except FAULTS as error:
            if observer.waiting and isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError):
                where = f"{self._base.host} for {request.path}"
                failure = ConnectError(f"No connection to {where} within the time limit of the call.", request.path)
            else:
                failure = broken_exchange(
                    self._base.host, error, request, sending, stale=observer.on_kept_connection and is_break(error)
                )
        raise failure

    def follow(
        self, link: str, policy: DownloadPolicy, request: Request, headers: Mapping[str, str] | None = None
    ) -> AbstractAsyncContextManager[Reply]:
        """Download a URL sent by the server; see `LinkClient.follow`."""
        return self._links.follow(link, policy, request, headers)

    def post(self, link: str, policy: DownloadPolicy, request: Request) -> AbstractAsyncContextManager[Reply]:
        """Post an upload to a URL sent by the server, without redirects; the response is open inside the block.

        The connections of `follow` are used, without the cookies, token and headers of the API.

        Raises:
            UnsafeURLError: The URL is not allowed. No byte was sent.
            ConnectError: No connection could be made, and no byte was sent.
            TransferError: The exchange failed.
            HTTPStatusError: The status is neither 200 nor 204; a redirect is not followed.
            SourceError: The media to upload could not be read.
        """
        url = check_link(link, policy, request.path)
        return _Exchange(partial(self._links.respond, url, policy), request, _DONE)

    def _url(self, path: str) -> URL:
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = self._base.joinpath(path.lstrip("/"), encoded=True)
        return url


class _Exchange(AbstractAsyncContextManager[Reply]):
    """One request and its response. A generator would be shorter, but cost 3 us more per call."""

    def __init__(self, respond: _Respond, request: Request, good: tuple[int, ...] = (OK,)) -> None:
        self._respond = respond
        self._request = request
        self._good = good
        body = request.body
        self._sending = Sending(body, request.timeouts.stall) if isinstance(body, UploadBody) else None
        self._response: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> Reply:
        try:
            limit = self._request.limit()
            with nullcontext() if self._sending is None else UPLOAD_BUFFERS.lease():
                response = self._response = await self._respond(self._request, self._sending, limit)
            reply = Reply(self._request, response, limit - time.monotonic())
            if response.status not in self._good:
                await raise_for_status(reply, response.status)
        except BaseException:
            await self.__aexit__()
            raise
        return reply

    async def __aexit__(self, *_: object) -> None:
        if self._response is not None:
            # Closes the connection if the body was not read to its end; else it is back in the pool already.
            self._response.close()
        if self._sending is not None:
            await self._sending.ended()
            self._request.sent = self._sending.sent


def _checked(base_url: str, *, bare: bool) -> URL:
    try:
        url = URL(base_url)
    except (ValueError, TypeError):
        raise UsageError("base_url= is no URL.") from None
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment or url.user:
        raise UsageError("base_url= is not of the form https://host[:port][/prefix].")
    if url.scheme == "http" and not _is_near(url.host) and not (bare and url.host == _API_HOST):
        raise UsageError(f"base_url= would send the secret to {url.host} in the clear: use https.")
    return url


def _is_near(host: str) -> bool:
    """Return whether a host is local or in a private network, such as a simulator in another container."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(".localhost")
    return address.is_loopback or any(address in network for network in _NEAR if network.version == address.version)
