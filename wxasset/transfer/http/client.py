"""Requests to the API's host, over connections that are kept."""

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
from wxasset.transfer.buffers import READING
from wxasset.transfer.http.errors import FAULTS, broken_exchange, is_break
from wxasset.transfer.http.payload import Payload, Sent
from wxasset.transfer.http.redirects import Links, disable_retries
from wxasset.transfer.http.reply import OK, Reply, at_most, raise_for_status
from wxasset.transfer.http.request import Request
from wxasset.transfer.uploads.body import Sending, UploadBody
from wxasset.wire.url_policy import DownloadPolicy, check_link

__all__ = ["ClientSession", "Transport"]

ClientSession: TypeAlias = aiohttp.ClientSession

_Respond: TypeAlias = Callable[[Request, Sending | None, float], Awaitable[aiohttp.ClientResponse]]
_DONE: Final = (204, OK)  # object storage says 204; some have seen 200 (wire reference 3.1)
_API_HOST: Final = "api.weixin.qq.com"
_NEAR: Final = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))


class Transport:
    """Sends requests to one API host, over connections that are kept.

    Attributes:
        origin: Scheme, host and port, and the path of `base_url`.
    """

    def __init__(self, base_url: str, http: ClientSession | None, user_agent: str, *, bare: bool = False) -> None:
        """Prepare; nothing is opened before the first request.

        Args:
            base_url: The API host.
            http: A session to borrow, or None for one of our own.
            user_agent: What to call ourselves.
            bare: Whether calls carry no token, as inside cloud hosting: WeChat's host may then be spoken to over http.
        """
        self._base = _checked(base_url, bare=bare)
        self.origin: str = str(self._base).rstrip("/")
        self._borrowed = http
        self._own: ClientSession | None = None
        self._closed = False
        self._headers = CIMultiDict({hdrs.USER_AGENT: user_agent})
        self._json_headers = CIMultiDict({**self._headers, hdrs.CONTENT_TYPE: "application/json"})
        self._urls: dict[str, URL] = {}
        self._links = Links(self._headers)

    @property
    def api(self) -> str:
        """The API's host, with a port and a prefix where there is one."""
        return f"{self._base.authority}{self._base.path}".rstrip("/")

    async def aclose(self) -> None:
        """Close what was opened here; a borrowed session stays as it is."""
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
        """Send a request; the reply is open inside the block.

        Raises:
            ConnectError: Nothing was sent.
            TransferError: The exchange broke; it says whether WeChat may have had the whole request.
            HTTPStatusError: The status is not 200.
            SourceError: The thing to upload failed.
        """
        return _Exchange(self.respond, request)

    async def respond(self, request: Request, sending: Sending | None, limit: float) -> aiohttp.ClientResponse:
        """Send a request and wait for the head of its answer; `send` makes a reply of it."""
        session = self._session()
        failure: BaseException
        sent = Sent(request)
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
                    # The query holds the secrets. Put on here it stays out of aiohttp's errors, traces and `url`.
                    middlewares=(*getattr(session, "_middlewares", ()), sent),
                )
        except FAULTS as error:
            if sent.waiting and isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError):
                where = f"{self._base.host} for {request.path}"
                failure = ConnectError(f"No connection to {where} in the time that the call may take.", request.path)
            else:
                failure = broken_exchange(
                    self._base.host, error, request, sending, stale=sent.on_kept_connection and is_break(error)
                )
        raise failure

    def follow(
        self, link: str, policy: DownloadPolicy, request: Request, headers: Mapping[str, str] | None = None
    ) -> AbstractAsyncContextManager[Reply]:
        """Get what is behind a URL that the server gave; see `Links.follow`."""
        return self._links.follow(link, policy, request, headers)

    def post(self, link: str, policy: DownloadPolicy, request: Request) -> AbstractAsyncContextManager[Reply]:
        """Send an upload to a URL that the server gave, and to no other; the reply is open inside the block.

        It goes over the connections of `follow`, without cookies, token or anything else of the API's.

        Raises:
            UnsafeURLError: The URL leads where it must not. Nothing was sent.
            ConnectError: Nothing was sent.
            TransferError: The exchange broke.
            HTTPStatusError: The status is neither 200 nor 204; a redirect is not followed.
            SourceError: The thing to upload failed.
        """
        url = check_link(link, policy, request.path)
        return _Exchange(partial(self._links.respond, url, policy), request, _DONE)

    def _url(self, path: str) -> URL:
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = self._base.joinpath(path.lstrip("/"), encoded=True)
        return url


class _Exchange(AbstractAsyncContextManager[Reply]):
    """One request and its answer. Written out: as a generator it would cost each call 3 us more."""

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
            with nullcontext() if self._sending is None else READING.take():
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
            # Closes the connection if the body was not read to its end; a read one went back to the pool.
            self._response.close()
        if self._sending is not None:
            await self._sending.ended()
            self._request.sent = self._sending.sent


def _checked(base_url: str, *, bare: bool) -> URL:
    try:
        url = URL(base_url)
    except ValueError:
        raise UsageError("base_url= is no URL.") from None
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment or url.user:
        raise UsageError("base_url= is not of the form https://host[:port][/prefix].")
    if url.scheme == "http" and not _is_near(url.host) and not (bare and url.host == _API_HOST):
        raise UsageError(f"base_url= would send the secret to {url.host} in the clear: use https.")
    return url


def _is_near(host: str) -> bool:
    """Tell whether a host is this machine or one beside it, such as a simulator in another container."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(".localhost")
    return address.is_loopback or any(address in network for network in _NEAR if network.version == address.version)
