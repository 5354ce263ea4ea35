"""The receiver of a platform's pushes: messages of wechatpy and of the official page, forgeries, and lost stores."""

import base64
import logging
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from attrs import define, field
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Route
from wechatpy.crypto import WeChatCrypto

from policies import PATIENT
from raw_server import RawServer, reply
from wxasset import ComponentToken, FileTokenStore, MemoryTokenStore, TicketKeeper, TokenRecord, WxSession
from wxasset.errors import TokenStoreError, TokenUnavailableError, UsageError
from wxasset.starlette import AuthorizationChange, PushedTicket, platform_events
from wxasset.wire.push_crypto import PushKey
from wxasset.wire.push_events import InvalidPushError, parse_xml

TOKEN: Final = "CANARYTOKEN"
AES_KEY: Final = "CANARY7890abcdefghijklmnopqrstuvwxyzABCDEFG"
APPID: Final = "wxplatform"
NOW: Final = 1_800_000_000

# https://developers.weixin.qq.com/doc/oplatform/developers/dev/push/encryption.html
OFFICIAL_KEY: Final = PushKey(token="AAAAA", aes_key="A" * 43, appid="wxba5fad812f8e6fb9")
OFFICIAL: Final = (
    "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8X"
    "GT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIj"
    "df8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04="
)
# The sample of Tencent's WXBizMsgCrypt, the same scheme for WeCom: an XML message.
SAMPLE_KEY: Final = PushKey(
    token="QDG6eK", aes_key="jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", appid="wx5823bf96d3bd56c7"
)
SAMPLE: Final = (
    "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg3W/sYYvuJTs3TU"
    "UkSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZfJYuR+LtwGc2hgf5gsijff"
    "0ekUNXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2t9EL4EhzJWrQUax5wLVM"
    "NS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVKn28H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2p"
    "DBS8R07+qN+E7Q=="
)


def event(kind: str, created_at: int = NOW, appid: str = APPID, **fields: str) -> str:
    """Return the XML of an event."""
    more = "".join(f"<{name}><![CDATA[{value}]]></{name}>" for name, value in fields.items())
    return (
        f"<xml><AppId><![CDATA[{appid}]]></AppId><CreateTime>{created_at}</CreateTime>"
        f"<InfoType><![CDATA[{kind}]]></InfoType>{more}</xml>"
    )


def ticket(number: int, created_at: int = NOW) -> str:
    """Return the XML of a ticket."""
    return event("component_verify_ticket", created_at, ComponentVerifyTicket=f"ticket@@@CANARY{number}")


def authorized(kind: str = "authorized") -> str:
    """Return the XML of an authorization."""
    return event(
        kind,
        AuthorizerAppid="wxshop",
        AuthorizationCode="queryauthcode@@@CANARY",
        AuthorizationCodeExpiredTime=str(NOW + 600),
        PreAuthCode="preauthcode@@@CANARY",
    )


def pushed(
    xml: str, *, token: str = TOKEN, aes_key: str = AES_KEY, appid: str = APPID, at: object = NOW
) -> tuple[str, dict[str, str]]:
    """Encrypt a message with wechatpy; return the body and the query of the push."""
    message = WeChatCrypto(token, aes_key, appid).encrypt_message(xml, "nonce1", str(at))
    found = dict(re.findall(r"<(Encrypt|MsgSignature)><!\[CDATA\[(.*?)\]\]>", message))
    body = f"<xml><AppId><![CDATA[{appid}]]></AppId><Encrypt><![CDATA[{found['Encrypt']}]]></Encrypt></xml>"
    query = {"timestamp": str(at), "nonce": "nonce1", "encrypt_type": "aes", "msg_signature": found["MsgSignature"]}
    return body, {"signature": "0" * 40, **query}


