"""Add permanent materials (wire reference 2.1). Pure."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from attrs import Attribute, field, frozen
from attrs.validators import min_len

from wxasset.calls.arguments import known_type, none_if_empty
from wxasset.calls.base import Effect, Route, Upload
from wxasset.errors import Hint, SourceError
from wxasset.wire.codec import wire_name
from wxasset.wire.limits import ADD_MATERIAL, UploadLimit
from wxasset.wire.values import Value

if TYPE_CHECKING:
    from wxasset.calls.library import MaterialItem

__all__ = [
    "AddMaterial",
    "AddedMaterial",
    "Description",
    "recovered",
]


@frozen(kw_only=True, eq=False, repr=False)
class AddedMaterial(Value):
    """An added material.

    Attributes:
        media_id: Id in the library.
        url: URL, usable inside Tencent's domains; None if WeChat sends none (voice, video).
        reconciled: Whether the response was lost and the material was found in the library.
    """

    media_id: str = field(validator=min_len(1))
    url: str | None = field(default=None, converter=none_if_empty)
    reconciled: bool = field(default=False, metadata=wire_name())


@frozen(kw_only=True, eq=False, repr=False)
class Description(Value):
    """Title and introduction of a video.

    Attributes:
        title: Title of the video.
        introduction: Text shown below the title.
    """

    title: str
    introduction: str = ""


@frozen(kw_only=True, eq=False, repr=False)
class AddMaterial(Upload[AddedMaterial]):
    """Add a permanent material.

    https://developers.weixin.qq.com/doc/service/api/material/permanent/api_addmaterial.html
    """

    route: ClassVar[Route] = Route(path="/cgi-bin/material/add_material", effect=Effect.CREATE)
    limits: ClassVar[Mapping[str, UploadLimit]] = ADD_MATERIAL

    type: str = field(validator=known_type)
    description: Description | None = field(default=None)

    @property
    def listing(self) -> str:
        """Type in the library's list; thumbs are listed as images (wire reference 2.4)."""
        return "image" if self.type == "thumb" else self.type

    def recover(self, item: "MaterialItem") -> AddedMaterial:
        """Restore the response from the library's list."""
        return recovered(item)

    @description.validator
    def _fits_type(self, attribute: "Attribute[Description | None]", value: Description | None) -> None:
        # The official table calls the description optional, but WeChat returns 41005 for a video without it.
        del attribute
        if self.type == "video" and not (value and value.title):
            raise SourceError(
                "A video needs a title.",
                Hint("Give a title, and an introduction if you like.", "上传视频须填写标题（title），可另填简介。"),
            )
        if self.type != "video" and value is not None:
            raise SourceError(
                f"A title or introduction belongs to a video, not to {self.type!r}.",
                Hint("Leave title and introduction out.", "只有视频才需要标题和简介，请去掉。"),
            )


def recovered(item: "MaterialItem") -> AddedMaterial:
    """Restore the lost response to an upload from an item of the library's list."""
    return AddedMaterial(media_id=item.media_id, url=item.url, reconciled=True)
