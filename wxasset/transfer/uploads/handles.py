"""Uploads from handles: anything with ``read`` that somebody else opened."""

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


@define(kw_only=True)
class OpenedContent:
    """What is read from a handle that somebody else opened, from where it stood.

    Attributes:
        handle: The handle.
        name: What to call it in errors.
        start: Where it stood.
        head: The first bytes from there.
        owned: Whether it is our own after all, and closed with its content.
    """

    handle: Any = field(repr=False)
    name: str
    start: int
    head: bytes = field(repr=False)
    owned: bool = False
    replayable: bool = field(default=True, init=False)
    whole: None = field(default=None, init=False)

    def close(self) -> None:
        """Close it if it is our own."""
        if self.owned:
            self.handle.close()


@define(kw_only=True)
class OpenFileContent(OpenedContent):
    """A regular file that somebody else opened: read by its descriptor, and left open."""

    descriptor: int
    identity: Identity

    @property
    def size(self) -> int:
        """How many bytes there were, from where it stood to its end, when it was examined."""
        return self.identity.size - self.start

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[AsyncIterator[Chunk], None]:
        """Read the file; the handle stands at its end from the beginning."""
        try:
            self.handle.seek(self.identity.size)
            # Of our own: a number that its owner closes in the middle may at once belong to another file.
            descriptor = os.dup(self.descriptor)
        except (OSError, ValueError) as error:
            raise unreadable(self.name, error) from error
        try:
            async with aclosing(read_file(descriptor, self.identity, self.start, self.name)) as chunks:
                yield chunks
        finally:
            os.close(descriptor)


def is_open_file(handle: Any) -> bool:
    """Tell whether a handle stands for a file of the operating system, and adds nothing to it but a buffer."""
    if not hasattr(os, "preadv"):
        return False  # reading would move the position that the handle believes in
    if isinstance(handle, tempfile.SpooledTemporaryFile) and not in_memory(handle):
        handle = handle._file  # noqa: SLF001 - there is no other way to it
    elif isinstance(handle, tempfile._TemporaryFileWrapper):  # noqa: SLF001 - what NamedTemporaryFile returns
        handle = handle.file
    raw = handle.raw if type(handle) in (io.BufferedReader, io.BufferedRandom) else handle
    return type(raw) is io.FileIO


def in_memory(handle: Any) -> bool:
    """Tell whether reading blocks on nothing, so that a hop to a thread would be wasted."""
    if isinstance(handle, tempfile.SpooledTemporaryFile):
        return not getattr(handle, "_rolled", True)
    return isinstance(handle, io.BytesIO)


def examine_open_file(handle: Any, name: str, *, owned: bool) -> OpenFileContent | None:
    """Look at a handle for which `is_open_file` holds, in a thread; None where it is no regular file, such as a pipe.

    Raises:
        SourceError: It stands at its end.
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
    """Refuse a handle with nothing left to read, unless there never was anything."""
    if start >= end > 0:
        raise SourceError(
            f"{name} stands at its end.",
            Hint("Call seek(0) on it before the upload.", "请在上传前对文件调用 seek(0)。"),
        )


T = TypeVar("T")


@define(kw_only=True)
class HandleContent(OpenedContent):
    """A seekable handle of any kind; it is read by its own ``read``, and left open."""

    size: int

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[AsyncIterator[Chunk], None]:
        """Go back to where the handle stood."""
        await _work(self.handle, self._rewind, name=self.name)
        async with aclosing(self._chunks()) as chunks:
            yield chunks

    def _rewind(self) -> None:
        self.handle.seek(self.start)

    def _step(self, count: int, last: bool) -> bytes:  # noqa: FBT001 - passed on by position
        """Read the next bytes; before the last of them are given out, make sure that there are no more."""
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


def _examine_handle(handle: Any, name: str) -> Content | None:
    if hasattr(handle, "readable") and not handle.readable():
        raise SourceError(f"{name} is not open for reading.", OPEN_BINARY)
    if not (hasattr(handle, "seek") and hasattr(handle, "tell")) or (
        hasattr(handle, "seekable") and not handle.seekable()
    ):
        return None
    return examine_seekable(handle, name)


def examine_seekable(handle: Any, name: str, *, owned: bool = False) -> Content:
    """Look at a handle that can seek, in a thread where it may block; one that is `owned` is closed with its content.

    Raises:
        SourceError: It stands at its end.
    """
    if is_open_file(handle) and (content := examine_open_file(handle, name, owned=owned)) is not None:
        return content
    start = handle.tell()
    size = handle.seek(0, os.SEEK_END)
    end = handle.tell() if size is None else size  # not every file-like object returns it
    handle.seek(start)
    head = read_up_to(handle, HEAD_SIZE)
    handle.seek(start)
    check_position(name, start, end)
    return HandleContent(handle=handle, name=name, start=start, size=end - start, head=head, owned=owned)
