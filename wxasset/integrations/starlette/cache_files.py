"""Files of a cache directory. All functions block: they run in threads.

Each material is two files with a hash for a name: ``.bin`` has its bytes, ``.json`` the rest. The time of the second is
that of the last use. A file that is read is locked with a shared lock, so that no process evicts it.
"""

import json
import os
import re
import secrets
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from attrs import asdict, define, field, frozen
from attrs.validators import instance_of, optional

from wxasset.errors import DestinationError, Hint
from wxasset.integrations.starlette.cached_file import CachedFile, Part
from wxasset.transfer.file_lock import FileLock, lock
from wxasset.transfer.private_files import CREATE, UnsafeFileError, open_private, shell_path
from wxasset.wire.formats import HEAD_SIZE, sniff

__all__ = ["CacheDirectory"]

_ABANDONED: Final = 3600.0  # seconds without a write; a download that stands still ends within minutes
_OWN: Final = re.compile(r"[0-9a-f]{64}(?:\.bin|\.json|\.lock|\.[0-9a-f]{12}\.part)")  # names of files of a cache
_WRITABLE: Final = stat.S_IWGRP | stat.S_IWOTH
_POSIX: Final = os.name == "posix"
_BINARY: Final = getattr(os, "O_BINARY", 0)
_NAMED: Final = optional(instance_of(str))


@frozen(kw_only=True)
class _Description:
    """Contents of a ``.json`` file."""

    filename: str | None = field(validator=_NAMED)
    content_type: str | None = field(validator=_NAMED)
    size: int = field(validator=instance_of(int))


