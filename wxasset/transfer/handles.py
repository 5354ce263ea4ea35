"""Uploads from handles: anything with ``read`` that somebody else opened."""

import io
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar

from attrs import define

from wxasset.errors import SourceError
from wxasset.transfer.content import CHUNK, OPEN_BINARY, Chunk, Content, in_thread, read_up_to, unreadable
from wxasset.transfer.files import OpenedContent, check_position, examine_open_file, in_memory, is_open_file
from wxasset.transfer.pages import LEAVE_ALONE
from wxasset.wire.formats import HEAD_SIZE

__all__ = ["HandleContent", "examine_handle", "examine_seekable"]

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
