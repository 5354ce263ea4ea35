"""Permanent materials (wire reference 2.1 to 2.6). Pure."""

from collections.abc import Mapping
from typing import ClassVar, Final

from attrs import Attribute, field, frozen

from wxasset.calls.base import LARGE_REPLY, Ack, Call, Download, Effect, Route, Upload
from wxasset.errors import Hint, SourceError, UsageError
from wxasset.wire.codec import wire_name
from wxasset.wire.limits import ADD_MATERIAL, UPLOAD_IMAGE, UploadLimit

__all__ = [
    "AddMaterial",
    "AddedMaterial",
    "Article",
    "CountMaterials",
    "DeleteMaterial",
    "Description",
    "GetMaterial",
    "ImageURL",
    "ListMaterials",
    "MaterialCount",
    "MaterialItem",
    "MaterialPage",
    "News",
    "UploadImage",
    "Video",
    "known_type",
    "present",
    "recovered",
]

PAGE: Final = 20  # the most items WeChat gives in one page
_LISTED: Final = ("image", "voice", "video", "news")


def present(instance: object, attribute: "Attribute[str]", value: object) -> None:
    """Refuse an argument that is empty or no text, before WeChat does."""
    del instance
    if not isinstance(value, str) or not value:
        raise UsageError(f"{attribute.name}= must be a text that is not empty.")


def _or_none(url: str | None) -> str | None:
    """Take an empty URL for none: the official sample of a video's reply has one."""
    return url or None


def known_type(instance: Upload[object], attribute: "Attribute[str]", value: str) -> None:
    """Refuse a type of media that the endpoint does not have."""
    del attribute
    if value not in instance.limits:
        types = ", ".join(instance.limits)
        raise SourceError(
            f"There is no media type {value!r}.",
            Hint(f"Use one of: {types}.", f"媒体类型只能是：{types}。"),
        )


@frozen(kw_only=True)
class AddedMaterial:
    """A material that was added.

    Attributes:
        media_id: Its id in the library.
        url: Its address, which works inside Tencent's domains; None where WeChat sends none (voice, video).
        reconciled: Whether WeChat's reply was lost, and the material found in the library by its name and time.
    """

    media_id: str
    url: str | None = field(default=None, converter=_or_none)
    reconciled: bool = field(default=False, metadata=wire_name())


@frozen(kw_only=True)
class Description:
    """What goes with a video.

    Attributes:
        title: Shown as the video's title.
        introduction: Shown below it.
    """

    title: str
    introduction: str = ""


@frozen(kw_only=True)
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
        """A thumb is listed among the images (wire reference 2.4)."""
        return "image" if self.type == "thumb" else self.type

    def recover(self, item: "MaterialItem") -> AddedMaterial:
        """Take the id and the address from the list."""
        return recovered(item)

    @description.validator
    def _fits_type(self, attribute: "Attribute[Description | None]", value: Description | None) -> None:
        # The official table calls the description optional; without it a video is answered with 41005.
        del attribute
        if self.type == "video" and not (value and value.title):
            raise SourceError(
                "A video needs a title.",
                Hint("Pass title=, and introduction= if you like.", "上传视频须传入 title=，可另传 introduction=。"),
            )
        if self.type != "video" and value is not None:
            raise SourceError(
                f"A title or introduction belongs to a video, not to {self.type!r}.",
                Hint("Leave title= and introduction= out.", "只有视频才需要 title= 和 introduction=，请去掉。"),
            )


@frozen(kw_only=True)
class ImageURL:
    """The reply to `UploadImage`."""

    url: str


@frozen(kw_only=True)
class UploadImage(Upload[ImageURL]):
    """Upload an image for article bodies; it is not kept in the library.

    https://developers.weixin.qq.com/doc/service/api/material/permanent/api_uploadimage.html
    """

    route: ClassVar[Route] = Route(path="/cgi-bin/media/uploadimg", effect=Effect.CREATE)
    limits: ClassVar[Mapping[str, UploadLimit]] = UPLOAD_IMAGE

    @property
    def media_type(self) -> str:
        """Always an image."""
        return "image"


@frozen(kw_only=True)
class Article:
    """One article of a `News`.

    Attributes:
        title: Its title.
        author: Its author.
        digest: Its summary.
        content: Its body in HTML, up to 1 MiB.
        content_source_url: Where "read the original" leads.
        thumb_media_id: The permanent material that is its cover.
        thumb_url: The cover's address.
        show_cover_pic: Whether the cover is shown in the body.
        url: The article's own page.
        need_open_comment: Whether it can be commented on.
        only_fans_can_comment: Whether followers alone can.
    """

    title: str = ""
    author: str = ""
    digest: str = ""
    content: str = field(default="", repr=False)
    content_source_url: str = ""
    thumb_media_id: str = ""
    thumb_url: str = ""
    show_cover_pic: bool = False
    url: str = ""
    need_open_comment: bool = False
    only_fans_can_comment: bool = False


