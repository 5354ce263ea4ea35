"""Media to upload, as callers give it."""

import os
from collections.abc import AsyncIterable
from typing import BinaryIO, Protocol, TypeAlias

__all__ = ["Media", "UploadFileLike"]


class UploadFileLike(Protocol):
    """The shape of a Starlette or FastAPI ``UploadFile``."""

    file: BinaryIO
    filename: str | None


Media: TypeAlias = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | UploadFileLike | AsyncIterable[bytes]
)
"""Media to upload: a path, bytes, an open binary file, an anyio file, a Starlette or FastAPI ``UploadFile``, or an
async iterable of bytes. An anyio file is such an iterable; its class is not named here, since loading it takes as long
as a tenth of the rest of a session."""
