"""Materials of the library: list, show, add, delete."""

from typing import Any, Final

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from wxasset import ListedType, MaterialItem
from wxasset.cli.web.site import NO_STORE, site_of
from wxasset.cli.web.uploads import UploadResponse, upload_limits
from wxasset.starlette import MaterialResponse

__all__ = ["add", "delete", "listed", "show"]

_LISTED: Final[tuple[ListedType, ...]] = ("image", "voice", "video", "news")
_A_DAY: Final = {
    "Cache-Control": "private, max-age=86400, immutable"
}  # each download from WeChat counts against a quota
_MOST_OFFSET: Final = 1_000_000  # the library holds 102,000


async def listed(request: Request) -> Response:
    """List a page of materials, newest first: ``type``, ``offset`` and ``count`` in the query."""
    kind = next((one for one in _LISTED if one == request.query_params.get("type")), None)
    if kind is None:
        raise HTTPException(422, f"type must be one of {', '.join(_LISTED)}.")
    page = await site_of(request).wx.list_materials(
        kind, offset=_number(request, "offset", 0, _MOST_OFFSET), count=_number(request, "count", 20, 20)
    )
    return JSONResponse({"items": [_item(one) for one in page.items], "total": page.total}, headers=NO_STORE)


def _number(request: Request, name: str, default: int, most: int) -> int:
    given = request.query_params.get(name, str(default))
    if not (given.isascii() and given.isdecimal()) or len(given) > len(str(most)) or int(given) > most:
        raise HTTPException(422, f"{name} must be a number from 0 to {most}.")
    return int(given)


def _item(item: MaterialItem) -> dict[str, Any]:
    articles = item.content.articles if item.content is not None else ()
    return {
        "media_id": item.media_id,
        "name": item.name,
        "time": item.update_time,
        "url": item.url,
        "articles": [
            {"title": one.title, "author": one.author, "digest": one.digest, "url": one.url} for one in articles
        ],
    }


async def show(request: Request) -> Response:
    """Serve the file of a material, also in ranges, so that players can seek."""
    site = site_of(request)
    return MaterialResponse(site.wx, request.path_params["media_id"], cache=site.cache, headers=_A_DAY)


async def delete(request: Request) -> Response:
    """Delete a material permanently."""
    site, media_id = site_of(request), request.path_params["media_id"]
    await site.wx.del_material(media_id)
    await site.cache.forget(site.wx, media_id)
    return Response(status_code=204)


async def add(request: Request) -> Response:
    """Upload a file; the response tells the progress, and ends with the result."""
    kind = request.query_params.get("type", "")
    if kind not in upload_limits():
        raise HTTPException(422, f"type must be one of {', '.join(upload_limits())}.")
    form = await request.form(max_files=2, max_fields=2)
    try:
        texts = {name: _text(form, name) for name in ("title", "introduction")}
        return UploadResponse(site_of(request).wx, kind, form, texts)
    except BaseException:
        await form.close()
        raise


def _text(form: FormData, name: str) -> str | None:
    value = form.get(name)
    if value is not None and not isinstance(value, str):
        raise HTTPException(422, f"The form field {name!r} must be a text.")
    return value or None
