"""Files of a cloud environment, by their ids: WeChat has no list of them."""

import json
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from wxasset.cli.web.site import NO_STORE, failure, site_of

__all__ = ["delete", "links"]

_MOST: Final = 500  # ids; ten requests to WeChat


async def links(request: Request) -> Response:
    """Get a link to each file: ``{"env", "fileids"}`` in the body."""
    env, fileids = await _asked(request)
    found = await site_of(request).wx.file_urls(env, fileids)
    items = [
        {
            "fileid": one.fileid,
            "url": one.url,
            "status": one.status,
            "message": one.errmsg,
            "failure": None if one.error is None else failure(one.error),
        }
        for one in found
    ]
    return JSONResponse({"items": items}, headers=NO_STORE)


async def delete(request: Request) -> Response:
    """Delete files permanently: ``{"env", "fileids"}`` in the body."""
    env, fileids = await _asked(request)
    report = await site_of(request).wx.batch_delete_file(env, fileids)
    failed = [{"fileid": one.fileid, "status": one.status, "message": one.errmsg} for one in report.failed]
    return JSONResponse({"deleted": list(report.deleted), "failed": failed}, headers=NO_STORE)


async def _asked(request: Request) -> tuple[str, list[str]]:
    """Read the environment and the ids.

    Raises:
        HTTPException: 422: the body is not such a document.
    """
    try:
        document: Any = json.loads(await request.body())
    except (ValueError, RecursionError):
        document = None
    env, fileids = (document.get("env"), document.get("fileids")) if isinstance(document, dict) else (None, None)
    if not isinstance(env, str) or not env or not isinstance(fileids, list):
        raise HTTPException(422, "Send a JSON object with env, a string, and fileids, a list.")
    ids = list(dict.fromkeys(one for one in fileids if isinstance(one, str) and one))
    if not ids or len(ids) < len({str(one) for one in fileids}) or len(ids) > _MOST:
        raise HTTPException(422, f"fileids must be 1 to {_MOST} strings.")
    return env, ids
