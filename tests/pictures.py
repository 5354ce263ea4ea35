"""Tiny images, no two of them alike."""

import struct
import zlib
from pathlib import Path

__all__ = ["make_pictures", "picture"]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def picture(number: int) -> bytes:
    """A valid PNG of 8 by 1 grey points, which spell its number."""
    head = struct.pack(">IIBBBBB", 8, 1, 8, 0, 0, 0, 0)
    points = zlib.compress(b"\x00" + struct.pack(">Q", number))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", points) + _chunk(b"IEND", b"")


def make_pictures(directory: Path, count: int) -> list[Path]:
    """Write so many of them, each under a name of its own."""
    directory.mkdir(exist_ok=True)
    paths = [directory / f"picture{number:05}.png" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(picture(number))
    return paths
