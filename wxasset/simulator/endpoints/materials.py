"""Endpoints of the permanent library (wire reference 2.1 to 2.5)."""

from collections.abc import Mapping

from wxasset.simulator.endpoints.paging import in_order, page_of
from wxasset.simulator.endpoints.uploads import attachment, read_form, upload_type
from wxasset.simulator.state import formats
from wxasset.simulator.state.account import Account, Material, article_document
from wxasset.simulator.state.additions import add_material
from wxasset.simulator.wire.multipart import Form
from wxasset.simulator.wire.replies import ApiError, Document, RawReply
from wxasset.simulator.wire.requests import ApiRequest, json_body, load_object, required_text

_LISTED_TYPES = ("image", "voice", "video", "news")


def add(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/material/add_material."""
    form = read_form(request, account.options)
    media_type = upload_type(request, form, account.options.errcode("missing_type"))
    filename, content = form.file("media")
    limit = formats.PERMANENT[media_type]
    found = formats.check_file(filename, content, limit, account.options)
    formats.check_playtime(found, content, account.options.longest_voice)
    texts = _description(account, request, form) if media_type == "video" else ("", "")
    _check_room(account, media_type)
    material = add_material(account, media_type, filename, content, found=found, texts=texts)
    url = "" if media_type == "video" and account.options.empty_video_url else material.url
    return {"media_id": material.media_id} | ({} if url is None else {"url": url})


def get(account: Account, request: ApiRequest) -> Document | RawReply:
    """POST /cgi-bin/material/get_material: news and videos as JSON, other types as bytes."""
    material = _named(account, json_body(request))
    if material.type == "news":
        return {"news_item": [article_document(article) for article in material.articles]}
    options = account.options
    if material.type == "video":
        if account.clock.now() < material.update_time + options.transcoding_seconds:
            raise ApiError(46007)
        link = account.links.video(material.content, options.video_link, options.video_link_seconds)
        return {"title": material.title, "description": material.introduction, "down_url": link}
    if options.headers == "2016":
        return RawReply(headers={"Content-Type": "text/plain"}, body=material.content)
    headers = {"Content-Type": material.content_type, "Content-disposition": attachment(material.filename)}
    return RawReply(headers=headers, body=material.content)


def delete(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/material/del_material."""
    material = _named(account, json_body(request), unknown=account.options.errcode("unknown_deletion"))
    if material.media_id in account.materials_in_use:
        raise ApiError(account.materials_in_use[material.media_id])
    del account.materials[material.media_id]
    return {"errcode": 0, "errmsg": "ok"}


def count(account: Account, _request: ApiRequest) -> Document:
    """GET or POST /cgi-bin/material/get_materialcount."""
    return {f"{kind}_count": len(account.listed(kind)) for kind in ("voice", "video", "image", "news")}


def list_page(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/material/batchget_material: one page, newest first."""
    document = json_body(request)
    kind = document.get("type")
    if kind not in _LISTED_TYPES:
        raise ApiError(40004)
    part = page_of(document, account.options)
    listed = in_order(account.listed(str(kind)), account.options)
    page = [_item(material) for material in listed[part]]
    return {"item": page, "total_count": len(listed), "item_count": len(page)}


def _named(account: Account, document: Mapping[str, object], unknown: int = 40007) -> Material:
    """Return the requested material: 41006 without an id, `unknown` for an id not in the library."""
    media_id = required_text(document, "media_id", missing=41006)
    try:
        return account.materials[media_id]
    except KeyError:
        raise ApiError(unknown) from None


def _description(account: Account, request: ApiRequest, form: Form) -> tuple[str, str]:
    """Return title and introduction of a video; without a title WeChat reports missing media data."""
    text = form.text("description")
    if text is None and account.options.description_in_query:
        text = request.query.get("description")
    try:
        document = load_object(text or "")
    except ValueError:
        raise ApiError(41005) from None
    title, introduction = document.get("title"), document.get("introduction", "")
    if not isinstance(title, str) or not title or not isinstance(introduction, str):
        raise ApiError(41005)
    return title, introduction


def _check_room(account: Account, media_type: str) -> None:
    """Raise `full_library` if the library is full; images, thumbs and news share one cap."""
    options = account.options
    caps = {"voice": options.voice_cap, "video": options.video_cap}
    kinds = (media_type,) if media_type in caps else ("image", "news")
    if sum(len(account.listed(kind)) for kind in kinds) >= caps.get(media_type, options.image_and_news_cap):
        raise ApiError(options.errcode("full_library"))


def _item(material: Material) -> Document:
    """Return an entry of a list; voices and videos have no URL (wire reference 2.5)."""
    head = {"media_id": material.media_id}
    if material.type == "news":
        times = {"create_time": material.update_time, "update_time": material.update_time}
        content = {"news_item": [article_document(article) for article in material.articles], **times}
        return {**head, "content": content, "update_time": material.update_time}
    item: dict[str, object] = {**head, "name": material.filename, "update_time": material.update_time}
    return item if material.url is None else {**item, "url": material.url}
