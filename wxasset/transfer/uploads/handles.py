"""Uploads from handles: objects with ``read``, opened by the caller."""

import io
import os
import stat
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar

from attrs import define, field

from wxasset.errors import Hint, SourceError
from wxasset.transfer.uploads.content import CHUNK, OPEN_BINARY, Chunk, Content, in_thread, read_up_to, unreadable
from wxasset.transfer.uploads.file_reader import LEAVE_ALONE, Identity, read_file
from wxasset.wire.formats import HEAD_SIZE

__all__ = [
    "HandleContent",
    "OpenFileContent",
    "OpenedContent",
    "check_position",
    "examine_handle",
    "examine_open_file",
    "examine_seekable",
    "in_memory",
    "is_open_file",
]


@define(kw_only=True, eq=False, repr=False)
class OpenedContent:
    """Content of a handle opened by the caller, from its current position.

    Attributes:
        handle: The handle.
        name: Name of the handle in errors.
        start: Initial position.
        head: The first bytes from the initial position.
        owned: Whether the handle belongs to this package and is closed with its content.
    """

    handle: Any = field(repr=False)
    name: str
    start: int
    head: bytes = field(repr=False)
    owned: bool = False
    replayable: bool = field(default=True, init=False)
    whole: None = field(default=None, init=False)

    async def aclose(self) -> None:
        """Close the handle if it is owned."""
        if self.owned:
            self.handle.close()


@define(kw_only=True, eq=False, repr=False)
class OpenFileContent(OpenedContent):
    """A regular file opened by the caller: read by its descriptor, and left open."""

    descriptor: int
    identity: Identity

    @property
    def size(self) -> int:
        """Number of bytes from the initial position to the end, at the time of the examination."""
        return self.identity.size - self.start

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[AsyncIterator[Chunk], None]:
        """Read the file; the handle is moved to its end first."""
        try:
            self.handle.seek(self.identity.size)
            # A duplicate: if the caller closes its descriptor, the number may be reused for another file at once.
            descriptor = os.dup(self.descriptor)
        except (OSError, ValueError) as error:
            raise unreadable(self.name, error) from error
        try:
            async with aclosing(read_file(descriptor, self.identity, self.start, self.name)) as chunks:
                yield chunks
        finally:
            os.close(descriptor)


def is_open_file(handle: Any) -> bool:
    """Return whether a handle is a file of the operating system with at most a buffer around it."""
    if not hasattr(os, "preadv"):
        return False  # reading would move the position of the handle
    if isinstance(handle, tempfile.SpooledTemporaryFile):
        return not in_memory(handle) and "b" in handle.mode
    if isinstance(handle, tempfile._TemporaryFileWrapper):  # noqa: SLF001 - the type returned by NamedTemporaryFile
        handle = handle.file
    raw = handle.raw if type(handle) in (io.BufferedReader, io.BufferedRandom) else handle
    return type(raw) is io.FileIO


def in_memory(handle: Any) -> bool:
    """Return whether reading never blocks, so that no thread is needed."""
    if isinstance(handle, tempfile.SpooledTemporaryFile):
        return not getattr(handle, "_rolled", True)
    return isinstance(handle, io.BytesIO)


def examine_open_file(handle: Any, name: str, *, owned: bool) -> OpenFileContent | None:
    """Examine an open file (see `is_open_file`) in a thread; return None for other kinds of files, such as pipes.

    Raises:
        SourceError: The handle is at its end.
    """
    if handle.writable():
        handle.flush()
    descriptor = handle.fileno()
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        return None
    start, identity = handle.tell(), Identity.of(found)
    check_position(name, start, identity.size)
    head = os.pread(descriptor, HEAD_SIZE, start)
    return OpenFileContent(
        handle=handle, name=name, start=start, head=head, owned=owned, descriptor=descriptor, identity=identity
    )


def check_position(name: str, start: int, end: int) -> None:
    """Raise `SourceError` for a handle at the end of a non-empty file."""
    if start >= end > 0:
        raise SourceError(
            f"{name} is at its end: there are no bytes left to read.",
            Hint("Rewind it to its start before the upload.", "请在上传前回到文件开头。"),
        )


T = TypeVar("T")


@define(kw_only=True, eq=False, repr=False)
class HandleContent(OpenedContent):
    """A seekable handle of any kind; it is read with its own ``read``, and left open."""

    size: int

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[AsyncIterator[Chunk], None]:
        """Move the handle back to its initial position and read from there."""
        await _work(self.handle, self._rewind, name=self.name)
        async with aclosing(self._chunks()) as chunks:
            yield chunks

    def _rewind(self) -> None:
        self.handle.seek(self.start)

    def _step(self, count: int, last: bool) -> bytes:  # noqa: FBT001 - passed on by position
        """Read the next bytes; after the last ones, check that the file has not grown."""
        data = read_up_to(self.handle, count)
        if len(data) < count:
            raise SourceError(f"{self.name} shrank while it was sent.", LEAVE_ALONE)
        if last and read_up_to(self.handle, 1):
            raise SourceError(f"{self.name} grew while it was sent.", LEAVE_ALONE)
        return data

    async def _chunks(self) -> AsyncGenerator[Chunk, None]:
        for start in range(0, self.size, CHUNK):
            count = min(CHUNK, self.size - start)
            yield await _work(self.handle, self._step, count, start + count == self.size, name=self.name)


async def _work(handle: Any, function: Callable[..., T], *arguments: Any, name: str) -> T:
    if not in_memory(handle):
        return await in_thread(function, *arguments, name=name)
    try:
        return function(*arguments)
    except (OSError, ValueError) as error:
        raise unreadable(name, error) from error


async def examine_handle(handle: Any, name: str) -> Content | None:
    """Examine an open binary file.

    Returns:
        The content from the current position to the end, or None if the file cannot seek.

    Raises:
        SourceError: The file is closed, or not open for reading bytes.
    """
    if getattr(handle, "closed", False):
        raise SourceError(f"{name} is closed.", OPEN_BINARY)
    if isinstance(handle, io.TextIOBase):
        raise SourceError(f"{name} is open in text mode.", OPEN_BINARY)
    return await _work(handle, _examine_handle, handle, name, name=name)


def _examine_handle(handle: Any, name: str) -> Content | None:
    if hasattr(handle, "readable") and not handle.readable():
        raise SourceError(f"{name} is not open for reading.", OPEN_BINARY)
    if not (hasattr(handle, "seek") and hasattr(handle, "tell")) or (
        hasattr(handle, "seekable") and not handle.seekable()
    ):
        return None
    start = handle.tell()
    try:
        return examine_seekable(handle, name)
    except (io.UnsupportedOperation, NotImplementedError):
        if handle.tell() != start:
            raise
        return None  # it cannot seek to its end, so it is read like a pipe


def examine_seekable(handle: Any, name: str, *, owned: bool = False) -> Content:
    """Examine a seekable handle; run it in a thread if the handle may block.

    An `owned` handle is closed with its content.

    Raises:
        SourceError: The handle is at its end.
    """
    if is_open_file(handle) and (content := examine_open_file(handle, name, owned=owned)) is not None:
        return content
    start = handle.tell()
    size = handle.seek(0, os.SEEK_END)
    end = handle.tell() if size is None else size  # some file-like objects return None
    handle.seek(start)
    head = read_up_to(handle, HEAD_SIZE)
    handle.seek(start)
    check_position(name, start, end)
    return HandleContent(handle=handle, name=name, start=start, size=end - start, head=head, owned=owned)