@define
class CacheDirectory:
    """A directory of materials, of this user alone; several processes may use it at once.

    Attributes:
        path: The directory; it is created at the first use.
        max_bytes: Bytes that stay when nobody reads.
    """

    path: Path
    max_bytes: int
    _files: dict[str, CachedFile] = field(factory=dict, init=False)
    _over: bool = field(default=False, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def take(self, key: str) -> CachedFile | None:
        """Return a file and keep it from eviction until `release`; None if it is not there.

        Raises:
            DestinationError: The directory cannot be used.
        """
        with self._lock:
            try:
                os.utime(self._description(key), ns=(time.time_ns(),) * 2)
                file = self._files.get(key) or self._open(key)
            except FileNotFoundError:  # another process has deleted it, or there is none
                return None
            except OSError as error:
                raise self._unusable(error) from error
            if file is not None:
                self._files[key] = file
                file.readers += 1
            return file

    def _open(self, key: str) -> CachedFile | None:
        """Open and lock a file; None if it is not there whole, or is being evicted."""
        path, file = self._content(key), None
        try:
            told = _Description(**json.loads(self._description(key).read_text("utf-8")))
            descriptor = open_private(path, os.O_RDONLY | _BINARY)
        except (FileNotFoundError, UnsafeFileError, ValueError, TypeError):
            return None
        try:
            found = os.fstat(descriptor)
            if _lock(descriptor, shared=True) and found.st_nlink and found.st_size == told.size:
                file = CachedFile(
                    key=key,
                    path=path,
                    found=found,
                    filename=told.filename,
                    content_type=told.content_type,
                    form=sniff(os.read(descriptor, HEAD_SIZE)),
                    descriptor=descriptor,
                )
        finally:
            if file is None:
                os.close(descriptor)
        return file

    def release(self, file: CachedFile) -> None:
        """Let a file be evicted if this was its last reader."""
        with self._lock:
            file.readers -= 1
            if file.readers:
                return
            os.close(file.descriptor)
            if self._files.get(file.key) is file:
                del self._files[file.key]
            if self._over:
                self._evict()

    def claim_of(self, key: str) -> FileLock:
        """Return the lock between processes for the download of a material."""
        return FileLock(self.path / f"{key}.lock")

    def claim(self, claim: FileLock) -> bool:
        """Take a lock; return True if this process may download, also where the file system has no locks.

        Raises:
            DestinationError: The directory cannot be used.
        """
        try:
            self._prepare()
        except (OSError, UnsafeFileError) as error:
            raise self._unusable(error) from error
        try:
            return claim.take()
        except (OSError, UnsafeFileError):
            return True

    @staticmethod
    def unclaim(claim: FileLock) -> None:
        """Release a lock and delete its file."""
        if claim.held:
            with suppress(OSError):
                claim.path.unlink()
        claim.free()

    def begin(self, key: str) -> Part:
        """Create a file of this user alone for a download.

        Raises:
            DestinationError: The directory cannot be used.
        """
        try:
            path = self.path / f"{key}.{secrets.token_hex(6)}.part"
            # The handle is closed with the part.
            return Part(path, os.fdopen(open_private(path, CREATE | _BINARY), "wb"))
        except (OSError, UnsafeFileError) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> DestinationError:
        return DestinationError(f"The cache directory {self.path} cannot be used: {error}.")

    def _prepare(self) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self.path.stat()
        if _POSIX and (found.st_uid != os.geteuid() or found.st_mode & _WRITABLE):
            command = f"chmod 700 {shell_path(self.path)}"
            raise UnsafeFileError(
                f"other users can write in it ({command}, or pass another directory)",
                Hint(f"Run: {command}", f"请执行：{command}"),
            )

    def keep(self, key: str, part: Part, filename: str | None, content_type: str | None) -> CachedFile | None:
        """Put a complete download in its place, take it as `take` does, and evict others for it.

        Raises:
            DestinationError: The directory cannot be written.
        """
        try:
            part.handle.flush()
            size = os.fstat(part.handle.fileno()).st_size
            part.handle.close()
            with self._lock:
                self._describe(key, _Description(filename=filename, content_type=content_type, size=size))
                part.path.replace(self._content(key))
        except OSError as error:
            raise self._unusable(error) from error
        file = self.take(key)
        # Last: of two processes that keep a file at once, one sees both. The part was as large before.
        with self._lock, suppress(OSError):
            self._evict()
        return file

    def _describe(self, key: str, told: _Description) -> None:
        path = self._description(key).with_suffix(f".{secrets.token_hex(6)}.part")
        with os.fdopen(open_private(path, CREATE), "w", encoding="utf-8") as file:
            json.dump(asdict(told), file)
        path.replace(self._description(key))

    def forget(self, key: str) -> None:
        """Delete a material; its readers may read to the end."""
        with self._lock:
            self._files.pop(key, None)
            for path in (self._description(key), self._content(key)):
                with suppress(OSError):
                    path.unlink()

    def _content(self, key: str) -> Path:
        return self.path / f"{key}.bin"

    def _description(self, key: str) -> Path:
        return self.path / f"{key}.json"

    def _evict(self) -> None:
        """Delete the least recently used files until the rest fits; files larger than all first."""
        entries = sorted(self._entries())
        total = sum(size for _, size, _ in entries if size <= self.max_bytes)
        self._over = False
        for _, size, key in entries:
            too_large = size > self.max_bytes
            if not too_large and total <= self.max_bytes:
                continue
            if not self._remove(key):
                self._over = True
            elif not too_large:
                total -= size

    def _entries(self) -> Iterator[tuple[int, int, str]]:
        """Yield the time of the last use, the size and the key of each material; delete abandoned files."""
        for path in self.path.iterdir():
            if _OWN.fullmatch(path.name) is None:
                continue  # a file of the user
            with suppress(OSError):
                found = path.stat()
                if path.suffix == ".bin":
                    yield self._last_use(path), found.st_size, path.stem
                elif time.time() - found.st_mtime > _ABANDONED and not path.with_suffix(".bin").exists():
                    path.unlink()

    @staticmethod
    def _last_use(path: Path) -> int:
        try:
            return path.with_suffix(".json").stat().st_mtime_ns
        except OSError:
            return 0  # half of it is missing

    def _remove(self, key: str) -> bool:
        """Delete a file unless a reader has it, here or in another process; return True if it is gone."""
        if key in self._files:
            return False
        try:
            descriptor = os.open(self._content(key), os.O_RDONLY)
        except FileNotFoundError:
            return True
        try:
            if not _lock(descriptor, shared=False):
                return False
            if not _POSIX:  # an open file cannot be deleted there, so readers need no lock
                os.close(descriptor)
                descriptor = -1
            self._content(key).unlink(missing_ok=True)
            self._description(key).unlink(missing_ok=True)
        except OSError:
            return False
        finally:
            if descriptor >= 0:
                os.close(descriptor)
        return True


def _lock(descriptor: int, *, shared: bool) -> bool:
    """Lock a file; return True if it is locked, or if no process can lock it."""
    if not _POSIX:
        return True
    try:
        return lock(descriptor, shared=shared)
    except OSError:  # a file system without locks: an eviction during a read is then possible from another process
        return True