@define
class Shop:
    """An application that keeps the events, unless it fails."""

    tickets: list[PushedTicket] = field(factory=list)
    changes: list[AuthorizationChange] = field(factory=list)
    failures: list[Exception] = field(factory=list)

    async def on_ticket(self, found: PushedTicket) -> None:
        """Keep a ticket."""
        if self.failures:
            raise self.failures.pop(0)
        self.tickets.append(found)

    async def on_change(self, found: AuthorizationChange) -> None:
        """Keep a change."""
        if self.failures:
            raise self.failures.pop(0)
        self.changes.append(found)

    def client(self, **options: Any) -> httpx.AsyncClient:
        """Return a client of the receiver."""
        settings: dict[str, Any] = {
            "token": TOKEN,
            "aes_key": AES_KEY,
            "appid": APPID,
            "on_ticket": self.on_ticket,
            "on_authorized": self.on_change,
            "on_unauthorized": self.on_change,
            "clock": lambda: NOW + 1.0,
        }
        app = Starlette(routes=[Route("/events", platform_events(**settings | options))])
        return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://platform.example")


async def push(client: httpx.AsyncClient, xml: str, **options: Any) -> httpx.Response:
    """Push a message."""
    body, query = pushed(xml, **options)
    return await client.post("/events", content=body, params=query)


async def test_a_ticket_reaches_the_application() -> None:
    """A ticket encrypted by wechatpy is decrypted and stored; the response is exactly success."""
    shop = Shop()
    async with shop.client() as client:
        response = await push(client, ticket(1))
    assert (response.status_code, response.content) == (200, b"success")
    assert shop.tickets == [PushedTicket(component_appid=APPID, created_at=NOW, ticket="ticket@@@CANARY1")]
    assert "CANARY" not in repr(shop.tickets)


@pytest.mark.parametrize("kind", ["authorized", "updateauthorized", "unauthorized"])
async def test_a_change_of_an_authorization_reaches_the_application(kind: str) -> None:
    """An account that authorizes, changes its authorization or withdraws is told with its code."""
    shop = Shop()
    functions = {"on_authorized" if kind == "unauthorized" else "on_unauthorized": Shop().on_ticket}
    async with shop.client(**functions) as client:
        response = await push(client, authorized(kind))
    assert response.text == "success"
    (found,) = shop.changes
    assert (found.kind, found.authorizer_appid, found.created_at, found.expires_at) == (kind, "wxshop", NOW, NOW + 600)
    assert found.authorization_code == ("" if kind == "unauthorized" else "queryauthcode@@@CANARY")
    assert "CANARY" not in repr(found)


@pytest.mark.parametrize("make", [lambda: event("notify_third_fasteregister"), lambda: authorized("unauthorized")])
async def test_an_event_without_a_function_is_answered(make: Callable[[], str]) -> None:
    """Other kinds of events, and withdrawals that nobody stores, are acknowledged."""
    shop = Shop()
    async with shop.client(on_unauthorized=None) as client:
        assert (await push(client, make())).text == "success"
    assert (shop.tickets, shop.changes) == ([], [])


@pytest.mark.parametrize("make", [lambda: ticket(1), authorized])
async def test_an_event_that_was_not_stored_is_pushed_again(
    make: Callable[[], str], caplog: pytest.LogCaptureFixture
) -> None:
    """The answer is 500 without details and the log names the error; the second push is stored."""
    shop = Shop(failures=[RuntimeError("database is down")])
    async with shop.client() as client:
        with caplog.at_level(logging.ERROR):
            response = await push(client, make())
        assert (response.status_code, response.text) == (500, "error")
        assert (await push(client, make())).text == "success"
    assert len(shop.tickets) + len(shop.changes) == 1
    assert "RuntimeError" in caplog.text
    assert "CANARY" not in caplog.text


async def test_the_same_ticket_twice_is_stored_once() -> None:
    """A repeated push is acknowledged, as WeChat repeats it until it is."""
    shop = Shop()
    async with shop.client() as client:
        assert [(await push(client, ticket(1))).text for _ in range(2)] == ["success"] * 2
    assert len(shop.tickets) == 1


async def test_an_older_ticket_replaces_no_newer_one() -> None:
    """Tickets out of order are acknowledged, and the newest stays."""
    shop = Shop()
    async with shop.client() as client:
        for number, at in ((2, NOW), (1, NOW - 600), (3, NOW + 600)):
            assert (await push(client, ticket(number, at))).text == "success"
    assert [one.ticket[-1] for one in shop.tickets] == ["2", "3"]


