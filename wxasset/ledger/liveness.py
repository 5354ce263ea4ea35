"""Detect whether a process is alive with an OS file lock."""

import glob
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from attrs import define, field

from wxasset.transfer.file_lock import lock

__all__ = ["ProcessLock"]

_FLAGS: Final = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


@define(eq=False)
class ProcessLock:
    """Mark this process as alive with a locked file. All methods block.

    The operating system releases the lock when the process exits, also after SIGKILL; a stopped process keeps it. It
    works between the processes of one host. A forked child keeps the lock until it executes another program.

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
            with suppress(OSError):
                _clear(path)
        while True:
            made = cls(secrets.token_hex(16), base)
            path = made._path(made.id)
            descriptor = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL, 0o600)
            # Another process may have removed the file before it was locked.
            if lock(descriptor) and path.exists():
                made._descriptor = descriptor
                return made
            os.close(descriptor)

    def _path(self, holder: str) -> Path:
        return Path(f"{self._base}-holder-{holder}")

    def is_alive(self, holder: str) -> bool:
        """Return whether the process with another lock is alive."""
        if holder == self.id:
            return True
        try:
            descriptor = os.open(self._path(holder), _FLAGS)
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
    descriptor = os.open(path, _FLAGS)
    try:
        if lock(descriptor):
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)
