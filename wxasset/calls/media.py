"""Temporary media, valid for three days (wire reference 2.7 and 2.8). Pure."""

from collections.abc import Mapping
from typing import ClassVar

from attrs import field, frozen
from attrs.validators import min_len

from wxasset.calls.arguments import known_type, present
from wxasset.calls.base import Download, Effect, Route, Upload
from wxasset.calls.library import Video
from wxasset.wire.codec import wire_name
from wxasset.wire.limits import UPLOAD_MEDIA, UploadLimit

__all__ = ["GetMedia", "TemporaryMedia", "UploadMedia"]


@frozen(kw_only=True)
class TemporaryMedia:
    """An uploaded temporary medium.

    Attributes:
        type: Media type.
        media_id: Id, valid for three days and any number of uses.
        created_at: Unix time in seconds.
    """

    type: str
    media_id: str = field(validator=min_len(1), metadata=wire_name("media_id", "thumb_media_id"))
    created_at: int


@frozen(kw_only=True)
class UploadMedia(Upload[TemporaryMedia]):
    """Upload a temporary medium.

    https://developers.weixin.qq.com/doc/service/api/material/temporary/api_uploadtempmedia.html
    """

    # A repetition creates a second copy for three days; the caller is informed nevertheless.
    route: ClassVar[Route] = Route(path="/cgi-bin/media/upload", effect=Effect.CREATE)
    limits: ClassVar[Mapping[str, UploadLimit]] = UPLOAD_MEDIA

    type: str = field(validator=known_type)


@frozen(kw_only=True)
class GetMedia(Download[Video]):
    """Fetch a temporary medium: JSON for a video, the bytes for other types.

    https://developers.weixin.qq.com/doc/service/api/material/temporary/api_gettempmedia.html
    """

    route: ClassVar[Route] = Route(path="/cgi-bin/media/get", effect=Effect.READ, method="GET")

    media_id: str = field(validator=present)
