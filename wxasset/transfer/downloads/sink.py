"""Where a download can go: the one door through which everything becomes a `Sink`.

A sink is entered for each attempt. Left well it holds the whole file; left by an error, nothing of it.
"""

import inspect
import io
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, BinaryIO, Final, Protocol, TypeAlias

import anyio
from attrs import define, field

from wxasset.errors import DestinationError, UsageError
from wxasset.transfer.buffers import DOWNLOAD_BUFFERS
from wxasset.transfer.downloads.paths import examine_path
from wxasset.transfer.downloads.writer import (
    DirectWriting,
    Sink,
    ThreadedWriting,
    Writing,
    cannot_write,
    in_thread,
    shielded,
    write_all,
)
from wxasset.transfer.threads import in_background

__all__ = ["AsyncWriter", "Destination", "open_sink"]

_OPEN_FILE: Final = "the open file"


class AsyncWriter(Protocol):
    """Anything with ``async write(bytes)``."""

    async def write(self, data: bytes, /) -> object:
        """Take the next bytes."""
        ...


Destination: TypeAlias = str | os.PathLike[str] | BinaryIO | anyio.AsyncFile[bytes] | AsyncWriter
"""Where a download can go: a path, a directory, an open binary file, an anyio file, or an object with
``async write(bytes)``."""


def _examine_handle(handle: Any) -> None:
    if getattr(handle, "closed", False):
        raise DestinationError("The destination is closed.")
    if isinstance(handle, io.TextIOBase):
        raise DestinationError("The destination is open in text mode.")
    if hasattr(handle, "writable") and not handle.writable():
        raise DestinationError("The destination is not open for writing.")


@define
class _HandleSink(Sink):
    """A file that somebody else opened: written from where it stands, and left open."""

    _handle: Any
    _seekable: bool
    _sync: bool
    _written: bool = field(default=False, init=False)

    @property
    def replayable(self) -> bool:
        """Where it cannot seek, only as long as nothing has been written."""
        return self._seekable or not self._written

    @asynccontextmanager
    async def open(self, filename: str | None, fallback: str) -> AsyncGenerator[Writing, None]:
        del filename, fallback
        start = await in_thread(self._begin, name=_OPEN_FILE)
        with DOWNLOAD_BUFFERS.lease() as lease:
            writing = ThreadedWriting(self._write, lease, _OPEN_FILE)
            try:
                yield writing
                await writing.finish(self._end)
            except BaseException:
                await shielded(writing.join, lambda: in_background(self._restore, start).join())
                raise

    def _begin(self) -> tuple[int, int] | None:
        if not self._seekable:
            return None
        start = self._handle.tell()
        self._handle.seek(0, os.SEEK_END)
        end = self._handle.tell()
        self._handle.seek(start)
        return start, end

    def _write(self, data: bytes) -> None:
        self._written = True
        write_all(self._handle, data)

    def _end(self) -> None:
        if hasattr(self._handle, "flush"):
            self._handle.flush()
        if self._sync:
            os.fsync(self._handle.fileno())

    def _restore(self, place: tuple[int, int] | None) -> None:
        """Go back to where the file stood, and take away what the download added to its length."""
        if place is not None:
            start, end = place
            self._handle.seek(max(start, end))
            self._handle.truncate()
            self._handle.seek(start)


@define
class _MemorySink(Sink):
    """A `BytesIO`: written where it stands, and nothing waited for."""

    _memory: io.BytesIO

    @asynccontextmanager
    async def open(self, filename: str | None, fallback: str) -> AsyncGenerator[Writing, None]:
        del filename, fallback
        _examine_handle(self._memory)
        start, end = self._memory.tell(), len(self._memory.getbuffer())
        writing = DirectWriting(self._write)
        try:
            yield writing
            await writing.finish()
        except BaseException:
            if not self._memory.closed:
                self._memory.truncate(max(start, end))
                self._memory.seek(start)
            raise

    async def _write(self, data: bytes) -> None:
        try:
            self._memory.write(data)
        except (ValueError, BufferError) as error:
            raise cannot_write("the open file", error) from error


@define
class _WriterSink(Sink):
    """An object with ``async write(bytes)``; what it was given cannot be taken back."""

    _writer: AsyncWriter
    _written: bool = field(default=False, init=False)

    @property
    def replayable(self) -> bool:
        """Only as long as nothing has been written."""
        return not self._written

    @asynccontextmanager
    async def open(self, filename: str | None, fallback: str) -> AsyncGenerator[Writing, None]:
        del filename, fallback
        writing = DirectWriting(self._write)
        yield writing
        await writing.finish()

    async def _write(self, data: bytes) -> None:
        self._written = True
        try:
            await self._writer.write(data)
        except OSError as error:
            raise cannot_write("the destination", error) from error


async def open_sink(to: Destination, *, fsync: bool = False) -> Sink:
    """Make a `Sink` of anywhere that a download can go, and check it before anything is fetched.

    Args:
        to: A path (its directory has to exist; an existing file is replaced), a directory (the file takes the name
            that the server gave, made safe, and replaces nothing), or something open for writing bytes.
        fsync: Whether to wait until the bytes, and the name of a new file, are on the disk.

    Raises:
        DestinationError: Nothing can be written there.
        UsageError: There is no disk behind it that `fsync` could wait for.
    """
    if isinstance(to, str | os.PathLike):
        path = os.fsdecode(to)
        if not path:
            raise DestinationError("The destination is an empty path.")
        return await in_thread(examine_path, path, fsync, name=path)
    handle: Any = to.wrapped if isinstance(to, anyio.AsyncFile) else to
    if not hasattr(handle, "write"):
        raise DestinationError(f"Cannot write to an object of type {type(to).__name__}.")
    if fsync and not _has_descriptor(handle):
        raise UsageError("fsync= is for a path or an open file.")
    if inspect.iscoroutinefunction(handle.write):
        return _WriterSink(handle)
    _examine_handle(handle)
    if type(handle) is io.BytesIO:
        return _MemorySink(handle)
    seekable = bool(getattr(handle, "seekable", bool)()) and hasattr(handle, "truncate")
    return _HandleSink(handle, seekable, fsync)


def _has_descriptor(handle: Any) -> bool:
    try:
        return isinstance(handle.fileno(), int)
    except (AttributeError, OSError, ValueError):
        return False
