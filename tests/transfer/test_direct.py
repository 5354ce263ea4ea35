"""Own sessions use the connections of aiohttp without its client layer, unless somebody watches that layer."""

import asyncio
from typing import Any, ClassVar

import aiohttp
import pytest
from attrs import frozen

from raw_server import Connection, RawRequest, RawServer, reply
from wxasset import StaticToken, WxSession
from wxasset.calls.base import Ack, Call, Effect, Route

COUNT = reply({"voice_count": 1, "video_count": 2, "image_count": 3, "news_count": 4})
ADDED = reply({"media_id": "M", "url": "http://mmbiz.qpic.cn/a"})
OK = reply({"errcode": 0, "errmsg": "ok"})
PHOTO = b"\xff\xd8\xff\xe0" + bytes(range(256))


@frozen(kw_only=True)
class Ping(Call[Ack]):
    """A call of the application that posts nothing."""

    route: ClassVar[Route] = Route(path="/cgi-bin/ping", effect=Effect.READ)

    def body(self) -> None:
        """Return None."""


@pytest.fixture
def layered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The methods of all requests that pass through the client layer of aiohttp."""
    seen: list[str] = []
    request = aiohttp.ClientSession.request

    def spied(self: aiohttp.ClientSession, method: str, *args: Any, **options: Any) -> Any:
        seen.append(method)
        return request(self, method, *args, **options)

    monkeypatch.setattr(aiohttp.ClientSession, "request", spied)
    return seen


def session(server: RawServer, **options: Any) -> WxSession:
    """A session that needs no token."""
    return WxSession(tokens=StaticToken("t" * 60), base_url=server.url, **options)


async def test_a_replaced_request_function_sees_each_request(
    server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Test libraries such as aioresponses replace the function behind all requests, also while a session is open."""
    seen: list[str] = []
    original = aiohttp.ClientSession._request

    async def replaced(self: aiohttp.ClientSession, method: str, *args: Any, **options: Any) -> aiohttp.ClientResponse:
        seen.append(method)
        return await original(self, method, *args, **options)

    server.script = [COUNT, ADDED, COUNT]
    async with session(server) as wx:
        await wx.count_materials()
        with monkeypatch.context() as patch:
            patch.setattr(aiohttp.ClientSession, "_request", replaced)
            await wx.add_material("image", PHOTO)
        await wx.count_materials()
    assert (seen, server.connections) == (["POST"], 1)


async def test_a_trace_of_each_session_sees_the_calls(
    server: RawServer, monkeypatch: pytest.MonkeyPatch, layered: list[str]
) -> None:
    """Tracing agents add a trace to each new session of the process, also to those that are opened here."""
    original, paths = aiohttp.ClientSession.__init__, []

    async def started(_: Any, __: Any, params: aiohttp.TraceRequestStartParams) -> None:
        paths.append(params.url.path)

    def traced(self: aiohttp.ClientSession, *args: Any, **options: Any) -> None:
        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(started)
        original(self, *args, trace_configs=[trace], **options)

    monkeypatch.setattr(aiohttp.ClientSession, "__init__", traced)
    server.script = [COUNT]
    async with session(server) as wx:
        await wx.count_materials()
    assert (paths, layered) == (["/cgi-bin/material/get_materialcount"], ["GET"])


async def test_an_aiohttp_with_other_connections_is_used_through_its_client(
    server: RawServer, monkeypatch: pytest.MonkeyPatch, layered: list[str]
) -> None:
    """Where a later aiohttp connects in another way, requests pass through its client layer."""
    original = aiohttp.BaseConnector.connect

    async def connect(self: aiohttp.BaseConnector, *args: Any, **options: Any) -> Any:
        return await original(self, *args, **options)

    monkeypatch.setattr(aiohttp.BaseConnector, "connect", connect)
    server.script = [COUNT, ADDED]
    async with session(server) as wx:
        assert (await wx.count_materials()).image == 3
        assert (await wx.add_material("image", PHOTO)).media_id == "M"
    assert layered == ["GET", "POST"]


async def test_the_client_layer_is_not_used_otherwise(server: RawServer, layered: list[str]) -> None:
    """It takes two thirds of the time of a small call."""
    server.script = [COUNT, ADDED]
    async with session(server) as wx:
        await wx.count_materials()
        await wx.add_material("image", PHOTO)
    assert not layered


@pytest.mark.parametrize(
    "interim", [b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"]
)
async def test_an_interim_response_is_not_the_response(server: RawServer, interim: bytes) -> None:
    """Informational responses come before the response, and are none."""
    server.script = [interim + COUNT, interim * 3 + ADDED]
    async with session(server) as wx:
        assert (await wx.count_materials()).image == 3
        assert (await wx.add_material("image", PHOTO)).media_id == "M"
    assert server.connections == 1


@pytest.mark.parametrize("lent", [False, True])
async def test_a_response_that_nobody_asked_for_is_not_the_next_one(server: RawServer, *, lent: bool) -> None:
    """A kept connection on which bytes came between two requests is closed, and the request sent on another one."""
    taken, spoiled = asyncio.Event(), asyncio.Event()

    async def twice(_: RawRequest, connection: Connection) -> None:
        await connection.send(COUNT)
        await taken.wait()
        await connection.send(reply({"media_id": "OTHER", "url": "http://mmbiz.qpic.cn/b"}))
        spoiled.set()

    server.script = [twice, ADDED]
    async with aiohttp.ClientSession() as http, session(server, http=http if lent else None) as wx:
        await wx.count_materials()
        taken.set()
        await spoiled.wait()
        for _ in range(5):  # they are in the socket; the loop reads them in its next turn
            await asyncio.sleep(0)
        assert (await wx.add_material("image", PHOTO)).media_id == "M"
    assert server.connections == 2


async def test_the_headers_are_those_of_aiohttp(server: RawServer) -> None:
    """Host, agent, encodings and lengths are sent as aiohttp sends them for a borrowed session."""
    names = "Host", "User-Agent", "Accept", "Accept-Encoding", "Content-Type", "Content-Length"
    sent: list[list[list[str | None]]] = []
    async with aiohttp.ClientSession() as http:
        for lent in (None, http):
            server.requests.clear()
            server.script = [COUNT, OK, OK, ADDED]
            async with session(server, http=lent) as wx:
                await wx.count_materials()
                await wx.del_material("M")
                await wx.call(Ping())
                await wx.add_material("image", PHOTO, filename="a.jpg")
            sent.append([[one.header(name) for name in names] for one in server.requests])
    for requests in sent:
        requests[2][4] = None  # aiohttp names a type of nothing
        requests[3][4] = str(requests[3][4]).split("=")[0]  # boundaries are random
    assert sent[0] == sent[1]