@frozen(kw_only=True)
class News:
    """A material made of articles.

    Attributes:
        articles: One to eight of them.
        create_time: Unix time in seconds, or None where WeChat sends none.
        update_time: The same.
    """

    articles: tuple[Article, ...] = field(metadata=wire_name("news_item"))
    create_time: int | None = None
    update_time: int | None = None


@frozen(kw_only=True)
class Video:
    """A video as WeChat describes it; its bytes are behind `down_url`.

    Attributes:
        down_url: A short-lived address, sometimes of a page instead of a film (wire reference 2.2). Treat it as
            a secret: it is signed.
        title: Its title; empty for temporary media.
        description: Its introduction.
    """

    down_url: str = field(metadata=wire_name("down_url", "video_url"), repr=False)
    title: str = ""
    description: str = ""


@frozen(kw_only=True)
class GetMaterial(Download[News | Video]):
    """Fetch a permanent material: JSON for articles and videos, the bytes of everything else.

    https://developers.weixin.qq.com/doc/service/api/material/permanent/api_getmaterial.html
    """

    route: ClassVar[Route] = Route(path="/cgi-bin/material/get_material", effect=Effect.READ, max_reply=LARGE_REPLY)

    media_id: str = field(validator=present)


@frozen(kw_only=True)
class DeleteMaterial(Call[Ack]):
    """Delete a permanent material.

    https://developers.weixin.qq.com/doc/service/api/material/permanent/api_delmaterial.html
    """

    route: ClassVar[Route] = Route(
        path="/cgi-bin/material/del_material",
        effect=Effect.DELETE,
        gone=frozenset({40007}),
    )

    media_id: str = field(validator=present)


@frozen(kw_only=True)
class MaterialCount:
    """How many materials the library holds; thumbs count as images."""

    voice: int = field(metadata=wire_name("voice_count"))
    video: int = field(metadata=wire_name("video_count"))
    image: int = field(metadata=wire_name("image_count"))
    news: int = field(metadata=wire_name("news_count"))


@frozen(kw_only=True)
class CountMaterials(Call[MaterialCount]):
    """Count the permanent materials, those made on the web console included.

    https://developers.weixin.qq.com/doc/service/api/material/permanent/api_getmaterialcount.html
    """

    route: ClassVar[Route] = Route(path="/cgi-bin/material/get_materialcount", effect=Effect.READ, method="GET")


@frozen(kw_only=True)
class MaterialItem:
    """One material of a list.

    Attributes:
        media_id: Its id.
        update_time: Unix time in seconds.
        name: The file name it was uploaded under; empty for articles.
        url: Its address; None where WeChat sends none.
        content: The articles; None for everything else.
    """

    media_id: str
    update_time: int = 0
    name: str = ""
    url: str | None = field(default=None, converter=_or_none)
    content: News | None = None


def recovered(item: MaterialItem) -> AddedMaterial:
    """Make the reply to an upload, which was lost, of what the library lists."""
    return AddedMaterial(media_id=item.media_id, url=item.url, reconciled=True)


@frozen(kw_only=True)
class MaterialPage:
    """A page of the library.

    Attributes:
        items: At most 20 materials, the newest first.
        total: How many of this type the library holds.
    """

    items: tuple[MaterialItem, ...] = field(default=(), metadata=wire_name("item"))
    total: int = field(metadata=wire_name("total_count"))


@frozen(kw_only=True)
class ListMaterials(Call[MaterialPage]):
    """List permanent materials of a type; thumbs are listed as images.

    https://developers.weixin.qq.com/doc/service/api/material/permanent/api_batchgetmaterial.html
    """

    route: ClassVar[Route] = Route(
        path="/cgi-bin/material/batchget_material", effect=Effect.READ, max_reply=LARGE_REPLY
    )

    type: str = field()
    offset: int = field(default=0)
    count: int = field(default=PAGE)

    @type.validator
    def _is_listed(self, attribute: "Attribute[str]", value: str) -> None:
        del attribute
        if value not in _LISTED:
            raise UsageError(f"The library lists {', '.join(_LISTED)}; not {value!r}.")

    @offset.validator
    def _is_offset(self, attribute: "Attribute[int]", value: object) -> None:
        del attribute
        if type(value) is not int or value < 0:
            raise UsageError(f"offset= counts from 0; not {value!r}.")

    @count.validator
    def _is_count(self, attribute: "Attribute[int]", value: object) -> None:
        del attribute
        if type(value) is not int or not 1 <= value <= PAGE:
            raise UsageError(f"count= is from 1 to {PAGE} a page; not {value!r}.")
