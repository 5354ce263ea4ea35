"""Temporary media and the images of article bodies (wire reference 2.6 to 2.8)."""

from wxasset.simulator import formats
from wxasset.simulator.replies import ApiError, Document, RawReply
from wxasset.simulator.requests import ApiRequest, required_text
from wxasset.simulator.state import Account, TemporaryMedia
from wxasset.simulator.uploads import attachment, read_form, upload_type


def upload_image(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/media/uploadimg: an address for article bodies; the image is not counted against the library."""
    filename, content = read_form(request, account.options).file("media")
    found = formats.check_file(filename, content, formats.ARTICLE_IMAGE, account.options.kilobyte)
    url = f"http://mmbiz.qpic.cn/sz_mmbiz_{found.extension}/{account.identifiers.link_part(86)}/0?from=appmsg"
    account.article_images[url] = content
    return {"url": url}


def upload(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/media/upload: any file part goes, whatever its field is called."""
    form = read_form(request, account.options)
    media_type = upload_type(request, form)
    filename, content = form.file(None)
    found = formats.check_file(filename, content, formats.TEMPORARY[media_type], account.options.kilobyte)
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
    """GET /cgi-bin/media/get: bytes with the headers of the official sample, for a video an address."""
    media_id = required_text(request.query, "media_id", missing=41006)
    medium = account.temporary_media.get(media_id)
    options = account.options
    if medium is None or account.clock.now() >= medium.created_at + options.temporary_seconds:
        raise ApiError(40007)
    if medium.type == "video":
        return {"video_url": account.links.video(medium.content, options.video_link, options.video_link_seconds)}
    headers = {
        "Content-Type": medium.content_type,
        "Content-disposition": attachment(f"{medium.media_id}.{medium.extension}"),
        "Cache-Control": "no-cache, must-revalidate",
    }
    return RawReply(headers=headers, body=medium.content, close=True)
