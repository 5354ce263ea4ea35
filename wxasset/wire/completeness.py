"""Detect truncated media files by parsing their structure during the download. Pure.

A body without a length ends with its connection. Truncation then looks like a normal end, so the structure of the file
is the only evidence.
"""

import enum
import re
import struct
from collections.abc import Callable, Generator, Mapping
from typing import Final, TypeAlias

from wxasset.wire.formats import Format

__all__ = ["Completeness", "CompletenessChecker"]


class Completeness(enum.Enum):
    """Completeness of a file according to its structure.

    Attributes:
        COMPLETE: The end mark has been found. Bytes after it are allowed: cameras append their own data.
        INCOMPLETE: The structure is valid so far, but the end is missing: without more bytes the file is truncated.
        UNKNOWN: The format has no known end mark, or the bytes do not follow the format.
    """

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    UNKNOWN = "unknown"


# When its bytes are used up, a walk yields the state in case no more bytes arrive; it returns the final state.
_Walk: TypeAlias = Generator[Completeness, None, Completeness]


class _Incoming:
    """The available bytes and the position in them; each step waits for more bytes as needed."""

    def __init__(self) -> None:
        self.data = b""
        self.place = 0

    def take(self, count: int, at_rest: Completeness = Completeness.INCOMPLETE) -> Generator[Completeness, None, bytes]:
        """Return the next few bytes; `at_rest` is the state until the first of them arrives."""
        taken = self.data[self.place : self.place + count]
        self.place += count
        while len(taken) < count:
            yield Completeness.INCOMPLETE if taken else at_rest
            self.place = count - len(taken)
            taken += self.data[: self.place]
        return taken

    def skip(self, count: int) -> Generator[Completeness, None, None]:
        """Skip any number of bytes."""
        self.place += count
        while (ahead := self.place - len(self.data)) > 0:
            yield Completeness.INCOMPLETE
            self.place = ahead

    def find(self, pattern: re.Pattern[bytes]) -> Generator[Completeness, None, bytes]:
        """Return the next match and move behind it; a match never extends into the following chunk."""
        while (match := pattern.search(self.data, self.place)) is None:
            yield Completeness.INCOMPLETE
            self.place = 0
        self.place = match.end()
        return match[0]

    def skip_sub_blocks(self) -> Generator[Completeness, None, None]:
        """Skip the sub-blocks of a GIF (a length and up to 255 bytes each), including the empty last one."""
        place = _terminator(self.data, self.place)
        while (ahead := place - len(self.data)) >= 0:
            yield Completeness.INCOMPLETE
            place = _terminator(self.data, ahead)
        self.place = place + 1


def _terminator(data: bytes, place: int) -> int:
    """Return the position of the empty sub-block, or of the first sub-block beyond the available bytes."""
    end = len(data)  # local names, and a loop of one line: 10 MB of a GIF are 40,000 sub-blocks
    while place < end and (length := data[place]):
        place += length + 1
    return place


_END_OF_IMAGE: Final = 0xD9
_START_OF_SCAN: Final = 0xDA
# Markers left out (restarts, start and end of image) have no length; lower codes are reserved.
_SEGMENTS: Final = frozenset(range(0xC0, 0xFF)) - frozenset(range(0xD0, 0xDA))
_IN_SCAN: Final = frozenset({0x00, *range(0xD0, 0xD8)})
# A 0xFF at the end of a chunk may be a marker too: its code is in the next chunk.
_PREFIX: Final = re.compile(rb"\xff(?=[^\x00\xd0-\xd7\xff]|\Z)")
_CODE: Final = re.compile(rb"[^\xff]")  # any number of fill bytes 0xFF may precede it


def _marker(incoming: _Incoming) -> Generator[Completeness, None, int]:
    """Return the code of the marker expected here, 0 if there is none."""
    found = (yield from incoming.take(1)) == b"\xff"
    return (yield from incoming.find(_CODE))[0] if found else 0


def _marker_after_scan(incoming: _Incoming) -> Generator[Completeness, None, int]:
    """Skip entropy-coded data: a 0xFF in it is followed by a zero, and restart markers are part of it."""
    code = 0
    while code in _IN_SCAN:
        yield from incoming.find(_PREFIX)
        code = (yield from incoming.find(_CODE))[0]
    return code


def _jpeg(incoming: _Incoming) -> _Walk:
    # A thumbnail's own end mark is inside a segment; a progressive file has several scans, with segments before each.
    if (yield from incoming.take(2)) != b"\xff\xd8":
        return Completeness.UNKNOWN
    code = yield from _marker(incoming)
    while code in _SEGMENTS:
        field = yield from incoming.take(2)
        length = int.from_bytes(field)
        if length < len(field):  # it counts itself
            return Completeness.UNKNOWN
        yield from incoming.skip(length - len(field))
        code = yield from (_marker_after_scan if code == _START_OF_SCAN else _marker)(incoming)
    return Completeness.COMPLETE if code == _END_OF_IMAGE else Completeness.UNKNOWN


_SIZE_AND_TYPE: Final = struct.Struct(">I4s")  # start of a PNG chunk and of an MP4 box
_BOX_TYPE: Final = re.compile(rb"[ -~]{4}")


