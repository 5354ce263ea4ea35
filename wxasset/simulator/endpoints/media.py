"""Temporary media and images of article bodies (wire reference 2.6 to 2.9)."""

from attrs import evolve

from wxasset.simulator.endpoints.uploads import attachment, read_form, upload_type
from wxasset.simulator.state import formats
from wxasset.simulator.state.account import Account, TemporaryMedia
from wxasset.simulator.state.additions import add_media
from wxasset.simulator.wire.replies import ApiError, Document, RawReply
from wxasset.simulator.wire.requests import ApiRequest, json_body, required_text

_SPEEX = "voice/speex"


def upload_image(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/media/uploadimg: a URL for article bodies; the image does not count against the library."""
    filename, content = read_form(request, account.options).file("media")
    found = formats.check_file(filename, content, formats.article_image(account.options), account.options)
    url = f"http://mmbiz.qpic.cn/sz_mmbiz_{found.extension}/{account.identifiers.link_part(86)}/0?from=appmsg"
    account.article_images[url] = content
    return {**_ok(account), "url": url}


def upload(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/media/upload: accept the first file part under any field name."""
    form = read_form(request, account.options)
    media_type = upload_type(request, form)
    filename, content = form.file(None)
    found = formats.check_file(filename, content, formats.temporary(media_type, account.options), account.options)
    formats.check_playtime(found, content, account.options.longest_voice)
    medium = add_media(account, media_type, filename, content, found)
    key = "thumb_media_id" if media_type == "thumb" else "media_id"
    return {**_ok(account), "type": media_type, key: medium.media_id, "created_at": medium.created_at}


def upload_video(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/media/uploadvideo: a new id of a temporary video, for mass messages.

    A permanent id gets 40007, as observed.
    """
    document = json_body(request)
    medium = _stored(account, required_text(document, "media_id", missing=41006))
    if medium.type != "video":
        raise ApiError(40007)
    medium = evolve(medium, media_id=account.identifiers.temporary_media_id(), created_at=int(account.clock.now()))
    account.temporary_media[medium.media_id] = medium
    return {"type": "video", "media_id": medium.media_id, "created_at": medium.created_at}


def retired(account: Account, _request: ApiRequest) -> Document:
    """Endpoints of news in the library: retired, articles are drafts now (wire reference 8.3)."""
    raise ApiError(account.options.retired_errcode)


def get(account: Account, request: ApiRequest) -> Document | RawReply:
    """GET /cgi-bin/media/get: bytes with the headers of the official sample; a URL for a video."""
    medium = _named(account, request)
    options = account.options
    if medium.content_type == _SPEEX:
        raise ApiError(options.errcode("speex_by_get"))
    if medium.type == "video":
        return {"video_url": account.links.video(medium.content, options.video_link, options.video_link_seconds)}
    return _file(medium)


def get_jssdk(account: Account, request: ApiRequest) -> Document | RawReply:
    """GET /cgi-bin/media/get/jssdk: a voice recorded by a web page."""
    medium = _named(account, request)
    if medium.content_type != _SPEEX:
        raise ApiError(account.options.errcode("other_by_jssdk"))
    return _file(medium)


def _named(account: Account, request: ApiRequest) -> TemporaryMedia:
    """Return the requested medium: 41006 without an id, 40007 for an unknown or expired one."""
    return _stored(account, required_text(request.query, "media_id", missing=41006))


def _stored(account: Account, media_id: str) -> TemporaryMedia:
    medium = account.temporary_media.get(media_id)
    if medium is None or account.clock.now() >= medium.created_at + account.options.temporary_seconds:
        raise ApiError(40007)
    return medium


def _ok(account: Account) -> Document:
    """Return errcode and errmsg as in the official samples, if switched on."""
    return {"errcode": 0, "errmsg": "ok"} if account.options.errcode_in_uploads else {}


def _file(medium: TemporaryMedia) -> RawReply:
    headers = {
        "Content-Type": medium.content_type,
        "Content-disposition": attachment(f"{medium.media_id}.{medium.extension}"),
        "Cache-Control": "no-cache, must-revalidate",
    }
    return RawReply(headers=headers, body=medium.content, close=True)
