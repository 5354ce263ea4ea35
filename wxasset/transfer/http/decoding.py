"""Decompress the body of a response, and know whether the compressed stream is complete."""

import zlib
from typing import Final

__all__ = ["ACCEPTED", "Decoder", "coding_of"]

ACCEPTED: Final = "gzip, deflate"
"""Value of Accept-Encoding."""

_STEP: Final = 256 * 1024  # bytes; the most that one step gives, whatever the compression
_GZIP: Final = 16 + zlib.MAX_WBITS
_WINDOWS: Final = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}
_UNDECODED: Final = frozenset({"br", "zstd", "compress", "x-compress"})
_ZLIB_METHOD: Final = 8  # in the low half of the first byte of a zlib stream; some servers send bare deflate instead


def coding_of(header: str) -> str | None:
    """Return the compression of a body; None for none.

    Values that name no compression, such as ``aws-chunked`` or ``utf-8``, are stored with objects by their owners.
    """
    if not header:
        return None
    known = [
        one for one in (word.strip().lower() for word in header.split(",")) if one in _WINDOWS or one in _UNDECODED
    ]
    return ", ".join(known) or None


class Decoder:
    """Decompress a body step by step.

    Attributes:
        packed: Compressed bytes so far.
    """

    def __init__(self, coding: str) -> None:
        """Begin a body.

        Raises:
            ValueError: The compression is not one of `ACCEPTED`.
        """
        if coding not in _WINDOWS:
            raise ValueError(coding)
        self.packed: int = 0
        self._window = _WINDOWS[coding]
        self._stream = zlib.decompressobj(self._window)
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Add compressed bytes."""
        if not self.packed and self._window == zlib.MAX_WBITS and data[0] & 0xF != _ZLIB_METHOD:
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
        self.packed += len(data)
        self._rest += data

    def decode(self) -> bytes:
        """Return the next bytes of the body; empty bytes if more compressed bytes are needed.

        Raises:
            zlib.error: The compressed bytes are malformed.
        """
        while True:
            if self._stream.eof and self._rest:
                self._stream = zlib.decompressobj(self._window)  # a gzip file may have several members
            data = self._stream.decompress(self._rest, _STEP)
            self._rest = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            if data or not self._rest:
                return data

    @property
    def complete(self) -> bool:
        """True if the stream has its end, or is empty."""
        return not self.packed or (self._stream.eof and not self._rest)
