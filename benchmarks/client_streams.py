"""The limit: hand-written asyncio streams without redirects, retries, timeouts or errors of their own."""

import asyncio
import hashlib
import json
import os
import re
import ssl
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from io import FileIO
from typing import Any
from urllib.parse import urlsplit

from attrs import define, field

from jobs import KB, MB, TOKEN, Item, Job, check
from tasks import TaskClient

_BUFFER = 256 * KB
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_BOUNDARY = "9f86d081884c7d659a2feaa0c55ad015"


@define
class _Connection:
    """One connection, with the buffer of its uploads."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    buffer: bytearray = field(factory=lambda: bytearray(_BUFFER))

    async def head(self) -> int:
        """Read the head of a response, and return the length of its body."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        check(head[9:12], b"200")
        length = _LENGTH.search(head)
        assert length
        return int(length[1])

    async def document(self) -> Any:
        """Read a response with a JSON body."""
        return json.loads(await self.reader.readexactly(await self.head()))


class Client(TaskClient):
    """Keep one connection per concurrent item; all of them are opened first."""

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[Item]:
        self._idle: list[_Connection] = []
        async with AsyncExitStack() as stack:
            for _ in range(min(self.job.concurrency, self.job.count)):
                self._idle.append(await stack.enter_async_context(_connected(self.job)))
            yield self.item()

    def item(self) -> Item:
        """Return the function for one item."""
        job, idle = self.job, self._idle
        parts = urlsplit(job.url)
        library = f"{parts.path}/cgi-bin/material"
        host = f"HTTP/1.1\r\nHost: {parts.netloc}\r\n"

        async def upload(_: int) -> None:
            connection = idle.pop()
            await _send(connection, job, f"POST {library}/add_material?access_token={TOKEN}&type=image {host}")
            check((await connection.document())["media_id"], "M")
            idle.append(connection)

        wanted = json.dumps({"media_id": "M"})
        asking = f"POST {library}/get_material?access_token={TOKEN} {host}Content-Length: {len(wanted)}\r\n\r\n{wanted}"

        async def download(number: int) -> None:
            connection = idle.pop()
            connection.writer.write(asking.encode())
            with closing(FileIO(job.target(number), "w")) as file:
                await _save(connection.reader, await connection.head(), file)
            idle.append(connection)

        counting = f"GET {library}/get_materialcount?access_token={TOKEN} {host}\r\n".encode()

        async def count(_: int) -> None:
            connection = idle.pop()
            connection.writer.write(counting)
            check((await connection.document())["image_count"], 3)
            idle.append(connection)

        return {"upload": upload, "download": download, "count": count}[job.work]


@asynccontextmanager
async def _connected(job: Job) -> AsyncGenerator[_Connection]:
    parts = urlsplit(job.url)
    context = ssl.create_default_context() if parts.scheme == "https" else None
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, ssl=context, limit=MB)
    # `drain` then waits until the buffer can be used again; TLS hangs with 0.
    writer.transport.set_write_buffer_limits(high=1 if context else 0)
    try:
        yield _Connection(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _send(connection: _Connection, job: Job, line: str) -> None:
    """Send a form with a file: the bytes of the page cache, without a thread."""
    writer, buffer = connection.writer, connection.buffer
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="media"; filename="{job.source.name}"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    ).encode()
    tail = f"\r\n--{_BOUNDARY}--\r\n".encode()
    size, offset, view = job.size, 0, memoryview(buffer)
    kind = f"Content-Type: multipart/form-data; boundary={_BOUNDARY}"
    lead = f"{line}{kind}\r\nContent-Length: {len(head) + size + len(tail)}\r\n\r\n".encode() + head
    descriptor = os.open(job.path, os.O_RDONLY)
    try:
        while offset < size:
            count = os.preadv(descriptor, (view,), offset)
            offset += count
            last = tail if offset == size else b""
            writer.write(b"".join((lead, view[:count], last)) if lead or last else view[:count])
            lead = b""
            if not last:
                await writer.drain()
    finally:
        os.close(descriptor)


async def _save(reader: asyncio.StreamReader, length: int, file: FileIO) -> None:
    """Hash a body and write it, 1 MiB at a time, in a thread behind the network."""
    digest, loop = hashlib.sha256(), asyncio.get_running_loop()
    behind: asyncio.Future[None] | None = None

    def put(data: bytes) -> None:
        digest.update(data)
        file.write(data)

    while length:
        data = await reader.readexactly(min(length, MB))
        length -= len(data)
        if behind is not None:
            await behind
        behind = loop.run_in_executor(None, put, data)
    if behind is not None:
        await behind
    assert digest.hexdigest()


def make(name: str, job: Job) -> TaskClient:
    """Create the client."""
    del name
    return Client(job)
