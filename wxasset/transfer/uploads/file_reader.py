"""Read regular files: from the page cache without waiting if possible, else in a thread."""

import os
from collections.abc import AsyncGenerator
from time import monotonic
from typing import Final

from attrs import frozen

from wxasset.errors import Hint, SourceError
from wxasset.transfer.buffers import UPLOAD_BUFFERS
from wxasset.transfer.uploads.cached_files import read_cached
from wxasset.transfer.uploads.content import Chunk, in_thread, unreadable

__all__ = ["LEAVE_ALONE", "Identity", "read_file"]

_SETTLED_NS: Final = 2_000_000_000
"""Nanoseconds for which a file has to be unchanged before its times are believed: FAT keeps even seconds, and a second
write in the same tick of a clock leaves the times as they were."""

_QUICK: Final = 0.25
"""Seconds in which a chunk has to leave for the next one to be twice as large. Chunks of 512 KiB take 6 % less of the
processor than 256 KiB; on a slow connection they would make progress rare, and stalls late to notice."""

LEAVE_ALONE: Final = Hint(
    "Do not modify the file during the upload, then upload it again; nothing was added.",
    "上传期间请勿改动文件；本次未新增素材，请重新上传。",
)


@frozen
class Identity:
    """Identity of a file on disk; a rewritten file differs in at least one field."""

    device: int
    inode: int
    size: int
    modified_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> "Identity":
        """Create the identity from the result of `os.stat` or `os.fstat`."""
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)

    def is_settled(self, now_ns: int) -> bool:
        """Return True if each write after this time, in unix nanoseconds, changes the identity."""
        return self.modified_ns <= now_ns - _SETTLED_NS

    def check(self, descriptor: int, name: str) -> None:
        """Raise `SourceError` if a file is another one or has been modified."""
        now = Identity.of(os.fstat(descriptor))
        if now != self:
            how = "shrank" if now.size < self.size else "grew" if now.size > self.size else "was changed"
            raise SourceError(f"{name} {how} while it was sent.", LEAVE_ALONE)


def _read(descriptor: int, view: memoryview, offset: int) -> int:
    """Fill the view, or read up to the end of the file; return the number of bytes."""
    done = 0
    while done < len(view):
        if hasattr(os, "preadv"):
            count = os.preadv(descriptor, (view[done:],), offset + done)
        else:
            os.lseek(descriptor, offset + done, os.SEEK_SET)
            data = os.read(descriptor, len(view) - done)
            count = len(data)
            view[done : done + count] = data
        if not count:
            break
        done += count
    return done


@frozen(eq=False, repr=False)
class _FileReader:
    """One pass over a file."""

    descriptor: int
    identity: Identity
    name: str

    def step(self, view: memoryview, offset: int) -> bool:
        """Fill a view without waiting; return False if a thread is needed."""
        try:
            count = len(view)
            if read_cached(self.descriptor, view, offset) < count:
                return False
            # Does not wait either: the file is on a local disk, and its size and times are in memory.
            if offset + count == self.identity.size:
                self.identity.check(self.descriptor, self.name)
        except OSError as error:
            raise unreadable(self.name, error) from error
        return True

    def wait(self, view: memoryview, offset: int) -> None:
        """Fill a view, waiting for the disk."""
        if _read(self.descriptor, view, offset) < len(view):
            raise SourceError(f"{self.name} shrank while it was sent.", LEAVE_ALONE)
        if offset + len(view) == self.identity.size:
            self.identity.check(self.descriptor, self.name)


async def read_file(descriptor: int, identity: Identity, start: int, name: str) -> AsyncGenerator[Chunk, None]:
    """Read a file to its end into one buffer; a chunk is valid until the next one is requested.

    Args:
        descriptor: The open file; its position is ignored.
        identity: Required identity, checked before the last bytes are yielded.
        start: Offset of the first byte.
        name: Name of the file in errors.

    Raises:
        SourceError: The file shrank, grew, was modified, or cannot be read.
    """
    reader, offset = _FileReader(descriptor, identity, name), start
    lease = UPLOAD_BUFFERS.lease()  # entered before the connection is opened
    least = step = room = lease.minimum
    buffer, last = bytearray(), False
    try:
        while missing := identity.size - offset:
            count = min(step, missing)
            if not count <= len(buffer) <= room:
                buffer = lease.buffer(min(room, missing))
            view = memoryview(buffer)[:count]
            if not reader.step(view, offset):
                await in_thread(reader.wait, view, offset, name=name)
            last, begun = missing == count, monotonic()
            yield view
            offset += count
            room = lease.current
            step = max(least, min(room, step * 2 if monotonic() - begun < _QUICK else step // 2))
    finally:
        if last:  # whoever takes it has a copy, and the chunks before it have left the connection
            lease.keep(buffer)
