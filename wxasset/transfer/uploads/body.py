"""The body of an upload on its way into a connection: exactly the bytes that were announced."""

import asyncio
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

import anyio
from attrs import define, field, frozen

from wxasset.errors import SourceError
from wxasset.transfer.progress import Progress, Throttle
from wxasset.transfer.uploads.content import Chunk
from wxasset.transfer.uploads.source import Source
from wxasset.wire.multipart import Frame

__all__ = ["PeerError", "Sending", "UploadBody", "Writer"]

_LOOKS: Final = 4  # at whether bytes moved, in `Timeouts.stall` seconds: a stall is noticed at most a quarter late
_ACKED_AT: Final = 120  # bytes; where tcpi_bytes_acked, of 8 bytes, is in the struct tcp_info of linux/tcp.h


@frozen(kw_only=True)
class UploadBody:
    """The body of an upload: a frame around a source."""

    frame: Frame = field(repr=False)
    source: Source
    progress: Progress | None = field(default=None, repr=False)

    @property
    def size(self) -> int:
        """The number of bytes, the frame included."""
        return self.frame.length(self.source.size)


class Writer(Protocol):
    """What a body is written to: a connection, as aiohttp hands it out."""

    @property
    def transport(self) -> asyncio.Transport | None:
        """The connection's transport, or None once it is lost."""
        ...

    async def write(self, chunk: Chunk, *, drain: bool = True) -> None:
        """Hand bytes to the transport."""
        ...

    async def drain(self) -> None:
        """Wait while the transport holds more than it wants to."""
        ...


class PeerError(Exception):
    """The peer takes no more bytes, or has closed the connection."""


@define(eq=False)
class Sending:
    """One attempt at sending a body.

    Attributes:
        body: What is sent.
        stall: Seconds to wait for a peer that takes nothing.
        sent: The bytes that were given to the connection.
        whole: Whether all of it was given to the connection.
        stalled: Whether the peer took nothing for `stall` seconds.
        failure: What went wrong on our side; aiohttp would report it as a fault of the network.
    """

    body: UploadBody
    stall: float
    sent: int = 0
    whole: bool = False
    stalled: bool = False
    failure: BaseException | None = None
    _ended: asyncio.Event | None = None

    async def write(self, writer: Writer) -> None:
        """Write the body, in as few pieces as its source gives."""
        self._ended = asyncio.Event()
        try:
            last = await self._write_but_last(writer)
            # The source is closed by now, and this does not wait: aiohttp gives a connection up whose answer comes
            # before the writer has ended.
            await self._put(writer, last)
            self.whole = True
        except (PeerError, asyncio.CancelledError):
            raise
        except BaseException as error:
            self.failure = error
            raise
        finally:
            self._ended.set()

    async def ended(self) -> None:
        """Wait until aiohttp's writer has let go of the source: only then may another attempt open it."""
        if self._ended is not None and not self._ended.is_set():
            with anyio.move_on_after(self.stall, shield=True):
                await self._ended.wait()

    async def _write_but_last(self, writer: Writer) -> bytes:
        """Write all pieces but the last, which is given back with what is around it."""
        source, lead, done = self.body.source, self.body.frame.head, 0
        told = Throttle(self.body.progress) if self.body.progress is not None else None
        if source.whole is not None:
            if told is not None:
                told.end(source.size, source.size)
            return b"".join((lead, source.whole, self.body.frame.tail))
        async with source.open() as chunks:
            with _unbuffered(writer.transport):
                async for chunk in chunks:
                    done += len(chunk)
                    if told is not None:
                        (told.end if done >= source.size else told)(done, source.size)
                    if done >= source.size:
                        return b"".join((lead, chunk, self.body.frame.tail))
                    await self._send(writer, b"".join((lead, chunk)) if lead else chunk)
                    lead = b""
        raise SourceError(f"{source.filename} gave {done} bytes, not the {source.size} that it has.")

    async def _send(self, writer: Writer, data: Chunk) -> None:
        """Write a piece, and wait until its memory can be used again."""
        await self._put(writer, data)
        if writer.transport is None or writer.transport.get_write_buffer_size():
            try:
                async with asyncio.timeout(self.stall) as timer:
                    with _StallTimer(writer.transport, timer, self.stall):
                        await writer.drain()
            except TimeoutError as error:
                self.stalled = True
                raise PeerError from error
            except OSError as error:
                raise PeerError from error

    async def _put(self, writer: Writer, data: Chunk) -> None:
        try:
            await writer.write(data, drain=False)
        except OSError as error:
            raise PeerError from error
        self.sent += len(data)


class _StallTimer:
    """Puts a timer off while bytes move: a slow line may need longer than that for a piece.

    To wait in slices would not do: a `drain` of aiohttp that was cancelled is cancelled for ever.
    """

    def __init__(self, transport: asyncio.Transport | None, timer: asyncio.Timeout, stall: float) -> None:
        self._transport, self._timer, self._stall = transport, timer, stall
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> None:
        self._seen = _position(self._transport)
        self._next = self._loop.call_later(self._stall / _LOOKS, self._look)

    def __exit__(self, *_: object) -> None:
        self._next.cancel()

    def _look(self) -> None:
        if self._timer.expired():
            return
        now = _position(self._transport)
        if now != self._seen:
            self._seen = now
            self._timer.reschedule(self._loop.time() + self._stall)
        self._next = self._loop.call_later(self._stall / _LOOKS, self._look)


def _position(transport: asyncio.Transport | None) -> tuple[int, int]:
    """Say how far a connection has got: how much of a piece is still here, and what the peer has acknowledged.

    The first would do for plain sockets; under TLS a piece moves as a whole, and the kernel holds some of it. Linux
    alone tells the second: elsewhere a piece of 256 KiB under TLS has to move in `Timeouts.stall` seconds.
    """
    if transport is None:
        return 0, 0
    connection = transport.get_extra_info("socket")
    try:
        told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKED_AT + 8)
        return transport.get_write_buffer_size(), int.from_bytes(told[_ACKED_AT:], sys.byteorder)
    except (AttributeError, OSError):  # another system, or a connection that is lost
        return transport.get_write_buffer_size(), 0


@contextmanager
def _unbuffered(transport: asyncio.Transport | None) -> Iterator[None]:
    """Have `drain` wait until nothing of a piece is left, so that its memory can be used for the next one.

    Plain transports keep what the socket does not take, without a copy on uvloop and from Python 3.12 on. TLS makes a
    copy, of which it would keep 512 KiB a connection; a limit of 0 would make it wait for ever.
    """
    if transport is None:
        yield
        return
    transport.set_write_buffer_limits(high=0 if transport.get_extra_info("ssl_object") is None else 1)
    try:
        yield
    finally:
        transport.set_write_buffer_limits()
