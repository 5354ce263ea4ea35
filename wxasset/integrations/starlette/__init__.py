"""For Starlette and FastAPI: sessions, uploads, materials as responses, errors as statuses, pushes of a platform.

::

    from wxasset.starlette import MaterialResponse, answer_error, lifespan, session, uploaded

    app = FastAPI(lifespan=lifespan(), exception_handlers={WxAssetError: answer_error})
    Wx = Annotated[WxSession, Depends(session)]

    @app.post("/posters")
    async def add(wx: Wx, file: Annotated[UploadFile, Depends(uploaded("file"))]) -> str:
        return (await wx.add_material("image", file)).media_id

    @app.get("/posters/{media_id}", responses=MaterialResponse.openapi)
    async def show(wx: Wx, media_id: str) -> MaterialResponse:
        return MaterialResponse(wx, media_id)

In Starlette take the file out of a form with ``upload(form, "file")``: a text field would be taken for a path. Several
accounts are several `Account` objects. A `MaterialCache` keeps materials in a directory of your choice.

Needs the extra: ``pip install 'wxasset[starlette]'``; `platform_events` also needs the extra ``platform``.
"""

try:
    import starlette  # noqa: F401 - to say in one sentence what is missing
except ModuleNotFoundError:
    raise ImportError("wxasset.starlette needs Starlette; run: pip install 'wxasset[starlette]'.") from None

from wxasset.integrations.starlette.cache import MaterialCache
from wxasset.integrations.starlette.errors import answer_error
from wxasset.integrations.starlette.lifespan import Account, lifespan, session
from wxasset.integrations.starlette.platform import PlatformEvents, platform_events
from wxasset.integrations.starlette.responses import MaterialResponse
from wxasset.integrations.starlette.uploads import upload, uploaded
from wxasset.wire.push_events import AuthorizationChange, PushedTicket

__all__ = [
    "Account",
    "AuthorizationChange",
    "MaterialCache",
    "MaterialResponse",
    "PlatformEvents",
    "PushedTicket",
    "answer_error",
    "lifespan",
    "platform_events",
    "session",
    "upload",
    "uploaded",
]
