"""Secrets and tokens are seen nowhere: not in an error, its chain, its traceback with locals, a pickle, or a log."""

import inspect
import json
import logging
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

import wxasset
from canaries import FAULTS, SECRET, TOKEN, chain, echo_garbage, everything_shown, token_reply
from policies import PATIENT
from raw_server import Handler, RawServer, forever, reply, reset
from wxasset import (
    AuthorizerToken,
    CallableToken,
    CallBudget,
    ClassicToken,
    ClearComponentQuota,
    CloudHostingToken,
    ComponentToken,
    DownloadPolicy,
    Ledger,
    Platform,
    PostgresStore,
    RedisToken,
    RedisTokenStore,
    RetryPolicy,
    StableToken,
    StartPushTicket,
    StaticToken,
    TicketKeeper,
    Timeouts,
    Token,
    TokenCache,
    Video,
    WxSession,
)
from wxasset.errors import DecodeError, SourceError, WxAssetError
from wxasset.simulator import Simulator

ONCE = RetryPolicy(attempts=1)


def check(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """Fail where a canary is to be seen."""
    shown = everything_shown(error) + caplog.text + json.dumps([str(one.args) for one in caplog.records])
    assert "CANARY" not in shown


async def _failing(first: bytes, *, size: int) -> AsyncIterator[bytes]:
    """A stream that breaks off before its end."""
    yield first
    yield bytes(size // 2)
    raise OSError(5, "bad disk")


@pytest.mark.parametrize("size", [1_000, 600_000])
@pytest.mark.parametrize("lent", [False, True])
@pytest.mark.parametrize("broken", ["stream", "progress"])
async def test_a_failed_upload_shows_no_token(
    server: RawServer, broken: str, caplog: pytest.LogCaptureFixture, *, size: int, lent: bool
) -> None:
    """An error of the media or of a callback keeps the frames that sent it; no variable of these is the request."""
    server.script = [reply({"media_id": "M"})]
    photo = b"\xff\xd8\xff\xe0" + bytes(range(256))

    def told(_: int, __: int | None) -> None:
        raise ZeroDivisionError

    media: Any = _failing(photo, size=size) if broken == "stream" else photo.ljust(size, b"\0")
    async with (
        aiohttp.ClientSession() as http,
        WxSession(tokens=StaticToken(TOKEN), base_url=server.url, http=http if lent else None, retry=ONCE) as wx,
    ):
        with pytest.raises((SourceError, ZeroDivisionError)) as caught:
            await wx.add_material(
                "image",
                media,
                size=size if broken == "stream" else None,
                progress=told if broken == "progress" else None,
            )
    check(caught.value, caplog)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("at", ["token", "call"])
async def test_a_failed_call_shows_no_secret(
    server: RawServer, fault: Handler, at: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Whatever a peer does, also where it repeats the request: neither secret nor token is shown anywhere."""
    caplog.set_level(logging.DEBUG)
    server.token_script = [fault if at == "token" else token_reply()]
    server.script = [fault]
    for source in (StableToken("wx1", SECRET), ClassicToken("wx1", SECRET)):
        async with WxSession(tokens=source, base_url=server.url, retry=PATIENT, timeouts=Timeouts(stall=0.05)) as wx:
            assert "CANARY" not in f"{wx!r} {source!r} {vars(wx)!r}"
            for call in (
                wx.count_materials(),
                wx.list_materials("image"),
                wx.add_material("image", b"\xff\xd8\xff\xe0"),
                wx.get_material("M", to=tmp_path / "out"),
            ):
                try:
                    await call
                except WxAssetError as error:
                    check(error, caplog)
                else:
                    assert fault is echo_garbage, "a binary that looks like JSON is saved"
            with pytest.raises(WxAssetError) as caught:
                await wx.del_material("M") if fault is not echo_garbage else await wx.count_materials()
            check(caught.value, caplog)


async def test_a_refused_secret_is_not_shown(sim: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    """The simulator's own refusal of a secret shows nothing of it either."""
    caplog.set_level(logging.DEBUG)
    async with WxSession(sim.appid, SECRET, base_url=sim.url) as wx:
        with pytest.raises(WxAssetError) as caught:
            await wx.count_materials()
    check(caught.value, caplog)


async def test_where_nobody_answers_no_secret_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    """A refused connection names the host alone."""
    caplog.set_level(logging.DEBUG)
    async with Simulator() as gone:
        url = gone.url
    async with WxSession(tokens=ClassicToken("wx1", SECRET), base_url=url, retry=PATIENT) as wx:
        with pytest.raises(WxAssetError) as caught:
            await wx.count_materials()
    check(caught.value, caplog)


def traced(shown: list[str], signals: set[str]) -> aiohttp.TraceConfig:
    """Trace all signals of aiohttp, and keep all that a tracing agent could export of them, without bodies."""
    trace = aiohttp.TraceConfig()

    def watch(name: str) -> None:
        async def see(_: object, __: object, params: Any) -> None:
            signals.add(name)
            shown.append(repr(params))
            url, response, error = (getattr(params, one, None) for one in ("url", "response", "exception"))
            shown.append(f"{url} {url!r}")
            if response is not None:
                shown.append(f"{response.url} {response.real_url} {response.request_info} {response.history}")
                shown.append(f"{response.headers} {response.raw_headers!r}")
            if error is not None:
                shown.append("".join(traceback.format_exception(error)))
                shown.append("".join(f"{one!r} {one} {one.args}" for one in chain(error)))

        getattr(trace, name).append(see)

    for name in dir(trace):
        if name.startswith("on_"):
            watch(name)
    return trace


@pytest.mark.parametrize("source", [ClassicToken("wx1", SECRET), StableToken("wx1", SECRET)], ids=["query", "body"])
async def test_a_trace_of_aiohttp_shows_no_token(server: RawServer, source: ClassicToken | StableToken) -> None:
    """A `TraceConfig` of a lent client session, as tracing agents set it up, is shown paths without their query."""
    server.token_script = [token_reply()]
    malformed = b"HTTP/1.1 200 OK\r\nX-Token: CANARY\x00\r\n\r\n"
    server.script = [reply({"errcode": 0, "errmsg": "ok"}), reset, malformed, reply({"errcode": 0})]
    shown: list[str] = []
    signals: set[str] = set()
    async with (
        aiohttp.ClientSession(trace_configs=[traced(shown, signals)]) as http,
        WxSession(tokens=source, base_url=server.url, http=http, retry=ONCE) as wx,
    ):
        await wx.del_material("M")
        for _ in range(2):
            with pytest.raises(WxAssetError):
                await wx.count_materials()
        await wx.del_material("M")
    assert sum("/cgi-bin/material/del_material" in one for one in shown) >= 5
    assert signals >= {"on_request_headers_sent", "on_request_chunk_sent", "on_request_end", "on_request_exception"}
    assert "CANARY" not in "".join(shown)


REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: /CANARY/next.mp4?sign=CANARY\r\nContent-Length: 0\r\n\r\n"
LINK_FAULTS: dict[str, bytes | Handler] = {
    "a film": reply(b"\0\0\0\x18ftypmp42" + bytes(100), "video/mp4"),
    "a redirect": REDIRECT,
    "a redirect that cannot be parsed": REDIRECT.replace(b"next", b"next\x00"),
    "a header that cannot be parsed": b"HTTP/1.1 200 OK\r\nX: /CANARY\x00?sign=CANARY\r\n\r\n",
    "no HTTP": b"CANARY\r\n\r\n",
    "a refusal": reply(b"/CANARY", status="403 Forbidden"),
    "a reset": reset,
    "silence": forever,
}


@pytest.mark.parametrize("fault", LINK_FAULTS)
async def test_a_trace_of_aiohttp_shows_no_link(server: RawServer, tmp_path: Path, fault: str) -> None:
    """Of a link, which is signed, a trace shows scheme, host and port; the target of a redirect is not in it."""
    server.script = [LINK_FAULTS[fault]]
    shown: list[str] = []
    signals: set[str] = set()
    link = f"{server.url}/CANARY/film.mp4?sign=CANARY"
    async with (
        aiohttp.ClientSession(trace_configs=[traced(shown, signals)]) as http,
        WxSession(
            tokens=StaticToken("t" * 40),
            http=http,
            retry=ONCE,
            timeouts=Timeouts(stall=0.05),
            downloads=DownloadPolicy(allow_private_hosts=True),
        ) as wx,
    ):
        with suppress(WxAssetError):
            await wx.download_video(Video(down_url=link), tmp_path / "film.mp4")
    assert server.requests[0].line == "GET /CANARY/film.mp4?sign=CANARY HTTP/1.1"
    assert fault != "a redirect" or server.requests[1].path == "/CANARY/next.mp4"
    assert signals & {"on_request_end", "on_request_exception"}
    assert server.url in "".join(shown)
    assert "CANARY" not in "".join(shown)


def test_a_token_does_not_show_itself() -> None:
    """A token in hand keeps its value out of `repr`."""
    assert "CANARY" not in repr(Token(value=TOKEN, expires_in=1))


@pytest.mark.parametrize("slash", ["/", "\\/"])
@pytest.mark.parametrize("key", ["down_url", "video_url"])
async def test_half_an_answer_shows_no_signed_address(server: RawServer, tmp_path: Path, key: str, slash: str) -> None:
    """What is shown of a broken description of a video does not have the link by which anybody can get it."""
    link = "https://mp.weixin.qq.com/film?sign=CANARY".replace("/", slash)
    server.script = [reply(f'{{"{key}":"{link}","title":"a'.encode(), "application/json")]
    async with WxSession(tokens=StaticToken("t" * 40), base_url=server.url, retry=RetryPolicy(attempts=1)) as wx:
        with pytest.raises(DecodeError) as caught:
            await (wx.get_material("M", to=tmp_path) if key == "down_url" else wx.get_media("M", to=tmp_path))
    assert caught.value.excerpt == f'{{"{key}":"***","title":"a'
    assert "CANARY" not in everything_shown(caught.value)


REDIS = "redis://:CANARY@127.0.0.1:6379/0"
DATABASE = "postgresql://user:CANARY@127.0.0.1/db"
PROXY = "http://user:CANARY@127.0.0.1:3128"
TICKET = "CANARYTICKET"
COMPONENT = ComponentToken("wxcomponent", SECRET, TICKET)
ANY: Any = object()
REFUSED: Final[list[tuple[type, Callable[[], object]]]] = [
    (StaticToken, lambda: StaticToken(f"{TOKEN}\n")),
    (StaticToken, lambda: StaticToken(TOKEN.encode())),  # type: ignore[arg-type]
    (StaticToken, lambda: StaticToken(TOKEN, parameter="token")),  # type: ignore[arg-type]
    (StableToken, lambda: StableToken("", SECRET)),
    (StableToken, lambda: StableToken("wx1", SECRET.encode())),  # type: ignore[arg-type]
    (ClassicToken, lambda: ClassicToken("", SECRET)),
    (CallableToken, lambda: CallableToken(TOKEN)),  # type: ignore[arg-type]
    (CallableToken, lambda: CallableToken(ANY, lifetime=0)),
    (ComponentToken, lambda: ComponentToken("", SECRET, TICKET)),
    (ComponentToken, lambda: ComponentToken("wxcomponent", SECRET, f"{TICKET}\n")),
    (ComponentToken, lambda: ComponentToken("wxcomponent", SECRET.encode(), TICKET)),  # type: ignore[arg-type]
    (AuthorizerToken, lambda: AuthorizerToken(COMPONENT, "", SECRET)),
    (AuthorizerToken, lambda: AuthorizerToken(SECRET, "wx1", SECRET)),  # type: ignore[arg-type]
    (AuthorizerToken, lambda: AuthorizerToken(COMPONENT, "wx1", [SECRET])),  # type: ignore[arg-type]
    (Platform, lambda: Platform(COMPONENT, store=REDIS)),  # type: ignore[arg-type]
    (Platform, lambda: Platform(COMPONENT, max_sessions=0, proxy=PROXY)),
    (StartPushTicket, lambda: StartPushTicket(component_appid="", component_secret=SECRET)),
    (ClearComponentQuota, lambda: ClearComponentQuota(component_appid="", appsecret=SECRET)),
    (TicketKeeper, lambda: TicketKeeper("", REDIS)),  # type: ignore[arg-type]
    (CloudHostingToken, lambda: CloudHostingToken([TOKEN])),  # type: ignore[arg-type]
    (RedisToken, lambda: RedisToken(REDIS.replace("redis", "http", 1), "key")),
    (RedisToken, lambda: RedisToken(f"{REDIS}?socket_timeout=x", "key")),
    (RedisToken, lambda: RedisToken(REDIS, "")),
    (RedisToken, lambda: RedisToken(REDIS, SECRET, lifetime=0)),
    (RedisToken, lambda: RedisToken(None, "key", client=REDIS)),  # type: ignore[arg-type]
    (RedisTokenStore, lambda: RedisTokenStore(REDIS.replace("redis", "http", 1))),
    (RedisTokenStore, lambda: RedisTokenStore(f"{REDIS}?socket_timeout=x")),
    (RedisTokenStore, lambda: RedisTokenStore(REDIS, timeout=0)),
    (RedisTokenStore, lambda: RedisTokenStore(REDIS, wait=-1)),
    (CallBudget, lambda: CallBudget(REDIS.replace("redis", "http", 1))),
    (CallBudget, lambda: CallBudget(f"{REDIS}?socket_timeout=x")),
    (CallBudget, lambda: CallBudget(REDIS, timeout=0)),
    (Ledger, lambda: Ledger(DATABASE)),
    (Ledger, lambda: Ledger([DATABASE])),  # type: ignore[arg-type]
    (Ledger, lambda: Ledger("ledger.db", index=DATABASE)),
    (PostgresStore, lambda: PostgresStore(DATABASE, lease=0)),
    (PostgresStore, lambda: PostgresStore([DATABASE])),  # type: ignore[arg-type]
    (TokenCache, lambda: TokenCache(TOKEN)),  # type: ignore[arg-type]
    (TokenCache, lambda: TokenCache(COMPONENT, store=REDIS)),  # type: ignore[arg-type]
    (WxSession, lambda: WxSession(None, SECRET)),
    (WxSession, lambda: WxSession("wx1", SECRET, retry=1)),  # type: ignore[arg-type]
    (WxSession, lambda: WxSession("wx1", SECRET, base_url=PROXY)),
    (WxSession, lambda: WxSession("wx1", SECRET, base_url="http://example.com")),
    (WxSession, lambda: WxSession("wx1", SECRET, http=ANY)),
    (WxSession, lambda: WxSession("wx1", SECRET, ledger=ANY)),
    (WxSession, lambda: WxSession("wx1", SECRET, store=REDIS)),  # type: ignore[arg-type]
    (WxSession, lambda: WxSession("wx1", SECRET, proxy=PROXY.replace("http", "socks5"))),
    (WxSession, lambda: WxSession("wx1", SECRET, proxy=PROXY.replace("3128", "x"))),
    (WxSession, lambda: WxSession(tokens=TOKEN)),  # type: ignore[arg-type]
    (WxSession, lambda: WxSession(tokens=TokenCache(StaticToken(TOKEN)), store=REDIS)),  # type: ignore[arg-type]
    (WxSession, WxSession.from_env),
    (WxSession, lambda: WxSession.from_env(proxy=PROXY)),
]
CONFIDENTIAL: Final = {
    *(
        "secret",
        "component_secret",
        "refresh_token",
        "ticket",
        "function",
        "source",
        "tokens",
        "store",
        "proxy",
        "url",
        "dsn",
    ),
}
"""Parameters of constructors that may hold a secret, or what is easily mistaken for one."""
KEPT: Final = {
    "AddedMaterial",
    "Article",
    "FileURL",
    "LedgerRow",
    "ListedAuthorizer",
    "MaterialItem",
    "Token",
    "TokenRecord",
}
"""Values without a check that could refuse such a parameter."""


@pytest.mark.parametrize("build", [build for _, build in REFUSED])
def test_a_constructor_that_refuses_its_arguments_shows_none(
    build: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No frame of the package holds a secret when a constructor raises, and neither does the error."""
    monkeypatch.delenv("WXASSET_APPID", raising=False)
    monkeypatch.setenv("WXASSET_SECRET", SECRET)
    with pytest.raises(WxAssetError) as caught:
        build()
    assert "CANARY" not in everything_shown(caught.value)
    for one in chain(caught.value):
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if "/tests/" not in frame.f_code.co_filename:
                assert "CANARY" not in "".join(f"{value!r}{value}" for value in frame.f_locals.values())


def test_every_constructor_that_takes_a_secret_is_tried() -> None:
    """Each public class with a parameter for a secret is among those that were tried."""
    public = {name: getattr(wxasset, name) for name in dir(wxasset)}
    taking = {
        name
        for name, one in public.items()
        if isinstance(one, type) and CONFIDENTIAL & inspect.signature(one).parameters.keys()
    }
    assert taking - KEPT <= {cls.__name__ for cls, _ in REFUSED}
