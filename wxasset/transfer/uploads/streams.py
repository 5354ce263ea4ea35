"""Uploads from streams: streams with an announced size are passed through, others are spooled to determine it."""

import tempfile
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from attrs import define, field

from wxasset.errors import Hint, SourceError
from wxasset.transfer.buffers import SPOOL_BUFFERS, BufferLease
from wxasset.transfer.owned import OwnedIterator
from wxasset.transfer.threads import abandonable
from wxasset.transfer.uploads.content import (
    CHUNK,
    Chunk,
    Content,
    MemoryContent,
    in_thread,
    read_up_to,
    single_bytes,
    unreadable,
)
from wxasset.transfer.uploads.handles import examine_seekable
from wxasset.wire.formats import HEAD_SIZE

__all__ = ["StreamContent", "examine_stream", "handle_chunks", "spool"]

_NOTHING: Final[Chunk] = b""

_FRESH: Final = Hint(
    "Try again from the start of the data; a path, bytes or a seekable file can be sent again automatically.",
    "请从头重新提供数据后重试；路径、bytes 或可 seek 的文件可自动重发。",
)
_EXACT: Final = Hint(
    "Do not modify the file during the upload; a declared size must be the exact number of bytes.",
    "上传期间请勿改动文件；声明的大小必须与实际字节数一致。",
)


async def handle_chunks(handle: Any, name: str) -> AsyncGenerator[Chunk, None]:
    """Read an unseekable file, such as a pipe, chunk by chunk."""

    def step() -> bytes:
        return read_up_to(handle, CHUNK)

    while True:
        try:
            # A read from a pipe may block forever; a cancelled upload does not wait for it.
            data = await abandonable(step).result()
        except (OSError, ValueError) as error:
            raise unreadable(name, error) from error
        if not data:
            return
        yield data


async def _next(chunks: AsyncIterator[Any]) -> Chunk | None:
    """Return the next non-empty chunk, after a check of its type; None at the end."""
    async for chunk in chunks:
        if not isinstance(chunk, bytes | bytearray | memoryview):
            raise SourceError(f"The stream to upload yielded {type(chunk).__name__}, not bytes.")
        if len(chunk):
            # A copy of what is not immutable: the stream may use its buffer for the next chunk.
            return chunk if isinstance(chunk, bytes) else bytes(single_bytes(chunk))
    return None


class _Chunks:
    """The non-empty chunks of a stream, read in one task."""

    def __init__(self, stream: AsyncIterable[Any]) -> None:
        """Start to read; the caller must await `aclose`."""
        self._items = OwnedIterator(stream)
        self.aclose = self._items.aclose

    async def next(self) -> Chunk | None:
        """Return the next chunk; None at the end.

        Raises:
            SourceError: The stream failed.
        """
        try:
            return await _next(self._items)
        except SourceError:
            raise
        except Exception as error:
            raise SourceError(f"The stream to upload failed: {type(error).__name__}: {error}.", _FRESH) from error


@define(eq=False, repr=False)
class StreamContent:
    """A stream with an announced size; it can be read once."""

    size: int
    head: bytes = field(repr=False)
    _first: list[Chunk] = field(repr=False)
    _rest: _Chunks = field(repr=False)
    _opened: bool = field(default=False, init=False)
    whole: None = field(default=None, init=False)

    async def aclose(self) -> None:
        """Close the stream."""
        await self._rest.aclose()

    @property
    def replayable(self) -> bool:
        """True if the stream has not been opened yet."""
        return not self._opened

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[AsyncIterator[Chunk], None]:
        """Open the stream, once."""
        self._opened = True
        yield self._exactly()

    async def _exactly(self) -> AsyncIterator[Chunk]:
        """Yield each chunk after the next one has arrived, so that the total is checked before the last one is sent."""
        total, held = 0, _NOTHING
        while (chunk := self._first.pop(0) if self._first else await self._rest.next()) is not None:
            total += len(chunk)
            if total > self.size:
                raise SourceError(f"The stream yielded more than the {self.size} bytes of size=.", _EXACT)
            if held:
                yield held
            held = chunk
        if total < self.size:
            raise SourceError(f"The stream yielded {total} bytes, not the {self.size} of size=.", _EXACT)
        yield held


async def examine_stream(stream: AsyncIterable[Any], size: int) -> StreamContent:
    """Read the start of a stream with an announced size."""
    rest, first, seen = _Chunks(stream), [], 0
    try:
        while seen < min(HEAD_SIZE, size) and (chunk := await rest.next()) is not None:
            first.append(chunk)
            seen += len(chunk)
    except BaseException:
        await rest.aclose()
        raise
    head = b"".join(bytes(memoryview(chunk)[:HEAD_SIZE]) for chunk in first)[:HEAD_SIZE]
    return StreamContent(size, head, first, rest)


async def spool(stream: AsyncIterable[Any], most: int) -> Content:
    """Spool a stream of unknown size: in memory up to 1 MiB, then in an unnamed temporary file until it is closed.

    The more streams there are, the less of each is kept in memory.

    Args:
        stream: The stream.
        most: Maximum number of bytes.

    Raises:
        SourceError: The stream has more than `most` bytes or fails, or the disk is full.
    """
    memory = bytearray()
    files: list[Any] = []  # filled by the thread: a return value is lost if the caller is cancelled
    try:
        with SPOOL_BUFFERS.lease() as lease:
            await _spool(stream, most, memory, files, lease)
        if not files:
            return MemoryContent(bytes(memory))
        return await in_thread(_finish_spool, files[0], memory, name="a temporary file")
    except BaseException:
        for file in files:
            file.close()
        raise


async def _spool(
    stream: AsyncIterable[Any], most: int, memory: bytearray, files: list[Any], lease: BufferLease
) -> None:
    owned, total = _Chunks(stream), 0
    try:
        while (chunk := await owned.next()) is not None:
            total += len(chunk)
            if total > most:
                raise SourceError(f"The stream to upload has more than {most} bytes.")
            memory += chunk
            if len(memory) >= lease.current:
                await in_thread(_spill, files, memory, name="a temporary file")
                memory.clear()
    finally:
        await owned.aclose()


def _spill(files: list[Any], data: bytearray) -> None:
    if not files:
        files.append(tempfile.TemporaryFile())  # noqa: SIM115 - closed with its content
    files[0].write(data)


def _finish_spool(file: Any, rest: bytearray) -> Content:
    file.write(rest)
    file.seek(0)
    return examine_seekable(file, "the spooled stream", owned=True)
