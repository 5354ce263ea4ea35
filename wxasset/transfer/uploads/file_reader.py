"""Reading a regular file: from the page cache without waiting where that can be, else in a thread."""

import errno
import os
from collections.abc import AsyncGenerator
from typing import Final

from attrs import frozen

from wxasset.errors import Hint, SourceError
from wxasset.transfer.buffers import UPLOAD_BUFFERS
from wxasset.transfer.uploads.content import Chunk, in_thread, unreadable

__all__ = ["LEAVE_ALONE", "Identity", "read_file"]

LEAVE_ALONE: Final = Hint(
    "Leave the file alone while it is sent, then upload it again; nothing was added.",
    "上传期间请勿改动文件；本次未新增素材，请重新上传。",
)
# Linux alone can be asked for what needs no waiting; what file systems without it answer.
_WITHOUT_WAITING: Final = getattr(os, "RWF_NOWAIT", 0)
_WOULD_WAIT: Final = frozenset({errno.EAGAIN, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})


@frozen
class Identity:
    """What a file on disk is known by; a rewritten one differs in at least one of these."""

    device: int
    inode: int
    size: int
    modified_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> "Identity":
        """Take it from what the system says of an open file."""
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)

    def check(self, descriptor: int, name: str) -> None:
        """Raise `SourceError` where a file is another one, or has been changed."""
        now = Identity.of(os.fstat(descriptor))
        if now != self:
            how = "shrank" if now.size < self.size else "grew" if now.size > self.size else "was changed"
            raise SourceError(f"{name} {how} while it was sent.", LEAVE_ALONE)


def _read_cached(descriptor: int, view: memoryview, offset: int) -> int:
    """Read what can be had without waiting for a disk; tells how many bytes that was."""
    if not _WITHOUT_WAITING:
        return 0
    try:
        return os.preadv(descriptor, (view,), offset, _WITHOUT_WAITING)
    except OSError as error:
        if error.errno in _WOULD_WAIT:
            return 0
        raise


def _read(descriptor: int, view: memoryview, offset: int) -> int:
    """Read as much as there is; tells how many bytes that was."""
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


@frozen
class _FileReader:
    """One pass over a file."""

    descriptor: int
    identity: Identity
    name: str

    def step(self, view: memoryview, offset: int) -> bool:
        """Fill a view without waiting; False where a thread has to."""
        try:
            if _read_cached(self.descriptor, view, offset) < len(view):
                return False
            # Not waited for either: the file is on a local disk, where its size and times are in memory.
            self._check(offset + len(view))
        except OSError as error:
            raise unreadable(self.name, error) from error
        return True

    def wait(self, view: memoryview, offset: int) -> None:
        """Fill a view, however long it takes."""
        if _read(self.descriptor, view, offset) < len(view):
            raise SourceError(f"{self.name} shrank while it was sent.", LEAVE_ALONE)
        self._check(offset + len(view))

    def _check(self, end: int) -> None:
        """Before the last bytes are given out, see that the file is still the same."""
        if end == self.identity.size:
            self.identity.check(self.descriptor, self.name)


async def read_file(descriptor: int, identity: Identity, start: int, name: str) -> AsyncGenerator[Chunk, None]:
    """Read a file to its end, into one buffer: what it gives holds until the next bytes are asked for.

    Args:
        descriptor: The open file; its position is of no meaning here.
        identity: What it has to be, still, when its last bytes are read.
        start: Where to begin.
        name: What to call it in errors.

    Raises:
        SourceError: It shrank, grew, was changed, or cannot be read.
    """
    reader, offset = _FileReader(descriptor, identity, name), start
    lease = UPLOAD_BUFFERS.lease()  # counted from before its connection was made
    room, buffer = lease.minimum, memoryview(b"")
    while missing := identity.size - offset:
        if not min(room, missing) <= len(buffer) <= room:
            buffer = memoryview(bytearray(min(room, missing)))
        view = buffer[:missing]
        if not reader.step(view, offset):
            await in_thread(reader.wait, view, offset, name=name)
        yield view
        offset += len(view)
        room = lease.current
