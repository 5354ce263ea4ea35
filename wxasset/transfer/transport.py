"""The network, through aiohttp: the only client module that names it."""

import ipaddress
import os
import ssl
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeAlias, cast

import aiohttp
from aiohttp import hdrs, payload
from aiohttp.abc import AbstractStreamWriter
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
    UsageError,
    WxAssetError,
)
from wxasset.transfer.integrity import Integrity
from wxasset.transfer.memory import READING
from wxasset.transfer.upload import Sending, UploadBody, Writer
from wxasset.wire.codec import excerpt

__all__ = ["ClientSession", "Reply", "Request", "Timeouts", "Transport"]

ClientSession: TypeAlias = aiohttp.ClientSession

_OK: Final = 200
_PEEK: Final = 2048  # bytes read of the body of a reply that is not 200, for its excerpt
_API_HOST: Final = "api.weixin.qq.com"
_NEAR: Final = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))


@frozen(kw_only=True)
class Timeouts:
    """How long to wait, in seconds.

    Attributes:
        connect: For a connection: DNS, TCP and TLS.
        pool: For a free connection, its making included, or None to wait as long as it takes.
        stall: While no byte moves, in either direction.
    """

    connect: float = field(default=10.0, validator=validators.gt(0))
    pool: float | None = field(default=None, validator=validators.optional(validators.gt(0)))
    stall: float = field(default=30.0, validator=validators.gt(0))


@define(kw_only=True, eq=False)
class Request:
    """What is sent in one attempt. What may hold a secret is kept out of `repr`."""

    method: str
    path: str
    query: Mapping[str, str] = field(factory=dict, repr=False)
    body: "bytes | UploadBody | None" = field(default=None, repr=False)


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

    def __init__(self, path: str, response: aiohttp.ClientResponse) -> None:
        """Stand for the answer of the API with this path."""
        self.path = path
        self._response = response
        self._received = 0

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
        try:
            return parsedate_to_datetime(self._response.headers[hdrs.DATE]).timestamp()
        except (KeyError, ValueError, OverflowError):
            return None

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
            TransferTimeout: Nothing came for `Timeouts.stall` seconds.
        """
        failure: WxAssetError
        try:
            chunk = await self._response.content.readany()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            failure = self._broken(error)
        else:
            self._received += len(chunk)
            return chunk
        # Raised outside of the handler: aiohttp's own error holds the URL, and with it the token.
        raise failure

    def _broken(self, error: Exception) -> WxAssetError:
        received = self._received
        if isinstance(error, TimeoutError):
            return TransferTimeout(f"{self.path} stopped answering after {received} bytes.", self.path)
        length = f" of {self.length}" if self.length is not None else ""
        return TruncatedDownload(
            f"The answer of {self.path} broke off after {received}{length} bytes ({_reason(error)}).",
            self.path,
            received=received,
            expected=self.length,
        )

    async def read(self, limit: int) -> bytes:
        """Read the whole body of a JSON reply.

        Raises:
            ReplyTooLarge: It has more than `limit` bytes.
            TransferError: It broke off.
        """
        parts, size = [], 0
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

    def __init__(
        self, base_url: str, timeouts: Timeouts, http: ClientSession | None, user_agent: str, *, bare: bool = False
    ) -> None:
        """Prepare; nothing is opened before the first request.

        Args:
            base_url: The API host.
            timeouts: How long to wait.
            http: A session to borrow, or None for one of our own.
            user_agent: What to call ourselves.
            bare: Whether calls carry no token, as inside cloud hosting: WeChat's host may then be spoken to over http.
        """
        self._base = _checked(base_url, bare=bare)
        self._timeouts = timeouts
        self._borrowed = http
        self._own: ClientSession | None = None
        self._closed = False
        self._headers = CIMultiDict({hdrs.USER_AGENT: user_agent})
        self._json_headers = CIMultiDict({**self._headers, hdrs.CONTENT_TYPE: "application/json"})
        self._urls: dict[str, URL] = {}
        self._timeout = aiohttp.ClientTimeout(
            total=None,  # a large file on a slow line takes its time; what counts is that bytes move
            connect=timeouts.pool,
            sock_connect=timeouts.connect,
            sock_read=timeouts.stall,
        )

    async def aclose(self) -> None:
        """Close what was opened here; a borrowed session stays as it is."""
        self._closed = True
        if self._own is not None:
            await self._own.close()
            self._own = None

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
        return _Exchange(self, request, self._timeouts.stall)

    async def respond(self, request: Request, sending: Sending | None) -> aiohttp.ClientResponse:
        """Send a request and wait for the head of its answer; `send` makes a reply of it."""
        session = self._session()
        failure: BaseException
        try:
            return await session.request(
                request.method,
                self._url(request.path),
                data=request.body if sending is None else _Payload(sending),
                headers=self._json_headers if isinstance(request.body, bytes) else self._headers,
                allow_redirects=False,
                raise_for_status=False,
                timeout=self._timeout,
                # The query holds the secrets. Put on here it stays out of aiohttp's errors, traces and `url`.
                middlewares=(*getattr(session, "_middlewares", ()), _with_query(request.query)),
            )
        except (aiohttp.ClientError, TimeoutError, OSError, ssl.SSLError) as error:
            failure = self._translate(error, request, sending)
        raise failure

    def _url(self, path: str) -> URL:
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = self._base.joinpath(path.lstrip("/"), encoded=True)
        return url

    def _translate(self, error: Exception, request: Request, sending: Sending | None) -> BaseException:
        """Say what happened in our own words, which hold no URL."""
        path = request.path
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            return ConnectError(f"No connection to {self._base.host} for {path}: {_reason(error)}.", path)
        if sending is not None and sending.stalled:
            return TransferTimeout(
                f"{self._base.host} took no byte of the upload to {path} for {self._timeouts.stall:g} seconds.",
                path,
                outcome_unknown=sending.whole,
            )
        if sending is not None and sending.failure is not None:
            return sending.failure
        unknown = sending is None or sending.whole
        if isinstance(error, TimeoutError):
            return TransferTimeout(f"{path} did not answer for {self._timeouts.stall:g} seconds.", path, unknown)
        return TransferError(f"The connection to {path} broke: {_reason(error)}.", path, unknown)


class _Exchange(AbstractAsyncContextManager[Reply]):
    """One request and its answer. Written out: as a generator it would cost each call 3 us more."""

    def __init__(self, transport: Transport, request: Request, stall: float) -> None:
        self._transport = transport
        self._request = request
        self._sending = Sending(request.body, stall) if isinstance(request.body, UploadBody) else None
        self._response: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> Reply:
        try:
            with nullcontext() if self._sending is None else READING.take():
                response = self._response = await self._transport.respond(self._request, self._sending)
            reply = Reply(self._request.path, response)
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


def _with_query(query: Mapping[str, str]) -> Any:
    async def put_on(request: aiohttp.ClientRequest, handler: Any) -> aiohttp.ClientResponse:
        request.url = request.url.with_query(query)
        response: aiohttp.ClientResponse = await handler(request)
        return response

    return put_on


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
    raise HTTPStatusError(
        f"{reply.path} answered with HTTP status {status}.", reply.path, status=status, excerpt=excerpt(start)
    )
