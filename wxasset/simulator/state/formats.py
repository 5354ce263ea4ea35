"""Accepted files: formats, extensions and sizes (wire reference 2.1, 2.6, 2.7, 4.2)."""

import re

from attrs import evolve, field, frozen
from attrs.validators import in_

from wxasset.simulator.options import SimulatorOptions
from wxasset.simulator.state import durations
from wxasset.simulator.wire.replies import ApiError


@frozen
class Format:
    """A file format known to at least one endpoint."""

    name: str
    kind: str
    content_type: str
    extension: str


_JPEG = Format("jpeg", "image", "image/jpeg", "jpg")
_PNG = Format("png", "image", "image/png", "png")
_GIF = Format("gif", "image", "image/gif", "gif")
_BMP = Format("bmp", "image", "image/bmp", "bmp")
_MP3 = Format("mp3", "voice", "audio/mp3", "mp3")
_WMA = Format("wma", "voice", "audio/x-ms-wma", "wma")
_WAV = Format("wav", "voice", "audio/wav", "wav")
_AMR = Format("amr", "voice", "audio/amr", "amr")
_MP4 = Format("mp4", "video", "video/mp4", "mp4")

_SIGNATURES: tuple[tuple[re.Pattern[bytes], Format], ...] = (
    (re.compile(rb"\xff\xd8\xff"), _JPEG),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), _PNG),
    (re.compile(rb"GIF8[79]a"), _GIF),
    (re.compile(rb"BM"), _BMP),
    # An ID3 tag, or the sync word of a frame of MPEG 1, 2 or 2.5, layer III.
    (re.compile(rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]"), _MP3),
    (re.compile(rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11"), _WMA),
    (re.compile(rb"RIFF....WAVE", re.DOTALL), _WAV),
    (re.compile(rb"#!AMR\n"), _AMR),
    # The brands of MP4 itself: HEIC, AVIF and QuickTime use the same box format and are not accepted.
    (re.compile(rb"....ftyp(?:isom|iso[2-9]|mp4[12]|avc1|M4V |MSNV|dash)", re.DOTALL), _MP4),
)

# Wire reference 4.2: the extensions known to WeChat.
_EXTENSIONS: dict[str, str] = {
    **dict.fromkeys(("jpg", "jpeg", "png", "bmp", "gif"), "image"),
    **dict.fromkeys(("mp3", "wma", "wav", "amr"), "voice"),
    "mp4": "video",
}


@frozen
class Limit:
    """Formats and sizes accepted by one endpoint for one type.

    Attributes:
        formats: Names of the formats.
        amount: The maximum size in `unit`.
        unit: "K" or "M".
        too_large: The error code for a larger file.
        inclusive: Accept a file of exactly the maximum size.
    """

    formats: frozenset[str]
    amount: int
    unit: str = field(validator=in_(("K", "M")))
    too_large: int
    inclusive: bool = True

    def exceeded_by(self, size: int, kilobyte: int) -> bool:
        """Return True if `size` bytes exceed the limit, with `kilobyte` bytes per K."""
        largest = self.amount * (kilobyte if self.unit == "K" else kilobyte * kilobyte)
        return size > largest or (size == largest and not self.inclusive)


PERMANENT: dict[str, Limit] = {
    "image": Limit(frozenset({"bmp", "png", "jpeg", "gif"}), 10, "M", 45001),
    "voice": Limit(frozenset({"mp3", "wma", "wav", "amr"}), 2, "M", 45001),
    "video": Limit(frozenset({"mp4"}), 10, "M", 45001),
    "thumb": Limit(frozenset({"jpeg"}), 64, "K", 45001),
}
TEMPORARY: dict[str, Limit] = {
    "image": Limit(frozenset({"png", "jpeg", "gif"}), 10, "M", 40006),
    "voice": Limit(frozenset({"amr", "mp3"}), 2, "M", 40006),
    "video": Limit(frozenset({"mp4"}), 10, "M", 40006),
    "thumb": Limit(frozenset({"jpeg"}), 64, "K", 40006),
}
# Wire reference 2.6 says "< 1MB"; the other limits are inclusive.
_ARTICLE_IMAGE = Limit(frozenset({"jpeg", "png"}), 1, "M", 40009, inclusive=False)


def temporary(media_type: str, options: SimulatorOptions) -> Limit:
    """Return the limit of temporary media of a type."""
    limit = TEMPORARY[media_type]
    return evolve(limit, amount=options.temporary_image_megabytes) if media_type == "image" else limit


def article_image(options: SimulatorOptions) -> Limit:
    """Return the limit of images in articles."""
    formats = _ARTICLE_IMAGE.formats | ({"gif"} if options.gif_article_images else set())
    return evolve(_ARTICLE_IMAGE, formats=formats)


def sniff(content: bytes) -> Format | None:
    """Return the format detected from the first bytes, or None for an unsupported one."""
    return next((format_ for signature, format_ in _SIGNATURES if signature.match(content)), None)


def check_playtime(found: Format, content: bytes, longest: float) -> None:
    """Check the duration of a voice; an unknown duration is accepted.

    Raises:
        ApiError: 45007, the voice is longer than `longest` seconds.
    """
    if found.kind == "voice" and (durations.seconds(content, found.name) or 0) > longest:
        raise ApiError(45007)


def check_file(filename: str, content: bytes, limit: Limit, options: SimulatorOptions) -> Format:
    """Check an uploaded file and return its format.

    A known extension in conflict with the bytes (an MP4 named .jpg) is rejected as unsupported. The service's own
    response is unknown; this is the stricter reading.

    Raises:
        ApiError: 44001 for an empty file, 40113 for an unknown extension or format, 40005 for a format not accepted
            by this endpoint for this type, and the size code of the limit.
    """
    if not content:
        raise ApiError(options.errcode("empty_file"))
    stem, dot, extension = filename.rpartition(".")
    kind = _EXTENSIONS.get(extension.lower()) if stem and dot else None
    found = sniff(content)
    if kind is None or found is None:
        raise ApiError(40113)
    if found.kind != kind:
        raise ApiError(options.errcode("file_conflict"))
    if found.name not in limit.formats:
        raise ApiError(40005)
    if limit.exceeded_by(len(content), options.kilobyte):
        raise ApiError(limit.too_large)
    return found
