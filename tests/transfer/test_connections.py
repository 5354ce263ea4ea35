"""Connections: the pool and its limits, borrowed sessions, resets, and the parts of aiohttp that are used."""

import asyncio
import io
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest
import trustme
from aiohttp import http_writer, payload

from policies import PATIENT
from raw_server import Connection, RawRequest, RawServer, reply
from wxasset import DownloadPolicy, NoToken, RetryPolicy, StaticToken, Timeouts, UploadPolicy, Video, WxSession
from wxasset.errors import ConnectError, UnsafeURLError, UsageError, WxAssetError
from wxasset.transfer.buffers import UPLOAD_BUFFERS

COUNTS = reply({"voice_count": 0, "video_count": 0, "image_count": 1, "news_count": 0})
FILM = b"\x00\x00\x00\x18ftypmp42" + bytes(100)
OPEN = DownloadPolicy(allow_private_hosts=True)


async def slowly(_: RawRequest, connection: Connection) -> None:
    """Answer after a while."""
    await asyncio.sleep(0.4)
    await connection.send(COUNTS)


@pytest.mark.parametrize(("lent", "calls"), [(False, 800), (True, 40)], ids=["own", "borrowed"])
async def test_waiting_for_a_connection_is_not_a_failure(server: RawServer, lent: bool, calls: int) -> None:
    """Many calls at once through few connections all succeed, although they wait longer than one of them may take."""
    server.script = [slowly]
    options: dict[str, Any] = {
        "retry": RetryPolicy(timeout=3, wait_initial=0, attempts=1),
        "timeouts": Timeouts(total=2.5, connect=2.5, stall=2.5),
    }
    http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=5))
    async with http, WxSession(tokens=NoToken(), base_url=server.url, http=http if lent else None, **options) as wx:
        await asyncio.gather(*(wx.count_materials() for _ in range(calls)))
    assert server.connections <= (5 if lent else 100)


async def test_the_wait_for_a_connection_can_be_limited(server: RawServer) -> None:
    """`Timeouts.pool` ends the wait with `ConnectError`: nothing was sent."""
    arrived, leave = asyncio.Event(), asyncio.Event()

    async def hold(_: RawRequest, connection: Connection) -> None:
        arrived.set()
        await leave.wait()
        await connection.send(COUNTS)

    server.script = [hold]
    options: dict[str, Any] = {"retry": RetryPolicy(attempts=1), "timeouts": Timeouts(pool=0.05)}
    http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1))
    session = WxSession(tokens=NoToken(), base_url=server.url, http=http, **options)
    async with http, session as wx, anyio.create_task_group() as group:
        group.start_soon(wx.count_materials)
        await arrived.wait()
        with pytest.raises(ConnectError, match=r"No connection of the session became free .* in 0\.05 seconds"):
            await wx.count_materials()
        leave.set()
    assert len(server.requests) == 1


async def test_a_get_is_not_repeated_behind_the_retry_policy(server: RawServer) -> None:
    """A kept connection that breaks is not replaced by aiohttp on its own, for the API and for links."""

    async def once(_: RawRequest, connection: Connection) -> None:
        if len(server.requests) == 1:
            await connection.send(reply(FILM))
        else:
            connection.reset()

    server.script = [once]
    for lent in (False, True):
        server.requests.clear()
        async with aiohttp.ClientSession() as http:
            options: dict[str, Any] = {"http": http} if lent else {}
            async with WxSession(
                tokens=NoToken(), base_url=server.url, retry=RetryPolicy(attempts=1), downloads=OPEN, **options
            ) as wx:
                video = Video(down_url=f"{server.url}/a.mp4")
                await wx.download_video(video, io.BytesIO())
                with pytest.raises(WxAssetError):
                    # One more for the stale connection, which the policy allows.
                    await wx.download_video(video, io.BytesIO())
        assert len(server.requests) <= 3


async def test_a_link_gets_nothing_of_a_borrowed_session_but_its_connections(server: RawServer) -> None:
    """Headers, cookies and credentials of a borrowed session are for the hosts of its owner, and not for links."""
    server.script = [reply(FILM)]
    headers = {"X-Api-Key": "CANARY", "Authorization": "Basic CANARY"}
    http = aiohttp.ClientSession(headers=headers, cookies={"a": "CANARY"})
    async with http, WxSession(tokens=NoToken(), base_url=server.url, http=http, downloads=OPEN) as wx:
        await wx.download_video(Video(down_url=f"{server.url}/a.mp4?vkey=1"), io.BytesIO())
    (request,) = server.requests
    assert b"CANARY" not in request.head
    assert request.line == "GET /a.mp4?vkey=1 HTTP/1.1"


