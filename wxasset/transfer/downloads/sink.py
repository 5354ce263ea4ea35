"""Destinations of downloads, and their conversion to a `Sink`.

A sink is entered for each attempt. After a normal exit it holds the complete file; after an error it holds no part of
the file.
"""

import inspect
import io
import os
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import IO, Any, Final

from attrs import define, field

from wxasset.errors import DestinationError, UsageError
from wxasset.transfer.buffers import DOWNLOAD_BUFFERS
from wxasset.transfer.downloads.destination import AsyncWriter, Destination, Digest
from wxasset.transfer.downloads.paths import examine_path
from wxasset.transfer.downloads.writer import (
    DirectWriting,
    Sink,
    ThreadedWriting,
    Writing,
    cannot_write,
    clean_up,
    flush,
    in_thread,
    shielded,
    write_all,
)
from wxasset.transfer.readiness import descriptor_of, is_async_file, may_block_forever
from wxasset.transfer.threads import abandonable, in_background

__all__ = ["open_sink"]

_OPEN_FILE: Final = "the open file"
_COPIED: Final = 1024 * 1024  # bytes copied at once


def _examine_handle(handle: Any) -> None:
    if getattr(handle, "closed", False):
        raise DestinationError("The destination is closed.")
    if isinstance(handle, io.TextIOBase):
        raise DestinationError("The destination is open in text mode.")
    if hasattr(handle, "writable") and not handle.writable():
        raise DestinationError("The destination is not open for writing.")


