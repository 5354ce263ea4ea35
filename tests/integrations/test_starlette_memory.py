"""Large files through an application, in a server process of its own: memory stays flat."""

import asyncio
import os
import re
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from attrs import define, evolve

from raw_server import Connection, RawRequest, RawServer, reply
from wxasset import WxSession
from wxasset.simulator import Simulator

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="peaks of memory are read from /proc"),
    pytest.mark.usefixtures("unmeasured"),
]

MIB = 1 << 20
SIZE = 50 * MIB
MOST = 16 * MIB
"""What 50 MiB may cost. Measured: see the line that the test prints; a body that is held costs 50 MiB and more."""


@define
class Service:
    """A server in its own process.

    Attributes:
        url: Its address.
        status: Where Linux tells of its memory.
    """

    url: str
    status: Path

    def memory(self, name: str) -> int:
        """VmHWM, the peak, or VmRSS, what it has now; in bytes."""
        found = re.search(rf"{name}:\s*([0-9]+) kB", self.status.read_text())
        assert found is not None
        return int(found[1]) * 1024


@asynccontextmanager
async def service(base_url: str, directory: Path, appid: str, secret: str) -> AsyncIterator[Service]:
    """Run the application with uvicorn, as a user would."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "uvicorn", "--app-dir", str(Path(__file__).parents[1] / "support"), "passing_app:app"),
        *("--port", str(port), "--log-level", "warning"),
        env=os.environ
        | {"WXASSET_APPID": appid, "WXASSET_SECRET": secret, "WXASSET_BASE_URL": base_url}
        # Directories in memory would count files as memory.
        | {"TMPDIR": str(directory)},
    )
    try:
        await _listening(port)
        yield Service(f"http://127.0.0.1:{port}", Path(f"/proc/{process.pid}/status"))
    finally:
        process.terminate()
        await process.wait()


async def _listening(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                await writer.wait_closed()
                return


@define
class Drain:
    """Takes uploads without keeping them, and counts their bytes."""

    sizes: list[int]

    async def __call__(self, request: RawRequest, connection: Connection) -> None:
        """Read a whole body, and say that it was added."""
        left = announced = int(request.header("Content-Length") or 0)
        while left:
            data = await connection.reader.read(min(MIB, left))
            if not data:
                raise ConnectionError
            left -= len(data)
        self.sizes.append(announced)
        await connection.send(reply({"media_id": f"media-{len(self.sizes)}", "url": "http://mmbiz.qpic.cn/x"}))


async def _post(client: httpx.AsyncClient, picture: Path) -> None:
    with picture.open("rb") as file:
        got = await client.post("/", files={"file": ("large.png", file, "image/png")})
    assert got.status_code == 200, got.text
    assert got.json().startswith("media-")


async def test_large_uploads_take_no_memory(server: RawServer, figures: list[str]) -> None:
    """Uploads of 50 MiB, one after the other and at once, raise the peak of the server by less than a third of one."""
    drain = Drain([])
    server.take, server.script = 0, [drain]
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        large, small = Path(directory) / "large.png", Path(directory) / "small.png"
        for path, size in ((large, SIZE), (small, 2 * MIB)):
            path.write_bytes(b"\x89PNG\r\n\x1a\n")
            os.truncate(path, size)
        async with (
            service(server.url, Path(directory), "wx0123456789abcdef", "s3cret") as app,
            httpx.AsyncClient(base_url=app.url, timeout=60) as client,
        ):
            await _post(client, small)  # what is imported and made once
            before = app.memory("VmHWM")
            for _ in range(3):
                await _post(client, large)
            alone = app.memory("VmHWM") - before
            await asyncio.gather(*(_post(client, large) for _ in range(3)))
            together = app.memory("VmHWM") - before
            now = app.memory("VmRSS")
    figures.append(
        f"50 MiB uploads through uvicorn: peak {before / MIB:.0f} MiB after one of 2 MiB, +{alone / MIB:.1f} MiB"
        f" after three in a row, +{together / MIB:.1f} MiB after three at once; {now / MIB:.0f} MiB in the end"
    )
    assert len(drain.sizes) == 7
    assert sum(size > SIZE for size in drain.sizes) == 6
    assert together < MOST


async def _get(client: httpx.AsyncClient, media_id: str) -> None:
    got = 0
    async with client.stream("GET", f"/{media_id}") as reply:
        async for chunk in reply.aiter_raw():
            got += len(chunk)
    assert got == int(reply.headers["Content-Length"])


async def test_large_materials_take_no_memory(
    sim: Simulator, wx: WxSession, photo: bytes, tmp_path: Path, figures: list[str]
) -> None:
    """Materials of 50 MiB that are passed on raise the peak of the server by less than a third of one."""
    small = (await wx.add_material("image", photo)).media_id
    large = (await wx.add_material("image", photo)).media_id
    sim.materials[large] = evolve(sim.materials[large], content=photo + bytes(SIZE - len(photo)))
    async with (
        service(sim.url, tmp_path, sim.appid, sim.secret) as app,
        httpx.AsyncClient(base_url=app.url, timeout=60) as client,
    ):
        await _get(client, small)
        before = app.memory("VmHWM")
        await _get(client, large)
        alone = app.memory("VmHWM") - before
        await asyncio.gather(*(_get(client, large) for _ in range(3)))
        together = app.memory("VmHWM") - before
    figures.append(
        f"50 MiB materials through uvicorn: peak {before / MIB:.0f} MiB after a small one, +{alone / MIB:.1f} MiB"
        f" after one, +{together / MIB:.1f} MiB after three at once"
    )
    assert together < MOST
