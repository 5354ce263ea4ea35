"""Requests over the connections of aiohttp, without its client layer.

That layer takes two thirds of the time of a small call. Here a request is one write, and a small one takes no task.
Connections, TLS and the parser of responses are those of aiohttp.
"""

import asyncio
from collections.abc import Mapping
from types import FunctionType
from typing import Final

import aiohttp
from aiohttp import hdrs
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_writer import StreamWriter
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from wxasset.transfer.deadlines import Deadline
from wxasset.transfer.http.meter import is_kept
from wxasset.transfer.http.observer import BrokenConnection, RequestObserver
from wxasset.transfer.http.request import Request
from wxasset.transfer.uploads.body import PeerError, Sending
from wxasset.transfer.uploads.content import Chunk

__all__ = ["Direct", "Response", "is_watched"]

_INFORMATIONAL: Final = range(100, 200)
_SWITCHED: Final = 101  # "Switching Protocols", which no request asks for
_NO_HEADERS: Final = CIMultiDictProxy[str](CIMultiDict())


def _request() -> object:
    """Return the function behind all requests of aiohttp; agents and test libraries put others in its place."""
    return aiohttp.ClientSession._request  # noqa: SLF001 - there is no public one


def _is_original(function: object) -> bool:
    return isinstance(function, FunctionType) and (function.__module__, function.__code__.co_name) == _ORIGIN


_ORIGIN: Final = ("aiohttp.client", "_request")
_ORIGINAL: Final = _request() if _is_original(_request()) else None


def is_watched(session: aiohttp.ClientSession) -> bool:
    """Return True if a tracing agent or a test watches the requests of aiohttp: these have to pass through it then."""
    return bool(session.trace_configs or session._middlewares) or _request() is not _ORIGINAL  # noqa: SLF001 - as above


class Response:
    """A response on its connection.

    Attributes:
        status: HTTP status code; 0 before the headers have come.
        headers: The headers.
        content: The body.
        connection: The connection; None after the last byte of the body.
        closed: Whether the connection is given back or closed.
    """

    __slots__ = ("_writer", "closed", "connection", "content", "headers", "status")

    def __init__(self, connection: Connection) -> None:
        self.status: int = 0
        self.headers: CIMultiDictProxy[str] = _NO_HEADERS
        self.content: StreamReader = EMPTY_PAYLOAD
        self.connection: Connection | None = connection
        self.closed: bool = False
        self._writer: asyncio.Task[None] | None = None

    @property
    def content_length(self) -> int | None:
        """Value of Content-Length; None without one."""
        length = self.headers.get(hdrs.CONTENT_LENGTH)
        return None if length is None else int(length)

    def send_in_task(self, upload: "_Upload") -> None:
        """Send an upload while the response is waited for: a server may answer before it has read all."""
        self._writer = asyncio.get_running_loop().create_task(self._send(upload))

    async def _send(self, upload: "_Upload") -> None:
        try:
            await upload.write()
        except Exception as error:  # noqa: BLE001 - the reader of the response is told
            upload.protocol.set_exception(aiohttp.ClientConnectionError(), error)
        except BaseException:
            self.close()
            raise
        else:
            self._writer = None
            if not (self.status or self.closed):
                upload.listen()

    async def start(self, protocol: ResponseHandler) -> None:
        """Wait for the headers.

        Raises:
            BrokenConnection: The response is not valid HTTP.
        """
        try:
            message, content = await protocol.read()
            while message.code in _INFORMATIONAL and message.code != _SWITCHED:
                message, content = await protocol.read()
        except HttpProcessingError as error:
            raise BrokenConnection(error) from None
        self.status, self.headers, self.content = message.code, message.headers, content
        content.on_eof(self._end)

    def _end(self) -> None:
        """Give the connection back after the last byte of the body."""
        connection = self.connection
        if self.closed or connection is None:
            return
        protocol = connection.protocol
        if self._writer is not None or protocol is None or protocol.upgraded:
            self.close()  # the rest of the request, or another protocol, would spoil the next exchange
            return
        self.closed, self.connection = True, None
        connection.release()

    def close(self) -> None:
        """Close the connection; whoever still reads the body gets an error."""
        connection, self.connection, self.closed = self.connection, None, True
        if self._writer is not None:
            self._writer.cancel()
        if not self.content.is_eof() and self.content.exception() is None:
            self.content.set_exception(aiohttp.ClientConnectionError("Connection closed"))
        if connection is not None:
            connection.close()


class _Writer:
    """A connection; the head of the request goes out with the first bytes of the body.

    The head has the token. No variable of a frame holds it, as crash reporters show the variables of failed uploads.
    """

    __slots__ = ("_head", "_protocol")

    def __init__(self, protocol: ResponseHandler, head: bytes) -> None:
        self._protocol, self._head = protocol, head

    @property
    def transport(self) -> asyncio.Transport | None:
        """Transport of the connection, or None after it is lost."""
        return self._protocol.transport

    async def write(self, *pieces: Chunk) -> None:
        """Pass bytes to the transport as one, without waiting.

        Raises:
            ClientConnectionResetError: The connection is lost.
        """
        transport = self._protocol.transport
        if transport is None or transport.is_closing():
            raise aiohttp.ClientConnectionResetError
        if self._head:
            transport.write(b"".join((self._taken(), *pieces)))
        else:
            transport.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    async def drain(self) -> None:
        """Wait while the write buffer of the transport exceeds its limit."""
        await StreamWriter(self._protocol, asyncio.get_running_loop()).drain()

    def _taken(self) -> bytes:
        try:
            return self._head
        finally:
            self._head = b""


