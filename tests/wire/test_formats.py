"""How a format is told by its first bytes: against real headers, against two other detectors, against noise."""

import ctypes
import hashlib
import struct
import zlib
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import filetype
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import wxasset.cli
from containers import box, chunk, riff
from wxasset.wire.formats import FORMATS, HEAD_SIZE, Content, by_extension, content_of, sniff

ACCEPTED: Final = ("jpeg", "png", "gif", "bmp", "mp3", "amr", "wav", "wma", "mp4")
"""What WeChat takes somewhere (wire reference 2.1 and 2.7)."""

SAMPLES: Final = Path(wxasset.cli.__file__).with_name("samples")

DIB_SIZES: Final = (12, 40, 52, 56, 64, 108, 124)
MP4_BRANDS: Final = (
    *("isom", "iso2", "iso3", "iso4", "iso5", "iso6", "iso7", "iso8", "iso9"),
    *("mp41", "mp42", "avc1", "M4V ", "MSNV", "dash"),
)
HEIC_BRANDS: Final = ("heic", "heix", "hevc", "hevx", "heim", "heis", "mif1", "msf1")

U8: Final = st.integers(0, 0xFF)
U16: Final = st.integers(0, 0xFFFF)
SIDE: Final = st.integers(1, 4096)  # pixels
FILL: Final = st.binary(min_size=HEAD_SIZE, max_size=96)


@st.composite
def jpegs(draw: st.DrawFn) -> bytes:
    """Start of image, then a segment: APP0 to APP15, a quantization table, a comment."""
    marker = draw(st.sampled_from((*range(0xE0, 0xF0), 0xDB, 0xFE)))
    payload = draw(
        st.sampled_from((b"JFIF\x00\x01\x02\x00\x00\x48\x00\x48\x00\x00", b"Exif\x00\x00MM\x00*", b"\x00" + bytes(64)))
    )
    return b"\xff\xd8\xff" + bytes([marker]) + struct.pack(">H", 2 + len(payload)) + payload + b"\xff\xdb\x00\x43"


