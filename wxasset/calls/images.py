"""Upload images of articles (wire reference 2.6). Pure."""

from collections.abc import Mapping
from typing import ClassVar

from attrs import field, frozen
from attrs.validators import min_len

from wxasset.calls.base import Effect, Route, Upload
from wxasset.wire.limits import UPLOAD_IMAGE, UploadLimit
from wxasset.wire.values import Value

__all__ = ["ImageURL", "UploadImage"]


@frozen(kw_only=True, eq=False, repr=False)
class ImageURL(Value):
    """Response to `UploadImage`."""

    url: str = field(validator=min_len(1))


@frozen(kw_only=True, eq=False, repr=False)
class UploadImage(Upload[ImageURL]):
    """Upload an image for article bodies; it is not kept in the library.

    https://developers.weixin.qq.com/doc/service/api/material/permanent/api_uploadimage.html
    """

    route: ClassVar[Route] = Route(path="/cgi-bin/media/uploadimg", effect=Effect.CREATE)
    limits: ClassVar[Mapping[str, UploadLimit]] = UPLOAD_IMAGE

    @property
    def media_type(self) -> str:
        """Media type, always ``image``."""
        return "image"
