"""Pushes of a platform's events, decrypted by wechatpy as an independent reader of WeChat's format."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from xml.etree import ElementTree as ET

import pytest
from aiohttp import web
from wechatpy.crypto import WeChatCrypto
from wechatpy.exceptions import InvalidSignatureException

from simulated import START, call
from wxasset.simulator import Push, Simulator

TOKEN = "pushes"
AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    """A running simulator whose clock stands still, with a receiver that the tests stand in for."""
    async with Simulator(clock=lambda: START) as running:
        running.platform.set_receiver(None, token=TOKEN, aes_key=AES_KEY)
        yield running


def opened(sim: Simulator, push: Push, token: str = TOKEN) -> dict[str, str]:
    """The fields of a push, after wechatpy has checked its signature and appid and decrypted it."""
    crypto = WeChatCrypto(token, AES_KEY, sim.component_appid)
    asked = push.query
    text = crypto.decrypt_message(push.body.decode(), asked["msg_signature"], asked["timestamp"], asked["nonce"])
    assert text.decode() == push.xml if isinstance(text, bytes) else text == push.xml
    return {child.tag: child.text or "" for child in ET.fromstring(push.xml)}  # noqa: S314 - the simulator's own text


async def test_a_ticket_is_pushed_as_wechat_does(sim: Simulator) -> None:
    """The document is encrypted and signed; the body names the platform, the query holds no more than the official."""
    ticket = sim.push_verify_ticket()
    (push,) = sim.platform.take_pushes()
    assert list(push.query) == ["signature", "timestamp", "nonce", "encrypt_type", "msg_signature"]
    assert [child.tag for child in ET.fromstring(push.body)] == ["AppId", "Encrypt"]  # noqa: S314 - the simulator's own
    assert opened(sim, push) == {
        "AppId": sim.component_appid,
        "CreateTime": str(int(START)),
        "InfoType": "component_verify_ticket",
        "ComponentVerifyTicket": ticket,
    }
    assert ticket not in push.body.decode()
    assert sim.platform.take_pushes() == []
    with pytest.raises(InvalidSignatureException):
        opened(sim, push, token="another")


async def test_authorizations_are_pushed_in_their_order(sim: Simulator) -> None:
    """The first one is authorized, a repeated one updateauthorized, the end of it unauthorized."""
    shop = sim.add_account()
    codes = [sim.platform.authorize(shop.appid) for _ in range(2)]
    sim.platform.unauthorize(shop.appid)
    codes.append(sim.platform.authorize(shop.appid))
    found = [opened(sim, push) for push in sim.platform.take_pushes()]
    assert [one["InfoType"] for one in found] == ["authorized", "updateauthorized", "unauthorized", "authorized"]
    assert {one["AuthorizerAppid"] for one in found} == {shop.appid}
    assert [one["AuthorizationCode"] for one in found if "AuthorizationCode" in one] == codes
    assert list(found[0]) == [
        *("AppId", "CreateTime", "InfoType", "AuthorizerAppid"),
        *("AuthorizationCode", "AuthorizationCodeExpiredTime", "PreAuthCode"),
    ]
    assert found[0]["AuthorizationCodeExpiredTime"] == str(int(START) + 600)
    assert list(found[2]) == ["AppId", "CreateTime", "InfoType", "AuthorizerAppid"]


async def test_the_text_is_padded_to_32_bytes(sim: Simulator) -> None:
    """Every length of a document can be read, also one that fills its last block."""
    for length in range(33):
        shop = sim.add_account(appid="wx" + "1" * length)
        sim.platform.authorize(shop.appid)
    pushes = sim.platform.take_pushes()
    assert len({len(push.body) for push in pushes}) > 1
    assert [len(opened(sim, push)["AuthorizerAppid"]) for push in pushes] == [*range(2, 35)]


@asynccontextmanager
async def receiver(answers: list[tuple[int, str]]) -> AsyncIterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """A receiver on the loopback interface, with what it received."""
    received: list[tuple[dict[str, str], bytes]] = []

    async def take(request: web.Request) -> web.Response:
        received.append((dict(request.query), await request.read()))
        status, text = answers[len(received) - 1]
        return web.Response(status=status, text=text)

    application = web.Application()
    application.router.add_post("/events", take)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/events?shop=1", received
    finally:
        await runner.cleanup()


async def test_pushes_are_delivered_to_the_url_of_the_test(sim: Simulator) -> None:
    """They come in order, beside the URL's own query; only the exact response counts as accepted."""
    async with receiver([(200, "success"), (200, "ok"), (500, "success")]) as (url, received):
        sim.platform.set_receiver(url, token=TOKEN, aes_key=AES_KEY)
        for _ in range(3):
            sim.push_verify_ticket()
        responses = await sim.platform.deliver()
        assert [response.accepted for response in responses] == [True, False, False]
        assert [(query, body) for query, body in received] == [
            ({"shop": "1", **response.push.query}, response.push.body) for response in responses
        ]
        assert await sim.platform.deliver() == []
    sim.push_verify_ticket()
    (lost,) = await sim.platform.deliver()
    assert (lost.status, lost.accepted) == (None, False)


async def test_the_push_service_is_started_by_the_platform(sim: Simulator) -> None:
    """api_start_push_ticket leads to a push; its ticket buys a token, until it is 12 hours old."""
    asked = {"component_appid": sim.component_appid, "component_secret": sim.component_appsecret}
    assert (await call(sim, "/cgi-bin/component/api_start_push_ticket", asked)).document["errmsg"] == "ok"
    (push,) = sim.platform.take_pushes()
    asked = {
        "component_appid": sim.component_appid,
        "component_appsecret": sim.component_appsecret,
        "component_verify_ticket": opened(sim, push)["ComponentVerifyTicket"],
    }
    for days, code in ((0, 0), (1, 61005)):
        sim.advance(days * 86_400)
        assert (await call(sim, "/cgi-bin/component/api_component_token", asked)).errcode == code


async def test_a_receiver_is_told_what_is_wrong(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """A malformed key, a missing URL and a missing package each have a clear error."""
    for key in ("short", "!" * 43, ""):
        with pytest.raises(ValueError, match="EncodingAESKey"):
            sim.platform.set_receiver(None, token=TOKEN, aes_key=key)
    with pytest.raises(ValueError, match="set_receiver"):
        await sim.platform.deliver()
    sim.push_verify_ticket()
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers", None)
    with pytest.raises(ImportError, match=r"wxasset\[platform\]"):
        sim.platform.take_pushes()


def test_without_a_receiver_nothing_is_kept() -> None:
    """As WeChat pushes nowhere before the console names a URL."""
    sim = Simulator()
    sim.push_verify_ticket()
    sim.platform.set_receiver(None, token=TOKEN, aes_key=AES_KEY)
    assert sim.platform.take_pushes() == []
    assert AES_KEY not in repr(sim._shared.service.platform.outbox.receiver)
