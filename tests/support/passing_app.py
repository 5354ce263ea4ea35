"""An application that passes files on, for tests that run it in a process of its own: ``uvicorn passing_app:app``."""

from typing import Annotated

from fastapi import Depends, FastAPI, UploadFile

from wxasset import Limits, WxSession
from wxasset.integrations.starlette import MaterialResponse, lifespan, session


def _session() -> WxSession:
    return WxSession.from_env(limits=Limits(check_size=False))


app = FastAPI(lifespan=lifespan(session=_session))
Wx = Annotated[WxSession, Depends(session)]


@app.get("/{media_id}")
async def show(wx: Wx, media_id: str) -> MaterialResponse:
    """Pass a material on."""
    return MaterialResponse(wx, media_id)


@app.post("/")
async def add(wx: Wx, file: UploadFile) -> str:
    """Pass a picture on."""
    return (await wx.add_material("image", file)).media_id
