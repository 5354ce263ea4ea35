"""Documented limits of uploads. Pure."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from attrs import field, frozen

from wxasset.wire.checks import flag, number
from wxasset.wire.values import Value

__all__ = ["ADD_MATERIAL", "CLOUD_FILE", "KIB", "MIB", "UPLOAD_IMAGE", "UPLOAD_MEDIA", "Limits", "UploadLimit"]

KIB: Final = 1024
MIB: Final = 1024 * KIB
# WeChat does not define its "M" as 2**20 or 10**6 (wire reference 6). The client uses the larger value, to avoid
# rejecting files accepted by the service.


@frozen(kw_only=True, eq=False, repr=False)
class UploadLimit(Value):
    """Documented limits of one endpoint for one type of media.

    Attributes:
        max_bytes: Maximum file size in bytes.
        formats: Names of the accepted formats, as in `wxasset.wire.formats.FORMATS`; empty to accept any bytes.
        max_seconds: Maximum play time in seconds, or None. It is not checked by the client.
        source: URL of the documentation.
        as_of: Date of retrieval of the documentation.
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
"""Images for article bodies: smaller than 1 M; they do not count against the limits of the library."""

CLOUD_FILE: Final = UploadLimit(
    max_bytes=5 * 1024 * MIB,
    formats=frozenset(),
    source="https://cloud.tencent.com/document/product/436/14690",
    as_of=_AS_OF,
)
"""Cloud files: limit of object storage for one form upload, with any format."""


@frozen(kw_only=True, eq=False, repr=False)
class Limits(Value):
    """Limits of a session for sending and reading.

    Attributes:
        check_size: Reject files over the documented size before sending.
        check_format: Reject files of undocumented formats before sending; the format is detected from the bytes.
        max_spool: Maximum number of bytes spooled for a source of unknown size.
        max_reply: Maximum size of a JSON response in bytes; endpoints with small responses have a lower limit.
        max_download: Maximum size of a downloaded file in bytes. The largest size documented by WeChat is 10 MiB; older
            videos and cloud files are larger.
    """

    check_size: bool = field(default=True, validator=flag)
    check_format: bool = field(default=True, validator=flag)
    max_spool: int = field(default=1024 * MIB, validator=number(at_least=0, whole=True))
    max_reply: int = field(default=32 * MIB, validator=number(at_least=0, whole=True))
    max_download: int = field(default=1024 * MIB, validator=number(at_least=0, whole=True))
