"""An HTTP proxy of plain sockets: CONNECT, requests in absolute form, and refusals."""

import asyncio
import base64
import contextlib
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from attrs import define, field


@define(eq=False)
class ForwardProxy:
    """A proxy that records what it is asked for.

    Attributes:
        refuse: The statuses of the first requests, in order; 0 never responds. Later ones are passed on.
        login: ``user:password``, if one is required.
        lines: The first lines of the requests.
    """

    refuse: list[int] = field(factory=list)
    login: str | None = None
    lines: list[str] = field(factory=list)
    url: str = ""
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(factory=set)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self.drop()

    async def drop(self) -> None:
        """Close all connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def place(self) -> str:
        """Host and port."""
        return self.url.removeprefix("http://")

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # a side has gone, or the test is over
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        line = head.split(b"\r\n", 1)[0].decode()
        self.lines.append(line)
        status = self.refuse.pop(0) if self.refuse else 200
        if self.login and b"Proxy-Authorization: Basic " + base64.b64encode(self.login.encode()) not in head:
            status = 407
        if status == 0:
            await asyncio.Event().wait()
        if status != 200:
            _send(writer, f"HTTP/1.1 {status} Refused\r\nContent-Length: 5\r\n\r\nno...".encode())
            writer.write_eof()
            while await reader.read(65536):  # unread, the rest of a body would reset the connection
                pass
            return
        method, target, _ = line.split(" ")
        if method == "CONNECT":
            port = int(target.rpartition(":")[2])
            first = b""
        else:
            port, first = urlsplit(target).port or 80, head
        there, away = await asyncio.open_connection("127.0.0.1", port)
        if method == "CONNECT":
            _send(writer, b"HTTP/1.1 200 Connection established\r\n\r\n")
        away.write(first)
        try:
            await asyncio.gather(_pump(reader, away), _pump(there, writer))
        finally:
            away.transport.abort()


def _send(target: asyncio.StreamWriter, data: bytes) -> None:
    if target.transport.is_closing():
        raise ConnectionResetError  # asyncio says so after the write, uvloop refuses it with a RuntimeError
    target.write(data)


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65536):
            _send(target, data)
            await target.drain()
    target.close()
