"""Contents of uploads: the common protocol, and bytes in memory."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from wxasset.errors import Hint, SourceError
from wxasset.transfer.readiness import read_ready, wait_readable
from wxasset.transfer.threads import run_in_thread
from wxasset.wire.formats import HEAD_SIZE
from wxasset.wire.media_text import shortened

__all__ = [
    "CHUNK",
    "OPEN_BINARY",
    "SMALL",
    "Chunk",
    "Content",
    "MemoryContent",
    "in_thread",
    "read_up_to",
    "resized",
    "single_bytes",
    "unreadable",
]

T = TypeVar("T")
Chunk: TypeAlias = bytes | bytearray | memoryview

CHUNK: Final = 256 * 1024
"""Size in bytes of a read in a thread, and of a slice of memory. Reads of 64 KiB reach 335 MB/s, of 256 KiB 905, and of
1 MiB 1113 (measured with a thread per read): four times the memory gains a fifth."""

SMALL: Final = 256 * 1024
"""Maximum size in bytes of a file read completely during its examination, in a single thread hop."""

OPEN_BINARY: Final = Hint(
    "Use the path of a regular file; a program may also pass a file that is open in binary mode.",
    "请使用普通文件的路径；程序也可传入以二进制方式打开且未关闭的文件。",
)
_READABLE: Final = Hint(
    "Check the path and its permissions.",
    "请检查路径是否存在以及是否有读取权限。",
)


_SAME_LENGTH: Final = Hint(
    "Do not change the length of a bytearray during its upload, then upload it again; nothing was added.",
    "上传期间请勿改变 bytearray 的长度；本次未新增素材，请重新上传。",
)


class Content(Protocol):
    """Bytes of an upload."""

    @property
    def size(self) -> int:
        """Number of bytes."""
        ...

    @property
    def head(self) -> bytes:
        """The first bytes, at least `HEAD_SIZE` of them if available."""
        ...

    @property
    def replayable(self) -> bool:
        """True if `open` can be called again."""
        ...

    @property
    def whole(self) -> Chunk | None:
        """All bytes if they are few and in memory, so that `open` is not needed; else None."""
        ...

    async def aclose(self) -> None:
        """Close the temporary file or the stream, if there is one."""
        ...

    def open(self) -> AbstractAsyncContextManager[AsyncIterator[Chunk]]:
        """Open the content from the start; it yields exactly `size` bytes, or raises `SourceError`.

        A chunk is valid until the next one is requested.
        """
        ...


def unreadable(name: str, error: Exception) -> SourceError:
    """Convert an error of the operating system to a `SourceError`."""
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return SourceError(f"Cannot read {shortened(name)}: {why}.", _READABLE)


async def in_thread(function: Callable[..., T], *arguments: Any, name: str) -> T:
    """Run blocking file work in a thread; failures raise `SourceError`."""
    try:
        return await run_in_thread(function, *arguments)
    except (OSError, ValueError) as error:
        raise unreadable(name, error) from error


def read_up_to(handle: Any, count: int) -> bytes:
    """Read `count` bytes, or fewer at the end of the file; a raw file may need several reads.

    A non-blocking file without bytes at the moment returns None; it is waited for.
    """
    parts: list[bytes] = []
    missing = count
    while missing:
        data = read_ready(handle, missing)
        if data is None:
            wait_readable(handle)
            continue
        if not isinstance(data, bytes):
            kind = "text" if isinstance(data, str) else type(data).__name__
            raise SourceError(f"The file handle returns {kind}, not bytes.", OPEN_BINARY)
        if not data:
            break
        parts.append(data)
        missing -= len(data)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def single_bytes(data: Chunk) -> Chunk:
    """Cast a memoryview to single bytes, so that its length is its number of bytes; one with gaps is copied.

    Raises:
        SourceError: The view was released.
    """
    if not isinstance(data, memoryview):
        return data
    try:
        return data.cast("B") if data.c_contiguous else data.tobytes()
    except ValueError as error:
        raise SourceError(f"Cannot read the memoryview: {error}.") from error


def resized(size: int, checked: int) -> SourceError:
    """Return the error for a bytearray whose length the caller has changed since it was checked, in bytes."""
    return SourceError(f"The bytearray has {size} bytes now, and had {checked}.", _SAME_LENGTH)


class MemoryContent:
    """Bytes in memory.

    Attributes:
        data: The bytes.
        size: Number of bytes, as they were checked.
        whole: All bytes if they are few, else None.
    """

    __slots__ = ("data", "size", "whole")

    replayable: Final = True

    def __init__(self, data: Chunk) -> None:
        """Hold the bytes."""
        self.data: Chunk = single_bytes(data)
        self.size: int = len(self.data)
        self.whole: Chunk | None = self.data if self.size <= CHUNK else None

    @property
    def head(self) -> bytes:
        """The first bytes."""
        return bytes(memoryview(self.data)[:HEAD_SIZE])

    async def aclose(self) -> None:
        """Do nothing: memory needs no clean-up."""

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[AsyncIterator[Chunk], None]:
        """Yield slices of the bytes without copying."""
        view = memoryview(self.data)
        if len(view) != self.size:
            raise resized(len(view), self.size)
        async with aclosing(_slices(view)) as chunks:
            yield chunks


async def _slices(view: memoryview) -> AsyncGenerator[Chunk, None]:
    for start in range(0, len(view), CHUNK):
        yield view[start : start + CHUNK]
