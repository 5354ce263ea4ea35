"""How the applications of the README are used by others: what WeChat sends them, and what strangers do."""

import hashlib
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from starlette.types import ASGIApp

from served import serving
from wxasset import StartPushTicket, WxSession
from wxasset.simulator import Simulator

TOKEN = "the-token-of-the-server-settings"
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
VOICE = b"#!AMR\n" + (b"\x3c" + bytes(31)) * 50  # a second
LONGER = VOICE + VOICE[6:]
MEDIA = "/cgi-bin/media/get"
NUMBER = "23456789012345678"


def signature(token: str = TOKEN, timestamp: str | None = None) -> dict[str, str]:
    """The query of a message that WeChat signed, just now or at another time."""
    timestamp, nonce = str(int(time.time())) if timestamp is None else timestamp, "1234567"
    digest = hashlib.sha1("".join(sorted((token, timestamp, nonce))).encode()).hexdigest()  # noqa: S324 - WeChat's own
    return {"signature": digest, "timestamp": timestamp, "nonce": nonce}


def message(media_id: str, number: str = NUMBER, encoding: str = "utf-8") -> bytes:
    """A voice as WeChat sends it."""
    return (
        f"<?xml version='1.0' encoding='{encoding}'?>"
        "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><FromUserName><![CDATA[o1]]></FromUserName>"
        "<CreateTime>1700000000</CreateTime><MsgType><![CDATA[voice]]></MsgType>"
        f"<MediaId><![CDATA[{media_id}]]></MediaId><Format><![CDATA[amr]]></Format><MsgId>{number}</MsgId></xml>"
    ).encode()


async def _post(client: TestClient[Any, Any], body: bytes, query: dict[str, str]) -> tuple[int, str]:
    async with client.post("/wechat", params=query, data=body) as reply:
        return reply.status, await reply.text()


async def use_the_bot(app: web.Application, sim: Simulator, wx: WxSession, voices: Path) -> None:
    """Strangers are turned away, and each voice is downloaded once, however often and by whatever name it comes."""
    media_id = (await wx.upload_media("voice", VOICE, filename="voice.amr")).media_id
    other_id = (await wx.upload_media("voice", LONGER, filename="voice.amr")).media_id
    voices.mkdir()
    (voices / "1.amr").write_bytes(b"saved before the restart")
    async with TestClient(TestServer(app)) as client:
        await _be_a_stranger(client)
        assert all(entry.path != MEDIA for entry in sim.journal)
        sim.fail(MEDIA, "delay-200ms")
        deliveries = [message(media_id)] * 3 + [message("gone", "1"), message(other_id, "2")]
        others = [message(media_id, number) for number in ("../4", "9" * 300, "")]
        others.append(b"<xml><MsgType>text</MsgType><MsgId>3</MsgId></xml>")
        for body in deliveries + others:
            assert await _post(client, body, signature()) == (200, "success")
    downloads = [entry.query["media_id"] for entry in sim.journal if entry.path == MEDIA]
    assert sorted(downloads) == sorted([media_id, other_id])
    saved = {one.name: one.read_bytes() for one in voices.iterdir()}
    assert saved == {f"{NUMBER}.amr": VOICE, "2.amr": LONGER, "1.amr": b"saved before the restart"}


