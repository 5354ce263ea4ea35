"""Destinations of downloads, as callers give them."""

import os
from typing import BinaryIO, Literal, Protocol, TypeAlias

__all__ = ["AsyncWriter", "Destination", "Digest"]


class AsyncWriter(Protocol):
    """An object with ``async write(bytes)``."""

    async def write(self, data: bytes, /) -> object:
        """Write the next bytes."""
        ...


Destination: TypeAlias = str | os.PathLike[str] | BinaryIO | AsyncWriter
"""A destination of a download: a path, a directory, an open binary file, an anyio file, or an object with
``async write(bytes)``. A string that ends with ``/`` is a directory, created if missing. An anyio file is an
`AsyncWriter`."""

Digest: TypeAlias = Literal["sha256"] | None
"""The hash of a download; None for none."""
