"""Check of the articles of a draft, and their form in responses (wire reference 8.3)."""

from collections.abc import Mapping

from wxasset.simulator.state import article_text
from wxasset.simulator.state.account import Account, Material
from wxasset.simulator.wire.replies import ApiError, Document

_MOST_IMAGES = 20  # documented
_MEGABYTE = 1024 * 1024
# Kept as sent, if sent.
_EXTRA = ("image_info", "cover_info", "product_info", "pic_crop_235_1", "pic_crop_1_1")


def checked(account: Account, given: object, *, alone: bool) -> dict[str, object]:
    """Return a valid article, without its URL.

    The order of the checks is chosen: texts, privileges, images.

    Args:
        account: The account.
        given: The article as sent.
        alone: It is the only one of its draft; a missing digest is then taken from its content, as documented.

    Raises:
        ApiError: 44003 for anything but an article, and the codes of texts, privileges and images.
    """
    if not isinstance(given, dict):
        raise ApiError(44003)
    kind = given.get("article_type") or "news"
    if kind not in ("news", "newspic"):
        raise ApiError(account.options.errcode("draft_type"))
    content = _checked_texts(account, given, kind)
    _check_privileges(account, given)
    cover = _check_images(account, given) if kind == "newspic" else _image(account, given.get("thumb_media_id"))
    digest = _text(given, "digest") or (article_text.digest_of(content) if alone else "")
    return {
        "article_type": kind,
        "title": _text(given, "title"),
        "author": _text(given, "author"),
        "digest": digest,
        "content": content,
        "content_source_url": _text(given, "content_source_url"),
        "thumb_media_id": cover.media_id,
        "show_cover_pic": given.get("show_cover_pic", 0),
        "thumb_url": cover.url or "",
        "need_open_comment": given.get("need_open_comment", 0),
        "only_fans_can_comment": given.get("only_fans_can_comment", 0),
        **{name: given[name] for name in _EXTRA if name in given},
    }


def shown(article: Document, *, content: bool = True) -> Document:
    """Return an article as in a response, without its content if asked so."""
    return article if content else {name: value for name, value in article.items() if name != "content"}


def _checked_texts(account: Account, given: Mapping[str, object], kind: str) -> str:
    """Check the texts and return the content that is stored."""
    options = account.options
    title, content = _text(given, "title"), _text(given, "content")
    if not title:
        raise ApiError(options.errcode("draft_title"))
    if len(title) > options.draft_title:
        raise ApiError(45003)
    if len(_text(given, "author")) > options.draft_author:
        raise ApiError(45110)
    if len(_text(given, "digest")) > options.draft_digest:
        raise ApiError(45004)
    if not content:
        raise ApiError(options.errcode("draft_content"))
    if len(content) >= options.draft_content or len(content.encode("utf-8", "surrogatepass")) >= _MEGABYTE:
        raise ApiError(45002)
    if kind == "newspic" and (len(content) > options.newspic_content or article_text.has_links(content)):
        raise ApiError(45166)
    content = article_text.without_scripts(content)
    if options.foreign_images == "keep":
        return content
    library = [one.url for one in account.materials.values() if one.url] if "<img" in content.lower() else []
    return article_text.without_foreign_images(content, [*account.article_images, *library])


def _check_privileges(account: Account, given: Mapping[str, object]) -> None:
    options = account.options
    if given.get("need_open_comment") not in (None, 0, False, "0", "") and not options.comment_privilege:
        raise ApiError(88000)
    if given.get("product_info") and options.product_refusal is not None:
        raise ApiError(options.product_refusal)


def _check_images(account: Account, given: Mapping[str, object]) -> Material:
    """Check the images of a newspic article and return the first one, its cover: 40007 for a missing or wrong one."""
    info = given.get("image_info")
    images = info.get("image_list") if isinstance(info, dict) else None
    if not isinstance(images, list) or not images:
        raise ApiError(40007)
    if len(images) > _MOST_IMAGES:
        raise ApiError(account.options.errcode("draft_images"))
    ids = [one.get("image_media_id") if isinstance(one, dict) else None for one in images]
    cover, *_ = [_image(account, media_id) for media_id in ids]
    return cover


def _image(account: Account, media_id: object) -> Material:
    """Return an image or thumb of the library: 40007 without an id, for a temporary one, or for another type."""
    found = account.materials.get(media_id) if isinstance(media_id, str) else None
    if found is None or found.listed_as != "image":
        raise ApiError(40007)
    return found


def _text(given: Mapping[str, object], name: str) -> str:
    """Return a text, empty if absent: 47001 for another type."""
    value = given.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ApiError(47001)
    return value
