"""The network, through aiohttp: the only client module that names it."""

import asyncio
import ipaddress
import math
import os
import socket
import ssl
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeAlias, cast

import aiohttp
from aiohttp import hdrs, payload
from aiohttp.abc import AbstractStreamWriter, ResolveResult
from aiohttp.connector import Connection
from attrs import define, field, frozen, validators
from multidict import CIMultiDict
from yarl import URL

from wxasset.errors import (
    ConnectError,
    HTTPStatusError,
    ReplyTooLarge,
    TransferError,
    TransferTimeout,
    TruncatedDownload,
    UnsafeURLError,
    UsageError,
    WxAssetError,
)
from wxasset.transfer.content import CHUNK
from wxasset.transfer.integrity import Integrity
from wxasset.transfer.memory import READING
from wxasset.transfer.upload import Sending, UploadBody, Writer
from wxasset.wire.codec import excerpt
from wxasset.wire.limits import KIB
from wxasset.wire.links import DownloadPolicy, check_link, check_redirect, may_connect

__all__ = ["ClientSession", "Reply", "Request", "Timeouts", "Transport"]

ClientSession: TypeAlias = aiohttp.ClientSession

_OK: Final = 200
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PACKED: Final = 1024 * KIB  # bytes that any packed reply may unpack to
_DENSITY: Final = 32  # times its size that a larger one may: articles of HTML are packed to a tenth
_PEEK: Final = 2048  # bytes read of the body of a reply that is not 200, for its excerpt
_EVER: Final = 1e9  # seconds; more than uvloop can count is 2**64 milliseconds
_KEPT: Final = "_wxasset_kept"
_API_HOST: Final = "api.weixin.qq.com"
_NEAR: Final = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))


@frozen(kw_only=True)
class Timeouts:
    """How long to wait, in seconds.

    One attempt takes at most `total`, and a second more for each `min_rate` bytes that it sends or receives: so that a
    peer which gives a byte now and then cannot hold it for ever, and a slow line that moves is not cut.

    Attributes:
        connect: For a connection: DNS, TCP and TLS.
        pool: For a free connection, its making included, or None to wait as long as the call may take.
        stall: While no byte moves, in either direction. The answer to an upload may take as much longer as its last
            piece, of 256 KiB, takes at `min_rate`: that may be on its way still when all of it was handed over.
        total: For one attempt, apart from what its bytes take. Time that whoever receives a file takes for himself does
            not count.
        min_rate: Bytes in a second at the least.
    """

    connect: float = field(default=10.0, validator=validators.gt(0))
    pool: float | None = field(default=None, validator=validators.optional(validators.gt(0)))
    stall: float = field(default=30.0, validator=validators.gt(0))
    total: float = field(default=60.0, validator=validators.gt(0))
    min_rate: int = field(default=8 * KIB, validator=validators.gt(0))
    _client: aiohttp.ClientTimeout = field(init=False, eq=False, repr=False)

    @_client.default
    def _make_client(self) -> aiohttp.ClientTimeout:
        return aiohttp.ClientTimeout(total=None, connect=self.pool, sock_connect=self.connect, sock_read=self.stall)

    def client(self, grace: float) -> aiohttp.ClientTimeout:
        """Return the same in aiohttp's words, made once but for uploads.

        Args:
            grace: Seconds by which an answer may be longer in coming than `stall`.
        """
        if not grace:
            return self._client
        return aiohttp.ClientTimeout(
            total=None, connect=self.pool, sock_connect=self.connect, sock_read=self.stall + grace
        )


