"""Lock files between the processes of one host. All functions block for less than a millisecond.

The operating system releases a lock when its process exits, also after SIGKILL. Network file systems may not lock.
"""

import errno
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

from attrs import define, field

from wxasset.transfer.private_files import open_private

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__ = ["FileLock", "lock"]

_NO_LOCKS: Final = frozenset({errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK})


def lock(descriptor: int, *, shared: bool = False) -> bool:
    """Lock an open file unless it is locked; return True if locked.

    Args:
        descriptor: The open file.
        shared: Allow other shared locks; Windows has exclusive ones only.

    Raises:
        OSError: The file system has no locks, or failed.
    """
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            raise OSError(error.errno, "its file system has no locks") from None
        raise
    return True


def _unlock(descriptor: int) -> None:
    """Unlock an open file, also for forked children with the same descriptor."""
    if sys.platform == "win32":
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
    else:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


@define(eq=False)
class FileLock:
    """A lock between processes and objects, of this user alone; its file stays."""

    path: Path
    _held: int | None = None
    _process: int = field(factory=os.getpid)

    @property
    def held(self) -> bool:
        """True if this object has locked it."""
        return self._held is not None

    def take(self) -> bool:
        """Lock the file if it is free, and return True if locked.

        Raises:
            UnsafeFileError: Other users can open the file, or it is not a file.
            OSError: The file cannot be opened or locked.
        """
        descriptor = open_private(self.path, os.O_RDWR | os.O_CREAT)
        try:
            # The file may have been removed before it was locked; then another process locks a new one.
            if lock(descriptor) and os.fstat(descriptor).st_nlink:
                self._held, descriptor = descriptor, -1
        finally:
            if descriptor >= 0:
                os.close(descriptor)
        return self._held is not None

    def free(self) -> None:
        """Release it, if held; after a failure the system does so. A forked child does not release its parent's."""
        held, self._held = self._held, None
        if held is not None:
            with suppress(OSError):
                if self._process == os.getpid():
                    _unlock(held)
            os.close(held)

    def __del__(self) -> None:
        """Release a lock whose holder never ended, such as a task of a closed event loop."""
        self.free()