def _png(incoming: _Incoming) -> _Walk:
    if (yield from incoming.take(8)) != b"\x89PNG\r\n\x1a\n":
        return Completeness.UNKNOWN
    kind = b""
    while kind != b"IEND":
        length, kind = _SIZE_AND_TYPE.unpack((yield from incoming.take(8)))
        if length > 2**31 - 1 or not kind.isalpha():
            return Completeness.UNKNOWN
        yield from incoming.skip(length + 4)  # and the checksum
    return Completeness.COMPLETE


def _colour_table(flags: int) -> int:
    """Return the length of the announced colour table: three bytes for each of 2 to 256 colours, or 0."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _gif(incoming: _Incoming) -> _Walk:
    header = yield from incoming.take(13)
    if header[:6] not in (b"GIF87a", b"GIF89a"):
        return Completeness.UNKNOWN
    yield from incoming.skip(_colour_table(header[10]))
    while (block := (yield from incoming.take(1))) != b";":
        if block == b",":
            image = yield from incoming.take(9)
            yield from incoming.skip(_colour_table(image[8]) + 1)  # and the minimum code size
        elif block == b"!":
            yield from incoming.skip(1)  # its label
        else:
            return Completeness.UNKNOWN
        yield from incoming.skip_sub_blocks()
    return Completeness.COMPLETE


def _bmp(incoming: _Incoming) -> _Walk:
    header = yield from incoming.take(14)
    kind, size, pixels = struct.unpack("<2sI4xI", header)
    # Some writers set the size to 0 or to the size of the headers; the shortest headers have 26 bytes.
    if kind != b"BM" or size <= max(26, pixels):
        return Completeness.UNKNOWN
    yield from incoming.skip(size - len(header))
    return Completeness.COMPLETE


# Writers into a pipe do not know the size: FFmpeg writes 2**32 - 1, SoX 0x7FFFF000 plus headers, others 0.
_RIFF_STREAMED: Final = 0x7FFFF000


def _riff(incoming: _Incoming) -> _Walk:
    kind, size, form = struct.unpack("<4sI4s", (yield from incoming.take(12)))
    if kind != b"RIFF" or form not in (b"WAVE", b"WEBP", b"AVI ") or not len(form) <= size < _RIFF_STREAMED:
        return Completeness.UNKNOWN
    yield from incoming.skip(size - len(form))
    return Completeness.COMPLETE


def _mp4(incoming: _Incoming) -> _Walk:
    awaited = {b"ftyp", b"moov", b"mdat"}
    while True:
        head = yield from incoming.take(8, at_rest=Completeness.INCOMPLETE if awaited else Completeness.COMPLETE)
        size, kind = _SIZE_AND_TYPE.unpack(head)
        if not _BOX_TYPE.fullmatch(kind) or (b"ftyp" in awaited and kind != b"ftyp"):
            return Completeness.UNKNOWN
        if size == 1:  # the real one follows
            large = yield from incoming.take(8)
            size, head = int.from_bytes(large), head + large
        if size < len(head):  # 0 is valid, but without information: the box extends to the end of the file
            return Completeness.UNKNOWN
        yield from incoming.skip(size - len(head))
        awaited.discard(kind)
        if kind == b"moof":  # a fragment: its samples are in the box after it
            awaited.add(b"mdat")


_WALKS: Final[Mapping[str, Callable[[_Incoming], _Walk]]] = {
    "jpeg": _jpeg,
    "png": _png,
    "gif": _gif,
    "bmp": _bmp,
    "mp4": _mp4,
    "wav": _riff,
    "webp": _riff,
    "avi": _riff,
}


class CompletenessChecker:
    """Parse a file during its download and detect its end.

    Supported are JPEG (ITU-T T.81, Annex B), PNG (W3C, chapter 5), GIF (87a and 89a), BMP (the size in its header), MP4
    (ISO/IEC 14496-12, the boxes at the top level), and WAV, WebP and AVI (the size in the header of RIFF). Neither
    checksums nor image data are checked. At most the few bytes of a header are kept in memory.
    """

    def __init__(self, form: Format | None) -> None:
        """Start at the beginning of a file of this format; for None and other formats the state is UNKNOWN."""
        walk = _WALKS.get(form.name) if form else None
        self._incoming = _Incoming()
        self._walk = walk(self._incoming) if walk else None
        self._state = Completeness.INCOMPLETE if walk else Completeness.UNKNOWN

    def feed(self, data: bytes) -> None:
        """Parse the next bytes of the file, any number of them."""
        if self._walk is None:
            return
        self._incoming.data = data
        try:
            self._state = next(self._walk)
        except StopIteration as walked:
            self._state, self._walk = walked.value, None
        self._incoming.data = b""

    @property
    def state(self) -> Completeness:
        """Current state.

        An MP4 has no end mark: after its index (``moov``) and samples (``mdat``) it is complete at the end of each box,
        and INCOMPLETE again when another box starts. For other formats COMPLETE is final. UNKNOWN is always final.
        """
        return self._state
