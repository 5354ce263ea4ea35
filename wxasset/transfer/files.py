"""Uploads from files: by path, or from a handle that somebody else opened."""

import io
import os
import stat
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from attrs import define, field, frozen

from wxasset.errors import Hint, SourceError
from wxasset.transfer.content import (
    CHUNK,
    OPEN_BINARY,
    Chunk,
    Content,
    MemoryContent,
    in_thread,
    read_up_to,
    unreadable,
)
from wxasset.wire.formats import HEAD_SIZE

__all__ = ["FileContent", "HandleContent", "examine_file", "examine_handle"]

T = TypeVar("T")

_REOPEN: Final = Hint(
    "Leave the file alone while it is sent, then upload it again; nothing was added.",
    "上传期间请勿改动文件；本次未新增素材，请重新上传。",
)


def _read_checked(handle: Any, count: int, *, last: bool, name: str) -> bytes:
    """Read the next bytes; before the last of them are given out, make sure that there are no more."""
    data = read_up_to(handle, count)
    if len(data) < count:
        raise SourceError(f"{name} shrank while it was sent.", _REOPEN)
    if last and read_up_to(handle, 1):
        raise SourceError(f"{name} grew while it was sent.", _REOPEN)
    return data


@frozen
class _Identity:
    """What a file on disk is known by; a rewritten one differs in at least one of these."""

    device: int
    inode: int
    size: int
    modified_ns: int

    @classmethod
    def of(cls, descriptor: int) -> "_Identity":
        found = os.fstat(descriptor)
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


@frozen
class FileContent:
    """A file on disk, opened by its path for each attempt."""

    path: str
    head: bytes = field(repr=False)
    identity: _Identity
    replayable: bool = field(default=True, init=False)

    @property
    def size(self) -> int:
        """How many bytes the file had when it was examined."""
        return self.identity.size

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[AsyncIterator[Chunk], None]:
        """Open the file; it has to be the one that was examined."""
        handle = await in_thread(self._open, name=self.path)
        try:
            yield self._chunks(handle)
        finally:
            handle.close()

    def _open(self) -> io.FileIO:
        handle = io.FileIO(self.path)
        try:
            self._check(handle)
        except BaseException:
            handle.close()
            raise
        return handle

    def _check(self, handle: io.FileIO) -> None:
        if _Identity.of(handle.fileno()) != self.identity:
            raise SourceError(f"{self.path} was changed while it was sent.", _REOPEN)

    def _step(self, handle: io.FileIO, count: int, last: bool) -> bytes:  # noqa: FBT001 - run_sync passes positions
        data = _read_checked(handle, count, last=last, name=self.path)
        if last:
            self._check(handle)
        return data

    async def _chunks(self, handle: io.FileIO) -> AsyncIterator[Chunk]:
        for start in range(0, self.size, CHUNK):
            count = min(CHUNK, self.size - start)
            yield await in_thread(self._step, handle, count, start + count == self.size, name=self.path)


async def examine_file(path: str) -> Content:
    """Look at a file: one hop, in which a small one is read whole and no longer depends on the disk.

    Raises:
        SourceError: It cannot be opened or read, or is no regular file.
    """
    return await in_thread(_examine_file, path, name=path)


def _examine_file(path: str) -> Content:
    # Looked at before it is opened: to open a pipe would wait for its writer.
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise SourceError(f"{path} is no regular file.", OPEN_BINARY)
    with io.FileIO(path) as handle:
        identity = _Identity.of(handle.fileno())
        if identity.size > CHUNK:
            return FileContent(path, read_up_to(handle, HEAD_SIZE), identity)
        data = read_up_to(handle, CHUNK + 1)
        if len(data) > CHUNK:
            raise SourceError(f"{path} grew while it was read.", _REOPEN)
        return MemoryContent(data)


@define
class HandleContent:
    """A seekable file that somebody else opened; it is read from where it stood, and left open."""

    handle: Any = field(repr=False)
    name: str
    start: int
    size: int
    head: bytes = field(repr=False)
    replayable: bool = field(default=True, init=False)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[AsyncIterator[Chunk], None]:
        """Go back to where the file stood."""
        await _work(self.handle, self._rewind, name=self.name)
        yield self._chunks()

    def _rewind(self) -> None:
        self.handle.seek(self.start)

    def _step(self, count: int, last: bool) -> bytes:  # noqa: FBT001 - run_sync passes positions
        return _read_checked(self.handle, count, last=last, name=self.name)

    async def _chunks(self) -> AsyncIterator[Chunk]:
        for start in range(0, self.size, CHUNK):
            count = min(CHUNK, self.size - start)
            yield await _work(self.handle, self._step, count, start + count == self.size, name=self.name)


def _in_memory(handle: Any) -> bool:
    """Tell whether reading blocks on nothing, so that a hop to a thread would be wasted."""
    if isinstance(handle, tempfile.SpooledTemporaryFile):
        return not getattr(handle, "_rolled", True)
    return isinstance(handle, io.BytesIO)


async def _work(handle: Any, function: Callable[..., T], *arguments: Any, name: str) -> T:
    if not _in_memory(handle):
        return await in_thread(function, *arguments, name=name)
    try:
        return function(*arguments)
    except (OSError, ValueError) as error:
        raise unreadable(name, error) from error


async def examine_handle(handle: Any, name: str) -> HandleContent | None:
    """Look at an open binary file.

    Returns:
        Its content from where it stands to its end, or None where it cannot seek.

    Raises:
        SourceError: It is closed, or not open for reading bytes.
    """
    if getattr(handle, "closed", False):
        raise SourceError(f"{name} is closed.", OPEN_BINARY)
    if isinstance(handle, io.TextIOBase):
        raise SourceError(f"{name} is open in text mode.", OPEN_BINARY)
    return await _work(handle, _examine_handle, handle, name, name=name)


def _examine_handle(handle: Any, name: str) -> HandleContent | None:
    if hasattr(handle, "readable") and not handle.readable():
        raise SourceError(f"{name} is not open for reading.", OPEN_BINARY)
    if not (hasattr(handle, "seek") and hasattr(handle, "tell")) or (
        hasattr(handle, "seekable") and not handle.seekable()
    ):
        return None
    start = handle.tell()
    size = handle.seek(0, os.SEEK_END)
    end = handle.tell() if size is None else size  # SpooledTemporaryFile before 3.11 returned nothing
    handle.seek(start)
    head = read_up_to(handle, HEAD_SIZE)
    handle.seek(start)
    if start == end and end:
        raise SourceError(
            f"{name} stands at its end.",
            Hint("Call seek(0) on it before the upload.", "请在上传前对文件调用 seek(0)。"),
        )
    return HandleContent(handle, name, start, end - start, head)
