"""How the end of a media file is seen while it comes: against real files, against built ones, cut at every place."""

import struct
import tracemalloc
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wxasset
from containers import box, chunk, riff
from wxasset.wire.completeness import Completeness, CompletenessChecker
from wxasset.wire.formats import FORMATS, HEAD_SIZE, sniff

SAMPLES: Final = Path(wxasset.__file__).parent / "cli" / "samples"
WALKED: Final = ("jpeg", "png", "gif", "bmp", "mp4", "wav", "webp", "avi")
"""The formats whose end is known."""


def segment(code: int, payload: bytes = b"") -> bytes:
    """Build a segment of a JPEG."""
    return bytes([0xFF, code]) + struct.pack(">H", 2 + len(payload)) + payload


def scan(*entropy_coded: bytes) -> bytes:
    """Build a scan of a JPEG: its header and its data."""
    return segment(0xDA, bytes(10)) + b"".join(entropy_coded)


def png(*chunks: bytes) -> bytes:
    """Build a PNG."""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13)) + b"".join(chunks) + chunk(b"IEND")


def gif(version: bytes, *blocks: bytes, colours: bytes = b"") -> bytes:
    """Build a GIF; its trailer is the byte that the flags, the colours and the data are full of."""
    return version + struct.pack("<HHBBB", 4, 4, flags(colours), 59, 0) + colours + b"".join(blocks) + b";"