async def test_an_older_ticket_that_takes_longer_is_replaced_again() -> None:
    """A newer ticket stored meanwhile is stored once more, since the older one may have replaced it."""
    shop = Shop()

    async def on_ticket(found: PushedTicket) -> None:
        if found.ticket.endswith("1"):
            await push(client, ticket(2, NOW + 1))
        await shop.on_ticket(found)

    async with shop.client(on_ticket=on_ticket) as client:
        assert (await push(client, ticket(1))).text == "success"
    assert [one.ticket[-1] for one in shop.tickets] == ["2", "1", "2"]


def asked(**changes: str) -> tuple[str, dict[str, str]]:
    """Return a push with other query parameters."""
    body, query = pushed(ticket(1))
    return body, query | changes


def sent(change: Callable[[str], str]) -> tuple[str, dict[str, str]]:
    """Return a push with another body."""
    body, query = pushed(ticket(1))
    return change(body), query


DTD: Final = '<!DOCTYPE xml [<!ENTITY a "CANARY">]>'
FLAWS: Final[dict[str, Callable[[], tuple[str, dict[str, str]]]]] = {
    "no signature": lambda: asked(msg_signature=""),
    "another signature": lambda: asked(msg_signature="0" * 40),
    "a signature with other characters": lambda: asked(msg_signature="签" * 40),
    "the plain signature": lambda: asked(signature=pushed(ticket(1))[1]["msg_signature"], msg_signature=""),
    "another timestamp": lambda: asked(timestamp=str(NOW + 1)),
    "another nonce": lambda: asked(nonce="nonce2"),
    "another message": lambda: sent(lambda _: pushed(ticket(2))[0]),
    "another token": lambda: pushed(ticket(1), token="another"),
    "another key": lambda: pushed(ticket(1), aes_key="x" * 43),
    "another platform": lambda: pushed(ticket(1), appid="wxother"),
    "another platform inside": lambda: pushed(ticket(1).replace(APPID, "wxother")),
    "an old push": lambda: pushed(ticket(1), at=NOW - 310),
    "a push from the future": lambda: pushed(ticket(1), at=NOW + 310),
    "no number": lambda: pushed(ticket(1), at="yesterday"),
    "a very large number": lambda: pushed(ticket(1), at="9" * 400),
    "no ticket": lambda: pushed(event("component_verify_ticket")),
    "no time": lambda: pushed(ticket(1).replace(f"<CreateTime>{NOW}", "<CreateTime>")),
    "no XML inside": lambda: pushed("{}"),
    "a document type inside": lambda: pushed(DTD + ticket(1)),
    "a document type": lambda: sent(lambda body: DTD + body),
    "no XML": lambda: sent(lambda _: "CANARY"),
    "nothing": lambda: sent(lambda _: ""),
    "no encrypted text": lambda: sent(lambda _: "<xml><AppId>wxplatform</AppId></xml>"),
    "two encrypted texts": lambda: sent(lambda body: body.replace("</xml>", "<Encrypt>CANARY</Encrypt></xml>")),
    "too much": lambda: sent(lambda body: body.replace("<xml>", f"<xml><Filler>{'x' * 70_000}</Filler>")),
}


