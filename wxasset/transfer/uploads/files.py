"""Uploads from regular files by path."""

import hashlib
import math
import os
import stat
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Final

from attrs import field, frozen

from wxasset.errors import Hint, SourceError
from wxasset.transfer.uploads.cached_files import FLAGS, open_cached, read_cached, remember
from wxasset.transfer.uploads.content import OPEN_BINARY, SMALL, Chunk, Content, MemoryContent, in_thread
from wxasset.transfer.uploads.file_reader import LEAVE_ALONE, Identity, read_file
from wxasset.wire.formats import HEAD_SIZE
from wxasset.wire.media_text import describe_text, shortened

__all__ = ["DECODED", "MANY", "FileContent", "ReadFile", "examine_file", "read_ahead", "read_at_once"]

_AT_ONCE: Final = 32 * 1024
"""Most bytes of a file that is read and hashed in the event loop, which takes 31 us. In a thread it takes as long, and
the thread and the loop wait for each other: a batch of files of 20 KB with a ledger takes a tenth longer. A second run
of the batch takes 58 us a file instead of 44, as it reads the file instead of a row of the index."""

MANY: Final = Hint(
    "Many files are uploaded as a batch.",
    "多个文件请批量上传。",
)
DECODED: Final = Hint(
    "Download it or decode it first, and pass the bytes.",
    "请先下载或解码，再传入 bytes。",
)
_FILE_URL: Final = Hint(
    "Use the path of the file instead.",
    "请改用文件路径。",
)
_HOME: Final = Hint(
    "Replace ~ by the path of the home directory (in Python: Path.expanduser).",
    "请将 ~ 替换为主目录的路径（Python 中可用 Path.expanduser）。",
)


@frozen(eq=False, repr=False)
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
            if (descriptor := open_cached(self.path)) is not None:
                opened.append(descriptor)
                self._check(opened)
            else:
                await in_thread(self._open, opened, name=self.path)
            async with aclosing(read_file(opened[0], self.identity, 0, self.path)) as chunks:
                yield chunks
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def _open(self, opened: list[int]) -> None:
        opened.append(os.open(self.path, FLAGS))
        self._check(opened)

    def _check(self, opened: list[int]) -> None:
        self.identity.check(opened[0], self.path)


async def examine_file(path: str) -> Content:
    """Examine a file in one thread hop at most; a small file is read completely into memory.

    Raises:
        SourceError: The file cannot be opened or read, or is not a regular file.
    """
    try:
        found = _examine_cached(path)
        return (await in_thread(_examine_file, path, name=path))[0] if found is None else found
    except SourceError as error:
        failure = error
    if failure.__cause__ is not None:
        # Afterwards, as a file may be called so; and without the first error, as it holds what may be a signed URL.
        failure = _explained(path) or failure
    try:
        raise failure
    finally:
        del failure  # or error and frame would hold each other


def _explained(path: str) -> SourceError | None:
    """Return the error for a string that is not meant as a path, or for another common mistake."""
    kind = describe_text(path)
    if kind is not None:
        hint = _FILE_URL if path.lstrip().lower().startswith("file:") else DECODED
        return SourceError(f"The media is {kind}, not a path.", hint)
    if not path:
        return SourceError("The path is empty.")
    if path.startswith("~"):
        return SourceError(f"There is no file {shortened(path)}: ~ is not expanded in a path.", _HOME)
    return None if shortened(path) == path else SourceError(f"Cannot read {shortened(path)}: there is no such file.")


def _examine_cached(path: str, *, most: float = math.inf) -> Content | None:
    """Examine a file without a thread; None for one that would be waited for, and for one that is to be refused.

    Args:
        path: The path.
        most: Most bytes of the file; None is returned for a larger one.
    """
    if (descriptor := open_cached(path)) is None:
        return None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size > most:
            return None
        small = found.st_size <= SMALL
        wanted = found.st_size if small else HEAD_SIZE
        data = bytearray(wanted + 1)
        count = read_cached(descriptor, data, 0)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    if count != wanted + (not small):
        return None
    del data[wanted:]
    return MemoryContent(data) if small else FileContent(path, bytes(data), Identity.of(found))


def _examine_file(path: str) -> tuple[Content, os.stat_result]:
    """Examine a file in few system calls: each call releases and reacquires the GIL.

    Returns:
        The content, and the state of the file before it was read.
    """
    try:
        descriptor = os.open(path, FLAGS)
    except PermissionError:
        if os.path.isdir(path):  # Windows does not open directories
            raise SourceError(f"{path} is a directory, and add_materials uploads many files.", MANY) from None
        raise
    try:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            raise SourceError(f"{path} is a directory, and add_materials uploads many files.", MANY)
        if not stat.S_ISREG(found.st_mode):
            raise SourceError(f"{path} is not a regular file.", OPEN_BINARY)
        remember(path, descriptor)
        if found.st_size > SMALL:
            return FileContent(path, os.read(descriptor, HEAD_SIZE), Identity.of(found)), found
        # Allocate no more than needed: memory new to the process costs more than the read.
        data = os.read(descriptor, found.st_size + 1)
    finally:
        os.close(descriptor)
    if len(data) != found.st_size:
        how = "grew" if len(data) > found.st_size else "shrank"
        raise SourceError(f"{path} {how} while it was read.", LEAVE_ALONE)
    return MemoryContent(data), found


@frozen(eq=False, repr=False)
class ReadFile:
    """A file that has been examined, in the place of its path.

    Attributes:
        path: The path.
        content: The bytes.
        sha256: Their hash, if it was asked for and they are in memory.
        settled: The identity, if the hash was asked for and a later write is certain to change the identity.
    """

    path: str
    content: Content = field(repr=False)
    sha256: str | None = None
    settled: Identity | None = None


def read_at_once(path: str) -> ReadFile | None:
    """Read and hash a small file that the kernel has in memory, without a thread; None for any other."""
    content = _examine_cached(path, most=_AT_ONCE)
    if content is None or content.whole is None:
        return None
    return ReadFile(path, content, hashlib.sha256(content.whole).hexdigest())


def read_ahead(paths: Sequence[str], *, most: int, hashed: bool = False) -> list[ReadFile | None]:
    """Examine files in the calling thread, until `most` bytes are in memory.

    Returns:
        None for each of the others, and for those that cannot be read: their own examination tells why.
    """
    read: list[ReadFile | None] = []
    for path in paths:
        one = _read_one(path, hashed=hashed) if most > 0 else None
        read.append(one)
        if one is not None and one.content.whole is not None:
            most -= one.content.size
    return read


def _read_one(path: str, *, hashed: bool) -> ReadFile | None:
    begun = time.time_ns()
    try:
        content, found = _examine_file(path)
    except (OSError, ValueError, SourceError):
        return None
    if not hashed:
        return ReadFile(path, content)
    identity, whole = Identity.of(found), content.whole
    sha256 = None if whole is None else hashlib.sha256(whole).hexdigest()
    return ReadFile(path, content, sha256, identity if identity.is_settled(begun) else None)
