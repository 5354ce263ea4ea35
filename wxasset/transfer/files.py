"""Uploads from regular files: by path, or from a handle that somebody else opened."""

import io
import os
import stat
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from functools import reduce
from operator import or_
from typing import Any, Final

from attrs import define, field, frozen

from wxasset.errors import Hint, SourceError
from wxasset.transfer.content import (
    OPEN_BINARY,
    SMALL,
    Chunk,
    Content,
    MemoryContent,
    in_thread,
    unreadable,
)
from wxasset.transfer.pages import LEAVE_ALONE, Identity, read_pages
from wxasset.wire.formats import HEAD_SIZE

__all__ = [
    "FileContent",
    "OpenFileContent",
    "OpenedContent",
    "check_position",
    "examine_file",
    "examine_open_file",
    "in_memory",
    "is_open_file",
]


# A pipe would wait for its writer, a terminal would become ours, and Windows would change line ends.
_READ: Final = os.O_RDONLY | reduce(or_, (getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOCTTY", "O_BINARY")))


@frozen
class FileContent:
    """A file on disk, opened by its path for each attempt."""

    path: str
    head: bytes = field(repr=False)
    identity: Identity
    replayable: bool = field(default=True, init=False)
    whole: None = field(default=None, init=False)

    @property
    def size(self) -> int:
        """How many bytes the file had when it was examined."""
        return self.identity.size

    def close(self) -> None:
        """Do nothing: the file is open during an attempt only."""

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[AsyncIterator[Chunk], None]:
        """Open the file; it has to be the one that was examined."""
        opened: list[int] = []  # by the thread itself: what it returns is lost where its caller is cancelled
        try:
            await in_thread(self._open, opened, name=self.path)
            async with aclosing(read_pages(opened[0], self.identity, 0, self.path)) as chunks:
                yield chunks
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def _open(self, opened: list[int]) -> None:
        opened.append(os.open(self.path, _READ))
        self.identity.check(opened[0], self.path)


async def examine_file(path: str) -> Content:
    """Look at a file: one hop, in which a small one is read whole and no longer depends on the disk.

    Raises:
        SourceError: It cannot be opened or read, or is no regular file.
    """
    return await in_thread(_examine_file, path, name=path)


def _examine_file(path: str) -> Content:
    """Look at a file in as few system calls as that takes: each lets go of the interpreter, and has to get it back."""
    descriptor = os.open(path, _READ)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise SourceError(f"{path} is no regular file.", OPEN_BINARY)
        if found.st_size > SMALL:
            return FileContent(path, os.read(descriptor, HEAD_SIZE), Identity.of(found))
        # Not more room than it takes: memory that is new to the process costs more than the read.
        data = os.read(descriptor, found.st_size + 1)
    finally:
        os.close(descriptor)
    if len(data) != found.st_size:
        how = "grew" if len(data) > found.st_size else "shrank"
        raise SourceError(f"{path} {how} while it was read.", LEAVE_ALONE)
    return MemoryContent(data)


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
            async with aclosing(read_pages(descriptor, self.identity, self.start, self.name)) as chunks:
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