@pytest.mark.parametrize("name", FLAWS)
async def test_a_forged_push_is_refused(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """The answer is 400 without a reason; no function is called, and nothing secret is logged."""
    shop = Shop()
    body, query = FLAWS[name]()
    async with shop.client() as client:
        response = await client.post("/events", content=body.encode(), params=query)
    assert (response.status_code, response.text) == (400, "bad request")
    assert (shop.tickets, shop.changes) == ([], [])
    assert "CANARY" not in caplog.text


@pytest.mark.parametrize("data", [b"", b"x" * 16, b"x" * 17, b"\xff" * 32, bytes(64)])
def test_a_broken_message_with_a_right_signature_is_refused(data: bytes) -> None:
    """Lengths, padding and appid are checked for what the key decrypts to."""
    key = PushKey(token=TOKEN, aes_key=AES_KEY, appid=APPID)
    secret = base64.b64decode(AES_KEY + "=")
    whole = data if len(data) % 16 else b""
    if not whole:
        encryptor = Cipher(algorithms.AES256(secret), modes.CBC(secret[:16])).encryptor()
        whole = encryptor.update(data) + encryptor.finalize()
    for text in (base64.b64encode(whole).decode(), "no base64!", "密"):
        with pytest.raises(InvalidPushError):
            key.decrypt(text)


@pytest.mark.parametrize("away", [-290, 290])
async def test_a_clock_may_differ_by_some_minutes(away: int) -> None:
    """A push is accepted within five minutes (a choice), in both directions; `max_age` sets another limit."""
    shop = Shop()
    async with shop.client() as client, shop.client(max_age=60) as strict:
        assert (await push(client, ticket(1), at=NOW + away)).text == "success"
        assert (await push(strict, ticket(1), at=NOW + away)).status_code == 400
    assert len(shop.tickets) == 1


async def test_another_method_is_refused() -> None:
    """WeChat pushes by POST; a browser that opens the address is told so."""
    async with Shop().client() as client:
        response = await client.get("/events")
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")


def test_the_official_sample() -> None:
    """Signature and plain text are those of the official page."""
    assert OFFICIAL_KEY.signature("1714112445", "415670741", OFFICIAL) == "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3"
    assert OFFICIAL_KEY.decrypt(OFFICIAL) == (
        b'{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714112445,'
        b'"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}'
    )


def test_the_sample_of_the_official_library() -> None:
    """The XML message of WXBizMsgCrypt has its signature and its fields."""
    assert SAMPLE_KEY.signature("1409659813", "1372623149", SAMPLE) == "477715d11cdb4164915debcba66cb864d751f3e6"
    fields = parse_xml(SAMPLE_KEY.decrypt(SAMPLE))
    assert (fields["FromUserName"], fields["Content"], fields["MsgId"]) == ("mycreate", "hello", "4561255354251345929")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"token": ""}, "token= is missing"),
        ({"token": None}, "token= is missing"),
        ({"aes_key": "CANARY"}, "aes_key= must be the EncodingAESKey, 43"),
        ({"aes_key": f"{AES_KEY}="}, "aes_key="),
        ({"aes_key": AES_KEY.encode()}, "aes_key="),
        ({"appid": ""}, "appid= is missing"),
        ({"on_ticket": lambda _: None}, "on_ticket= must be an async function"),
        ({"on_authorized": None}, "on_authorized= must be an async function"),
        ({"on_unauthorized": "CANARY"}, "on_unauthorized= must be an async function"),
        ({"max_age": 0}, "max_age="),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], told: str) -> None:
    """A mistake in the settings is told at once, without their values."""
    with pytest.raises(UsageError, match=told) as caught:
        Shop().client(**options)
    assert "CANARY" not in str(caught.value)


def test_the_settings_do_not_show() -> None:
    """Token and key are not in the repr of the receiver."""
    shop = Shop()
    made = platform_events(
        token=TOKEN, aes_key=AES_KEY, appid=APPID, on_ticket=shop.on_ticket, on_authorized=shop.on_change
    )
    assert "CANARY" not in repr(made)


def test_without_cryptography_the_extra_is_named() -> None:
    """The other parts of wxasset.starlette work without it; the receiver says what to install."""
    code = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from wxasset.starlette import platform_events\n"
        "try: platform_events(token='t', aes_key='k', appid='a', on_ticket=None, on_authorized=None)\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'wxasset[platform]'" in done.stdout


async def test_it_is_a_route_of_fastapi() -> None:
    """`add_route` takes the receiver as it is; by default the time is that of the machine."""
    shop = Shop()
    made = platform_events(
        token=TOKEN, aes_key=AES_KEY, appid=APPID, on_ticket=shop.on_ticket, on_authorized=shop.on_change
    )
    app = FastAPI()
    app.add_route("/events", made)  # type: ignore[arg-type] # an ASGI application, as Starlette takes it
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://platform.example") as client:
        assert (await push(client, ticket(1), at=int(time.time()))).text == "success"
    assert len(shop.tickets) == 1


