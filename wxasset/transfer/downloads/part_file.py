"""Partial files under temporary names; one of a cloud file is found again by the next process. All functions block."""

import errno
import hashlib
import os
import secrets
import stat
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from wxasset.transfer.downloads.permissions import adopt_permissions, creation_mode, resolve
from wxasset.transfer.file_lock import lock
from wxasset.wire.filenames import cut_bytes
from wxasset.wire.formats import HEAD_SIZE

__all__ = ["KeptPart", "PartialFile"]

_CREATE: Final = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
_ADOPT: Final = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_COPIED: Final = 1024 * 1024
_AT_ONCE: Final = 1024  # parts of one write: IOV_MAX of Linux and macOS
_ETAG: Final = 256  # bytes; longer ones are not kept


@frozen
class KeptPart:
    """The bytes that a process left behind.

    Attributes:
        etag: The ETag of the file.
        size: Their number.
        head: The first of them.
        hash: Their SHA-256 so far.
    """

    etag: str
    size: int
    head: bytes
    hash: Any


class PartialFile:
    """A partial file under a temporary name.

    All methods run in a thread and make few system calls: each call releases the GIL, and reacquiring it costs more
    than most of the calls.

    Attributes:
        path: Its path; empty before it is created.
        etag: The ETag of the file, once known; with a `mark`, the bytes of a killed process are found by it.
    """

    def __init__(
        self, directory: str, resolved: str, base: str, replaced: os.stat_result | None, mark: str | None = None
    ) -> None:
        # Shortened, to stay within the file system's limit for names.
        self._stem = os.path.join(directory, f".{cut_bytes(base, 60)}.")
        self.path: str = ""
        self.etag: str | None = None
        self._mark = mark
        self._note: str | None = None
        self._directory, self._resolved = directory, resolved
        self._replaced = replaced
        self._descriptor: int | None = None

    def adopt(self) -> KeptPart | None:
        """Take over what a killed process left of the same file; None if there is nothing, or the process is alive."""
        if self._mark is None or resolve(self._directory) != self._resolved:
            return None
        path, note = self._named(self._mark)
        try:
            with open(note, "rb") as file:
                etag = file.read(_ETAG).decode("latin-1")
            descriptor = os.open(path, _ADOPT)
        except OSError:
            return None
        kept = None
        try:
            if _is_mine(descriptor, path) and lock(descriptor):
                kept = _read(descriptor, etag)
        except OSError:
            kept = None
        if kept is None:
            os.close(descriptor)
            return None
        self.path, self.etag, self._note, self._descriptor = path, etag, note, descriptor
        return kept

    def _named(self, mark: str) -> tuple[str, str]:
        return f"{self._stem}{mark}.part", f"{self._stem}{mark}.etag"

    def write(self, batch: Sequence[bytes]) -> None:
        """Write a batch; the file is created with the first one, so a small file takes one thread hop in all."""
        descriptor, left = self._open(), deque([memoryview(part) for part in batch])
        while left:
            written = _write_some(descriptor, left)
            while left and written >= len(left[0]):
                written -= len(left.popleft())
            if written:
                left[0] = left[0][written:]

    def _open(self) -> int:
        if self._descriptor is None:
            if resolve(self._directory) != self._resolved:
                raise OSError(errno.ESTALE, "its directory was replaced during the download")
            # The permissions of the target from the first byte on, as others could read the partial file.
            mode = creation_mode(self._replaced)
            self._descriptor = self._create_kept(mode)
            if self._descriptor is None:
                path = f"{self._stem}{secrets.token_hex(6)}.part"
                self._descriptor = os.open(path, _CREATE, mode)
                self.path = path
            if self._replaced is not None:
                adopt_permissions(self._descriptor, self._replaced)
        return self._descriptor

    def _create_kept(self, mode: int) -> int | None:
        """Create it under the name that the next process looks for; None if that is taken."""
        if self._mark is None or self.etag is None or len(self.etag) > _ETAG:
            return None
        path, note = self._named(self._mark)
        try:
            descriptor = os.open(path, _CREATE, mode)
        except FileExistsError:  # of a process that is alive
            return None
        self.path, self._note = path, note
        with suppress(OSError):
            lock(descriptor)
        # Last, and never over a file that is there: bytes without a note are not taken over.
        with suppress(OSError):
            noted = os.open(note, _CREATE, 0o600)
            try:
                os.write(noted, self.etag.encode("latin-1"))
            finally:
                os.close(noted)
        return descriptor

    def close(self, *, sync: bool) -> None:
        """Close the complete file.

        Raises:
            OSError: Its name leads to another file: somebody else can write in its directory.
        """
        descriptor = self._open()
        if sync:
            os.fsync(descriptor)
        try:
            same = os.path.samestat(os.lstat(self.path), os.fstat(descriptor))
        except FileNotFoundError:
            same = False
        if not same:
            raise OSError(errno.ESTALE, f"{self.path} was removed or replaced during the download")
        self._descriptor = None
        os.close(descriptor)
        self._forget()

    def discard(self) -> None:
        """Close and delete the partial file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        if self.path:
            Path(self.path).unlink(missing_ok=True)
        self._forget()

    def _forget(self) -> None:
        if self._note is not None:
            Path(self._note).unlink(missing_ok=True)
            self._note = None


def _write_some(descriptor: int, views: Iterable[memoryview]) -> int:
    """Write bytes in one system call; return how many were written."""
    if hasattr(os, "writev"):
        return os.writev(descriptor, list(islice(views, _AT_ONCE)))
    return os.write(descriptor, next(iter(views)))  # on Windows


def _is_mine(descriptor: int, path: str) -> bool:
    """Return whether it is a regular file of this user, still has its name, and no other one."""
    found = os.fstat(descriptor)
    mine = os.name != "posix" or found.st_uid == os.geteuid()
    return mine and stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and os.path.samestat(found, os.lstat(path))


def _read(descriptor: int, etag: str) -> KeptPart | None:
    """Hash all but the last byte, and cut that off: so there is always a rest to ask for."""
    size = os.fstat(descriptor).st_size - 1
    if size < 1:
        return None
    os.ftruncate(descriptor, size)
    digest, head, left = hashlib.sha256(), b"", size
    while left and (data := os.read(descriptor, min(_COPIED, left))):
        head = head or data[:HEAD_SIZE]
        digest.update(data)
        left -= len(data)
    return KeptPart(etag, size, head, digest)