@define
class _HandleSink(Sink):
    """A file opened by the caller: written from its current position, and left open."""

    _handle: Any
    _seekable: bool
    _sync: bool
    _written: bool = field(default=False, init=False)
    _endless: bool = field(default=False, init=False)
    _replaces: bool = field(default=False, init=False)
    _kept: IO[bytes] | None = field(default=None, init=False)

    @property
    def replayable(self) -> bool:
        """True if it can seek, or no bytes have been written yet."""
        return self._seekable or not self._written

    @asynccontextmanager
    async def open(self, filename: str | None, fallback: str) -> AsyncGenerator[Writing, None]:
        del filename, fallback
        place = await in_thread(self._begin, name=_OPEN_FILE)
        with DOWNLOAD_BUFFERS.lease() as lease:
            # A write to a pipe may block forever; a cancelled download does not wait for it.
            submit = abandonable if self._endless else in_background
            writing = ThreadedWriting(self._write_batch, lease, _OPEN_FILE, submit)
            try:
                yield writing
                await writing.finish(self._end)
            except BaseException:
                await shielded(writing.join, lambda: clean_up(self._restore, place))
                raise

    def _begin(self) -> tuple[int, int] | None:
        self._endless = may_block_forever(self._handle)
        if self._endless:
            flush(self._handle)  # the bytes of the caller come first
        if not self._seekable:
            return None
        try:
            start = self._handle.tell()
            self._handle.seek(0, os.SEEK_END)
            end = self._handle.tell()
            self._handle.seek(start)
        except (OSError, ValueError):  # such as a GzipFile, which cannot seek to its end
            self._seekable = False
            return None
        self._replaces = start < end
        return start, end

    def _write_batch(self, batch: Sequence[bytes]) -> None:
        for data in batch:
            self._write(data)

    def _write(self, data: bytes) -> None:
        if not self._replaces:
            self._written = True
            write_all(self._handle, data)
            return
        # The bytes of the file could not be restored: the download has to be complete before they are overwritten.
        if self._kept is None:
            self._kept = tempfile.TemporaryFile()  # noqa: SIM115 - closed at the end of the attempt
        self._kept.write(data)

    def _end(self) -> None:
        self._replaces = False
        if self._kept is not None:
            self._kept.seek(0)
            while data := self._kept.read(_COPIED):
                self._write(data)
            self._drop()
        flush(self._handle)
        if self._sync:
            os.fsync(self._handle.fileno())

    def _restore(self, place: tuple[int, int] | None) -> None:
        """Restore the position of the file, and remove the bytes added by the download."""
        self._drop()
        if place is not None:
            start, end = place
            try:
                self._handle.seek(max(start, end))
                self._handle.truncate()
                self._handle.seek(start)
            except (OSError, ValueError):
                self._seekable = False  # or the next attempt would write after the rest of this one

    def _drop(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None


@define
class _MemorySink(Sink):
    """A `BytesIO`: written from its current position, without a thread."""

    _memory: io.BytesIO

    @asynccontextmanager
    async def open(self, filename: str | None, fallback: str) -> AsyncGenerator[Writing, None]:
        del filename, fallback
        _examine_handle(self._memory)
        start = self._memory.tell()
        before = self._memory.getvalue()[start:]
        writing = DirectWriting(self._write)
        try:
            yield writing
            await writing.finish()
        except BaseException:
            if not self._memory.closed:
                self._memory.seek(start)
                self._memory.write(before)
                self._memory.truncate()
                self._memory.seek(start)
            raise

    async def _write(self, data: bytes) -> None:
        try:
            self._memory.write(data)
        except (ValueError, BufferError) as error:
            raise cannot_write("the open file", error) from error


@define
class _WriterSink(Sink):
    """An object with ``async write(bytes)``; written bytes cannot be removed."""

    _writer: AsyncWriter
    _written: bool = field(default=False, init=False)

    @property
    def replayable(self) -> bool:
        """True if no bytes have been written yet."""
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
            while True:
                taken = await self._writer.write(data)
                # An unbuffered file takes a part; an object without a count, or with True, has accepted everything.
                if type(taken) is not int or not 0 <= taken < len(data):
                    return
                if not taken:
                    raise DestinationError("The destination takes no more bytes: its write() returned 0.")
                data = data[taken:]
        except OSError as error:
            raise cannot_write("the destination", error) from error


async def open_sink(to: Destination, *, fsync: bool = False, digest: Digest = "sha256") -> Sink:
    """Convert a destination to a `Sink`, and check it before the download starts.

    Args:
        to: A path (its directory has to exist; an existing file is replaced), a directory (the file gets the sanitized
            name sent by the server and never replaces another file; a path that ends with ``/`` is created as one), or
            an object open for writing bytes. Links of other users in a path are refused.
        fsync: Whether to wait until the bytes, and the name of a new file, are on the disk.
        digest: The hash to compute; None to save its time.

    Raises:
        DestinationError: The destination cannot be written.
        UsageError: `fsync` is set, but the destination is not a file on a disk; or there is no such hash.
    """
    if not isinstance(fsync, bool):
        raise UsageError(f"fsync= must be True or False, not {fsync!r}.")
    if digest not in ("sha256", None):
        raise UsageError(f'digest= must be "sha256" or None, not {digest!r:.80}.')
    sink = await _sink(to, fsync)
    sink.hashed = digest is not None
    return sink


async def _sink(to: Destination, fsync: bool) -> Sink:  # noqa: FBT001 - called by `open_sink` alone
    if isinstance(to, str | os.PathLike):
        path = os.fsdecode(to)
        if not path:
            raise DestinationError("The destination is an empty path.")
        return await in_thread(examine_path, path, fsync, name=path)
    handle: Any = to
    if is_async_file(handle):
        handle = handle.wrapped
    if not hasattr(handle, "write"):
        raise DestinationError(f"Cannot write to an object of type {type(to).__name__}.")
    if fsync and descriptor_of(handle) is None:
        raise UsageError("fsync= is for a path or an open file.")
    if inspect.iscoroutinefunction(handle.write):
        return _WriterSink(handle)
    _examine_handle(handle)
    if type(handle) is io.BytesIO:
        return _MemorySink(handle)
    seekable = bool(getattr(handle, "seekable", bool)()) and hasattr(handle, "truncate")
    return _HandleSink(handle, seekable, fsync)