@define(kw_only=True, eq=False)
class Request:
    """What is sent in one attempt. What may hold a secret is kept out of `repr`.

    Attributes:
        method: GET or POST.
        path: The API's path.
        query: The query, the access token included.
        body: JSON, an upload, or None.
        timeouts: How long to wait.
        deadline: When the whole call has to be over, apart from the bytes that it receives, by `time.monotonic`.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(factory=dict, repr=False)
    body: "bytes | UploadBody | None" = field(default=None, repr=False)
    timeouts: Timeouts = Timeouts()
    deadline: float = math.inf

    def limit(self) -> float:
        """Return when the attempt that begins now has to be over, apart from the bytes that it receives."""
        size = self.body.size if isinstance(self.body, UploadBody) else 0
        return min(self.deadline, time.monotonic() + self.timeouts.total + size / self.timeouts.min_rate)

    @property
    def grace(self) -> float:
        """The seconds for which an answer may fail to come because the last piece is on its way still."""
        size = self.body.size if isinstance(self.body, UploadBody) else 0
        return min(size, CHUNK) / self.timeouts.min_rate


class _Payload(payload.Payload):
    """A body of known length, as aiohttp wants it; a new one for each attempt."""

    def __init__(self, sending: Sending) -> None:
        super().__init__(None, content_type=sending.body.frame.content_type)
        self._sending = sending
        self._size = sending.body.size

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        del encoding, errors
        raise TypeError("an upload is not decoded")

    async def write(self, writer: AbstractStreamWriter) -> None:
        await self._sending.write(cast("Writer", writer))  # the client writes to no other

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        del content_length  # it is this payload's own size
        await self.write(writer)


class Reply:
    """An answer whose body is still to be read."""

    def __init__(self, path: str, response: aiohttp.ClientResponse, patience: float, min_rate: int) -> None:
        """Stand for the answer of the API with this path, of which this many seconds are waited for its first bytes."""
        self.path = path
        self._response = response
        self._received = 0
        self._patience = patience
        self._min_rate = min_rate

    @property
    def disposition(self) -> str:
        """The Content-Disposition, empty where there is none."""
        return self._response.headers.get(hdrs.CONTENT_DISPOSITION, "")

    @property
    def content_type(self) -> str | None:
        """The media type that the server claims, or None."""
        return self._response.headers.get(hdrs.CONTENT_TYPE)

    @property
    def date(self) -> float | None:
        """When the server sent it, by its own clock, in unix seconds; None where it does not say."""
        return _unix_time(self._response.headers.get(hdrs.DATE))

    @property
    def retry_after(self) -> float | None:
        """Seconds after which the server wants to be asked again; None where it does not say."""
        text = self._response.headers.get(hdrs.RETRY_AFTER, "").strip()
        if text.isascii() and text.isdigit():
            return float(text[:9])
        then = _unix_time(text)
        return None if then is None else max(0.0, then - (self.date or time.time()))

    @property
    def length(self) -> int | None:
        """The announced number of bytes of the body, or None."""
        return None if hdrs.CONTENT_ENCODING in self._response.headers else self._response.content_length

    @property
    def integrity(self) -> Integrity | None:
        """What the end of the body, which is checked, shows; None where nothing but a closed connection ends it."""
        if self.length is not None:
            return Integrity.LENGTH
        headers = self._response.headers
        chunked = "chunked" in headers.get(hdrs.TRANSFER_ENCODING, "").lower()
        return Integrity.FRAMED if chunked or hdrs.CONTENT_LENGTH in headers else None

    async def next_chunk(self) -> bytes:
        """Give the next bytes of the body, none at its end.

        Raises:
            TruncatedDownload: It ended before its announced length, or the connection broke.
            TransferTimeout: Nothing came for `Timeouts.stall` seconds, or too little in all the time.
        """
        failure: WxAssetError
        try:
            content = self._response.content
            chunk = content.read_nowait()
            if not chunk and not content.at_eof():
                chunk = await self._wait()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure = self._broken(error)
        else:
            self._received += len(chunk)
            return chunk
        # Raised outside of the handler: aiohttp's own error holds the URL, and with it the token.
        raise failure

    async def _wait(self) -> bytes:
        """Wait for bytes: only that takes of the patience, and not what is done with them."""
        content, begun = self._response.content, time.monotonic()
        # A timer, since what frames or packs a body can trickle in for ever without a byte of it.
        async with _at_most(self._patience + self._moved / self._min_rate):
            chunk = await content.readany()
        self._patience -= time.monotonic() - begun
        return chunk

    @property
    def _moved(self) -> int:
        """How many bytes came over the line: a packed body does not earn time by what it unpacks to."""
        packed: int | None = self._response.content.total_compressed_bytes
        return self._received if packed is None else packed

    def _broken(self, error: Exception) -> WxAssetError:
        received = self._received
        if isinstance(error, aiohttp.ServerTimeoutError):
            return TransferTimeout(f"{self.path} stopped answering after {received} bytes.", self.path)
        if isinstance(error, TimeoutError):
            return TransferTimeout(f"{self.path} answers too slowly: {received} bytes so far.", self.path)
        length = f" of {self.length}" if self.length is not None else ""
        return TruncatedDownload(
            f"The answer of {self.path} broke off after {received}{length} bytes ({_reason(error)}).",
            self.path,
            received=received,
            expected=self.length,
        )

    def most(self, limit: int) -> int:
        """Return how many bytes of JSON to take where `limit` are allowed: what was packed may not be much more."""
        if hdrs.CONTENT_ENCODING not in self._response.headers:
            return limit
        return min(limit, max(_PACKED, _DENSITY * (self._response.content_length or 0)))

    async def read(self, limit: int) -> bytes:
        """Read the whole body of a JSON reply.

        Raises:
            ReplyTooLarge: It has more than `limit` bytes.
            TransferError: It broke off.
        """
        parts, size, limit = [], 0, self.most(limit)
        try:
            while chunk := await self.next_chunk():
                parts.append(chunk)
                size += len(chunk)
                if size > limit:
                    raise ReplyTooLarge(f"{self.path} answered with more than {limit} bytes.", self.path, limit=limit)
                if self._response.content.at_eof():
                    break  # all of a small reply comes at once: one wait less
        except TruncatedDownload as error:
            raise TransferError(error.message, self.path) from None
        return b"".join(parts)


class Transport:
    """Sends requests to one API host, over connections that are kept."""

    def __init__(self, base_url: str, http: ClientSession | None, user_agent: str, *, bare: bool = False) -> None:
        """Prepare; nothing is opened before the first request.

        Args:
            base_url: The API host.
            http: A session to borrow, or None for one of our own.
            user_agent: What to call ourselves.
            bare: Whether calls carry no token, as inside cloud hosting: WeChat's host may then be spoken to over http.
        """
        self._base = _checked(base_url, bare=bare)
        self._borrowed = http
        self._own: ClientSession | None = None
        self._closed = False
        self._headers = CIMultiDict({hdrs.USER_AGENT: user_agent})
        self._json_headers = CIMultiDict({**self._headers, hdrs.CONTENT_TYPE: "application/json"})
        self._urls: dict[str, URL] = {}
        self._links: dict[DownloadPolicy, ClientSession] = {}

    async def aclose(self) -> None:
        """Close what was opened here; a borrowed session stays as it is."""
        self._closed = True
        if self._own is not None:
            await self._own.close()
            self._own = None
        while self._links:
            await self._links.popitem()[1].close()

    def _session(self) -> ClientSession:
        if self._closed or (self._borrowed is not None and self._borrowed.closed):
            raise UsageError("The session is closed: use it inside its `async with`.")
        if self._borrowed is not None:
            return self._borrowed
        if self._own is None:
            self._own = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
            # aiohttp would repeat a GET by itself, beyond the attempts that the policy allows.
            self._own._retry_connection = False  # noqa: SLF001 - there is no public switch; a test holds it
        return self._own

    def send(self, request: Request) -> AbstractAsyncContextManager[Reply]:
        """Send a request; the reply is open inside the block.

        Raises:
            ConnectError: Nothing was sent.
            TransferError: The exchange broke; it says whether WeChat may have had the whole request.
            HTTPStatusError: The status is not 200.
            SourceError: The thing to upload failed.
        """
        return _Exchange(self, request)

    async def respond(self, request: Request, sending: Sending | None, limit: float) -> aiohttp.ClientResponse:
        """Send a request and wait for the head of its answer; `send` makes a reply of it."""
        session = self._session()
        failure: BaseException
        sent = _Sent(request.query)
        try:
            async with _at_most(limit - time.monotonic()):
                return await session.request(
                    request.method,
                    self._url(request.path),
                    data=request.body if sending is None else _Payload(sending),
                    headers=self._json_headers if isinstance(request.body, bytes) else self._headers,
                    allow_redirects=False,
                    raise_for_status=False,
                    timeout=request.timeouts.client(request.grace),
                    # The query holds the secrets. Put on here it stays out of aiohttp's errors, traces and `url`.
                    middlewares=(*getattr(session, "_middlewares", ()), sent),
                )
        except (aiohttp.ClientError, TimeoutError, OSError, ssl.SSLError) as error:
            if sent.waiting and isinstance(error, TimeoutError) and not isinstance(error, aiohttp.ClientError):
                where = f"{self._base.host} for {request.path}"
                failure = ConnectError(f"No connection to {where} in the time that the call may take.", request.path)
            else:
                failure = self._translate(error, request, sending, stale=sent.on_kept_connection and _is_break(error))
        raise failure

    @asynccontextmanager
    async def follow(self, link: str, policy: DownloadPolicy, request: Request) -> AsyncGenerator[Reply, None]:
        """Get what is behind a URL that the server gave; the reply is open inside the block.

        It is asked for over connections of their own, without cookies, token or anything else of the API's.

        Args:
            link: The URL.
            policy: Where it may lead.
            request: What to call it in errors, and how long to wait.

        Raises:
            UnsafeURLError: It, or a redirect, leads where it must not.
            RequestError: It could not be had.
            HTTPStatusError: The status is not 200.
        """
        url, limit = check_link(link, policy, request.path), request.limit()
        for hop in range(policy.max_redirects + 1):
            response = await self._get(url, policy, request, limit)
            try:
                reply = Reply(request.path, response, limit - time.monotonic(), request.timeouts.min_rate)
                if response.status in _REDIRECTS and hop < policy.max_redirects:
                    url = check_redirect(url, response.headers.get(hdrs.LOCATION), policy, request.path)
                    continue
                if response.status != _OK:
                    await _raise_for_status(reply, response.status)
                yield reply
                return
            finally:
                response.close()

    async def _get(self, url: URL, policy: DownloadPolicy, request: Request, limit: float) -> aiohttp.ClientResponse:
        session = self._link_session(policy)
        failure: BaseException
        try:
            async with _at_most(limit - time.monotonic()):
                return await session.get(
                    url, allow_redirects=False, raise_for_status=False, timeout=request.timeouts.client(0.0)
                )
        except _Refused as refusal:
            failure = UnsafeURLError(f"{url.host} {refusal}.", request.path)
        except (aiohttp.ClientError, TimeoutError, OSError, ssl.SSLError) as error:
            failure = _broken_link(error, url, request)
        raise failure

    def _link_session(self, policy: DownloadPolicy) -> ClientSession:
        if self._closed:
            raise UsageError("The session is closed: use it inside its `async with`.")
        session = self._links.get(policy)
        if session is None:
            session = self._links[policy] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=_Resolver(policy)),
                cookie_jar=aiohttp.DummyCookieJar(),
                # A film is not made smaller by it, and what is not packed cannot unpack to more than was sent.
                headers={**self._headers, hdrs.ACCEPT_ENCODING: "identity"},
            )
            session._retry_connection = False  # noqa: SLF001 - as above
        return session

    def _url(self, path: str) -> URL:
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = self._base.joinpath(path.lstrip("/"), encoded=True)
        return url

    def _translate(self, error: Exception, request: Request, sending: Sending | None, *, stale: bool) -> BaseException:
        """Say what happened in our own words, which hold no URL."""
        path, stall = request.path, request.timeouts.stall
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            return ConnectError(f"No connection to {self._base.host} for {path}: {_reason(error)}.", path)
        if sending is not None and sending.stalled:
            return TransferTimeout(
                f"{self._base.host} took no byte of the upload to {path} for {stall:g} seconds.",
                path,
                outcome_unknown=sending.whole,
            )
        if sending is not None and sending.failure is not None:
            return sending.failure
        unknown = sending is None or sending.whole
        if isinstance(error, aiohttp.ServerTimeoutError):
            return TransferTimeout(f"{path} did not answer for {stall + request.grace:g} seconds.", path, unknown)
        if isinstance(error, TimeoutError):
            return TransferTimeout(f"{path} did not answer in the time that the call may take.", path, unknown)
        return TransferError(f"The connection to {path} broke: {_reason(error)}.", path, unknown, stale)


class _Exchange(AbstractAsyncContextManager[Reply]):
    """One request and its answer. Written out: as a generator it would cost each call 3 us more."""

    def __init__(self, transport: Transport, request: Request) -> None:
        self._transport = transport
        self._request = request
        body = request.body
        self._sending = Sending(body, request.timeouts.stall) if isinstance(body, UploadBody) else None
        self._response: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> Reply:
        try:
            limit = self._request.limit()
            with nullcontext() if self._sending is None else READING.take():
                response = self._response = await self._transport.respond(self._request, self._sending, limit)
            reply = Reply(self._request.path, response, limit - time.monotonic(), self._request.timeouts.min_rate)
            if response.status != _OK:
                await _raise_for_status(reply, response.status)
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


def _at_most(seconds: float) -> asyncio.Timeout:
    """Return a timer; none that an event loop could not count, where `Timeouts` are infinite."""
    return asyncio.timeout(seconds if seconds < _EVER else None)


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


class _Sent:
    """A middleware that puts the query on, and sees which connection a request goes out on.

    Attributes:
        waiting: Whether it has no connection yet.
        on_kept_connection: Whether the connection has served before, as far as was seen here.
    """

    def __init__(self, query: Mapping[str, str]) -> None:
        self._query = query
        self.waiting = True
        self.on_kept_connection = False

    async def __call__(self, request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        request.url = request.url.with_query(self._query)
        send = request.send

        async def watched(conn: Connection) -> aiohttp.ClientResponse:
            # A request that held this would be garbage in a circle: collecting that cost a fifth of a small call.
            del request.send
            self.waiting = False
            self.on_kept_connection = getattr(conn.protocol, _KEPT, False)
            setattr(conn.protocol, _KEPT, True)
            return await send(conn)

        # A connector of our own would see as much, but not for a borrowed session.
        request.send = watched  # type: ignore[method-assign]
        response: aiohttp.ClientResponse = await handler(request)
        return response


class _Refused(Exception):
    """A name leads to an address that must not be connected to."""


class _Resolver(aiohttp.ThreadedResolver):
    """Gives no address that may not be connected to: what a name led to when it was judged does not matter."""

    def __init__(self, policy: DownloadPolicy) -> None:
        super().__init__()
        self._policy = policy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await super().resolve(host, port, family)
        if not all(may_connect(one["host"], self._policy) for one in found):
            raise _Refused("is not a public address")
        return found


def _broken_link(error: Exception, url: URL, request: Request) -> WxAssetError:
    """Say in our own words why nothing came: a link is signed, so that it must not be shown."""
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return ConnectError(f"No connection to {url.host} for {request.path}: {_reason(error)}.", request.path)
    if isinstance(error, TimeoutError):
        return TransferTimeout(f"{url.host} did not answer in time for {request.path}.", request.path)
    return TransferError(f"The connection to {url.host} for {request.path} broke: {_reason(error)}.", request.path)


def _is_break(error: Exception) -> bool:
    """Tell whether a connection broke before a byte of the answer, as one does that the server let go of."""
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return isinstance(error.message, str)  # else it is what came of a head
    return isinstance(error, aiohttp.ClientOSError)


def _unix_time(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text or "").timestamp()
    except (ValueError, OverflowError):
        return None


def _reason(error: BaseException) -> str:
    """Name a fault of the network by its kind: the texts of aiohttp's errors can hold the URL."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
    if isinstance(cause, ssl.SSLError):
        # Its number is OpenSSL's own.
        detail = getattr(cause, "verify_message", "")
        return f"TLS failed: {(cause.reason or 'no reason given').replace('_', ' ').lower()}{detail and f' ({detail})'}"
    if isinstance(cause, OSError) and cause.strerror and cause.errno:
        # asyncio puts addresses where the reason should be; the numbers of name resolution are below 0.
        return (os.strerror(cause.errno) if cause.errno > 0 else cause.strerror).lower()
    return {
        "ServerDisconnectedError": "the server closed it",
        "ClientConnectionResetError": "it was reset",
        "ClientPayloadError": "the body is not complete",
        "ConnectionTimeoutError": "timed out",
    }.get(type(error).__name__, type(error).__name__)


async def _raise_for_status(reply: Reply, status: int) -> None:
    start = b""
    with suppress(WxAssetError):  # the status says enough
        while len(start) < _PEEK and (chunk := await reply.next_chunk()):
            start += chunk
    said = f"{reply.path} answered with HTTP status {status}"
    message = f"{said}, a redirect, which is not followed." if status in _REDIRECTS else f"{said}."
    raise HTTPStatusError(message, reply.path, status=status, excerpt=excerpt(start), retry_after=reply.retry_after)
