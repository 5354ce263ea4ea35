"""Web page for the pictures of a WeChat account: upload, view and delete them.

The program prints a token at its start, and the page asks for it: other users of the machine, and pages of other sites,
get nothing.

Without credentials it uses a simulator in the same process; its content is lost at exit. With WXASSET_APPID and
WXASSET_SECRET set it uses the real library: deleted pictures cannot be restored.
"""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Final

from attrs import define
from fastapi import Depends, FastAPI, Query, Request, UploadFile
from fastapi.staticfiles import StaticFiles
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from door import Door, Keys
from guard import Guard
from wxasset import WxAssetError, WxSession
from wxasset.simulator import Simulator
from wxasset.starlette import MaterialResponse, answer_error, lifespan, session

# Requests for other host names are rejected: they could come from pages of other sites (DNS rebinding).
_HOSTS: Final = os.environ.get("GALLERY_HOSTS", "127.0.0.1,localhost").split(",")
_A_DAY: Final = {
    "Cache-Control": "private, max-age=86400, immutable"
}  # each download from WeChat counts against a quota
KEYS: Final = Keys()


@asynccontextmanager
async def account(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    """Open a session on the account in the environment, or on a simulator."""
    async with AsyncExitStack() as stack:
        simulated = "WXASSET_APPID" not in os.environ
        if simulated:
            sim = await stack.enter_async_context(Simulator())
            wx = WxSession(sim.appid, sim.secret, base_url=sim.url)
        else:
            wx = WxSession.from_env()
        state = await stack.enter_async_context(lifespan(session=lambda: wx)(app))
        KEYS.renew()
        yield {**state, "simulated": simulated, "uploads": {}}


app = FastAPI(
    lifespan=account,
    exception_handlers={WxAssetError: answer_error},
    middleware=[
        Middleware(Guard),
        Middleware(TrustedHostMiddleware, allowed_hosts=_HOSTS, www_redirect=False),
        Middleware(Door, keys=KEYS),
    ],
    openapi_url=None,  # its pages load scripts from a CDN; the policy of this page forbids that
)

Wx = Annotated[WxSession, Depends(session)]
UploadId = Annotated[str, Query(pattern=r"^[0-9a-f]{32}$")]


@define
class Passage:
    """Progress of an upload to WeChat, in bytes."""

    done: int = 0
    total: int | None = None

    def move(self, done: int, total: int | None) -> None:
        """Update the progress; callback of `add_material`."""
        self.done, self.total = done, total


@app.get("/api/about")
async def about(request: Request, wx: Wx) -> dict[str, Any]:
    """Return the kind of the library and its number of pictures."""
    return {"simulated": request.state.simulated, "total": (await wx.count_materials()).image}


@app.get("/api/images")
async def listed(wx: Wx, offset: Annotated[int, Query(ge=0)] = 0) -> dict[str, Any]:
    """List a page of pictures, newest first."""
    page = await wx.list_materials("image", offset=offset)
    items = [{"media_id": one.media_id, "name": one.name, "time": one.update_time} for one in page.items]
    return {"items": items, "total": page.total}


@app.post("/api/images", status_code=201)
async def add(request: Request, wx: Wx, file: UploadFile, upload: UploadId) -> dict[str, str]:
    """Upload a picture to WeChat; `passage` returns its progress."""
    uploads: dict[str, Passage] = request.state.uploads
    passage = uploads[upload] = Passage()
    try:
        added = await wx.add_material("image", file, progress=passage.move)
    finally:
        del uploads[upload]
    return {"media_id": added.media_id}


@app.get("/api/passage")
async def passage(request: Request, upload: UploadId) -> dict[str, int | None]:
    """Return the progress of an upload, known to its own process only: with several workers use a store."""
    found: Passage = request.state.uploads.get(upload, Passage())
    return {"done": found.done, "total": found.total}


@app.delete("/api/images/{media_id}", status_code=204)
async def delete(wx: Wx, media_id: str) -> None:
    """Delete a picture permanently."""
    await wx.del_material(media_id)


@app.get("/images/{media_id}")
async def show(wx: Wx, media_id: str) -> MaterialResponse:
    """Stream a picture from WeChat."""
    return MaterialResponse(wx, media_id, headers=_A_DAY)


app.mount("/", StaticFiles(directory=Path(__file__).parent / "static", html=True))
