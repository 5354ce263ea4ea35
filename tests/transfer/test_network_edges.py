"""Edges of the network: pools that are shared or stuck, plain proxies, networks in NO_PROXY, malformed heads."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from policies import PATIENT
from raw_server import Connection, RawRequest, RawServer, reply
from wxasset import MaterialStream, RetryPolicy, StaticToken, Timeouts, Video, WxSession
from wxasset.errors import ConnectError, RequestError

COUNT = {"voice_count": 1, "video_count": 2, "image_count": 3, "news_count": 4}
FILM = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + bytes(range(256))
PHOTO = b"\xff\xd8\xff\xe0" + bytes(range(256))
REFUSED = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
CALLS: dict[str, Callable[[WxSession], Awaitable[Any]]] = {
    "read": lambda wx: wx.count_materials(),
    "create": lambda wx: wx.add_material("image", PHOTO),
    "delete": lambda wx: wx.del_material("M"),
    "link": lambda wx: wx.download_video(Video(down_url="http://mpvideo.qpic.cn/a.mp4?vkey=SIGNED"), "a.mp4"),
}


def session(server: RawServer, http: aiohttp.ClientSession | None = None, **options: Any) -> WxSession:
    """A session that needs no token."""
    return WxSession(tokens=StaticToken("t" * 60), base_url=server.url, http=http, **options)


async def test_sessions_that_share_connections_share_the_queue(server: RawServer) -> None:
    """Ten sessions with one borrowed connection wait for it in one queue: no time limit counts that."""

    async def slowly(_: RawRequest, connection: Connection) -> None:
        await asyncio.sleep(0.1)
        await connection.send(reply(COUNT))

    server.script = [slowly]
    limits = {"timeouts": Timeouts(connect=0.4, total=0.4), "retry": RetryPolicy(timeout=0.4, attempts=1)}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as http:
        sessions = [session(server, http, **limits) for _ in range(10)]
        await asyncio.gather(*(wx.count_materials() for wx in sessions))
    assert (len(server.requests), server.connections) == (10, 1)


@pytest.mark.parametrize("pool", [0.1, None])
async def test_a_pool_in_which_nothing_moves_is_a_failure(server: RawServer, pool: float | None) -> None:
    """A caller that holds all connections does not wait forever for one more; it is not tried again."""

    async def hold(_: RawRequest, connection: Connection) -> None:
        await connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + PHOTO * 4)
        await asyncio.Event().wait()

    server.script = [hold]
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=1)) as http,
        session(server, http, timeouts=Timeouts(pool=pool), retry=RetryPolicy(timeout=0.3, wait_initial=0)) as wx,
        wx.open_material("M") as stream,
    ):
        assert isinstance(stream, MaterialStream)
        begun = time.monotonic()
        with pytest.raises(ConnectError, match="became free"):
            await wx.count_materials()
    assert time.monotonic() - begun < 2
    assert len(server.requests) == 1


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_a_proxy_can_refuse_plain_requests(
    server: RawServer, call: Callable[[WxSession], Awaitable[Any]]
) -> None:
    """Status 407 comes from the proxy, also without CONNECT: nothing was sent, and the error names the proxy."""
    async with RawServer(script=[REFUSED]) as proxy, session(server, proxy=proxy.url, retry=PATIENT) as wx:
        with pytest.raises(ConnectError, match=r"refused to connect to .*407") as caught:
            await call(wx)
        assert caught.value.proxy == proxy.url.removeprefix("http://")
        assert len(proxy.requests) == 1
    assert server.requests == []
    assert "SIGNED" not in str(caught.value)


async def test_a_connection_that_a_proxy_refused_is_not_used_again(server: RawServer) -> None:
    """The proxy may close it at any moment: an upload over it would be of unknown outcome."""
    async with RawServer(script=[REFUSED]) as proxy, session(server, proxy=proxy.url, retry=PATIENT) as wx:
        for _ in range(2):
            with pytest.raises(ConnectError):
                await wx.upload_image(PHOTO)
        assert (len(proxy.requests), proxy.connections) == (2, 2)


@pytest.mark.parametrize(("exceptions", "through"), [("192.0.2.0/24", False), ("10.0.0.0/8, x", True)])
async def test_no_proxy_takes_networks(monkeypatch: pytest.MonkeyPatch, exceptions: str, through: bool) -> None:
    """NO_PROXY may hold networks, as requests reads it."""
    async with RawServer(script=[REFUSED]) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", exceptions)
        monkeypatch.delenv("no_proxy", raising=False)
        once, soon = RetryPolicy(attempts=1), Timeouts(connect=0.2)
        async with WxSession(
            tokens=StaticToken("t" * 60), base_url="https://192.0.2.1", retry=once, timeouts=soon
        ) as wx:
            with pytest.raises(ConnectError) as caught:
                await wx.count_materials()
        assert (caught.value.proxy is not None, proxy.connections > 0) == (through, through)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 20_000 + b"\r\n\r\n", "a header of the response is too long"),
        (b"HTTP/1.1 200 OK\r\nX-A: \x00\r\n\r\n", "a header of the response is malformed"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "the response is not valid HTTP"),
    ],
)
async def test_a_malformed_response_names_the_fault(server: RawServer, answer: bytes, words: str) -> None:
    """The error says what is malformed."""
    server.script = [answer]
    async with session(server, retry=RetryPolicy(attempts=1)) as wx:
        with pytest.raises(RequestError, match=words):
            await wx.count_materials()