def flags(colours: bytes) -> int:
    """Return the byte that announces a table of these colours, or none, with the other bits set."""
    return 0x80 | 0x38 | (len(colours) // 3).bit_length() - 2 if colours else 0x3B


def sub_blocks(*blocks: bytes) -> bytes:
    """Build a chain of sub-blocks of a GIF."""
    return b"".join(bytes([len(one)]) + one for one in blocks) + b"\x00"


def frame(*blocks: bytes, colours: bytes = b"") -> bytes:
    """Build an image of a GIF."""
    return b"," + struct.pack("<HHHHB", 0, 0, 4, 4, flags(colours)) + colours + b"\x08" + sub_blocks(*blocks)


def extension(label: int, *blocks: bytes) -> bytes:
    """Build an extension of a GIF."""
    return bytes([0x21, label]) + sub_blocks(*blocks)


def bmp(size: int, offset: int, dib: int) -> bytes:
    """Build the headers of a BMP."""
    return b"BM" + struct.pack("<IHHII", size, 0, 0, offset, dib) + bytes(dib - 4)


def large_box(kind: bytes, data: bytes, size: int | None = None) -> bytes:
    """Build a box of an MP4 whose size has 64 bits."""
    return struct.pack(">I4sQ", 1, kind, 16 + len(data) if size is None else size) + data


TABLES: Final = segment(0xDB, bytes(65)) + segment(0xC4, bytes(19))
THUMBNAIL: Final = b"\xff\xd8" + TABLES + segment(0xC0, bytes(9)) + scan(b"tiny") + b"\xff\xd9"
FTYP: Final = box(b"ftyp", b"isom\x00\x00\x02\x00isommp41")
MOOV: Final = box(b"moov", box(b"mvhd", bytes(20)))
FRAGMENT: Final = box(b"moof", box(b"mfhd", bytes(8))), box(b"mdat", b"samples moov moof")

BUILT: Final[Mapping[str, tuple[str, bytes]]] = {
    "jpeg": (
        "jpeg",
        b"\xff\xd8"
        + segment(0xE0, b"JFIF\x00\x01\x02\x00\x00\x48\x00\x48\x00\x00")
        + TABLES
        + segment(0xC0, bytes(15))
        + b"\xff\xff"
        + segment(0xFE)  # fill bytes before a marker, and a comment without a word
        + scan(b"data\xff\x00", b"\xff\xd0more\xff\x00\xd9", b"\xff\xd7last", b"\xff\xff\xff")
        + b"\xff\xd9",
    ),
    "progressive jpeg with a thumbnail": (
        "jpeg",
        b"\xff\xd8"
        + segment(0xE1, b"Exif\x00\x00MM\x00*" + THUMBNAIL)
        + segment(0xED, b"Photoshop 3.0\x00" + THUMBNAIL)
        + TABLES
        + segment(0xC2, bytes(15))
        + scan(b"first\xff\x00")
        + segment(0xC4, b"\xff\xd9" * 9)
        + scan(b"second")
        + scan()
        + segment(0xC4, bytes(17))
        + scan(b"fourth\xff\x00")
        + b"\xff\xd9",
    ),
    "png": (
        "png",
        png(chunk(b"tEXt", b"IEND\x00IEND"), chunk(b"IDAT", bytes(300)), chunk(b"IDAT", b";"), chunk(b"IDAT")),
    ),
    "gif of 1987": ("gif", gif(b"GIF87a", frame(b";" * 59, b"x"))),
    "animated gif": (
        "gif",
        gif(
            b"GIF89a",
            extension(0xFF, b"NETSCAPE2.0", b"\x01\x00\x00"),
            extension(0xFE, b";" * 255, b";"),
            extension(0xF9, b"\x04\x0a\x00\x00"),
            frame(b";" * 255, b";" * 255, b";" * 7, colours=b";" * 3 * 4),
            extension(0xF9, b"\x04\x0a\x00\x00"),
            frame(b",!;", colours=b";" * 3 * 256),
            frame(),
            colours=b";" * 3 * 2,
        ),
    ),
    "bmp": ("bmp", bmp(54 + 48, 54, 40) + bytes(48)),
    "bmp of OS/2": ("bmp", bmp(27, 26, 12) + b"\x00"),
    "wav": ("wav", riff(b"WAVE", b"fmt \x10\x00\x00\x00" + bytes(16) + b"data\x08\x00\x00\x00RIFFWAVE")),
    "wav of odd length": ("wav", riff(b"WAVE", b"fmt \x10\x00\x00\x00" + bytes(16) + b"data\x03\x00\x00\x00abc")),
    "webp": ("webp", riff(b"WEBP", b"VP8L\x0a\x00\x00\x00" + bytes(10))),
    "avi": ("avi", riff(b"AVI ", b"LIST\x04\x00\x00\x00hdrlLIST\x04\x00\x00\x00movi")),
    "riff without a chunk": ("avi", riff(b"AVI ", b"")),
    "mp4": ("mp4", FTYP + box(b"mdat", b"samples") + box(b"free") + MOOV),
    "mp4 with large boxes": (
        "mp4",
        FTYP + large_box(b"moov", b"index") + large_box(b"free", b"") + large_box(b"mdat", b"moov"),
    ),
    "mp4 with an empty mdat": ("mp4", FTYP + box(b"mdat") + MOOV),
    "mp4 in fragments": ("mp4", FTYP + MOOV + b"".join(FRAGMENT * 2) + box(b"mfra", bytes(8))),
}
"""Whole files, which no byte follows: the format of each, and its bytes."""

RESTS: Final[Mapping[str, frozenset[int]]] = {
    "mp4 in fragments": frozenset({len(FTYP + MOOV + b"".join(FRAGMENT)), len(FTYP + MOOV + b"".join(FRAGMENT * 2))})
}
"""Where an MP4 is whole although more of it follows: the fragments so far can be played."""

REAL: Final = {
    one: (name, (SAMPLES / one).read_bytes())
    for one, name in (("photo.jpg", "jpeg"), ("thumb.jpg", "jpeg"), ("drawing.png", "png"), ("clip.mp4", "mp4"))
}

FILES: Final = {**BUILT, **REAL}

SIZES: Final = st.lists(st.integers(0, 40) | st.integers(0, 4096), max_size=40)
"""Of chunks."""

EACH: Final = pytest.mark.parametrize("file", FILES)
EACH_FORMAT: Final = pytest.mark.parametrize("name", WALKED)


def states(name: str, chunks: Iterable[bytes]) -> Iterator[Completeness]:
    """Feed chunks, and tell the state after each."""
    checker = CompletenessChecker(FORMATS[name])
    for one in chunks:
        checker.feed(one)
        yield checker.state


def seen(name: str, *chunks: bytes) -> Completeness:
    """Return the state after these chunks."""
    *_, last = states(name, chunks)
    return last


def split(content: bytes, sizes: Iterable[int]) -> Iterator[bytes]:
    """Split bytes into chunks of these sizes, and one of the rest."""
    place = 0
    for size in sizes:
        yield content[place : place + size]
        place += size
    yield content[place:]


def byte_by_byte(name: str, content: bytes) -> list[Completeness]:
    """Return the state at every cut: after no byte, after one, and so on."""
    return [CompletenessChecker(FORMATS[name]).state, *states(name, (bytes([one]) for one in content))]


def expected(content: bytes, rests: Collection[int] = ()) -> list[Completeness]:
    """Return the state that every cut of a whole file has to have."""
    return [Completeness.COMPLETE if cut in rests else Completeness.INCOMPLETE for cut in range(len(content))] + [
        Completeness.COMPLETE
    ]


@EACH
def test_a_whole_file_has_reached_its_end(file: str) -> None:
    """A file that has come whole is known by its first bytes, and its end has been seen."""
    name, content = FILES[file]
    assert sniff(content[:HEAD_SIZE]) is FORMATS[name]
    assert seen(name, content) is Completeness.COMPLETE


@EACH
def test_a_cut_is_seen_at_every_place(file: str) -> None:
    """Up to its last byte a file is cut, wherever the cut is and however few bytes came at a time."""
    name, content = FILES[file]
    assert byte_by_byte(name, content) == expected(content, RESTS.get(file, ()))


@EACH
def test_a_cut_is_seen_in_one_piece(file: str) -> None:
    """Up to its last byte a file is cut, also where all of it came at once."""
    name, content = FILES[file]
    rests = RESTS.get(file, ())
    for cut in range(0, len(content), 1 + len(content) // 2000):
        assert seen(name, content[:cut]) is (Completeness.COMPLETE if cut in rests else Completeness.INCOMPLETE)


@EACH
@given(sizes=SIZES)
def test_the_chunks_do_not_matter(file: str, sizes: list[int]) -> None:
    """A whole file has reached its end in whatever chunks it came, empty ones among them."""
    name, content = FILES[file]
    assert seen(name, *split(content, sizes)) is Completeness.COMPLETE


ENTROPY_CODED: Final = st.lists(
    st.sampled_from(
        (b"\x00", b"\xd9", b"\xda", b"\xff\x00", b"\xff\xd0", b"\xff\xd7", b"\xff\xff\xd3", b"\xff\xff\x00")
    )
)
FILL: Final = st.sampled_from((b"", b"\xff", b"\xff\xff"))


@st.composite
def jpegs(draw: st.DrawFn) -> tuple[str, bytes]:
    """Any segments and any scans, with fill bytes between them."""
    codes = st.sampled_from((0xC0, 0xC2, 0xC4, 0xCC, 0xCF, 0xDB, 0xDD, 0xE0, 0xEF, 0xFE))
    segments = st.builds(segment, codes, st.binary(max_size=12) | st.just(b"\xff\xd9"))
    parts = st.tuples(FILL, segments | ENTROPY_CODED.map(lambda data: scan(*data))).map(b"".join)
    return "jpeg", b"".join((b"\xff\xd8", *draw(st.lists(parts)), draw(FILL), b"\xff\xd9"))


@st.composite
def pngs(draw: st.DrawFn) -> tuple[str, bytes]:
    """Any chunks."""
    kinds = st.sampled_from((b"IDAT", b"tEXt", b"prVt", b"iEND", b"IENd"))
    return "png", png(*draw(st.lists(st.builds(chunk, kinds, st.binary(max_size=20) | st.just(chunk(b"IEND"))))))


@st.composite
def gifs(draw: st.DrawFn) -> tuple[str, bytes]:
    """Any images and extensions, with and without tables of 2 to 256 colours."""
    blocks = st.lists(st.binary(min_size=1, max_size=8) | st.sampled_from((b";" * 255, b"\x00", b",")))
    colours = st.sampled_from((0, 2, 4, 8, 16, 32, 64, 128, 256)).map(lambda count: b";" * 3 * count)
    frames = st.builds(lambda data, table: frame(*data, colours=table), blocks, colours)
    extensions = st.builds(
        lambda label, data: extension(label, *data), st.sampled_from((0x01, 0xF9, 0xFE, 0xFF)), blocks
    )
    return "gif", gif(b"GIF89a", *draw(st.lists(frames | extensions)), colours=draw(colours))


@given(jpegs() | pngs() | gifs(), SIZES)
def test_what_a_file_is_made_of_does_not_matter(file: tuple[str, bytes], sizes: list[int]) -> None:
    """Whatever parts a file has, its end is its last byte and nowhere before."""
    name, content = file
    assert byte_by_byte(name, content) == expected(content)
    assert seen(name, *split(content, sizes)) is Completeness.COMPLETE


@pytest.mark.parametrize("file", [file for file, (name, _) in FILES.items() if name != "mp4"])
@given(more=st.binary(min_size=1) | st.sampled_from([content for _, content in BUILT.values()]))
def test_bytes_after_the_end_change_nothing(file: str, more: bytes) -> None:
    """Cameras append data: where a format marks its end or says its size, the rest is not looked at."""
    name, content = FILES[file]
    assert seen(name, content + more) is Completeness.COMPLETE
    assert seen(name, content, more) is Completeness.COMPLETE


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """A file with some bytes replaced, and more of them after it."""
    name, content = draw(st.sampled_from(list(BUILT.values())) | jpegs() | pngs() | gifs())
    broken = bytearray(content)
    for _ in range(draw(st.integers(0, 3))):
        broken[draw(st.integers(0, len(broken) - 1))] = draw(st.sampled_from((0x00, 0xD9, 0xFF)) | st.integers(0, 0xFF))
    return name, bytes(broken) + draw(st.binary(max_size=20))


GARBAGE: Final = st.tuples(st.sampled_from(WALKED), st.binary(max_size=200))


@given(damaged() | GARBAGE, SIZES)
def test_any_bytes_are_told_alike_in_any_chunks(file: tuple[str, bytes], sizes: list[int]) -> None:
    """Nothing raises, whatever comes, and the state after each chunk is that of the bytes so far in one piece."""
    name, content = file
    chunks = list(split(content, sizes))
    assert list(states(name, chunks)) == [seen(name, b"".join(chunks[: n + 1])) for n in range(len(chunks))]


ASTRAY: Final = {
    "jpeg without a start": ("jpeg", b"\xff\xd9\xff\xd9"),
    "jpeg without a marker after a segment": ("jpeg", b"\xff\xd8" + segment(0xE0, b"JFIF") + b"\x00\xff\xd9"),
    "jpeg with a segment of length 1": ("jpeg", b"\xff\xd8\xff\xe0\x00\x01\xff\xd9"),
    "jpeg with a segment of length 0": ("jpeg", b"\xff\xd8\xff\xe0\x00\x00\xff\xd9"),
    "jpeg with a stuffed zero outside of a scan": ("jpeg", b"\xff\xd8\xff\x00\x00\x02\xff\xd9"),
    "jpeg with a restart outside of a scan": ("jpeg", b"\xff\xd8\xff\xd0\x00\x02\xff\xd9"),
    "jpeg in a jpeg": ("jpeg", b"\xff\xd8" + THUMBNAIL),
    "jpeg with a reserved marker": ("jpeg", b"\xff\xd8" + segment(0xBF) + b"\xff\xd9"),
    "jpeg that starts anew in a scan": ("jpeg", b"\xff\xd8" + scan(b"data\xff\xd8") + b"\xff\xd9"),
    "jpeg with a reserved marker in a scan": ("jpeg", b"\xff\xd8" + scan(b"data\xff\x01") + b"\xff\xd9"),
    "png without its signature": ("png", png().replace(b"\r\n", b"\n", 1)),
    "png with a chunk that is too long": ("png", png()[:-12] + b"\x80\x00\x00\x00IDAT"),
    "png with a type that has no letters": ("png", png(chunk(b"ID4T"))),
    "gif of another year": ("gif", gif(b"GIF88a", frame(b"data"))),
    "gif with an unknown block": ("gif", gif(b"GIF89a", frame(b"data"), b"\x00")),
    "not a bmp": ("bmp", b"BA" + bmp(102, 54, 40)[2:] + bytes(48)),
    "bmp without a size": ("bmp", bmp(0, 54, 40) + bytes(48)),
    "bmp with the size of its headers": ("bmp", bmp(26, 26, 12) + bytes(48)),
    "bmp that ends before its pixels": ("bmp", bmp(54, 1078, 40) + bytes(2048)),
    "bmp without a place for pixels": ("bmp", bmp(26, 0, 12) + bytes(48)),
    "not a riff": ("wav", b"RIFX" + riff(b"WAVE", b"data")[4:]),
    "riff of another form": ("wav", riff(b"RMID", b"data")),
    "riff without a size": ("wav", riff(b"WAVE", b"data", size=0)),
    "riff without space for its form": ("wav", riff(b"WAVE", b"data", size=3)),
    "riff that FFmpeg wrote into a pipe": ("avi", riff(b"AVI ", b"LIST", size=0xFFFFFFFF)),
    "riff that SoX wrote into a pipe": ("wav", riff(b"WAVE", b"fmt ", size=0x7FFFF024)),
    "riff that is as long as SoX's": ("wav", riff(b"WAVE", b"fmt ", size=0x7FFFF000)),
    "mp4 without a type": ("mp4", MOOV + FTYP + box(b"mdat")),
    "mp4 with a last box of no size": ("mp4", FTYP + MOOV + struct.pack(">I", 0) + b"mdatsamples"),
    "mp4 with a box of size 2": ("mp4", FTYP + MOOV + box(b"mdat") + struct.pack(">I", 2) + b"free"),
    "mp4 with a box of size 7": ("mp4", FTYP + MOOV + box(b"mdat") + struct.pack(">I", 7) + b"free"),
    "mp4 with a large box of size 15": ("mp4", FTYP + MOOV + box(b"mdat") + large_box(b"free", b"", size=15)),
    "mp4 with a large box of no size": ("mp4", FTYP + MOOV + large_box(b"mdat", b"", size=0)),
    "mp4 with a box whose type is no text": ("mp4", FTYP + MOOV + box(b"mdat") + box(b"\x00\x01\x02\x03")),
}


@pytest.mark.parametrize("file", ASTRAY)
def test_nothing_is_said_of_what_does_not_follow_its_format(file: str) -> None:
    """Bytes that contradict the structure say nothing about the end, and no bytes after them do."""
    name, content = ASTRAY[file]
    assert seen(name, content) is Completeness.UNKNOWN
    assert byte_by_byte(name, content)[-1] is Completeness.UNKNOWN
    assert seen(name, content, *(whole for other, whole in FILES.values() if other == name)) is Completeness.UNKNOWN


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("jpeg", b"\xff\xd8" + scan(b"\xff" * 99)),
        ("png", png()[:-12] + b"\x7f\xff\xff\xffIDAT"),
        ("wav", riff(b"WAVE", b"fmt ", size=0x7FFFEFFF)),
        ("mp4", FTYP + MOOV + large_box(b"mdat", b"", size=2**64 - 1)),
    ],
)
def test_the_largest_sizes_are_waited_for(name: str, content: bytes) -> None:
    """What is just short of a contradiction is a file of which most is missing."""
    assert seen(name, content, bytes(1000)) is Completeness.INCOMPLETE


