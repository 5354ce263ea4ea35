"""What the tests of the simulator share: one request at a time, with every byte of its reply."""

import io
import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest
from attrs import frozen
from yarl import URL

from wxasset.simulator import Simulator

START = 1_700_000_000.0
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
MP4 = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00"
ADD = "/cgi-bin/material/add_material"
COUNT = "/cgi-bin/material/get_materialcount"
GET = "/cgi-bin/material/get_material"
UPLOAD = "/cgi-bin/media/upload"


@pytest.fixture
async def still_simulator() -> AsyncIterator[Simulator]:
    """A running simulator whose clock stands still."""
    async with Simulator(clock=lambda: START) as running:
        yield running


@frozen
class Answer:
    """A complete reply."""

    status: int
    headers: Mapping[str, str]  # names in any case find their value
    body: bytes

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def errcode(self) -> int:
        """The code in the body; 0 where there is none."""
        return int(self.document.get("errcode", 0))


async def call(  # what a request is made of
    sim: Simulator,
    path: str,
    document: object = None,
    *,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    method: str | None = None,
    query: Mapping[str, str] | None = None,
    **more: str,
) -> Answer:
    """Send one request: by POST where it has a body, otherwise by GET."""
    content = body if document is None else json.dumps(document, ensure_ascii=False).encode()
    labelled = {"Content-Type": "application/json", **(headers or {})}
    url = path if path.startswith("http") else sim.url + path
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            method or ("POST" if content else "GET"),
            URL(url, encoded=True),
            params={**(query or {}), **more} or None,
            data=io.BytesIO(content) if content else None,
            headers=labelled,
        ) as reply,
    ):
        return Answer(reply.status, reply.headers, await reply.read())


async def token_of(sim: Simulator) -> str:
    """The account's stable token."""
    asked = {"grant_type": "client_credential", "appid": sim.appid, "secret": sim.secret}
    return str((await call(sim, "/cgi-bin/stable_token", asked)).document["access_token"])


async def upload(sim: Simulator, path: str, media_type: str, filename: str, content: bytes) -> Answer:
    """Upload a file to an endpoint, with a title in case it is a video."""
    parts = (
        f'name="media"; filename="{filename}"\r\n\r\n'.encode() + content,
        b'name="description"\r\n\r\n{"title":"t","introduction":"i"}',
    )
    body = b"".join(b"--b\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts) + b"--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    return await call(sim, path, body=body, headers=headers, access_token=await token_of(sim), type=media_type)


async def least_time(sim: Simulator, path: str, document: object = None, **query: str) -> float:
    """The least processor time of ten requests on one connection, in five rounds."""
    times = []
    async with aiohttp.ClientSession() as session:
        for _ in range(5):
            began = time.process_time()
            for _ in range(10):
                async with session.post(sim.url + path, params=query, json=document or {}) as reply:
                    await reply.read()
            times.append(time.process_time() - began)
    return min(times)
