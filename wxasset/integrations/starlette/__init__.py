"""For Starlette and FastAPI: a session for the whole application, materials as responses, errors as statuses.

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

Needs the extra: ``pip install 'wxasset[starlette]'``.
"""

try:
    import starlette  # noqa: F401 - to say in one sentence what is missing
except ModuleNotFoundError:
    raise ImportError("wxasset.starlette needs Starlette; run: pip install 'wxasset[starlette]'.") from None

from wxasset.integrations.starlette.cache import MaterialCache
from wxasset.integrations.starlette.errors import answer_error
from wxasset.integrations.starlette.lifespan import Account, lifespan, session
from wxasset.integrations.starlette.responses import MaterialResponse
from wxasset.integrations.starlette.uploads import upload

__all__ = ["Account", "MaterialCache", "MaterialResponse", "answer_error", "lifespan", "session", "upload"]
