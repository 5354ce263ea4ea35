"""Send the body of an upload: exactly the announced number of bytes."""

import asyncio
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Protocol

import anyio

from wxasset.errors import SourceError
from wxasset.transfer.progress import Progress, Throttle
from wxasset.transfer.uploads.content import Chunk, resized
from wxasset.wire.multipart import Frame

if TYPE_CHECKING:
    from wxasset.transfer.uploads.source import Source

__all__ = ["PeerError", "Sending", "UploadBody", "Writer"]

_CHECKS: Final = 4  # checks for moved bytes per `Timeouts.stall` seconds: a stall is detected at most a quarter late
_TURN: Final = 1024 * 1024
"""Bytes after which other tasks have their turn, also if the connection takes all at once: encrypting them takes 0.7 ms
of the event loop."""
_WRITE: Final = _TURN // 4
"""Bytes that a smaller chunk counts for. A broken connection is noticed at the next turn, and asyncio logs the fifth
write to it; under TLS the transport itself does not tell of it."""
_ACKED_AT: Final = 120  # bytes; offset of tcpi_bytes_acked, of 8 bytes, in the struct tcp_info of linux/tcp.h


class UploadBody:
    """The body of an upload: a frame around a source.

    Attributes:
        frame: The frame.
        source: The source.
        progress: The callback for the bytes sent.
        size: Number of bytes, including the frame.
    """

    __slots__ = ("frame", "progress", "size", "source")

    def __init__(self, frame: Frame, source: "Source", progress: Progress | None = None) -> None:
        """Put a frame around a source; the callback is told the bytes sent."""
        self.frame: Frame = frame
        self.source: Source = source
        self.progress: Progress | None = progress
        self.size: int = frame.length(source.size)


class Writer(Protocol):
    """Target of a body: a connection."""

    @property
    def transport(self) -> asyncio.Transport | None:
        """Transport of the connection, or None after it is lost."""
        ...

    async def write(self, *pieces: Chunk) -> None:
        """Pass bytes to the transport as one, without waiting."""
        ...

    async def drain(self) -> None:
        """Wait while the write buffer of the transport exceeds its limit."""
        ...


class PeerError(Exception):
    """The peer accepts no more bytes, or has closed the connection."""


class Sending:
    """One attempt to send a body.

    Attributes:
        body: The body to send.
        stall: Seconds to wait while the peer accepts no bytes.
        sent: Number of bytes passed to the connection.
        whole: Whether all bytes were passed to the connection.
        stalled: Whether the peer accepted no bytes for `stall` seconds.
        failure: Local error, such as a failed source; aiohttp would report it as a network error.
    """

    __slots__ = ("_ended", "body", "failure", "sent", "stall", "stalled", "whole")

    def __init__(self, body: UploadBody, stall: float) -> None:
        self.body: UploadBody = body
        self.stall: float = stall
        self.sent: int = 0
        self.whole: bool = False
        self.stalled: bool = False
        self.failure: BaseException | None = None
        self._ended: asyncio.Event | None = None

    @property
    def is_single(self) -> bool:
        """True if the body is one chunk in memory."""
        return self.body.source.whole is not None

    async def write(self, writer: Writer) -> None:
        """Write the body in the chunks of its source."""
        self._ended = asyncio.Event()
        try:
            last = await self._write_but_last(writer)
            # The source is closed by now, and this does not wait: aiohttp drops a connection if its response arrives
            # before the writer has finished.
            await self._put(writer, *last)
            self.whole = True
        except (PeerError, asyncio.CancelledError):
            raise
        except BaseException as error:
            self.failure = error
            raise
        finally:
            self._ended.set()

    async def ended(self) -> None:
        """Wait until aiohttp's writer has released the source; only then may another attempt open it."""
        if self._ended is not None and not self._ended.is_set():
            with anyio.move_on_after(self.stall, shield=True):
                await self._ended.wait()

    async def _write_but_last(self, writer: Writer) -> tuple[Chunk, ...]:
        """Write all chunks but the last; return the last one together with the rest of the frame, in pieces."""
        source, lead, done, run = self.body.source, self.body.frame.head, 0, 0
        size = source.size
        told = Throttle(self.body.progress) if self.body.progress is not None else None
        if source.before is not None:
            await source.before()
        if (whole := source.whole) is not None:
            if len(whole) != size:
                raise resized(len(whole), size)
            if told is not None:
                told.end(size, size)
            return lead, whole, self.body.frame.tail
        async with source.open() as chunks:
            with _unbuffered(writer.transport):
                async for chunk in chunks:
                    done += len(chunk)
                    if told is not None:
                        (told.end if done >= size else told)(done, size)
                    if done >= size:
                        return (b"".join((lead, chunk, self.body.frame.tail)),)  # a copy: the buffer is given back
                    await self._put(writer, b"".join((lead, chunk)) if lead else chunk)
                    lead = b""
                    run += max(len(chunk), _WRITE)
                    if (transport := writer.transport) is None or transport.get_write_buffer_size():
                        await self._drain(writer)  # the buffer of the chunk is used again
                    elif run >= _TURN:
                        run = 0
                        await asyncio.sleep(0)
        raise SourceError(f"{source.filename} yielded {done} bytes, expected {size}.")

    async def _put(self, writer: Writer, *pieces: Chunk) -> None:
        try:
            await writer.write(*pieces)
        except OSError as error:
            raise PeerError from error
        self.sent += sum(map(len, pieces))

    async def _drain(self, writer: Writer) -> None:
        """Wait until the connection has taken all bytes."""
        try:
            async with asyncio.timeout(self.stall) as timer:
                with _StallTimer(writer.transport, timer, self.stall):
                    await writer.drain()
        except TimeoutError as error:
            self.stalled = True
            raise PeerError from error
        except OSError as error:
            raise PeerError from error


