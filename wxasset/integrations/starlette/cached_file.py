"""A file of a cache directory: one with its readers, and one that is being downloaded."""

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from attrs import define, field

from wxasset.wire.formats import Format

__all__ = ["CachedFile", "Part"]


@define(eq=False, kw_only=True)
class CachedFile:
    """A material in the cache, and its readers in this process; it stays while they read.

    Attributes:
        key: Name of the entry, a hash.
        path: Path of the bytes.
        found: Status of the file.
        filename: File name sent by WeChat, sanitized; None if WeChat sent none.
        content_type: Media type claimed by WeChat, possibly wrong.
        form: Format of the bytes; None if unknown.
        descriptor: The open file, locked against eviction by other processes.
        readers: Number of readers.
    """

    key: str
    path: Path
    found: os.stat_result = field(repr=False)
    filename: str | None
    content_type: str | None
    form: Format | None
    descriptor: int
    readers: int = 0


@define
class Part:
    """A file that is being downloaded, open for writing."""

    path: Path
    handle: BinaryIO

    def discard(self) -> None:
        """Close and delete it; a kept one has another name by then."""
        with suppress(OSError):
            self.handle.close()
        with suppress(OSError):
            self.path.unlink()
