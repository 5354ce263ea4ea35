"""Files in cloud storage: small ones in memory, large ones on disk, to keep memory use low with gigabytes."""

import asyncio
import hashlib
import io
import mmap
import os
import tempfile
from collections.abc import ItemsView, Iterator, Mapping, MutableMapping, ValuesView
from types import MappingProxyType
from typing import Protocol, TypeAlias

from attrs import field, frozen

__all__ = ["CloudFiles", "Content", "Memory", "Room", "StoredFile", "etag_of", "make_room"]

Content: TypeAlias = bytes | memoryview
"""Bytes in memory, or bytes of a memory-mapped file; the system can evict the latter."""

_LARGE = 4 * 1024 * 1024  # bytes; files of this size or more are kept on disk; chosen


def etag_of(content: Content) -> str:
    """Return the ETag of an object: its quoted MD5, as documented by COS for uploads in one piece."""
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


@frozen
class StoredFile:
    """One file with its ETag."""

    content: Content = field(repr=False)
    etag: str


class Room(Protocol):
    """Temporary storage for the bytes of a file."""

    def write(self, data: bytes, /) -> object:
        """Append bytes."""

    def stored(self) -> StoredFile:
        """Return the whole file."""


class Memory(io.BytesIO):
    """Storage for a small file, in memory."""

    def stored(self) -> StoredFile:
        """Return the whole file."""
        content = self.getvalue()  # CPython returns its buffer without a copy
        return StoredFile(content, etag_of(content))


class _Disk:
    """Memory-mapped temporary file without a name."""

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
    """Return storage for a file of at most `most` bytes."""
    return Memory() if most < _LARGE else await asyncio.to_thread(_Disk, most)


class CloudFiles(MutableMapping[str, bytes]):
    """Files by id, oldest first."""

    def __init__(self, files: Mapping[str, StoredFile] = MappingProxyType({})) -> None:
        self._files = dict(files)

    def __getitem__(self, fileid: str) -> bytes:
        return bytes(self._files[fileid].content)

    def __setitem__(self, fileid: str, content: bytes) -> None:
        self.put(fileid, StoredFile(content, etag_of(content)))

    def __delitem__(self, fileid: str) -> None:
        del self._files[fileid]

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._files))

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, fileid: object) -> bool:
        return fileid in self._files

    def __repr__(self) -> str:
        return f"CloudFiles({self.sizes()})"

    def values(self) -> ValuesView[bytes]:
        """Return the files at this moment, each read when it is reached."""
        return ValuesView(CloudFiles(self._files))

    def items(self) -> ItemsView[str, bytes]:
        """Return ids and files at this moment, each read when it is reached."""
        return ItemsView(CloudFiles(self._files))

    @property
    def newest_key(self) -> str:
        """The id added last."""
        return next(reversed(self._files))

    def put(self, fileid: str, file: StoredFile) -> None:
        """Store a file; replaces a file with the same id."""
        self._files[fileid] = file

    def find(self, fileid: str) -> StoredFile | None:
        """Return the stored file, or None."""
        return self._files.get(fileid)

    def sizes(self) -> dict[str, int]:
        """Return the size of each file in bytes."""
        return {fileid: len(file.content) for fileid, file in list(self._files.items())}
