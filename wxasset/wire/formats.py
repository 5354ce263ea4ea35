"""Detect media formats, JSON, pages and plain text by their first bytes. Pure."""

import codecs
import enum
import re
from collections.abc import Callable
from typing import Final

from attrs import frozen

from wxasset.wire.values import Value

__all__ = ["BLANKS", "FORMATS", "HEAD_SIZE", "Content", "Format", "by_extension", "charset", "content_of", "sniff"]

HEAD_SIZE: Final = 64
"""Number of bytes needed by `sniff`; the longest part it reads is the list of brands of an MP4."""


@frozen(eq=False, repr=False)
class Format(Value):
    """A media format.

    Attributes:
        name: Common name, such as ``jpeg``.
        extensions: File name extensions in lower case with the dot, the usual one first.
        content_type: Media type.
    """

    name: str
    extensions: tuple[str, ...]
    content_type: str


def _formats(*formats: Format) -> dict[str, Format]:
    return {one.name: one for one in formats}


FORMATS: Final = _formats(
    # Accepted by WeChat (wire reference 2.1 and 2.7).
    Format("jpeg", (".jpg", ".jpeg"), "image/jpeg"),
    Format("png", (".png",), "image/png"),
    Format("gif", (".gif",), "image/gif"),
    Format("bmp", (".bmp",), "image/bmp"),
    Format("mp3", (".mp3",), "audio/mpeg"),
    Format("amr", (".amr",), "audio/amr"),
    Format("wav", (".wav",), "audio/wav"),
    Format("wma", (".wma",), "audio/x-ms-wma"),
    Format("mp4", (".mp4",), "video/mp4"),
    # Not accepted, but known for error messages.
    Format("webp", (".webp",), "image/webp"),
    Format("heic", (".heic", ".heif"), "image/heic"),
    Format("avif", (".avif",), "image/avif"),
    Format("tiff", (".tif", ".tiff"), "image/tiff"),
    Format("svg", (".svg",), "image/svg+xml"),
    Format("ico", (".ico",), "image/vnd.microsoft.icon"),
    Format("psd", (".psd",), "image/vnd.adobe.photoshop"),
    Format("mov", (".mov",), "video/quicktime"),
    Format("m4a", (".m4a",), "audio/mp4"),
    Format("3gp", (".3gp",), "video/3gpp"),
    Format("amr-wb", (".awb",), "audio/amr-wb"),
    Format("avi", (".avi",), "video/x-msvideo"),
    Format("matroska", (".mkv", ".webm"), "video/x-matroska"),
    Format("flv", (".flv",), "video/x-flv"),
    Format("mpeg", (".mpg", ".mpeg"), "video/mpeg"),
    Format("flac", (".flac",), "audio/flac"),
    Format("ogg", (".ogg", ".opus"), "audio/ogg"),
    Format("aac", (".aac",), "audio/aac"),
    Format("silk", (".silk",), "audio/silk"),
    Format("midi", (".mid",), "audio/midi"),
    Format("pdf", (".pdf",), "application/pdf"),
    Format("zip", (".zip",), "application/zip"),
    Format("gzip", (".gz",), "application/gzip"),
    Format("html", (".html",), "text/html"),
)
"""All formats detected by `sniff`, by name."""

_BY_EXTENSION: Final = {extension: one for one in FORMATS.values() for extension in one.extensions}

_PREFIXES: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"ID3", "mp3"),
    (b"#!AMR\n", "amr"),
    (b"#!AMR-WB\n", "amr-wb"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"8BPS", "psd"),
    (b"\x00\x00\x01\x00", "ico"),
    (b"\x1aE\xdf\xa3", "matroska"),
    (b"FLV\x01", "flv"),
    (b"\x00\x00\x01\xba", "mpeg"),
    (b"\x00\x00\x01\xb3", "mpeg"),
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"#!SILK_V3", "silk"),
    (b"\x02#!SILK_V3", "silk"),  # WeChat's own voice recordings have one additional byte
    (b"MThd", "midi"),
    (b"%PDF-", "pdf"),
    (b"PK\x03\x04", "zip"),
    (b"\x1f\x8b", "gzip"),
)

# The GUID of an ASF header object. WMA and WMV start alike; WeChat accepts WMA as a voice.
_ASF: Final = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")

# ISO base media files have their brand after "ftyp"; brands other than images, audio and QuickTime are MP4.
_BRANDS: Final[dict[bytes, str]] = {
    b"heic": "heic",
    b"heix": "heic",
    b"hevc": "heic",
    b"hevx": "heic",
    b"heim": "heic",
    b"heis": "heic",
    b"mif1": "heic",
    b"msf1": "heic",
    b"avif": "avif",
    b"avis": "avif",
    b"qt  ": "mov",
    b"M4A ": "m4a",
    b"M4B ": "m4a",
}


# Pictures that wxasset has no name for: raw photographs and JPEG 2000.
_STILLS: Final = frozenset({b"crx ", b"jp2 ", b"jpx ", b"jpm ", b"avci"})


