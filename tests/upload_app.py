"""An application that passes uploads on, for tests that run it in a process of its own: ``uvicorn upload_app:app``."""

from typing import Annotated

from fastapi import Depends, FastAPI, UploadFile

from wxasset import Limits, WxSession
from wxasset.starlette import lifespan, session


def _session() -> WxSession:
    return WxSession.from_env(limits=Limits(check_size=False))


app = FastAPI(lifespan=lifespan(session=_session))


@app.post("/")
async def add(wx: Annotated[WxSession, Depends(session)], file: UploadFile) -> str:
    """Pass a picture on."""
    return (await wx.add_material("image", file)).media_id