async def test_a_borrowed_session_does_not_lead_a_link_to_a_private_address(server: RawServer) -> None:
    """The address of a host is checked on its connection too, before anything is sent."""

    class Resolver(aiohttp.ThreadedResolver):
        async def resolve(self, host: str, port: int = 0, family: Any = 0) -> Any:
            del host, port
            return await super().resolve("127.0.0.1", int(server.url.rpartition(":")[2]), family)

    http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Resolver(), use_dns_cache=False))
    async with http, WxSession(tokens=NoToken(), base_url=server.url, http=http, retry=PATIENT) as wx:
        with pytest.raises(UnsafeURLError, match=r"mp\.weixin\.qq\.com"):
            await wx.download_video(Video(down_url="http://mp.weixin.qq.com/a.mp4"), io.BytesIO())
    assert server.requests == []


@pytest.mark.parametrize("small", [False, True])
async def test_a_reset_tls_upload_logs_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, small: bool
) -> None:
    """A TLS connection that is reset in the middle of an upload is a typed error, and no traceback of asyncio's."""
    data, path, taken = b"\xff\xd8\xff\xe0" + bytes(9_000_000), tmp_path / "a.jpg", 300_000
    path.write_bytes(data)
    if small:  # as while many files are sent
        taken = 1_000
        monkeypatch.setattr(UPLOAD_BUFFERS, "maximum", UPLOAD_BUFFERS.minimum)
    authority = trustme.CA()
    context, trusted = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(trusted)

    async def break_off(_: RawRequest, connection: Connection) -> None:
        connection.writer.transport.abort()

    http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusted))
    async with RawServer(tls=context, take=taken, script=[break_off]) as server, http:
        async with WxSession(
            tokens=StaticToken("token" * 20),
            base_url=server.url,
            http=http,
            retry=RetryPolicy(attempts=1),
            uploads=UploadPolicy(reconcile="raise"),
        ) as wx:
            with pytest.raises(WxAssetError):
                await wx.add_material("image", path if small else data)
        await asyncio.sleep(0.05)
    assert [record for record in caplog.records if record.name == "asyncio"] == []


PARTS: dict[str, tuple[Any, str]] = {
    "ClientSession._middlewares": (aiohttp.ClientSession, "ATTRS"),
    "ClientRequest.send": (aiohttp.ClientRequest, "send"),
    "Payload._size": (payload.Payload, "_size"),
}


@pytest.mark.parametrize("part", PARTS)
async def test_a_changed_aiohttp_is_refused_at_the_first_connection(
    server: RawServer, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """Each part beyond the documented API is looked for before anything is sent; the error names it."""
    owner, name = PARTS[part]
    monkeypatch.delattr(owner, name)
    async with WxSession(tokens=NoToken(), base_url=server.url) as wx:
        with pytest.raises(UsageError, match=part.replace(".", r"\.")):
            await wx.count_materials()
    assert server.connections == 0


async def test_a_changed_writer_of_aiohttp_is_refused(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way to write without waiting is looked for too."""

    async def write(self: object, chunk: bytes) -> None:
        """Write in another way."""

    monkeypatch.setattr(http_writer.StreamWriter, "write", write)
    async with WxSession(tokens=NoToken(), base_url=server.url) as wx:
        with pytest.raises(UsageError, match="drain="):
            await wx.count_materials()


async def test_middlewares_of_a_borrowed_session_still_run(server: RawServer) -> None:
    """The middlewares of a borrowed session see every request."""
    seen: list[str] = []

    async def middleware(request: aiohttp.ClientRequest, handler: Any) -> Any:
        seen.append(request.url.path)
        return await handler(request)

    server.script = [COUNTS]
    http = aiohttp.ClientSession(middlewares=(middleware,))
    async with http, WxSession(tokens=NoToken(), base_url=server.url, http=http) as wx:
        await wx.count_materials()
    assert len(seen) == 1