def _iso_media(head: bytes) -> str | None:
    brand = head[8:12]
    if head[4:8] != b"ftyp" or len(brand) < 4 or brand in _STILLS:
        return None
    if brand == b"mif1" and b"avif" in head[16:HEAD_SIZE]:
        return "avif"
    return "3gp" if brand[:3] in (b"3gp", b"3g2") else _BRANDS.get(brand, "mp4")


def _riff(head: bytes) -> str | None:
    if head[:4] != b"RIFF":
        return None
    return {b"WAVE": "wav", b"WEBP": "webp", b"AVI ": "avi"}.get(head[8:12])


def _bmp(head: bytes) -> str | None:
    # Many texts start with "BM"; a header also has reserved words of zero and a known size.
    if head[:2] != b"BM" or head[6:10] != bytes(4):
        return None
    return "bmp" if int.from_bytes(head[14:18], "little") in (12, 40, 52, 56, 64, 108, 124) else None


def _mpeg_audio(head: bytes) -> str | None:
    """Detect MP3 without an ID3 tag (11 set bits, then fields with forbidden values), and AAC in ADTS."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    bitrate, sampling = head[2] >> 4, head[2] >> 2 & 3
    if layer == 0:  # 00 is reserved in MPEG audio, and used by AAC streams (ADTS)
        return "aac" if head[1] & 0xF6 == 0xF0 and head[2] >> 2 & 0xF < 13 else None
    valid = version != 1 and layer == 1 and bitrate not in (0, 15) and sampling != 3  # layer 01 is Layer III
    return "mp3" if valid else None


def _asf(head: bytes) -> str | None:
    return "wma" if head[:16] == _ASF else None


def _markup(head: bytes) -> str | None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "html"
    return "svg" if text.startswith(b"<svg") else None


def _prefix(head: bytes) -> str | None:
    return next((name for prefix, name in _PREFIXES if head.startswith(prefix)), None)


_TESTS: Final[tuple[Callable[[bytes], str | None], ...]] = (
    _prefix,
    _iso_media,
    _riff,
    _bmp,
    _mpeg_audio,
    _asf,
    _markup,
)


def sniff(head: bytes) -> Format | None:
    """Detect the format of a file from its first bytes.

    Args:
        head: The first `HEAD_SIZE` bytes, or all bytes of a shorter file.

    Returns:
        The format, or None if unknown.
    """
    for test in _TESTS:
        if (name := test(head)) is not None:
            return FORMATS[name]
    return None


def by_extension(extension: str) -> Format | None:
    """Return the format of a file name extension (with its dot, in any case), or None if unknown."""
    return _BY_EXTENSION.get(extension.lower())


class Content(enum.Enum):
    """Content of a response, for endpoints with media files.

    Attributes:
        FILE: A file of a known format, or other bytes than text.
        JSON: A JSON object, possibly broken.
        PAGE: HTML or XML.
        TEXT: Printable text of no known format.
    """

    FILE = "a file"
    JSON = "JSON"
    PAGE = "a page of HTML or XML"
    TEXT = "plain text"


BLANKS: Final = " \t\r\n\v\f\ufeff"
"""Characters allowed before JSON or a page; PHP programs send several byte order marks."""

_CHARSETS: Final[tuple[tuple[bytes, str], ...]] = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    # Without a mark, JSON and pages are detected only: binary files have zeros in many places.
    (b"{\x00", "utf-16-le"),
    (b"<\x00", "utf-16-le"),
    (b"\x00{\x00", "utf-16-be"),
    (b"\x00<\x00", "utf-16-be"),
)
_NO_TEXT: Final = "[\x00-\x08\x0e-\x1f\x7f\ufffd]"


def charset(body: bytes | bytearray) -> str:
    """Return the encoding of a text, judged by its first bytes; UTF-8 by default."""
    if body[:1] == b"{" and body[1:2] != b"\x00":
        return "utf-8"  # nearly all of them
    return next((name for start, name in _CHARSETS if body.startswith(start)), "utf-8")


def content_of(head: bytes | bytearray) -> Content:
    """Detect the content of a response from an endpoint with media files only.

    None of the formats stored by WeChat starts with ``{`` or ``<``, or consists of printable text.

    Args:
        head: The first bytes of the body, at least `HEAD_SIZE` of a longer one.
    """
    start = head.decode(charset(head), "replace").lstrip(BLANKS)[:1]
    if start in ("{", "<"):
        return Content.JSON if start == "{" else Content.PAGE
    return Content.TEXT if sniff(bytes(head)) is None and _is_text(head) else Content.FILE


def _is_text(head: bytes | bytearray) -> bool:
    name = charset(head)
    # Encodings other than UTF-16 and UTF-32 have the control characters of ASCII.
    text = head.decode(name if name.startswith(("utf-16", "utf-32")) else "latin-1", "replace")
    return re.search(_NO_TEXT, text[: max(1, len(text) - 1)]) is None  # the last character may be cut, or a zero