# The keeper of tickets.


async def test_a_pushed_ticket_fetches_the_platforms_token(server: RawServer) -> None:
    """The keeper gives the newest ticket to ComponentToken."""
    tickets = TicketKeeper(APPID)
    server.script = [
        reply({"component_access_token": "platform-token", "expires_in": 7200}),
        reply({"total_count": 0, "list": []}),
    ]
    now = int(time.time())
    async with Shop().client(on_ticket=tickets.save, clock=time.time) as client:
        await push(client, ticket(2, now), at=now)
        await push(client, ticket(1, now - 600), at=now)
    component = ComponentToken(APPID, "CANARYSECRET", ticket=tickets)
    async with WxSession(tokens=component, base_url=server.url, retry=PATIENT) as wx:
        assert [one async for one in wx.iter_authorizers()] == []
    assert b"ticket@@@CANARY2" in server.requests[0].body
    assert "CANARY" not in repr(tickets)


async def test_processes_share_the_newest_ticket(tmp_path: Path) -> None:
    """An older ticket pushed to another process does not replace the newer one in the store."""
    one, other = (TicketKeeper(APPID, FileTokenStore(tmp_path / "tokens.json")) for _ in range(2))
    now = int(time.time())
    await one.save(PushedTicket(component_appid=APPID, created_at=now, ticket="ticket@@@2"))
    await other.save(PushedTicket(component_appid=APPID, created_at=now - 600, ticket="ticket@@@1"))
    assert [await one(), await other()] == ["ticket@@@2"] * 2
    assert await TicketKeeper(APPID, FileTokenStore(tmp_path / "tokens.json"))() == "ticket@@@2"


async def test_without_a_ticket_the_error_says_where_they_come_from() -> None:
    """No ticket yet, or none for 12 hours: the hint names the push and how to start it, in both languages."""
    tickets = TicketKeeper(APPID, clock=lambda: NOW + 12 * 3600.0)
    with pytest.raises(TokenUnavailableError, match="No ticket has been pushed for wxplatform yet"):
        await tickets()
    await tickets.save(PushedTicket(component_appid=APPID, created_at=NOW, ticket="ticket@@@1"))
    with pytest.raises(TokenUnavailableError, match="older than 12 hours") as caught:
        await tickets()
    assert "StartPushTicket" in caught.value.hint.english
    assert "StartPushTicket" in caught.value.hint.chinese


class Broken(MemoryTokenStore):
    """A store that is down."""

    async def load(self, key: str) -> TokenRecord | None:
        """Fail."""
        raise TokenStoreError(f"{key} cannot be read")

    async def save(self, key: str, record: TokenRecord) -> bool:
        """Fail."""
        raise TokenStoreError(f"{key} cannot be written: {record.mode}")


async def test_a_store_that_is_down_loses_no_ticket() -> None:
    """The push is answered with 500 so that it comes again; this process uses the ticket meanwhile."""
    tickets = TicketKeeper(APPID, Broken())
    with pytest.raises(TokenStoreError):
        await tickets()
    now = int(time.time())
    async with Shop().client(on_ticket=tickets.save, clock=time.time) as client:
        assert (await push(client, ticket(1, now), at=now)).status_code == 500
    assert await tickets() == "ticket@@@CANARY1"


@pytest.mark.parametrize(("appid", "text"), [("wxother", "ticket@@@1"), (APPID, "CANARY ticket"), (APPID, "<CANARY>")])
async def test_what_is_no_ticket_of_the_platform_is_not_kept(appid: str, text: str) -> None:
    """A ticket of another platform, or one with blanks, is refused without being shown."""
    tickets = TicketKeeper(APPID)
    with pytest.raises(UsageError) as caught:
        await tickets.save(PushedTicket(component_appid=appid, created_at=NOW, ticket=text))
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("arguments", [("",), (APPID, MemoryTokenStore), (APPID, "tokens.json")])
def test_wrong_arguments_of_the_keeper(arguments: Any) -> None:
    """The platform's appid and a store are needed, not a class or a path."""
    with pytest.raises(UsageError):
        TicketKeeper(*arguments)
