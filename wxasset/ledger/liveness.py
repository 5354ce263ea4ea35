"""Detect whether a process is alive with an OS file lock."""

import glob
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Self

from attrs import define, field

from wxasset.transfer.file_lock import lock
from wxasset.transfer.private_files import CREATE, UnsafeFileError, open_private

__all__ = ["ProcessLock"]


@define(eq=False)
class ProcessLock:
    """Mark this process as alive with a locked file. All methods block.

    The operating system releases the lock when the process exits, also after SIGKILL; a stopped process keeps it. It
    works between the processes of one user on one host. A forked child keeps the lock until it executes another
    program. Lock files of other users are not believed.

    Attributes:
        id: The unique id of the lock.
    """

    id: str
    _base: str
    _descriptor: int | None = field(default=None)

    @classmethod
    def take(cls, base: str) -> Self:
        """Create a lock file beside the file `base`, and remove the lock files of exited processes."""
        for path in Path(base).parent.glob(f"{glob.escape(Path(base).name)}-holder-*"):
            with suppress(OSError, UnsafeFileError):
                _clear(path)
        while True:
            made = cls(secrets.token_hex(16), base)
            path = made._path(made.id)
            descriptor = open_private(path, CREATE)
            # Another process may have removed the file before it was locked.
            if lock(descriptor) and path.exists():
                made._descriptor = descriptor
                return made
            os.close(descriptor)

    def _path(self, holder: str) -> Path:
        return Path(f"{self._base}-holder-{holder}")

    def is_alive(self, holder: str) -> bool:
        """Return whether the process with another lock is alive.

        Raises:
            UnsafeFileError: The lock file belongs to another user, is open to others, or is a link.
            OSError: It cannot be opened or locked.
        """
        if holder == self.id:
            return True
        try:
            descriptor = open_private(self._path(holder), os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            return not lock(descriptor)
        finally:
            os.close(descriptor)

    def end(self) -> None:
        """Release the lock and remove its file."""
        if self._descriptor is not None:
            with suppress(OSError):
                self._path(self.id).unlink()
            os.close(self._descriptor)
            self._descriptor = None


def _clear(path: Path) -> None:
    descriptor = open_private(path, os.O_RDWR)
    try:
        if lock(descriptor):
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)