@EACH_FORMAT
def test_an_empty_file_is_cut(name: str) -> None:
    """Where a format has an end, nothing at all is a file without it, before and after an empty chunk."""
    checker = CompletenessChecker(FORMATS[name])
    assert checker.state is Completeness.INCOMPLETE
    checker.feed(b"")
    assert checker.state is Completeness.INCOMPLETE


@pytest.mark.parametrize("name", [None, *(name for name in FORMATS if name not in WALKED)])
def test_nothing_is_known_of_other_formats(name: str | None) -> None:
    """Of a format that is not walked, or not known, nothing is said before, in and after the file."""
    checker = CompletenessChecker(FORMATS[name] if name else None)
    assert checker.state is Completeness.UNKNOWN
    for _, content in FILES.values():
        checker.feed(content)
        assert checker.state is Completeness.UNKNOWN


@pytest.mark.parametrize(
    "boxes",
    [
        (FTYP,),
        (FTYP, MOOV),
        (FTYP, box(b"mdat", b"samples")),
        (FTYP, box(b"free"), MOOV, box(b"free")),
        (FTYP, MOOV, FRAGMENT[0]),
        (FTYP, *FRAGMENT),
        (FTYP, MOOV, *FRAGMENT, FRAGMENT[0]),
    ],
    ids=["type", "index", "samples", "padding", "fragment's index", "fragment alone", "second fragment's index"],
)
def test_an_mp4_needs_its_index_and_its_samples(boxes: tuple[bytes, ...]) -> None:
    """An MP4 cut exactly between two boxes is seen as cut, as long as `moov` or the `mdat` that belongs to it lacks."""
    assert seen("mp4", *boxes) is Completeness.INCOMPLETE
    assert seen("mp4", b"".join(boxes)) is Completeness.INCOMPLETE


