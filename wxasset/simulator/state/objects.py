"""The files in cloud storage: small ones in memory, large ones on disk, so that a gigabyte is no burden."""

import asyncio
import hashlib
import io
import mmap
import os
import tempfile
from collections.abc import Iterator, MutableMapping
from typing import Protocol, TypeAlias

from attrs import field, frozen

__all__ = ["CloudFiles", "Content", "Memory", "Room", "StoredFile", "etag_of", "make_room"]

Content: TypeAlias = bytes | memoryview
"""Bytes in memory, or those of a file that is mapped into it, which the system can take out of it again."""

_LARGE = 4 * 1024 * 1024  # bytes from which a file is kept on disk; chosen


def etag_of(content: Content) -> str:
    """The ETag of an object: its MD5 in quotes, as COS documents it for uploads in one piece."""
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


@frozen
class StoredFile:
    """One file, and the mark of its bytes."""

    content: Content = field(repr=False)
    etag: str


class Room(Protocol):
    """Temporary directory for the bytes of files."""

    def write(self, data: bytes, /) -> object:
        """Take the next bytes."""

    def stored(self) -> StoredFile:
        """The whole file."""


class Memory(io.BytesIO):
    """Room for a file that is not large."""

    def stored(self) -> StoredFile:
        """The whole file."""
        content = self.getvalue()  # CPython hands its buffer out without a copy
        return StoredFile(content, etag_of(content))


class _Disk:
    """A file without a name, mapped into memory: nothing of it has to stay there."""

    def __init__(self, size: int) -> None:
        with tempfile.TemporaryFile() as file:
            os.ftruncate(file.fileno(), size)
            self._map = mmap.mmap(file.fileno(), size)
        self._hash = hashlib.md5(usedforsecurity=False)

    def write(self, data: bytes) -> None:
        self._map.write(data)
        self._hash.update(data)

    def stored(self) -> StoredFile:
        return StoredFile(memoryview(self._map)[: self._map.tell()], f'"{self._hash.hexdigest()}"')


async def make_room(most: int) -> Room:
    """Make room for a file of at most so many bytes."""
    return Memory() if most < _LARGE else await asyncio.to_thread(_Disk, most)


class CloudFiles(MutableMapping[str, bytes]):
    """Files by their ids, the oldest first."""

    def __init__(self) -> None:
        self._files: dict[str, StoredFile] = {}

    def __getitem__(self, fileid: str) -> bytes:
        return bytes(self._files[fileid].content)

    def __setitem__(self, fileid: str, content: bytes) -> None:
        self.put(fileid, StoredFile(content, etag_of(content)))

    def __delitem__(self, fileid: str) -> None:
        del self._files[fileid]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, fileid: object) -> bool:
        return fileid in self._files

    def __repr__(self) -> str:
        return f"CloudFiles({self.sizes()})"

    def put(self, fileid: str, file: StoredFile) -> None:
        """Keep a file, in the place of one that has its id."""
        self._files[fileid] = file

    def find(self, fileid: str) -> StoredFile | None:
        """A file as it is kept, or None."""
        return self._files.get(fileid)

    def sizes(self) -> dict[str, int]:
        """Return the size of each file in bytes."""
        return {fileid: len(file.content) for fileid, file in list(self._files.items())}
