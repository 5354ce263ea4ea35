"""Uploads from regular files by path."""

import os
import stat
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from functools import reduce
from operator import or_
from typing import Final

from attrs import field, frozen

from wxasset.errors import SourceError
from wxasset.transfer.uploads.content import OPEN_BINARY, SMALL, Chunk, Content, MemoryContent, in_thread
from wxasset.transfer.uploads.file_reader import LEAVE_ALONE, Identity, read_file
from wxasset.wire.formats import HEAD_SIZE

__all__ = ["FileContent", "examine_file"]

# Without these, a pipe would wait for its writer, a terminal could become the controlling one, and Windows would
# convert line ends.
_READ: Final = os.O_RDONLY | reduce(or_, (getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOCTTY", "O_BINARY")))


@frozen
class FileContent:
    """A file on disk, opened by path for each attempt."""

    path: str
    head: bytes = field(repr=False)
    identity: Identity
    replayable: bool = field(default=True, init=False)
    whole: None = field(default=None, init=False)

    @property
    def size(self) -> int:
        """Number of bytes at the time of the examination."""
        return self.identity.size

    async def aclose(self) -> None:
        """Do nothing: the file is open during an attempt only."""

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[AsyncIterator[Chunk], None]:
        """Open the file, and check that it is the examined one."""
        opened: list[int] = []  # filled by the thread: a return value is lost if the caller is cancelled
        try:
            await in_thread(self._open, opened, name=self.path)
            async with aclosing(read_file(opened[0], self.identity, 0, self.path)) as chunks:
                yield chunks
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def _open(self, opened: list[int]) -> None:
        opened.append(os.open(self.path, _READ))
        self.identity.check(opened[0], self.path)


async def examine_file(path: str) -> Content:
    """Examine a file in one thread hop; a small file is read completely into memory.

    Raises:
        SourceError: The file cannot be opened or read, or is not a regular file.
    """
    return await in_thread(_examine_file, path, name=path)


def _examine_file(path: str) -> Content:
    """Examine a file in few system calls: each call releases and reacquires the GIL."""
    descriptor = os.open(path, _READ)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise SourceError(f"{path} is not a regular file.", OPEN_BINARY)
        if found.st_size > SMALL:
            return FileContent(path, os.read(descriptor, HEAD_SIZE), Identity.of(found))
        # Allocate no more than needed: memory new to the process costs more than the read.
        data = os.read(descriptor, found.st_size + 1)
    finally:
        os.close(descriptor)
    if len(data) != found.st_size:
        how = "grew" if len(data) > found.st_size else "shrank"
        raise SourceError(f"{path} {how} while it was read.", LEAVE_ALONE)
    return MemoryContent(data)