@pytest.mark.parametrize("more", [box(b"free", b"12"), large_box(b"uuid", b"12"), box(b"udta")])
@pytest.mark.parametrize("file", [file for file, (name, _) in FILES.items() if name == "mp4"])
def test_an_mp4_may_go_on(file: str, more: bytes) -> None:
    """A whole MP4 in which one more box begins is cut, until that box has come."""
    name, content = FILES[file]
    after = list(states(name, [content, *(bytes([one]) for one in more)]))
    assert after == [Completeness.COMPLETE, *[Completeness.INCOMPLETE] * (len(more) - 1), Completeness.COMPLETE]


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("jpeg", b"\xff\xd8" + scan(b"data")),
        ("png", png()[:-12] + b"\x7f\xff\xff\xffIDAT"),
        ("gif", gif(b"GIF89a", frame(b"data"))[:-2]),
        ("bmp", bmp(0xFFFFFFFF, 54, 40)),
        ("wav", riff(b"WAVE", b"data", size=0x7FFFEFFF)),
        ("mp4", FTYP + MOOV + large_box(b"mdat", b"", size=5 * 2**30)),
    ],
)
def test_no_more_is_kept_than_a_header(name: str, head: bytes) -> None:
    """Of a file that is far larger than memory nothing stays: not its bytes, not its last chunk."""
    checker = CompletenessChecker(FORMATS[name])
    checker.feed(head)
    tracemalloc.start()
    try:
        for _ in range(64):
            checker.feed(b"\x20" * 65536)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert checker.state is Completeness.INCOMPLETE
    assert kept < 4096
    assert peak < 3 * 65536
