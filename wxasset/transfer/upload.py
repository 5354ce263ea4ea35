"""The body of an upload on its way into a connection: exactly the bytes that were announced."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import anyio
from attrs import define, field, frozen

from wxasset.errors import SourceError
from wxasset.transfer.content import Chunk
from wxasset.transfer.progress import Progress, Throttle
from wxasset.transfer.source import Source
from wxasset.wire.multipart import Frame

__all__ = ["PeerError", "Sending", "UploadBody", "Writer"]


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
        whole: Whether all of it was given to the connection.
        stalled: Whether the peer took nothing for `stall` seconds.
        failure: What went wrong on our side; aiohttp would report it as a fault of the network.
    """

    body: UploadBody
    stall: float
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
            await _put(writer, last)
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
        await _put(writer, data)
        left = _left(writer)
        while left:
            try:
                async with asyncio.timeout(self.stall):
                    await writer.drain()
            except TimeoutError as error:
                # A slow line needs longer than this for a piece; what counts is that it moves.
                before, left = left, _left(writer)
                if left >= before:
                    self.stalled = True
                    raise PeerError from error
            except OSError as error:
                raise PeerError from error
            else:
                break


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


def _left(writer: Writer) -> int:
    """Return how many bytes of a piece are still here; 1 where the transport does not say."""
    return 1 if writer.transport is None else writer.transport.get_write_buffer_size()


async def _put(writer: Writer, data: Chunk) -> None:
    try:
        await writer.write(data, drain=False)
    except OSError as error:
        raise PeerError from error