class _Upload:
    """One upload on a connection."""

    __slots__ = ("_deadline", "_request", "_sending", "_writer", "protocol")

    def __init__(
        self, protocol: ResponseHandler, writer: _Writer, sending: Sending, request: Request, deadline: Deadline
    ) -> None:
        self.protocol: ResponseHandler = protocol
        self._writer, self._sending, self._request, self._deadline = writer, sending, request, deadline

    async def write(self) -> None:
        """Write head and body."""
        await self._sending.write(self._writer)

    def listen(self) -> None:
        """Watch for silence, now that the whole request was written."""
        request = self._request
        self._deadline.listen(request.meter, request.timeouts.stall + request.grace)


class Direct:
    """Requests to one host over the connections of an own session."""

    def __init__(self, session: aiohttp.ClientSession, base: URL, headers: Mapping[str, str]) -> None:
        """Prepare what all requests have in common.

        Args:
            session: The session.
            base: A URL of the host.
            headers: Headers of all requests.
        """
        assert session.connector is not None  # noqa: S101 - it is open
        self._connector = session.connector
        # It is never sent: the connector takes the host from it.
        loop = asyncio.get_running_loop()
        self._place = aiohttp.ClientRequest("GET", base, headers=headers, loop=loop, session=session)
        self._lines = "".join(f"{name}: {value}\r\n" for name, value in self._place.headers.items())

    async def send(
        self, request: Request, url: URL, sending: Sending | None, observer: RequestObserver, deadline: Deadline
    ) -> Response:
        """Send a request, and wait for the headers of its response.

        Args:
            request: The request.
            url: Its URL without its secrets; no variable holds them, as in `_Writer`.
            sending: The body of an upload.
            observer: The observer of the request.
            deadline: Its deadline.

        Raises:
            ClientError: The request failed, as in aiohttp.
        """
        connection, protocol, transport = await self._connect(request)
        response = Response(connection)
        try:
            protocol.set_response_params(read_until_eof=True, auto_decompress=False)
            observer.connected(connection)
            if sending is None:
                transport.write(self._head(request, url, None, observer) + _json(request))
                deadline.listen(request.meter, request.timeouts.stall + request.grace)
            else:
                writer = _Writer(protocol, self._head(request, url, sending, observer))
                upload = _Upload(protocol, writer, sending, request, deadline)
                if sending.is_single:
                    await _write_whole(upload)
                else:
                    response.send_in_task(upload)
            await response.start(protocol)
        except BaseException:
            response.close()
            raise
        return response

    async def _connect(self, request: Request) -> tuple[Connection, ResponseHandler, asyncio.Transport]:
        """Return a connection that is ready for a request.

        Raises:
            ServerDisconnectedError: A new connection is closed already.
        """
        while True:
            connection = await self._connection(request)
            protocol, transport = connection.protocol, connection.transport
            if protocol is not None and transport is not None and not (transport.is_closing() or protocol.should_close):
                return connection, protocol, transport
            kept = is_kept(connection)
            connection.close()
            if not kept:
                raise aiohttp.ServerDisconnectedError

    async def _connection(self, request: Request) -> Connection:
        try:
            return await self._connector.connect(self._place, [], request.timeouts.client(None))
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError from error
        except aiohttp.ClientError:
            raise
        except OSError as error:
            raise aiohttp.ClientOSError(*error.args) from error

    def _head(self, request: Request, url: URL, sending: Sending | None, observer: RequestObserver) -> bytes:
        """Return request line and headers."""
        more = ""  # no variable is the body, which can hold an AppSecret
        if sending is not None:
            more = f"Content-Type: {sending.body.frame.content_type}\r\nContent-Length: {sending.body.size}\r\n"
        elif isinstance(request.body, bytes):
            more = f"Content-Type: application/json\r\nContent-Length: {len(request.body)}\r\n"
        elif request.method != hdrs.METH_GET:
            more = "Content-Length: 0\r\n"
        return f"{request.method} {observer.target(url)} HTTP/1.1\r\n{self._lines}{more}\r\n".encode()


def _json(request: Request) -> bytes:
    return request.body if isinstance(request.body, bytes) else b""


async def _write_whole(upload: _Upload) -> None:
    """Write an upload of one chunk; its response cannot come earlier, so that it takes no task."""
    try:
        await upload.write()
    except PeerError as error:
        raise aiohttp.ServerDisconnectedError from error
    except Exception as error:
        raise aiohttp.ClientConnectionError from error  # `Sending.failure` tells of it
    upload.listen()
