"""Applications that show materials, and their clients in the same event loop."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

import httpx
from attrs import evolve
from fastapi import Depends, FastAPI
from starlette.types import Receive, Scope, Send

from wxasset import WxAssetError, WxSession
from wxasset.integrations.starlette import MaterialResponse, answer_error, lifespan, session
from wxasset.simulator import Simulator

__all__ = ["GET", "Wx", "put", "shelf", "talking_to", "websocket"]

Wx = Annotated[WxSession, Depends(session)]
GET: Final = "/cgi-bin/material/get_material"


@asynccontextmanager
async def talking_to(app: Any) -> AsyncGenerator[httpx.AsyncClient, None]:
    """A client of an application that runs in this event loop, started as a server would."""
    async with app.router.lifespan_context(app) as state:
        stated = _with_state(app, state)
        transport = httpx.ASGITransport(stated)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            yield client


async def websocket(app: Any, path: str, *, state: Mapping[str, Any] | None) -> list[Any]:
    """Open a websocket as a server would, and give what the application sent before it ended."""
    scope = {"type": "websocket", "path": path, "headers": [], "query_string": b"", "subprotocols": []}
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect" if not sent else "websocket.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await _with_state(app, state)(scope, receive, send)
    return sent


def _with_state(app: Any, state: Mapping[str, Any] | None) -> Any:
    async def stated(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": dict(state or {})}, receive, send)

    return stated


def shelf(wx: WxSession, **options: Any) -> FastAPI:
    """An application that shows materials."""
    app = FastAPI(lifespan=lifespan(session=wx), exception_handlers={WxAssetError: answer_error})

    @app.api_route("/{media_id}", methods=["GET", "HEAD"])
    async def show(wx: Wx, media_id: str) -> MaterialResponse:
        return MaterialResponse(wx, media_id, **options)

    return app


async def put(sim: Simulator, wx: WxSession, photo: bytes, **changes: Any) -> str:
    """Add a photo to the library, changed afterwards as the service would not let a client do; gives its id."""
    media_id = (await wx.add_material("image", photo, filename="photo.jpg")).media_id
    sim.materials[media_id] = evolve(sim.materials[media_id], **changes)
    return media_id
