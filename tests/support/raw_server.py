"""A server of plain sockets, independent of every HTTP library: it records bytes and answers with bytes."""

import asyncio
import json
import os
import re
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

from attrs import define, field

TOKEN_PATHS = ("/cgi-bin/stable_token", "/cgi-bin/token")


@define
class RawRequest:
    """A request as it came over the socket."""

    head: bytes
    body: bytes = b""

    @property
    def line(self) -> str:
        """The request line."""
        return self.head.split(b"\r\n", 1)[0].decode()

    @property
    def path(self) -> str:
        """The path without the query."""
        return self.line.split(" ")[1].split("?")[0]

    def header(self, name: str) -> str | None:
        """The value of a header, or None."""
        found = re.search(rb"\r\n" + name.encode() + rb":[ \t]*([^\r\n]*)", self.head, re.IGNORECASE)
        return found[1].decode() if found else None


@define
class Connection:
    """One accepted connection, for handlers that do more than answer."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def read_body(self, request: RawRequest, most: int | None) -> None:
        """Read what Content-Length announces, or the first `most` bytes of it; a body of chunks is left alone."""
        length = int(request.header("Content-Length") or 0)
        length = length if most is None else min(most, length)
        while len(request.body) < length:
            data = await self.reader.read(min(1 << 20, length - len(request.body)))
            if not data:
                raise ConnectionError
            request.body += data

    async def send(self, data: bytes) -> None:
        """Send bytes; raise `ConnectionResetError` where the client has gone."""
        if self.writer.transport.is_closing():
            raise ConnectionResetError  # asyncio says so after the write, uvloop refuses it with a RuntimeError
        self.writer.write(data)
        await self.writer.drain()

    def shut_down(self) -> None:
        """End the connection at once, below the loop, which does not hear of it before it looks again."""
        # uvloop lends a socket without shutdown().
        with socket.socket(fileno=os.dup(self.writer.get_extra_info("socket").fileno())) as same:
            same.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """Close with RST, as a crashed peer does."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


Handler = Callable[[RawRequest, Connection], Awaitable[None]]
_PORTS: set[int] = set()
"""Ports of earlier servers: equal platforms share their tokens by host, also with a test whose session is not collected
yet."""


def reply(
    body: bytes | dict[str, Any],
    content_type: str | None = "text/plain",
    *,
    status: str = "200 OK",
    length: int | None = None,
    disposition: bytes | None = None,
) -> bytes:
    """Build the bytes of a reply; `length` may lie."""
    if isinstance(body, dict):
        body = json.dumps(body, ensure_ascii=False).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body) if length is None else length}\r\n".encode()
    if content_type:
        head += f"Content-Type: {content_type}\r\n".encode()
    if disposition is not None:
        head += b"Content-disposition: " + disposition + b"\r\n"
    return head + b"\r\n" + body


async def reset(_: RawRequest, connection: Connection) -> None:
    """Break the connection instead of answering."""
    connection.reset()


async def forever(_: RawRequest, __: Connection) -> None:
    """Never answer."""
    await asyncio.Event().wait()


@define
class RawServer:
    """Answers each API request with the next of its `script`; token requests are answered by themselves.

    Attributes:
        script: What to do, in order: bytes to send, or a handler. The last one is used again and again.
        requests: The API requests so far.
        token_requests: The token requests so far.
        token_script: The same as `script` for token requests; by default each gets a new token.
        connections: How many were accepted.
        tls: The TLS that it speaks; None for none.
        take: How many bytes of an API request's body are read before the next step is taken; None for all.
    """

    script: list[bytes | Handler] = field(factory=list)
    requests: list[RawRequest] = field(factory=list)
    token_requests: list[RawRequest] = field(factory=list)
    token_script: list[bytes | Handler] = field(factory=list)
    connections: int = 0
    take: int | None = None
    tls: ssl.SSLContext | None = None
    url: str = ""
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(factory=set)

    async def __aenter__(self) -> Self:
        while True:
            server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=1 << 20, ssl=self.tls)
            port: int = server.sockets[0].getsockname()[1]
            if port not in _PORTS:
                break
            server.close()
        _PORTS.add(port)
        self._server, self.url = server, f"http{'s' if self.tls else ''}://127.0.0.1:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def abandoned(self, seconds: float = 5.0) -> None:
        """Wait until no connection is open; raise `TimeoutError` after some seconds."""
        async with asyncio.timeout(seconds):
            while self._tasks:
                await asyncio.wait(self._tasks)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            while await self._serve(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has gone, or the test is over
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; tell whether the connection goes on."""
        request = RawRequest(await reader.readuntil(b"\r\n\r\n"))
        token = request.path in TOKEN_PATHS
        (self.token_requests if token else self.requests).append(request)
        connection = Connection(reader, writer)
        await connection.read_body(request, None if token else self.take)
        step = self._next(token=token)
        if isinstance(step, bytes):
            await connection.send(step)
        else:
            await step(request, connection)
        return not writer.transport.is_closing()

    def _next(self, *, token: bool) -> bytes | Handler:
        if token and not self.token_script:
            return reply({"access_token": f"token-{len(self.token_requests)}-{'x' * 100}", "expires_in": 7200})
        script = self.token_script if token else self.script
        return script.pop(0) if len(script) > 1 else script[0]
