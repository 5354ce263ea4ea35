"""Pieces of media files: chunks of a PNG, boxes of an MP4, RIFF files."""

import struct
import zlib

__all__ = ["box", "chunk", "riff"]


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    """Build a chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def riff(form: bytes, data: bytes, size: int | None = None) -> bytes:
    """Build a RIFF file."""
    return b"RIFF" + struct.pack("<I", 4 + len(data) if size is None else size) + form + data


def box(kind: bytes, data: bytes = b"") -> bytes:
    """Build a box of an MP4."""
    return struct.pack(">I", 8 + len(data)) + kind + data
