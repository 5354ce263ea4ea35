"""Bodies of requests, as aiohttp sends them."""

import asyncio
from typing import cast

from aiohttp import payload
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_writer import StreamWriter

from wxasset.transfer.uploads.body import Sending
from wxasset.transfer.uploads.content import Chunk

__all__ = ["JSONBody", "Payload"]


class JSONBody(payload.BytesPayload):
    """A JSON body, which can hold an AppSecret: tracing agents are shown its size alone."""

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write the whole body."""
        del content_length  # it is this payload's own size
        await writer.write(_Untold(self._value))


class _Untold(bytes):
    """Bytes that do not show themselves."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


class _Writer:
    """The writer of aiohttp, as `Sending` uses one."""

    __slots__ = ("_writer",)

    def __init__(self, writer: StreamWriter) -> None:
        self._writer = writer

    @property
    def transport(self) -> asyncio.Transport | None:
        """Transport of the connection, or None after it is lost."""
        return self._writer.transport

    async def write(self, *pieces: Chunk) -> None:
        """Pass bytes to the transport as one, without waiting."""
        await self._writer.write(pieces[0] if len(pieces) == 1 else b"".join(pieces), drain=False)

    async def drain(self) -> None:
        """Wait while the write buffer of the transport exceeds its limit."""
        await self._writer.drain()


class Payload(payload.Payload):
    """A body of known length as an aiohttp payload; create a new one for each attempt."""

    def __init__(self, sending: Sending) -> None:
        super().__init__(None, content_type=sending.body.frame.content_type)
        self._sending = sending
        self._size = sending.body.size

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Raise `TypeError`: an upload has no text form."""
        del encoding, errors
        raise TypeError("an upload is not decoded")

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the whole body."""
        await self._sending.write(_Writer(cast("StreamWriter", writer)))  # the client writes to no other

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write the whole body."""
        del content_length  # it is this payload's own size
        await self.write(writer)