@st.composite
def pngs(draw: st.DrawFn) -> bytes:
    """The signature and an IHDR chunk with one of the permitted depths and colours."""
    depth, colour = draw(st.sampled_from(((1, 0), (8, 0), (16, 0), (8, 2), (16, 2), (4, 3), (8, 4), (8, 6))))
    ihdr = struct.pack(">IIBBBBB", draw(SIDE), draw(SIDE), depth, colour, 0, 0, draw(st.integers(0, 1)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", ihdr) + chunk(b"IDAT", draw(FILL))


@st.composite
def gifs(draw: st.DrawFn) -> bytes:
    """Both versions, with the logical screen descriptor."""
    screen = struct.pack("<HHBBB", draw(SIDE), draw(SIDE), draw(U8), 0, 0)
    return draw(st.sampled_from((b"GIF87a", b"GIF89a"))) + screen + draw(FILL)


@st.composite
def bmps(draw: st.DrawFn) -> bytes:
    """The file header and every DIB header that was ever defined, from OS/2 1.x to version 5."""
    dib = draw(st.sampled_from(DIB_SIZES))
    depth = draw(st.sampled_from((1, 4, 8, 16, 24, 32)))
    sides = struct.pack("<HH" if dib == 12 else "<ii", draw(SIDE), draw(SIDE))
    info = struct.pack("<I", dib) + sides + struct.pack("<HH", 1, depth)
    pixels = draw(FILL)
    offset = 14 + dib
    return b"BM" + struct.pack("<IHHI", offset + len(pixels), 0, 0, offset) + info.ljust(dib, b"\x00") + pixels


@st.composite
def id3s(draw: st.DrawFn) -> bytes:
    """An ID3v2 tag of versions 2 to 4 with a size that has seven bits to the byte, and the first frame of sound."""
    title = b"TIT2" + struct.pack(">IH", 72, 0) + draw(st.binary(min_size=72, max_size=72))
    tag = b"ID3" + bytes([draw(st.sampled_from((2, 3, 4))), 0, 0, 0, 0, 0, len(title)])
    return tag + title + b"\xff\xfb\x90\x00" + bytes(64)


@st.composite
def mp3_frames(draw: st.DrawFn) -> bytes:
    """A bare frame of Layer III: MPEG 1, 2 or 2.5, with or without a checksum, each bit rate and sampling rate."""
    version, protected = draw(st.sampled_from((0b00, 0b10, 0b11))), draw(st.integers(0, 1))
    bitrate, sampling = draw(st.integers(1, 14)), draw(st.integers(0, 2))
    second = 0xE0 | version << 3 | 0b01 << 1 | protected
    third = bitrate << 4 | sampling << 2 | draw(st.integers(0, 3))
    return bytes([0xFF, second, third, draw(U8)]) + draw(FILL)


@st.composite
def wavs(draw: st.DrawFn) -> bytes:
    """A RIFF file of sampled sound."""
    channels, rate = draw(st.integers(1, 2)), draw(st.sampled_from((8000, 16000, 44100, 48000)))
    fmt = struct.pack("<HHIIHH", 1, channels, rate, rate * 2 * channels, 2 * channels, 16)
    data = draw(FILL)
    body = b"fmt " + struct.pack("<I", 16) + fmt + b"data" + struct.pack("<I", len(data)) + data
    return riff(b"WAVE", body)


@st.composite
def wmas(draw: st.DrawFn) -> bytes:
    """An ASF header object with its size and the number of objects in it."""
    guid = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
    return guid + struct.pack("<QIBB", draw(st.integers(30, 4096)), draw(st.integers(1, 8)), 1, 2) + draw(FILL)


@st.composite
def amrs(draw: st.DrawFn) -> bytes:
    """Single-channel AMR: the magic line, then a frame whose type byte names one of the eight bit rates."""
    return b"#!AMR\n" + bytes([draw(st.integers(0, 7)) << 3 | 0x04]) + draw(FILL)


TEXT: Final = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=HEAD_SIZE, max_size=96)


def before_text(*starts: str) -> st.SearchStrategy[bytes]:
    """One of these starts and printable ASCII after it."""
    return st.builds(lambda start, fill: (start + fill).encode(), st.sampled_from(starts), TEXT)


@st.composite
def zips(draw: st.DrawFn) -> bytes:
    """The local header of a first member."""
    name, data = b"photo.txt", draw(FILL)
    sizes = struct.pack("<IIIHH", zlib.crc32(data), len(data), len(data), len(name), 0)
    return b"PK\x03\x04" + struct.pack("<HHHHH", 20, 0, 0, draw(U16), draw(U16)) + sizes + name + data


def iso_media(*brands: str, compatible: tuple[str, ...] = ()) -> st.SearchStrategy[bytes]:
    """A file type box with one of the brands in front, and a free box."""
    return st.builds(
        lambda brand, minor, others, fill: (
            box(b"ftyp", brand.encode() + struct.pack(">I", minor) + "".join((brand, *others)).encode())
            + box(b"free", fill)
        ),
        st.sampled_from(brands),
        st.integers(0, 0x400),
        st.just(compatible),
        FILL,
    )


@st.composite
def aacs(draw: st.DrawFn) -> bytes:
    """An ADTS frame: MPEG-4 or MPEG-2, with or without a checksum, each of the 13 sampling rates."""
    second = 0xF0 | draw(st.integers(0, 1)) << 3 | draw(st.integers(0, 1))
    profile, sampling, channels = draw(st.integers(0, 3)), draw(st.integers(0, 12)), draw(st.integers(1, 7))
    length = draw(st.integers(16, 2000))
    third = profile << 6 | sampling << 2 | channels >> 2
    fourth = (channels & 3) << 6 | length >> 11
    return bytes([0xFF, second, third, fourth, length >> 3 & 0xFF, (length & 7) << 5 | 0x1F, 0xFC]) + draw(FILL)


def after(*starts: bytes) -> st.SearchStrategy[bytes]:
    """One of these starts and anything after it."""
    return st.builds(lambda start, fill: start + fill, st.sampled_from(starts), FILL)


HEADERS: Final[Mapping[str, st.SearchStrategy[bytes]]] = {
    "jpeg": jpegs(),
    "png": pngs(),
    "gif": gifs(),
    "bmp": bmps(),
    "mp3": id3s() | mp3_frames(),
    "amr": amrs(),
    "wav": wavs(),
    "wma": wmas(),
    "mp4": iso_media(*MP4_BRANDS, compatible=("isom", "mp41")),
    "webp": st.sampled_from((b"VP8 ", b"VP8L", b"VP8X")).flatmap(
        lambda kind: FILL.map(lambda d: riff(b"WEBP", kind + d))
    ),
    "heic": iso_media(*HEIC_BRANDS, compatible=("heic",)),
    "avif": iso_media("avif", "avis", compatible=("mif1", "miaf")) | iso_media("mif1", compatible=("miaf", "avif")),
    "tiff": after(b"II*\x00\x08\x00\x00\x00", b"MM\x00*\x00\x00\x00\x08"),
    "svg": before_text("<svg xmlns=", '\ufeff<svg width="1"', "\n <SVG>"),
    "ico": after(b"\x00\x00\x01\x00\x01\x00\x10\x10\x00\x00\x01\x00\x20\x00\x68\x04\x00\x00\x16\x00\x00\x00"),
    "psd": after(b"8BPS\x00\x01\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x10\x00\x00\x00\x10\x00\x08\x00\x03"),
    "mov": iso_media("qt  "),
    "m4a": iso_media("M4A ", "M4B ", compatible=("M4A ", "mp42")),
    "3gp": iso_media("3gp4", "3gp5", "3gp6", "3g2a"),
    "amr-wb": after(b"#!AMR-WB\n"),
    "avi": FILL.map(lambda data: riff(b"AVI ", b"LIST" + data)),
    "matroska": after(b"\x1aE\xdf\xa3\x93\x42\x82\x88matroska", b"\x1aE\xdf\xa3\x93\x42\x82\x84webm"),
    "flv": after(b"FLV\x01\x05\x00\x00\x00\x09"),
    "mpeg": after(b"\x00\x00\x01\xba\x44\x00\x04\x00", b"\x00\x00\x01\xb3\x16\x00\xf0\xc4"),
    "flac": after(b"fLaC\x00\x00\x00\x22\x10\x00\x10\x00"),
    "ogg": after(
        b"OggS\x00\x02" + bytes(20) + b"\x01\x1e\x01vorbis", b"OggS\x00\x02" + bytes(20) + b"\x01\x13OpusHead"
    ),
    "aac": aacs(),
    "silk": after(b"#!SILK_V3", b"\x02#!SILK_V3"),
    "midi": after(b"MThd\x00\x00\x00\x06\x00\x01\x00\x02\x00\x60MTrk"),
    "pdf": after(b"%PDF-1.4\n", b"%PDF-2.0\n"),
    "zip": zips(),
    "gzip": after(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"),
    "html": before_text("<!DOCTYPE html>\n<html>", '<html lang="zh">', "\ufeff\r\n<!doctype HTML><title>"),
}

FEW: Final = settings(max_examples=25)  # for each of 33 formats

EACH: Final = pytest.mark.parametrize("name", HEADERS)

FILETYPE_SAYS: Final[Mapping[str, Mapping[str | None, str]]] = {
    "mp3": {None: "knows three of the six second bytes that a frame of Layer III can have"},
    "wav": {"audio/x-wav": "the name from before RFC 2361"},
    "wma": {"video/x-ms-wmv": "does not look for the streams inside, and takes every ASF file for a film"},
    "heic": {None: "knows the brand heic alone"},
    "avif": {None: "knows the brand avif alone"},
    "svg": {None: "knows no text formats"},
    "ico": {"image/x-icon": "the name from before the registration"},
    "m4a": {"video/mp4": "looks at the compatible brands first"},
    "3gp": {None: "knows the brand 3gp5 in a box of one length alone"},
    "amr-wb": {None: "knows the narrow band alone"},
    "matroska": {"video/webm": "reads the document type, which is of no use to WeChat"},
    "flac": {"audio/x-flac": "the name from before RFC 9639"},
    "aac": {None: "knows streams without a checksum alone"},
    "silk": {None: "does not know it"},
    "html": {None: "knows no text formats"},
}
"""What `filetype` says instead of the registered type, and why."""

LIBMAGIC_SAYS: Final[Mapping[str, Mapping[str, str]]] = {
    "wav": {"audio/x-wav": "the name from before RFC 2361"},
    "wma": {"video/x-ms-asf": "does not look for the streams inside"},
    "mp3": {"application/octet-stream": "takes a frame with zeros in the right places for a boot sector of NTFS"},
    "mp4": {
        "video/x-m4v": "Apple's name for an MP4 of the brand M4V",
        "audio/mp4": "takes the brand MSNV, of Sony's film players, for sound",
    },
    "heic": {
        "image/heif": "the brand mif1 stands for the container",
        "image/heif-sequence": "the brand msf1 stands for the container",
        "image/heic-sequence": "several pictures, which are as little to WeChat as one",
    },
    "avif": {"image/heif": "does not look at the compatible brands of mif1"},
    "svg": {"text/html": "looks for markup after a byte order mark or a line end", "text/plain": "the same"},
    "m4a": {"audio/x-m4a": "the name from before RFC 4337"},
    "3gp": {"video/3gpp2": "the brand 3g2a"},
    "amr-wb": {"audio/amr": "has one name for both bands"},
    "matroska": {"video/webm": "reads the document type, which is of no use to WeChat"},
    "aac": {"audio/x-hx-aac-adts": "its own name for the ADTS framing"},
    "silk": {"application/octet-stream": "does not know it", "text/plain": "the same, where no control byte follows"},
}
"""What libmagic says instead of the registered type, and why."""


@pytest.fixture(scope="module")
def libmagic() -> Callable[[bytes], str]:
    """Ask libmagic for the media type of some bytes.

    pylibmagic carries the library with its database. To import it would change the environment and ctypes for the
    whole run; loaded by its path, it is what python-magic finds under the library's name.
    """
    carrier = find_spec("pylibmagic")
    if carrier is None or carrier.origin is None:
        pytest.skip("pylibmagic is not installed")
    carried = Path(carrier.origin).parent
    try:
        ctypes.CDLL(str(carried / "libmagic.so.1"))
    except OSError as error:
        pytest.skip(f"pylibmagic's library does not load here: {error}")
    magic = pytest.importorskip("magic", exc_type=ImportError)
    detector = magic.Magic(mime=True, magic_file=str(carried / "magic.mgc"))
    return lambda head: str(detector.from_buffer(head))


def told(head: bytes) -> str | None:
    """Return the name of the format, or None."""
    form = sniff(head)
    return form.name if form else None


def test_every_format_has_a_header_here() -> None:
    """The headers that these tests build cover every format that can be named."""
    assert set(HEADERS) == set(FORMATS)


@EACH
@FEW
@given(data=st.data())
def test_a_header_is_told_as_its_format(name: str, data: st.DataObject) -> None:
    """The first 64 bytes of a file are enough to name its format, and more of them change nothing."""
    file = data.draw(HEADERS[name])
    assert told(file[:HEAD_SIZE]) == name
    assert told(file) == name


@pytest.mark.parametrize("sampling", range(13))
def test_aac_is_told_at_every_sampling_rate(sampling: int) -> None:
    """The index of the sampling rate has four bits: 3 is 48 kHz, 7 is 22.05 kHz, 11 is 8 kHz."""
    assert told(bytes([0xFF, 0xF1, 0x40 | sampling << 2, 0x80, 0x10, 0x1F, 0xFC]) + bytes(57)) == "aac"


@pytest.mark.parametrize("sampling", [13, 14, 15])
def test_aac_has_no_other_sampling_rates(sampling: int) -> None:
    """An ADTS frame with a reserved sampling rate is none."""
    assert told(bytes([0xFF, 0xF1, 0x40 | sampling << 2, 0x80, 0x10, 0x1F, 0xFC]) + bytes(57)) is None


@EACH
@FEW
@given(data=st.data())
def test_filetype_agrees(name: str, data: st.DataObject) -> None:
    """The library filetype names the same type, but for the differences listed."""
    guessed = filetype.guess(data.draw(HEADERS[name]))
    said = guessed.mime if guessed else None
    assert said == FORMATS[name].content_type or said in FILETYPE_SAYS.get(name, {})


@EACH
@FEW
@given(data=st.data())
def test_libmagic_agrees(name: str, data: st.DataObject, libmagic: Callable[[bytes], str]) -> None:
    """The engine of the file command names the same type, but for the differences listed."""
    said = libmagic(data.draw(HEADERS[name]))
    assert said == FORMATS[name].content_type or said in LIBMAGIC_SAYS.get(name, {})


@EACH
@FEW
@given(data=st.data())
def test_a_truncated_head_is_told_as_its_format_or_not_at_all(name: str, data: st.DataObject) -> None:
    """However early a file breaks off, nothing raises and it is never taken for another format."""
    head = data.draw(HEADERS[name])[:HEAD_SIZE]
    # An AVIF of the brand mif1 is a HEIF picture until its list of brands is seen.
    possible = {None, name} | ({"heic"} if name == "avif" and head[8:12] == b"mif1" else set())
    assert {told(head[:length]) for length in range(len(head) + 1)} <= possible


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("jpeg", 3),
        ("png", 8),
        ("gif", 6),
        ("bmp", 15),
        ("mp3", 4),
        ("amr", 6),
        ("wav", 12),
        ("wma", 16),
        ("mp4", 12),
        ("webp", 12),
        ("heic", 12),
    ],
)
@FEW
@given(data=st.data())
def test_the_whole_signature_is_looked_at(name: str, length: int, data: st.DataObject) -> None:
    """A file is told as soon as its signature is complete, and not before."""
    head = data.draw(HEADERS[name])
    assert told(head[:length]) == name
    if head[:3] != b"ID3":  # the one signature of an MP3 that is a byte shorter than the other
        assert told(head[: length - 1]) is None


