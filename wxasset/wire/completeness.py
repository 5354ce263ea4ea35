"""Tell whether a media file has come whole, by walking its structure while it comes. Pure.

A body without a length ends where its connection closes, and a cut looks just like an end: the file itself has to tell.
"""

import enum
import re
import struct
from collections.abc import Callable, Generator, Mapping
from typing import Final, TypeAlias

from attrs import define

from wxasset.wire.formats import Format

__all__ = ["Completeness", "CompletenessChecker"]


class Completeness(enum.Enum):
    """What a file's structure says about its end.

    Attributes:
        COMPLETE: The end mark has been seen. Bytes after it are fine: cameras append data of their own.
        INCOMPLETE: The structure is sound so far and not at its end: the file is cut, unless more of it comes.
        UNKNOWN: No end mark of the format is known here, or the bytes do not follow the format: nothing can be said.
    """

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    UNKNOWN = "unknown"


# A walk yields, whenever the bytes at hand are used up, what holds if no more come; it returns what holds for good.
_Walk: TypeAlias = Generator[Completeness, None, Completeness]


@define
class _Incoming:
    """The bytes at hand and the place reached in them; each step waits for more of them as it needs."""

    data: bytes = b""
    place: int = 0

    def take(self, count: int, at_rest: Completeness = Completeness.INCOMPLETE) -> Generator[Completeness, None, bytes]:
        """Return the next few bytes; `at_rest` holds until the first of them comes."""
        taken = self.data[self.place : self.place + count]
        self.place += count
        while len(taken) < count:
            yield Completeness.INCOMPLETE if taken else at_rest
            self.place = count - len(taken)
            taken += self.data[: self.place]
        return taken

    def skip(self, count: int) -> Generator[Completeness, None, None]:
        """Pass over any number of bytes."""
        self.place += count
        while (ahead := self.place - len(self.data)) > 0:
            yield Completeness.INCOMPLETE
            self.place = ahead

    def find(self, pattern: re.Pattern[bytes]) -> Generator[Completeness, None, bytes]:
        """Return what matches next and stop after it; a match never reaches into the following chunk."""
        while (match := pattern.search(self.data, self.place)) is None:
            yield Completeness.INCOMPLETE
            self.place = 0
        self.place = match.end()
        return match[0]

    def skip_sub_blocks(self) -> Generator[Completeness, None, None]:
        """Pass over a GIF's sub-blocks, of up to 255 bytes after their length, and the empty one that ends them."""
        place = _terminator(self.data, self.place)
        while (ahead := place - len(self.data)) >= 0:
            yield Completeness.INCOMPLETE
            place = _terminator(self.data, ahead)
        self.place = place + 1


def _terminator(data: bytes, place: int) -> int:
    """Return where the empty sub-block is, or else where the first one past the bytes at hand starts."""
    end = len(data)  # local names, and a loop of one line: 10 MB of a GIF are 40,000 sub-blocks
    while place < end and (length := data[place]):
        place += length + 1
    return place


_END_OF_IMAGE: Final = 0xD9
_START_OF_SCAN: Final = 0xDA
# Those left out (restarts, start and end of image) have no length; what is below is reserved.
_SEGMENTS: Final = frozenset(range(0xC0, 0xFF)) - frozenset(range(0xD0, 0xDA))
_IN_SCAN: Final = frozenset({0x00, *range(0xD0, 0xD8)})
# What a chunk ends with may be one as well: its code is in the next chunk.
_PREFIX: Final = re.compile(rb"\xff(?=[^\x00\xd0-\xd7\xff]|\Z)")
_CODE: Final = re.compile(rb"[^\xff]")  # any number of fill bytes 0xFF may precede it


def _marker(incoming: _Incoming) -> Generator[Completeness, None, int]:
    """Return the code of the marker that has to be here, 0 if there is none."""
    found = (yield from incoming.take(1)) == b"\xff"
    return (yield from incoming.find(_CODE))[0] if found else 0


def _marker_after_scan(incoming: _Incoming) -> Generator[Completeness, None, int]:
    """Pass over entropy-coded data: its own 0xFF are followed by a zero, and restart markers are part of it."""
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


_SIZE_AND_TYPE: Final = struct.Struct(">I4s")  # what a PNG's chunk and an MP4's box begin with
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
    """Return the length of the colour table that these announce: three bytes for each of 2 to 256 colours, or 0."""
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
    # Some writers leave the size 0 or give that of the headers, the shortest of which have 26 bytes.
    if kind != b"BM" or size <= max(26, pixels):
        return Completeness.UNKNOWN
    yield from incoming.skip(size - len(header))
    return Completeness.COMPLETE


# What writes into a pipe cannot know the size: FFmpeg says 2**32 - 1, SoX 0x7FFFF000 and the headers, others 0.
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
        if size < len(head):  # 0 is legal and says nothing: the box goes on to the end of the file
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
    """Walks a file as it comes and knows whether its end has.

    It follows JPEG (ITU-T T.81, Annex B), PNG (W3C, chapter 5), GIF (87a and 89a), BMP (the size in its header), MP4
    (ISO/IEC 14496-12, the boxes at the top level), and WAV, WebP and AVI (the size in the header of RIFF). It checks no
    checksum and decodes nothing. All that it keeps of a file are the few bytes of a header.
    """

    def __init__(self, form: Format | None) -> None:
        """Start at the beginning of a file of this format; of None, and of other formats, nothing will be known."""
        walk = _WALKS.get(form.name) if form else None
        self._incoming = _Incoming()
        self._walk = walk(self._incoming) if walk else None
        self._state = Completeness.INCOMPLETE if walk else Completeness.UNKNOWN

    def feed(self, data: bytes) -> None:
        """Walk on over the next bytes of the file, any number of them."""
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
        """What the bytes so far say.

        An MP4 has no end mark: it is whole wherever a box ends, once its index (``moov``) and its samples (``mdat``)
        have come, and INCOMPLETE again when one more box begins. Elsewhere COMPLETE is final; UNKNOWN is so everywhere.
        """
        return self._state