async def _be_a_stranger(client: TestClient[Any, Any]) -> None:
    """Who does not know the token gets nothing; who repeats a signature gets no further with what he writes."""
    now = int(time.time())
    never = ("", "soon", "9" * 5000, f"{now}.5", f"-{now}")
    bomb = b'<!DOCTYPE xml [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">]><xml><MsgType>&b;</MsgType></xml>'
    for query, status, text in (
        ({}, 403, "403: Forbidden"),
        (signature("guessed"), 403, "403: Forbidden"),
        ({**signature(), "signature": "\u00e9"}, 403, "403: Forbidden"),
        *((signature(timestamp=str(now + away)), 403, "403: Forbidden") for away in (-400, 400, -(10**9))),
        *((signature(timestamp=wrong), 403, "403: Forbidden") for wrong in never),
        *((signature(timestamp=str(now + away)), 200, "7412") for away in (-200, 0, 200)),
    ):
        async with client.get("/wechat", params={**query, "echostr": "7412"}) as reply:
            assert (reply.status, await reply.text()) == (status, text)
    assert (await _post(client, message("any"), signature("guessed")))[0] == 403
    assert (await _post(client, message("any"), signature(timestamp=str(now - 400))))[0] == 403
    for body, status in ((bomb, 400), (b"<xml>", 400), (b"", 400), (b"x" * 70_000, 413)):
        assert (await _post(client, body, signature()))[0] == status
    for encoding in ("x-nothing", "gbk", "zlib", "idna", "utf-16", ""):
        assert (await _post(client, message("any", encoding=encoding), signature()))[0] == 400
    for body in (message(""), message("any").replace(b"MediaId", b"OtherId")):
        assert (await _post(client, body, signature()))[0] == 400


async def use_the_app(app: ASGIApp, sim: Simulator, poster: bytes) -> None:
    """Upload a poster through an application, look at it, and ask for one that is not there."""
    async with serving(app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        reply = await client.post("/posters", files={"file": ("form.png", poster, "image/png")})
        material = sim.materials[reply.json()]
        assert (material.filename, material.content) == ("form.png", poster)
        shown = await client.get(f"/posters/{material.media_id}")
        assert (shown.status_code, shown.headers["content-type"], shown.content) == (200, "image/png", poster)
        missing = await client.get("/posters/none")
        assert (missing.status_code, [*missing.json()]) == (404, ["error", "hint", "hint_zh"])
        text = await client.post("/posters", files={"file": ("notes.txt", b"no image", "text/plain")})
        assert text.status_code == 422
        for form in ({"file": "poster.png"}, {}):  # a path on the server, and nothing
            refused = await client.post("/posters", data=form)
            assert (refused.status_code, len(sim.materials)) == (422, 1)


async def use_the_platform(app: ASGIApp, sim: Simulator, poster: bytes) -> None:
    """From the first ticket to the first upload for a shop: WeChat pushes, and the shop's administrator authorizes."""
    shop = sim.add_account()
    start = StartPushTicket(component_appid=sim.platform.appid, component_secret=sim.platform.secret)
    async with serving(app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        sim.platform.set_receiver(f"{url}/wechat/events", token=TOKEN, aes_key=AES_KEY)
        async with WxSession(sim.appid, sim.secret, base_url=sim.url) as wx:
            await wx.call(start)
        (ticket,) = await sim.platform.deliver()
        assert (ticket.push.info_type, ticket.accepted) == ("component_verify_ticket", True)
        page = urlsplit((await client.get("/authorize")).headers["Location"])
        assert page.netloc == "mp.weixin.qq.com"
        (code,) = parse_qs(page.query)["pre_auth_code"]
        # Once more, as after another choice of permissions: the first refresh token and its access token end.
        for kind, pre_auth_code in (("authorized", code), ("updateauthorized", None)):
            sim.platform.authorize(shop.appid, pre_auth_code=pre_auth_code)
            (change,) = await sim.platform.deliver()
            assert (change.push.info_type, change.accepted) == (kind, True)
            form = {"file": ("form.png", poster, "image/png")}
            reply = await client.post(f"/shops/{shop.appid}/posters", files=form)
            assert shop.materials[reply.json()].content == poster
    assert sim.materials == {}


async def use_two_accounts(app: ASGIApp, sim: Simulator, wx: WxSession) -> None:
    """Ask for a poster of the account of the environment; the other one is not asked, since it is at WeChat's host."""
    media_id = (await wx.add_material("image", "poster.png")).media_id
    async with serving(app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        assert (await client.get("/count")).json() == (await wx.count_materials()).image
        shown = await client.get(f"/school/{media_id}")
        assert (shown.status_code, shown.content) == (200, sim.materials[media_id].content)