REAL: Final[Mapping[str, Callable[[bytes], bool]]] = {
    "jpeg": lambda head: head[:3] == b"\xff\xd8\xff",
    "png": lambda head: head[:8] == b"\x89PNG\r\n\x1a\n",
    "gif": lambda head: head[:6] in (b"GIF87a", b"GIF89a"),
    "bmp": lambda head: head[:2] == b"BM" and not any(head[6:10]) and struct.unpack("<I", head[14:18])[0] in DIB_SIZES,
    "mp3": lambda head: (
        head[:3] == b"ID3"
        or (
            head[0] == 0xFF
            and head[1] in (0xE2, 0xE3, 0xF2, 0xF3, 0xFA, 0xFB)
            and 0x10 <= head[2] <= 0xEF
            and head[2] & 0x0C != 0x0C
        )
    ),
    "amr": lambda head: head[:6] == b"#!AMR\n",
    "wav": lambda head: head[:4] == b"RIFF" and head[8:12] == b"WAVE",
    "wma": lambda head: head[:16] == bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"),
    "mp4": lambda head: head[4:8] == b"ftyp" and head[8:12] not in {brand.encode() for brand in HEIC_BRANDS},
}
"""The signatures of what WeChat takes, written down a second time."""


def test_every_accepted_format_has_a_signature_here() -> None:
    """The second writing of the signatures covers what WeChat takes."""
    assert tuple(REAL) == ACCEPTED


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A header with a few bytes changed where signatures are."""
    head = bytearray(draw(st.one_of(*HEADERS.values()))[:HEAD_SIZE])
    for place in draw(st.lists(st.integers(0, 19), min_size=1, max_size=3)):
        if place < len(head):
            head[place] = draw(U8)
    return bytes(head)


@given(st.binary(min_size=18, max_size=HEAD_SIZE) | damaged())
@example(b"RIFF\x24\x00\x00\x00WAVF" + bytes(20))
@example(b"\xff\xfb\xf0\x00" + bytes(20))
@example(b"\xff\xeb\x90\x00" + bytes(20))
@example(b"\xff\xfd\x90\x00" + bytes(20))
@example(b"\xff\xfb\x9c\x00" + bytes(20))
@example(bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6d") + bytes(20))
def test_noise_is_never_told_as_what_wechat_takes(head: bytes) -> None:
    """Whatever the bytes: where an accepted format is named, its whole signature is there."""
    name = told(head)
    if name is not None and name in REAL:
        assert REAL[name](head)


@given(st.binary(max_size=2 * HEAD_SIZE))
def test_any_bytes_can_be_looked_at(head: bytes) -> None:
    """Looking never raises, and what is named is a known format or nothing."""
    form = sniff(head)
    assert form is None or FORMATS[form.name] is form


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00")))
@example("Meeting notes, 2026: the pictures of the BMW are missing")
def test_text_that_starts_with_bm_is_no_bmp(rest: str) -> None:
    """A text may start with the two letters that a BMP starts with."""
    assert told(("BM" + rest).encode()) is None


@given(st.text(st.characters(codec="utf-8"), max_size=40), st.sampled_from(("utf-16", "utf-32")))
def test_text_in_wide_encodings_is_no_mp3(text: str, encoding: str) -> None:
    """A byte order mark has as many set bits as a frame of an MP3, and is none."""
    assert told(text.encode(encoding)) is None


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("clip.mp4", "mp4"),
        ("drawing.png", "png"),
        ("photo.jpg", "jpeg"),
        ("thumb.jpg", "jpeg"),
        ("voice.amr", "amr"),
        ("voice.mp3", "mp3"),
    ],
)
def test_the_carried_samples_are_what_they_seem(file: str, name: str, libmagic: Callable[[bytes], str]) -> None:
    """The samples that the command line carries are told right, as libmagic and their names say as well."""
    content = (SAMPLES / file).read_bytes()
    assert told(content[:HEAD_SIZE]) == name
    assert libmagic(content) == FORMATS[name].content_type
    assert by_extension(Path(file).suffix) == FORMATS[name]


def test_every_carried_sample_is_tested() -> None:
    """No sample was added without being looked at here."""
    assert {one.name for one in SAMPLES.iterdir()} == {
        "clip.mp4",
        "drawing.png",
        "photo.jpg",
        "thumb.jpg",
        "voice.amr",
        "voice.mp3",
    }


@EACH
def test_a_format_is_listed_under_its_own_name(name: str) -> None:
    """A format has extensions in lower case with a dot, and a media type."""
    form = FORMATS[name]
    assert form.name == name
    assert form.extensions
    assert all(one == one.lower() and one.startswith(".") and one.count(".") == 1 for one in form.extensions)
    assert form.content_type.partition("/")[0] in {"image", "audio", "video", "text", "application"}


@EACH
def test_an_extension_calls_for_its_format_in_any_case(name: str) -> None:
    """Every extension leads back to its format, also in capitals."""
    for extension in FORMATS[name].extensions:
        assert by_extension(extension) is FORMATS[name]
        assert by_extension(extension.upper()) is FORMATS[name]


@pytest.mark.parametrize("extension", ["", ".", "jpg", ".5", ".exe", ".jpg ", "..jpg"])
def test_other_extensions_call_for_nothing(extension: str) -> None:
    """An extension that no format has, or that lacks its dot, calls for no format."""
    assert by_extension(extension) is None


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted_formats_carry_an_extension_that_wechat_knows(name: str) -> None:
    """The usual extension of what WeChat takes is one that WeChat knows (wire reference 4.2)."""
    assert FORMATS[name].extensions[0] in {".jpg", ".png", ".bmp", ".gif", ".mp3", ".wma", ".wav", ".amr", ".mp4"}


_BMP = b"BM" + bytes(4) + bytes(4) + bytes(4) + (40).to_bytes(4, "little") + bytes(40)
_MP3 = b"\xff\xfb\x90\x00" + bytes(60)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (_BMP, "bmp"),
        (b"BN" + _BMP[2:], None),
        (b"BL" + _BMP[2:], None),
        (_BMP[:6] + b"\1" + _BMP[7:], None),
        (_BMP[:14] + (40 + (1 << 24)).to_bytes(4, "little") + _BMP[18:], None),
        (_MP3, "mp3"),
        (b"\xfe" + _MP3[1:], None),
        (b"\xff\x1b" + _MP3[2:], None),
        (b"\xff\xfb\x00\x00" + bytes(60), None),
        (b"\xff\xfb\xf0\x00" + bytes(60), None),
        (b"\xff\xfb\x9c\x00" + bytes(60), None),
        (b"\xff\xfb\x98\x00" + bytes(60), "mp3"),
        (b"\xff\xea\x90\x00" + bytes(60), None),
        (b"RIFE\x00\x00\x00\x00WAVEfmt " + bytes(48), None),
    ],
)
def test_one_bit_more_or_less_is_another_thing(head: bytes, expected: str | None) -> None:
    """Each part of a header counts: what differs in one of them is not the format."""
    found = sniff(head)
    assert (found.name if found else None) == expected


# Media, or what a gateway sends instead.

UTF16: Final = ("utf-16", "utf-16-le", "utf-16-be")


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"{", Content.JSON),
        (b' \t\r\n{"errcode":0}', Content.JSON),
        (b'\xef\xbb\xbf{"a":1}', Content.JSON),
        (b"\xef\xbb\xbf \n{", Content.JSON),
        (b"\n\xef\xbb\xbf\xef\xbb\xbf{", Content.JSON),
        (bytearray(b"{\xff\x00"), Content.JSON),
        *(('{"a":1}'.encode(charset), Content.JSON) for charset in UTF16),
        (b"<html>", Content.PAGE),
        (b"\xef\xbb\xbf\r\n <!DOCTYPE html>", Content.PAGE),
        (b"<?xml version='1.0'?>", Content.PAGE),
        (b'<svg xmlns="x"/>', Content.PAGE),
        (b"< html>", Content.PAGE),
        *(("<html>".encode(charset), Content.PAGE) for charset in UTF16),
        (b"[1]", Content.TEXT),
        (b"null", Content.TEXT),
        (b"upstream connect error", Content.TEXT),
        (b"#!AMR is a format", Content.TEXT),
        (b"BM: no bitmap", Content.TEXT),
        ("网关错误　请重试".encode(), Content.TEXT),
        ("网关错误".encode()[:-1], Content.TEXT),
        ("网关错误".encode("gbk"), Content.TEXT),
        ("网关错误".encode("gbk")[:-1], Content.TEXT),
        ("La page demandée n'existe pas à cette adresse".encode("latin-1"), Content.TEXT),
        ("“La page” n’existe pas".encode("cp1252"), Content.TEXT),
        ("ページが見つかりません".encode("shift-jis"), Content.TEXT),
        ("upstream".encode("utf-16"), Content.TEXT),
        ("upstream".encode("utf-32"), Content.TEXT),
        (b"a string of C\x00", Content.TEXT),
        (b" ", Content.TEXT),
        (b"\xff\xfe" + b"\x00\xd8" * 9, Content.FILE),
        (b"\xff\xd8\xff\xe0{", Content.FILE),
        (b"\x89PNG\r\n\x1a\n{", Content.FILE),
        (b"\x00{", Content.FILE),
        (b"\x00\x00\x00{ftypisom", Content.FILE),
        (b"\xff\xfb\x90text", Content.FILE),
        (b"#!AMR\n<", Content.FILE),
        (b"text\x00text", Content.FILE),
        (b"text\x1ftext", Content.FILE),
        (bytes(64), Content.FILE),
    ],
)
def test_media_are_told_from_other_responses(head: bytes | bytearray, expected: Content) -> None:
    """JSON and pages by their first character, text by having no control characters and no known format."""
    assert content_of(head) is expected
    assert content_of(bytearray(head)) is expected


@EACH
@FEW
@given(data=st.data())
def test_every_known_format_but_markup_is_a_file(name: str, data: st.DataObject) -> None:
    """None starts like JSON or a page, also where the rest is text."""
    head = data.draw(HEADERS[name])
    expected = Content.PAGE if name in ("html", "svg") else Content.FILE
    assert content_of(head) is expected
    assert content_of(head[:HEAD_SIZE] + b"text" * 99) is expected


@given(
    st.text(st.characters(exclude_categories=("Cc", "Cf", "Cs", "Co", "Cn")), min_size=1),
    st.sampled_from(("utf-8", "utf-8-sig", "gb18030")),
)
def test_no_printable_text_is_a_file(text: str, charset: str) -> None:
    """Whatever a gateway writes, in the encodings that are in use."""
    head = text.encode(charset, "replace")
    assert content_of(head) is not Content.FILE or sniff(head) is not None


def test_random_bytes_are_a_file() -> None:
    """Bytes of the length that is read from a response are text in no encoding, but may start like a page."""
    for number in range(3000):
        head = hashlib.shake_256(str(number).encode()).digest(512)
        assert content_of(head) is Content.FILE or head.lstrip()[:1] in (b"{", b"<")