class _StallTimer:
    """Postpone a timer while bytes move, since a slow connection may need more time for a chunk.

    Waiting in short intervals is not possible: a cancelled `drain` of aiohttp stays cancelled.
    """

    def __init__(self, transport: asyncio.Transport | None, timer: asyncio.Timeout, stall: float) -> None:
        self._transport, self._timer, self._stall = transport, timer, stall
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> None:
        self._seen = _position(self._transport)
        self._next = self._loop.call_later(self._stall / _CHECKS, self._check)

    def __exit__(self, *_: object) -> None:
        self._next.cancel()

    def _check(self) -> None:
        if self._timer.expired():
            return
        now = _position(self._transport)
        if now != self._seen:
            self._seen = now
            self._timer.reschedule(self._loop.time() + self._stall)
        self._next = self._loop.call_later(self._stall / _CHECKS, self._check)


def _position(transport: asyncio.Transport | None) -> tuple[int, int]:
    """Return the progress of a connection: the size of its write buffer, and the bytes acknowledged by the peer.

    The buffer size is sufficient for plain sockets. Under TLS a chunk leaves the buffer as a whole, and the kernel
    holds a part of it. Acknowledged bytes are available on Linux only: elsewhere a chunk under TLS has to move in
    `Timeouts.stall` seconds.
    """
    if transport is None:
        return 0, 0
    connection = transport.get_extra_info("socket")
    try:
        told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKED_AT + 8)
        return transport.get_write_buffer_size(), int.from_bytes(told[_ACKED_AT:], sys.byteorder)
    except (AttributeError, OSError):  # another system, or a lost connection
        return transport.get_write_buffer_size(), 0


@contextmanager
def _unbuffered(transport: asyncio.Transport | None) -> Iterator[None]:
    """Make `drain` wait until a chunk has left the write buffer, so that its memory can be reused.

    Plain transports keep the bytes not yet accepted by the socket, without a copy on uvloop and from Python 3.12 on.
    TLS makes a copy and would keep 512 KiB of it per connection; a limit of 0 would make it wait forever.
    """
    if transport is None:
        yield
        return
    transport.set_write_buffer_limits(high=0 if transport.get_extra_info("ssl_object") is None else 1)
    try:
        yield
    finally:
        # A broken TLS connection has no protocol left to be told of the new limit, and asyncio would log that.
        if not transport.is_closing():
            transport.set_write_buffer_limits()
