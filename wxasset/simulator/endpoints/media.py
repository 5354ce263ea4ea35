"""Temporary media and images of article bodies (wire reference 2.6 to 2.9)."""

from wxasset.simulator.endpoints.uploads import attachment, read_form, upload_type
from wxasset.simulator.state import formats
from wxasset.simulator.state.account import Account, TemporaryMedia
from wxasset.simulator.wire.replies import ApiError, Document, RawReply
from wxasset.simulator.wire.requests import ApiRequest, required_text

_SPEEX = "voice/speex"


def upload_image(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/media/uploadimg: a URL for article bodies; the image does not count against the library."""
    filename, content = read_form(request, account.options).file("media")
    found = formats.check_file(filename, content, formats.ARTICLE_IMAGE, account.options.kilobyte)
    url = f"http://mmbiz.qpic.cn/sz_mmbiz_{found.extension}/{account.identifiers.link_part(86)}/0?from=appmsg"
    account.article_images[url] = content
    return {"url": url}


def upload(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/media/upload: accept the first file part under any field name."""
    form = read_form(request, account.options)
    media_type = upload_type(request, form)
    filename, content = form.file(None)
    found = formats.check_file(filename, content, formats.TEMPORARY[media_type], account.options.kilobyte)
    formats.check_playtime(found, content, account.options.longest_voice)
    medium = TemporaryMedia(
        media_id=account.identifiers.temporary_media_id(),
        type=media_type,
        filename=filename,
        content=content,
        content_type=found.content_type,
        extension=found.extension,
        created_at=int(account.clock.now()),
    )
    account.temporary_media[medium.media_id] = medium
    key = "thumb_media_id" if media_type == "thumb" else "media_id"
    return {"type": media_type, key: medium.media_id, "created_at": medium.created_at}


def get(account: Account, request: ApiRequest) -> Document | RawReply:
    """GET /cgi-bin/media/get: bytes with the headers of the official sample; a URL for a video."""
    medium = _named(account, request)
    options = account.options
    if medium.content_type == _SPEEX:
        raise ApiError(40007)  # chosen: the service converts it to AMR, the simulator cannot
    if medium.type == "video":
        return {"video_url": account.links.video(medium.content, options.video_link, options.video_link_seconds)}
    return _file(medium)


def get_jssdk(account: Account, request: ApiRequest) -> Document | RawReply:
    """GET /cgi-bin/media/get/jssdk: a voice recorded by a web page; chosen: 40007 for other media."""
    medium = _named(account, request)
    if medium.content_type != _SPEEX:
        raise ApiError(40007)
    return _file(medium)


def _named(account: Account, request: ApiRequest) -> TemporaryMedia:
    """Return the requested medium: 41006 without an id, 40007 for an unknown or expired one."""
    medium = account.temporary_media.get(required_text(request.query, "media_id", missing=41006))
    if medium is None or account.clock.now() >= medium.created_at + account.options.temporary_seconds:
        raise ApiError(40007)
    return medium


def _file(medium: TemporaryMedia) -> RawReply:
    headers = {
        "Content-Type": medium.content_type,
        "Content-disposition": attachment(f"{medium.media_id}.{medium.extension}"),
        "Cache-Control": "no-cache, must-revalidate",
    }
    return RawReply(headers=headers, body=medium.content, close=True)
