"""Read the library of permanent materials, and delete from it (wire reference 2.2 to 2.5). Pure."""

from typing import ClassVar, Final, get_args

from attrs import Attribute, field, frozen
from attrs.validators import min_len

from wxasset.calls.arguments import none_if_empty, present
from wxasset.calls.base import LARGE_REPLY, Ack, Call, Download, Effect, ListedType, Route
from wxasset.errors import UsageError
from wxasset.wire.checks import number
from wxasset.wire.codec import wire_name
from wxasset.wire.values import Value

__all__ = [
    "PAGE",
    "Article",
    "CountMaterials",
    "DeleteMaterial",
    "GetMaterial",
    "ListMaterials",
    "MaterialCount",
    "MaterialItem",
    "MaterialPage",
    "News",
    "Video",
]

PAGE: Final = 20  # maximum number of items per page
_LISTED: Final = get_args(ListedType)


@frozen(kw_only=True, eq=False, repr=False)
class Article(Value):
    """One article of a `News`.

    Attributes:
        title: Title.
        author: Author.
        digest: Summary.
        content: Body in HTML, up to 1 MiB.
        content_source_url: Target of the "read the original" link.
        thumb_media_id: Permanent material used as the cover.
        thumb_url: URL of the cover.
        show_cover_pic: Whether the cover is shown in the body.
        url: URL of the article.
        need_open_comment: Whether comments are enabled.
        only_fans_can_comment: Whether only followers can comment.
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


@frozen(kw_only=True, eq=False, repr=False)
class News(Value):
    """A material made of articles.

    Attributes:
        articles: One to eight articles.
        create_time: Unix time in seconds, or None if WeChat sends none.
        update_time: Unix time in seconds, or None if WeChat sends none.
    """

    articles: tuple[Article, ...] = field(metadata=wire_name("news_item"))
    create_time: int | None = None
    update_time: int | None = None


@frozen(kw_only=True, eq=False, repr=False)
class Video(Value):
    """Description of a video; the file is available at `down_url`.

    Attributes:
        down_url: A short-lived, signed URL: treat it as a secret. It sometimes leads to a page instead of a video file
            (wire reference 2.2).
        title: Title; empty for temporary media.
        description: Introduction.
    """

    down_url: str = field(metadata=wire_name("down_url", "video_url"), repr=False)
    title: str = ""
    description: str = ""


@frozen(kw_only=True, eq=False, repr=False)
class GetMaterial(Download[News | Video]):
    """Fetch a permanent material: JSON for articles and videos, the bytes for other types.

    https://developers.weixin.qq.com/doc/service/api/material/permanent/api_getmaterial.html
    """

    route: ClassVar[Route] = Route(path="/cgi-bin/material/get_material", effect=Effect.READ, max_reply=LARGE_REPLY)

    media_id: str = field(validator=present)


@frozen(kw_only=True, eq=False, repr=False)
class MaterialCount(Value):
    """Number of materials in the library; thumbs count as images."""

    voice: int = field(metadata=wire_name("voice_count"))
    video: int = field(metadata=wire_name("video_count"))
    image: int = field(metadata=wire_name("image_count"))
    news: int = field(metadata=wire_name("news_count"))


@frozen(kw_only=True, eq=False, repr=False)
class CountMaterials(Call[MaterialCount]):
    """Count the permanent materials, including those created in the web console.

    https://developers.weixin.qq.com/doc/service/api/material/permanent/api_getmaterialcount.html
    """

    route: ClassVar[Route] = Route(path="/cgi-bin/material/get_materialcount", effect=Effect.READ, method="GET")


@frozen(kw_only=True, eq=False, repr=False)
class MaterialItem(Value):
    """One material of a list.

    Attributes:
        media_id: Id of the material.
        update_time: Unix time in seconds.
        name: File name of the upload; empty for articles.
        url: URL; None if WeChat sends none.
        content: The articles; None for other types.
    """

    media_id: str = field(validator=min_len(1))
    update_time: int = 0
    name: str = ""
    url: str | None = field(default=None, converter=none_if_empty)
    content: News | None = None


@frozen(kw_only=True, eq=False, repr=False)
class MaterialPage(Value):
    """A page of the library.

    Attributes:
        items: At most 20 materials, the newest first.
        total: Number of materials of this type in the library.
    """

    items: tuple[MaterialItem, ...] = field(default=(), metadata=wire_name("item"))
    total: int = field(metadata=wire_name("total_count"))


@frozen(kw_only=True, eq=False, repr=False)
class ListMaterials(Call[MaterialPage]):
    """List permanent materials of a type; thumbs are listed as images.

    https://developers.weixin.qq.com/doc/service/api/material/permanent/api_batchgetmaterial.html
    """

    route: ClassVar[Route] = Route(
        path="/cgi-bin/material/batchget_material", effect=Effect.READ, max_reply=LARGE_REPLY
    )

    type: str = field()
    offset: int = field(default=0, validator=number(at_least=0, whole=True))
    count: int = field(default=PAGE, validator=number(at_least=1, at_most=PAGE, whole=True))

    @type.validator
    def _is_listed(self, attribute: "Attribute[str]", value: str) -> None:
        del attribute
        if value not in _LISTED:
            raise UsageError(f"type= must be one of {', '.join(_LISTED)}, not {value!r}.")


@frozen(kw_only=True, eq=False, repr=False)
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
