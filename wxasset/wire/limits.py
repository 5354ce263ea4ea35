"""The documented limits of uploads, as data. Pure."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from attrs import frozen

__all__ = ["ADD_MATERIAL", "CLOUD_FILE", "KIB", "MIB", "UPLOAD_IMAGE", "UPLOAD_MEDIA", "Limits", "UploadLimit"]

KIB: Final = 1024
MIB: Final = 1024 * KIB
# WeChat does not say whether its "M" is 2**20 or 10**6 (wire reference 6): the client takes the larger, so that it
# refuses nothing that the service would have taken.


@frozen(kw_only=True)
class UploadLimit:
    """What one endpoint documents for one type of media.

    Attributes:
        max_bytes: The largest file, in bytes.
        formats: The names of the formats taken, as in `wxasset.wire.formats.FORMATS`; none for any bytes.
        max_seconds: The longest play time in seconds, or None. Known, but left to WeChat to check.
        source: The page that says so.
        as_of: The day on which its text was taken down.
    """

    max_bytes: int
    formats: frozenset[str]
    max_seconds: int | None = None
    source: str
    as_of: date


_MATERIAL_PAGE: Final = "https://developers.weixin.qq.com/doc/service/api/material/permanent/api_addmaterial.html"
_IMAGE_PAGE: Final = "https://developers.weixin.qq.com/doc/service/api/material/permanent/api_uploadimage.html"
_MEDIA_PAGE: Final = "https://developers.weixin.qq.com/doc/service/api/material/temporary/api_uploadtempmedia.html"
_AS_OF: Final = date(2026, 11, 22)


def _limit(page: str, max_bytes: int, *formats: str, max_seconds: int | None = None) -> UploadLimit:
    return UploadLimit(
        max_bytes=max_bytes,
        formats=frozenset(formats),
        max_seconds=max_seconds,
        source=page,
        as_of=_AS_OF,
    )


ADD_MATERIAL: Final[Mapping[str, UploadLimit]] = {
    "image": _limit(_MATERIAL_PAGE, 10 * MIB, "bmp", "png", "jpeg", "gif"),
    "voice": _limit(_MATERIAL_PAGE, 2 * MIB, "mp3", "wma", "wav", "amr", max_seconds=60),
    "video": _limit(_MATERIAL_PAGE, 10 * MIB, "mp4"),
    "thumb": _limit(_MATERIAL_PAGE, 64 * KIB, "jpeg"),
}
"""Permanent materials, by type."""

UPLOAD_MEDIA: Final[Mapping[str, UploadLimit]] = {
    "image": _limit(_MEDIA_PAGE, 10 * MIB, "png", "jpeg", "gif"),
    "voice": _limit(_MEDIA_PAGE, 2 * MIB, "amr", "mp3", max_seconds=60),
    "video": _limit(_MEDIA_PAGE, 10 * MIB, "mp4"),
    "thumb": _limit(_MEDIA_PAGE, 64 * KIB, "jpeg"),
}
"""Temporary media, by type."""

UPLOAD_IMAGE: Final[Mapping[str, UploadLimit]] = {"image": _limit(_IMAGE_PAGE, MIB - 1, "jpeg", "png")}
"""Images for article bodies, which have to be smaller than 1 M; they do not count against the library."""

CLOUD_FILE: Final = UploadLimit(
    max_bytes=5 * 1024 * MIB,
    formats=frozenset(),
    source="https://cloud.tencent.com/document/product/436/14690",
    as_of=_AS_OF,
)
"""Cloud files: what object storage takes in one form, whatever the bytes are."""


@frozen(kw_only=True)
class Limits:
    """What a session may send and read.

    Attributes:
        check_size: Refuse a file over its documented size before anything is sent.
        check_format: Refuse a file whose bytes are not of a documented format before anything is sent.
        max_spool: The most bytes kept of a source that has no size.
        max_reply: The largest JSON reply read, in bytes; an endpoint that answers with less has a smaller cap.
        max_download: The largest file read, in bytes. The largest that WeChat documents is 10 MiB; older videos
            and cloud files are larger.
    """

    check_size: bool = True
    check_format: bool = True
    max_spool: int = 1024 * MIB
    max_reply: int = 32 * MIB
    max_download: int = 1024 * MIB
