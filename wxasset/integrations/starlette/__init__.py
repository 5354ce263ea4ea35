"""For Starlette and FastAPI: a session for the application, materials as responses, errors as statuses, pushes.

::

    from wxasset.starlette import MaterialResponse, answer_error, lifespan, session

    app = FastAPI(lifespan=lifespan(), exception_handlers={WxAssetError: answer_error})
    Wx = Annotated[WxSession, Depends(session)]

    @app.post("/posters")
    async def add(wx: Wx, file: UploadFile) -> str:
        return (await wx.add_material("image", file)).media_id

    @app.get("/posters/{media_id}")
    async def show(wx: Wx, media_id: str) -> MaterialResponse:
        return MaterialResponse(wx, media_id)

Needs the extra: ``pip install 'wxasset[starlette]'``; `platform_events` also needs the extra ``platform``.
"""

try:
    import starlette  # noqa: F401 - to say in one sentence what is missing
except ModuleNotFoundError:
    raise ImportError("wxasset.starlette needs Starlette; run: pip install 'wxasset[starlette]'.") from None

from wxasset.integrations.starlette.errors import answer_error
from wxasset.integrations.starlette.lifespan import lifespan, session
from wxasset.integrations.starlette.platform import PlatformEvents, platform_events
from wxasset.integrations.starlette.responses import MaterialResponse
from wxasset.wire.push_events import AuthorizationChange, PushedTicket

__all__ = [
    "AuthorizationChange",
    "MaterialResponse",
    "PlatformEvents",
    "PushedTicket",
    "answer_error",
    "lifespan",
    "platform_events",
    "session",
]
