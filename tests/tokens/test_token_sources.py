"""Every way to get a token: what each source asks for, what it returns, and which error names the cure."""

import asyncio
import functools
import inspect
import json
import math
import os
import pickle
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest
from attrs import define, field
from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from wechatpy import WeChatClient
from wechatpy.session.redisstorage import RedisStorage

import redis_server as support
from canaries import everything_shown
from policies import PATIENT
from raw_server import Connection, RawRequest, RawServer, reply
from redis_server import RedisServer
from wxasset import RetryPolicy
from wxasset.calls.base import Call
from wxasset.calls.tokens import (
    GetAuthorizerToken,
    GetComponentToken,
    IssuedAuthorizerToken,
    IssuedComponentToken,
    IssuedToken,
)
from wxasset.errors import (
    CredentialError,
    DecodeError,
    TokenRejectedError,
    TokenUnavailableError,
    UsageError,
    WxAssetError,
)
from wxasset.session import WxSession
from wxasset.tokens.cache import TokenCache
from wxasset.tokens.classic_source import ClassicToken
from wxasset.tokens.component_source import ComponentToken
from wxasset.tokens.given_sources import CallableToken, StaticToken
from wxasset.tokens.hosting_source import CloudHostingToken
from wxasset.tokens.platform_source import AuthorizerToken
from wxasset.tokens.redis_source import RedisToken, token_in
from wxasset.tokens.sources import NoToken, StableToken
from wxasset.tokens.store import MemoryTokenStore
from wxasset.tokens.token import Token, TokenSource

R = TypeVar("R")

redis_server = support.redis_server

SECRET = "CANARYSECRET0123456789abcdefghij"
TICKET = "ticket@@@CANARYTICKET0123456789"
REFRESH = "refreshtoken@@@CANARYREFRESH0123"
NEWER = "refreshtoken@@@CANARYNEWER4567"
TOKEN = "CANARYTOKEN" + "x" * 110
COUNT = reply({"voice_count": 0, "video_count": 0, "image_count": 0, "news_count": 0})
REFUSED = reply({"errcode": 40001, "errmsg": "invalid credential, access_token is invalid or not latest"})


async def nobody(call: Call[R], /) -> R:
    """The exchange of a source that makes no calls."""
    raise AssertionError(f"{call.route.path} was called")


async def fetched(source: TokenSource, refused: str | None = None) -> Token:
    """The token of a source that makes no calls; `refused` is the one before, refused by WeChat."""
    previous = None if refused is None else Token(value=refused, expires_in=7200)
    return await source.fetch(nobody, previous=previous, rejected=refused is not None)


async def failure(source: TokenSource, refused: str | None = None) -> TokenUnavailableError:
    """The error of such a source; it pickles, names a cure in two languages, and shows no secret."""
    with pytest.raises(TokenUnavailableError) as caught:
        await fetched(source, refused)
    error = caught.value
    assert "CANARY" not in everything_shown(error) + repr(source)
    assert error.remedy is not None
    assert error.hint.english in str(pickle.loads(pickle.dumps(error)))  # noqa: S301 - our own
    return error


def query(request: RawRequest) -> str:
    """The query of a request."""
    return request.line.split(" ")[1].partition("?")[2]


# The stable token


@define
class Stable:
    """A token endpoint whose token never changes; it notes when a refresh was forced.

    Attributes:
        now: Its time, in seconds.
        forced: When a refresh was forced.
    """

    now: float = 1000.0
    forced: list[float] = field(factory=list)

    async def __call__(self, call: Call[R], /) -> R:
        """Answer a call."""
        if getattr(call, "force_refresh", False):
            self.forced.append(self.now)
        answer: Any = IssuedToken("same", 7200)
        return answer  # type: ignore[no-any-return]  # the reply of every call that is made here

    async def refuse(self, source: StableToken) -> Token:
        """Fetch again, since the token was refused."""
        return await source.fetch(self, previous=Token(value="same", expires_in=1), rejected=True)


async def test_the_ration_of_forced_refreshes_is_kept() -> None:
    """However often the token is refused: 30 s between forced refreshes, 20 in any 24 hours, and never an error."""
    wechat = Stable()
    source = StableToken("wx1", SECRET, now=lambda: wechat.now)
    for _ in range(1000):
        assert (await wechat.refuse(source)).value == "same"
        wechat.now += 1
    assert len(wechat.forced) == 20
    assert [later - earlier for earlier, later in zip(wechat.forced, wechat.forced[1:], strict=False)] == [30.0] * 19
    wechat.now = wechat.forced[0] + 86_399
    await wechat.refuse(source)
    assert len(wechat.forced) == 20
    wechat.now += 1
    await wechat.refuse(source)
    await wechat.refuse(source)
    assert len(wechat.forced) == 21, "the first of them is a day old, the second is not"


async def test_normal_mode_comes_first_and_may_be_enough() -> None:
    """No refresh is forced on a first fetch, after an expiry, or where normal mode brings another token."""
    wechat = Stable()
    source = StableToken("wx1", SECRET, now=lambda: wechat.now)
    for previous, rejected in [(None, True), ("same", False), ("other", True)]:
        before = None if previous is None else Token(value=previous, expires_in=1)
        await source.fetch(wechat, previous=before, rejected=rejected)
    assert wechat.forced == []


async def test_a_forced_refresh_that_failed_is_counted() -> None:
    """What may have been counted by WeChat is counted here, also where its answer was lost."""
    wechat = Stable()
    source = StableToken("wx1", SECRET, now=lambda: wechat.now)

    async def lost(call: Call[R], /) -> R:
        if getattr(call, "force_refresh", False):
            raise TokenUnavailableError("lost")
        return await wechat(call)

    with pytest.raises(TokenUnavailableError, match="lost"):
        await source.fetch(lost, previous=Token(value="same", expires_in=1), rejected=True)
    await wechat.refuse(source)
    assert wechat.forced == []


# One token, and the function of a central service


async def test_a_static_token_is_used_as_it_is(server: RawServer) -> None:
    """The given token is sent, as the parameter that was named, and no token is ever fetched."""
    server.script = [COUNT]
    for source in (StaticToken("given-token"), StaticToken("pushed", parameter="cloudbase_access_token")):
        async with WxSession(tokens=source, base_url=server.url) as wx:
            await wx.count_materials()
            await wx.count_materials()
    assert [query(one) for one in server.requests] == [
        *["access_token=given-token"] * 2,
        *["cloudbase_access_token=pushed"] * 2,
    ]
    assert server.token_requests == []


async def test_a_static_token_that_is_refused(server: RawServer) -> None:
    """A refused static token is not sent again: the error says so, and what to use instead."""
    server.script = [REFUSED]
    async with WxSession(tokens=StaticToken(TOKEN), base_url=server.url) as wx:
        with pytest.raises(TokenUnavailableError, match=r"given to StaticToken.*StableToken\(appid, secret\)"):
            await wx.count_materials()
    assert len(server.requests) == 1
    await failure(StaticToken(TOKEN), refused=TOKEN)


@pytest.mark.parametrize("value", ["", " ", "token\n", "to ken", '"token"', b"token", None, "<html>", "é", "x" * 2049])
def test_a_static_token_has_to_be_one(value: Any) -> None:
    """What cannot be a token is refused at once, and is not shown."""
    with pytest.raises(UsageError, match="has to be the token itself") as caught:
        StaticToken(value)
    assert "ken" not in str(caught.value).replace("token itself", "").replace("StaticToken", "")


def test_a_static_token_is_sent_in_one_of_three_parameters() -> None:
    """The parameter is one that WeChat knows."""
    wrong: Any = "token"
    with pytest.raises(UsageError, match="parameter= has to be one of 'access_token', "):
        StaticToken("t", parameter=wrong)


async def test_a_function_gives_the_newest_token(server: RawServer) -> None:
    """The user's function is asked again after a refusal, and when its token has lived for `lifetime`."""
    now, given = 0.0, 0

    async def central() -> str:
        nonlocal given
        given += 1
        return f"central-{given}"

    server.script = [COUNT, REFUSED, COUNT]
    cache = TokenCache(CallableToken(central, lifetime=20.0), now=lambda: now)
    async with WxSession(tokens=cache, base_url=server.url) as wx:
        await wx.count_materials()
        await wx.count_materials()
        now += 21
        await wx.count_materials()
    assert [query(one) for one in server.requests] == [f"access_token=central-{number}" for number in (1, 1, 2, 3)]


class Central:
    """An object that is called like an async function."""

    async def __call__(self) -> str:
        """Return the token."""
        return "called"

    async def method(self) -> Token:
        """A method that says how long its token lives."""
        return Token(value="own", expires_in=5, parameter="cloudbase_access_token")


async def keyed(name: str) -> str:
    """A function of one argument."""
    return f"keyed-{name}"


async def test_what_counts_as_an_async_function() -> None:
    """Methods, partial functions and callable objects will do; a `Token` keeps its own life and parameter."""
    assert await fetched(CallableToken(Central())) == Token(value="called", expires_in=60.0)
    assert await fetched(CallableToken(functools.partial(keyed, "a"))) == Token(value="keyed-a", expires_in=60.0)
    own = Token(value="own", expires_in=5, parameter="cloudbase_access_token")
    assert await fetched(CallableToken(Central().method)) == own


@pytest.mark.parametrize("function", [None, "token", lambda: "token", Central, Central.__call__(Central())])
def test_a_function_that_is_not_async_is_refused(function: Any) -> None:
    """A plain function, a class, a text or a coroutine object is refused, with the way to write it."""
    try:
        with pytest.raises(UsageError, match="async def token"):
            CallableToken(function)
    finally:
        if asyncio.iscoroutine(function):
            function.close()


@pytest.mark.parametrize("lifetime", [0, -1, True, "60", None, math.nan])
def test_a_lifetime_is_a_number_of_seconds(lifetime: Any) -> None:
    """A lifetime that is no positive number is refused."""
    with pytest.raises(UsageError, match="lifetime= has to be a number of seconds above 0"):
        CallableToken(Central(), lifetime=lifetime)


@pytest.mark.parametrize(
    "result",
    [
        "",
        "CANARY TOKEN",
        "<html>CANARY</html>",
        b"CANARY",
        None,
        {"access_token": "CANARY"},
        Token(value="", expires_in=60),
        Token(value="CANARY", expires_in=0),
        Token(value="CANARY", expires_in=math.nan),
        Token(value=b"CANARY", expires_in=60),  # type: ignore[arg-type]  # what a user may do
    ],
)
async def test_a_function_that_returns_no_token(result: Any) -> None:
    """What is no token is an error that says what is wanted, and does not show what came."""

    async def central() -> Any:
        return result

    error = await failure(CallableToken(central))
    assert "returned no token" in error.message


async def test_a_function_that_fails() -> None:
    """The function's error is the cause, named by its class alone; an error of this package passes unchanged."""

    async def broken() -> str:
        raise LookupError("the password is CANARY")

    source = CallableToken(broken)
    with pytest.raises(TokenUnavailableError, match="failed with LookupError") as caught:
        await fetched(source)
    assert isinstance(caught.value.__cause__, LookupError)
    assert "CANARY" not in f"{caught.value} {caught.value!r} {caught.value.args}"

    own = UsageError("mine")

    async def ours() -> str:
        raise own

    with pytest.raises(UsageError) as passed:
        await fetched(CallableToken(ours))
    assert passed.value is own


async def test_a_function_that_returns_the_refused_token() -> None:
    """The token that WeChat refused is not used again; another one is."""

    async def central() -> str:
        return TOKEN

    error = await failure(CallableToken(central), refused=TOKEN)
    assert "still returns the same one" in error.message
    assert (await fetched(CallableToken(central), refused="older")).value == TOKEN


# Cloud hosting


@define
class Mounted:
    """A token file, and a clock.

    Attributes:
        path: The file.
        now: Unix time in seconds.
        pushes: Contents of the file after each of the next waits.
        slept: The waits.
    """

    path: Path
    now: float = 1_700_000_000.0
    pushes: list[bytes] = field(factory=list)
    slept: list[float] = field(factory=list)

    @property
    def source(self) -> CloudHostingToken:
        """A source that reads it."""
        return CloudHostingToken(self.path, now=lambda: self.now, sleep=self.sleep)

    async def sleep(self, seconds: float) -> None:
        """Let time pass; the next push comes in it."""
        self.now += seconds
        self.slept.append(seconds)
        if self.pushes:
            await asyncio.to_thread(self.push, self.pushes.pop(0))

    def push(self, content: bytes, age: float = 0.0) -> None:
        """Write the file, some seconds ago."""
        self.path.write_bytes(content)
        os.utime(self.path, (self.now - age, self.now - age))


@pytest.fixture
def mounted(tmp_path: Path) -> Mounted:
    """A place for a token file."""
    return Mounted(tmp_path / "cloudbase_access_token")


async def test_the_mounted_file_is_read_again_when_it_may_have_changed(server: RawServer, mounted: Mounted) -> None:
    """The file's token rides in `cloudbase_access_token`; a push is seen 30 s later, or at once after a refusal."""
    mounted.push(b"pushed-1\n")
    server.script = [COUNT, COUNT, REFUSED, COUNT]
    ticks = 0.0
    cache = TokenCache(mounted.source, now=lambda: ticks)
    async with WxSession(tokens=cache, base_url=server.url) as wx:
        await wx.count_materials()
        mounted.push(b"pushed-2")
        ticks += 30
        await wx.count_materials()
        mounted.push(b"pushed-3")
        await wx.count_materials()
    assert [query(one) for one in server.requests] == [f"cloudbase_access_token=pushed-{n}" for n in (1, 2, 2, 3)]


@pytest.mark.parametrize("age", [-5.0, 0.0, 1800.0, 86_400.0])
async def test_how_long_a_pushed_token_is_used(mounted: Mounted, age: float) -> None:
    """A pushed token is used for 30 s and read again; the time of the file's last change proves nothing."""
    mounted.push(b"pushed", age)
    assert (await fetched(mounted.source)).expires_in == 30.0


async def test_the_first_push_is_waited_for(mounted: Mounted) -> None:
    """While the file holds the placeholder of a new container, it is read once a second until a token is there."""
    mounted.push(b"default-tcb-wx-access-token\n")
    mounted.pushes = [b"default-tcb-wx-access-token", b"default-tcb-wx-access-token", TOKEN.encode()]
    assert (await fetched(mounted.source)).value == TOKEN
    assert mounted.slept == [1.0, 1.0, 1.0]


async def test_a_first_push_that_does_not_come(mounted: Mounted) -> None:
    """After 10 minutes, in which a push is due, the wait ends with an error that names the file and its content."""
    mounted.push(b"default-tcb-wx-access-token")
    error = await failure(mounted.source)
    assert "still holds default-tcb-wx-access-token" in error.message
    assert str(mounted.path) in error.message
    assert "每 10 分钟" in error.hint.chinese
    assert sum(mounted.slept) == 600


async def test_the_deadline_of_a_call_bounds_the_wait_for_the_first_push(server: RawServer, mounted: Mounted) -> None:
    """A call gives up at its own deadline, with the reason; nothing was sent."""
    mounted.push(b"default-tcb-wx-access-token")
    retry = RetryPolicy(timeout=0.1)
    async with WxSession(tokens=CloudHostingToken(mounted.path), base_url=server.url, retry=retry) as wx:
        with pytest.raises(TokenUnavailableError, match="still holds default-tcb-wx-access-token"):
            await wx.count_materials()
    assert server.requests == []


async def test_a_pushed_token_that_is_refused(mounted: Mounted) -> None:
    """While the file holds the refused token there is none; the next push brings one."""
    mounted.push(TOKEN.encode())
    assert "still holds the same one" in (await failure(mounted.source, refused=TOKEN)).message
    mounted.push(b"next")
    assert (await fetched(mounted.source, refused=TOKEN)).value == "next"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"CANARY" * 700, "has more than 4096 bytes"),
        ("CANARY令牌".encode(), "holds no token"),
        (b"CANARY\x00", "holds no token"),
        (b'{"access_token": "CANARY"}', "holds no token"),
        (b"x" * 2049, "holds no token"),
    ],
)
async def test_a_file_without_a_token(mounted: Mounted, content: bytes, problem: str) -> None:
    """Each defect of the file is named, with the mount path and the console's switch, and nothing of its content."""
    mounted.push(content)
    error = await failure(mounted.source)
    assert f"{mounted.path} {problem}" in error.message
    assert "/.tencentcloudbase/wx/cloudbase_access_token" in error.hint.english
    assert "微信令牌权限配置" in error.hint.chinese
    assert "NoToken()" in error.hint.chinese


async def test_a_file_that_cannot_be_read(mounted: Mounted, tmp_path: Path) -> None:
    """A missing file, a directory, a pipe and an impossible name are errors, and none of them blocks."""
    os.mkfifo(tmp_path / "pipe")
    problems = {
        mounted.path: "cannot be read (No such file or directory)",
        tmp_path: "is no regular file",
        tmp_path / "pipe": "is no regular file",
        Path("a\0b"): "cannot be read (ValueError)",
    }
    for path, problem in problems.items():
        assert problem in (await failure(CloudHostingToken(path))).message
    assert CloudHostingToken().path == "/.tencentcloudbase/wx/cloudbase_access_token"


@pytest.mark.parametrize("path", ["", None, 3, b"token"])
def test_the_mounted_file_has_a_name(path: Any) -> None:
    """A path is a text or a path object."""
    with pytest.raises(UsageError, match="path has to name the mounted file"):
        CloudHostingToken(path)


async def test_no_token_at_all() -> None:
    """Inside cloud hosting there is nothing to send; a refusal says where to list the API's path."""
    assert await fetched(NoToken()) == Token(value="", expires_in=math.inf, parameter="")
    error = await failure(NoToken(), refused="")
    assert "微信令牌权限配置" in error.hint.english
    assert "微信令牌权限配置" in error.hint.chinese


async def test_a_call_from_inside_cloud_hosting(server: RawServer) -> None:
    """A session without a token sends none, and a refusal is not answered with a second call."""
    server.script = [COUNT, REFUSED]
    async with session(server, NoToken()) as wx:
        await wx.count_materials()
        with pytest.raises(TokenUnavailableError, match="开放接口服务"):
            await wx.count_materials()
    assert [query(one) for one in server.requests] == ["", ""]


# The third-party platform


@define
class Platform:
    """WeChat, as a third-party platform sees it.

    Attributes:
        asked: The platform calls so far: path, query and body.
        refuse: What the next platform calls are answered with, in order; None for a token.
        fresh: The refresh tokens that come with the account's tokens, in order; the last one stays.
    """

    asked: list[tuple[str, str, dict[str, str]]] = field(factory=list)
    refuse: list[int | None] = field(factory=list)
    fresh: list[str | None] = field(factory=lambda: [NEWER])
    api: list[bytes] = field(factory=lambda: [COUNT])

    async def __call__(self, request: RawRequest, connection: Connection) -> None:
        """Answer a request."""
        if not request.path.startswith("/cgi-bin/component/"):
            await connection.send(self.api.pop(0) if len(self.api) > 1 else self.api[0])
            return
        name = request.path.rsplit("/", 1)[1]
        self.asked.append((name, query(request), json.loads(request.body)))
        code = self.refuse.pop(0) if self.refuse else None
        number = sum(one[0] == name for one in self.asked)
        answer: Mapping[str, object] = {"component_access_token": f"platform-{number}", "expires_in": 7200}
        if name == "api_authorizer_token":
            fresh = self.fresh.pop(0) if len(self.fresh) > 1 else self.fresh[0]
            answer = {"authorizer_access_token": f"account-{number}", "expires_in": 7200}
            answer |= {} if fresh is None else {"authorizer_refresh_token": fresh}
        await connection.send(reply({"errcode": code, "errmsg": "no"} if code else dict(answer)))

    @property
    def names(self) -> list[str]:
        """The platform calls so far."""
        return [name for name, _, _ in self.asked]

    @property
    def refreshed_with(self) -> list[str]:
        """The refresh tokens that were used."""
        return [body["authorizer_refresh_token"] for name, _, body in self.asked if name == "api_authorizer_token"]


@pytest.fixture
def wechat(server: RawServer) -> Platform:
    """The platform's side of the server."""
    platform = Platform()
    server.script = [platform]
    return platform


async def ticket() -> str:
    """The newest ticket."""
    return TICKET


def authorizer(component: TokenCache | ComponentToken | None = None) -> AuthorizerToken:
    """The token of one account."""
    return AuthorizerToken(component or ComponentToken("wxplatform", SECRET, ticket), "wxaccount", REFRESH)


def session(server: RawServer, tokens: TokenCache | TokenSource) -> WxSession:
    """A session on the server."""
    return WxSession(tokens=tokens, base_url=server.url, retry=PATIENT)


async def test_the_way_from_a_ticket_to_a_call(server: RawServer, wechat: Platform) -> None:
    """Ticket, platform token, account token, call: each is sent where WeChat wants it."""
    async with session(server, authorizer()) as wx:
        await wx.count_materials()
    assert wechat.asked == [
        (
            "api_component_token",
            "",
            {
                "component_appid": "wxplatform",
                "component_appsecret": SECRET,
                "component_verify_ticket": TICKET,
            },
        ),
        (
            "api_authorizer_token",
            "component_access_token=platform-1",
            {
                "component_appid": "wxplatform",
                "authorizer_appid": "wxaccount",
                "authorizer_refresh_token": REFRESH,
            },
        ),
    ]
    assert query(server.requests[-1]) == "access_token=account-1"
    assert server.token_requests == []


async def test_the_newest_refresh_token_is_used(server: RawServer, wechat: Platform) -> None:
    """Each reply's refresh token serves for the next fetch; a reply without one leaves the last in force."""
    wechat.fresh = ["second", None, "", "third"]
    wechat.api = [REFUSED, COUNT]
    ticks = 0.0
    async with session(server, TokenCache(authorizer(), now=lambda: ticks)) as wx:
        for _ in range(4):
            await wx.count_materials()
            ticks += 7200
            wechat.api = [COUNT]
    assert wechat.refreshed_with == [REFRESH, "second", "second", "second", "third"]


async def test_a_newer_refresh_token_in_the_store_counts(server: RawServer, wechat: Platform) -> None:
    """Another process starts with the refresh token that the first one left in the store, not with its own."""
    store = MemoryTokenStore()
    for wall in (1_000_000.0, 1_007_200.0):
        cache = TokenCache(authorizer(), store=store, clock=functools.partial(float, wall))
        async with session(server, cache) as wx:
            await wx.count_materials()
    assert wechat.refreshed_with == [REFRESH, NEWER]


@pytest.mark.parametrize("code", [61023, 42002])
async def test_an_account_that_authorized_again(server: RawServer, wechat: Platform, code: int) -> None:
    """Where WeChat refuses the kept refresh token, the one that was given is tried: it may be the newer one."""
    wechat.refuse = [None, code]
    async with session(server, nothing := TokenCache(authorizer())) as wx:
        nothing._previous = Token(value="old", expires_in=0, refresh_token="kept")
        await wx.count_materials()
    assert wechat.refreshed_with == ["kept", REFRESH]


async def test_a_refresh_token_that_is_refused(server: RawServer, wechat: Platform) -> None:
    """61023 is raised after one call, and its hint speaks of the refresh token."""
    wechat.refuse = [None, 61023]
    async with session(server, authorizer()) as wx:
        with pytest.raises(CredentialError) as caught:
            await wx.count_materials()
    assert (caught.value.errcode, wechat.refreshed_with) == (61023, [REFRESH])
    assert "authorizer_refresh_token" in caught.value.hint.english
    assert "CANARY" not in everything_shown(caught.value)


async def test_another_refusal_leaves_the_given_refresh_token_alone(server: RawServer, wechat: Platform) -> None:
    """A refusal that is not about the refresh token is raised as it is."""
    wechat.refuse = [None, 61007]
    async with session(server, nothing := TokenCache(authorizer())) as wx:
        nothing._previous = Token(value="old", expires_in=0, refresh_token=NEWER)
        with pytest.raises(WxAssetError) as caught:
            await wx.count_materials()
    assert wechat.refreshed_with == [NEWER]
    assert "CANARY" not in everything_shown(caught.value)


@pytest.mark.parametrize("code", [40001, 40014, 42001, 42006])
async def test_a_platform_token_that_is_refused_is_replaced_once(
    server: RawServer, wechat: Platform, code: int
) -> None:
    """The platform's token is fetched anew and the account's asked for once more; then the refusal is raised."""
    wechat.refuse = [None, code]
    async with session(server, authorizer()) as wx:
        await wx.count_materials()
    assert [one[:2] for one in wechat.asked] == [
        ("api_component_token", ""),
        ("api_authorizer_token", "component_access_token=platform-1"),
        ("api_component_token", ""),
        ("api_authorizer_token", "component_access_token=platform-2"),
    ]


async def test_a_platform_token_that_is_refused_twice(server: RawServer, wechat: Platform) -> None:
    """A second refusal is raised, shows nothing, and the platform's token is not used again."""
    wechat.refuse = [None, 40001, None, 40001]
    async with session(server, authorizer()) as wx:
        with pytest.raises(TokenRejectedError) as caught:
            await wx.count_materials()
        assert caught.value.path == "/cgi-bin/component/api_authorizer_token"
        assert "CANARY" not in everything_shown(caught.value)
        wechat.asked.clear()
        with pytest.raises(TokenRejectedError):
            await wx.count_materials()
    assert "api_authorizer_token" not in wechat.names, "the cache rations the platform's tokens"


async def test_accounts_share_the_platforms_token(server: RawServer, wechat: Platform) -> None:
    """Any number of accounts on one `TokenCache` fetch the platform's token once."""
    cache = TokenCache(ComponentToken("wxplatform", SECRET, TICKET))
    for account in ("wxone", "wxtwo"):
        async with session(server, AuthorizerToken(cache, account, REFRESH)) as wx:
            await wx.count_materials()
    assert wechat.names.count("api_component_token") == 1
    assert [body.get("authorizer_appid") for _, _, body in wechat.asked[1:]] == ["wxone", "wxtwo"]


async def test_a_fresh_ticket_is_asked_for_each_time(server: RawServer, wechat: Platform) -> None:
    """The ticket function is called for each platform token, so the newest push counts."""
    tickets = iter(["ticket@@@first", "ticket@@@second"])

    async def newest() -> str:
        return next(tickets)

    wechat.refuse = [None, 42001]
    async with session(server, authorizer(ComponentToken("wxplatform", SECRET, newest))) as wx:
        await wx.count_materials()
    sent = [body["component_verify_ticket"] for _, _, body in wechat.asked if "component_verify_ticket" in body]
    assert sent == ["ticket@@@first", "ticket@@@second"]


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ("", "str that is empty or holds blanks"),
        ("CANARY ticket", "str that is empty or holds blanks"),
        (b"CANARY", "gave bytes"),
        (None, "gave NoneType"),
    ],
)
async def test_a_ticket_that_is_none(server: RawServer, result: Any, said: str) -> None:
    """A ticket that is empty or no text is an error that tells where tickets come from; nothing is sent."""

    async def newest() -> Any:
        return result

    source = ComponentToken("wxplatform", SECRET, newest)
    assert said in (await failure(source)).message
    async with session(server, authorizer(source)) as wx:
        with pytest.raises(TokenUnavailableError, match=said) as caught:
            await wx.count_materials()
    assert "授权事件接收 URL" in caught.value.hint.chinese
    assert "CANARY" not in everything_shown(caught.value)
    assert server.requests == []


async def test_a_ticket_that_cannot_be_read() -> None:
    """A ticket function that fails is named with its error as the cause."""

    async def newest() -> str:
        raise OSError("CANARY")

    with pytest.raises(TokenUnavailableError, match="component_verify_ticket function failed with OSError") as caught:
        await fetched(ComponentToken("wxplatform", SECRET, newest))
    assert isinstance(caught.value.__cause__, OSError)
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize("code", [61005, 61006, 40125, 40001, 40014])
async def test_a_ticket_or_secret_that_is_refused(server: RawServer, wechat: Platform, code: int) -> None:
    """WeChat's refusal of the ticket or the secret is raised after one call, for 30 seconds, and shows neither."""
    wechat.refuse = [code]
    async with session(server, authorizer()) as wx:
        with pytest.raises(CredentialError) as caught:
            await wx.count_materials()
        for _ in range(20):
            with pytest.raises(CredentialError):
                await wx.count_materials()
    assert caught.value.path == "/cgi-bin/component/api_component_token"
    assert wechat.names == ["api_component_token"]
    assert "CANARY" not in everything_shown(caught.value)


@pytest.mark.parametrize(
    "answers",
    [
        [IssuedComponentToken("", 7200)],
        [IssuedComponentToken("CANARYx", 0)],
        [IssuedComponentToken("platform", 7200), IssuedAuthorizerToken("", 7200, "CANARYr")],
        [IssuedComponentToken("platform", 7200), IssuedAuthorizerToken("CANARYx", -1, "CANARYr")],
    ],
)
async def test_a_platform_token_without_a_life(answers: list[Any]) -> None:
    """An empty token, or one that does not live, is an answer that cannot be used."""

    async def exchange(_: Call[R], /) -> R:
        answer: R = answers.pop(0)
        return answer

    with pytest.raises(DecodeError, match="/cgi-bin/component/api_") as caught:
        await authorizer().fetch(exchange, previous=None, rejected=False)
    assert "CANARY" not in everything_shown(caught.value)
    assert answers == []


WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: ComponentToken("", SECRET, ticket), "component_appid is missing"),
    (lambda: ComponentToken("wxplatform", "", ticket), "component_secret is missing"),
    (lambda: ComponentToken("wxplatform", SECRET, ""), "ticket has to be an async function"),
    (lambda: ComponentToken("wxplatform", SECRET, lambda: TICKET), "ticket has to be an async"),  # type: ignore[arg-type, return-value]  # what a user may do
    (lambda: AuthorizerToken(authorizer().component, "", REFRESH), "authorizer_appid is missing"),
    (lambda: AuthorizerToken(authorizer().component, "wx", " "), "refresh_token has to be the authorizer"),
    (lambda: AuthorizerToken(authorizer().component, "wx", lambda: REFRESH), "refresh_token has to be the authorizer"),  # type: ignore[arg-type, return-value]  # the same
    (lambda: AuthorizerToken("wxplatform", "wx", REFRESH), "component has to be a source of component tokens"),  # type: ignore[arg-type]  # the same
    (lambda: AuthorizerToken(authorizer(), "wx", REFRESH), "not AuthorizerToken"),
    (lambda: AuthorizerToken(StableToken("wx", SECRET), "wx", REFRESH), "not StableToken"),
    (lambda: AuthorizerToken(NoToken(), "wx", REFRESH), "not NoToken"),
    (lambda: AuthorizerToken(CloudHostingToken(), "wx", REFRESH), "component_appid is missing: CloudHostingToken"),
    (lambda: AuthorizerToken(authorizer().component, "wx", REFRESH, component_appid="wx2"), "component_appid is 'wx2'"),
    (lambda: AuthorizerToken(TokenCache(StaticToken("t")), "wx", REFRESH), "component_appid is missing: StaticToken"),
    (lambda: RedisToken("http://127.0.0.1", "key"), "url has to be the address of a Redis"),
    (lambda: RedisToken("redis://h:CANARY/0", "key"), "url has to be the address of a Redis"),
    (lambda: RedisToken("redis://:CANARY@h/0?socket_timeout=x", "key"), "url has to be the address of a Redis"),
    (lambda: RedisToken(6379, "key"), "url has to be the address of a Redis"),  # type: ignore[arg-type]  # the same
    (lambda: RedisToken("redis://h", ""), "key is missing"),
    (lambda: RedisToken("redis://h", "key", lifetime=0), "lifetime= has to be"),
    (lambda: RedisToken(None, "key"), "one of url and client="),
    (lambda: RedisToken("redis://h", "key", client=Redis()), "one of url and client="),
    (lambda: RedisToken(None, "key", client=BlockingRedis()), "client= has to be a redis.asyncio.Redis"),  # type: ignore[arg-type]  # the same
]


@pytest.mark.parametrize(("make", "message"), WRONG, ids=[message for _, message in WRONG])
def test_arguments_are_checked_at_once(make: Callable[[], object], message: str) -> None:
    """A wrong argument is refused when the source is made, with the cure and without the secret."""
    with pytest.raises(UsageError, match=message) as caught:
        make()
    assert "CANARY" not in f"{caught.value} {caught.value!r} {caught.value.args} {caught.value.__context__!r}"


def test_sources_name_their_account_and_show_no_secret() -> None:
    """What may be shared through a store names account and kind; a secret is in no `repr`."""
    sources: list[Any] = [
        StableToken("wx1", SECRET),
        ClassicToken("wx1", SECRET),
        ComponentToken("wxplatform", SECRET, TICKET),
        authorizer(),
    ]
    assert [(one.account, one.supersedes) for one in sources] == [
        ("stable wx1", False),
        ("classic wx1", True),
        ("component wxplatform", True),
        ("authorizer wxplatform wxaccount", True),
    ]
    others = [StaticToken(TOKEN), CallableToken(functools.partial(keyed, SECRET)), CloudHostingToken(), NoToken()]
    assert not [one for one in others if hasattr(one, "account")], "these belong to one process"
    calls = [
        GetComponentToken(component_appid="wx", component_appsecret=SECRET, component_verify_ticket=TICKET),
        GetAuthorizerToken(
            component_access_token=TOKEN,
            component_appid="wx",
            authorizer_appid="wx",
            authorizer_refresh_token=REFRESH,
        ),
        IssuedComponentToken(TOKEN, 1),
        IssuedAuthorizerToken(TOKEN, 1, REFRESH),
    ]
    assert "CANARY" not in repr([sources, others, calls])


# Tokens that other software keeps in Redis


def php(text: str) -> str:
    """A string as PHP serializes it."""
    return f's:{len(text.encode())}:"{text}";'


def kryo(text: str) -> bytes:
    """A string as Redisson's codec writes it."""
    length = len(text) + 1
    return bytes([3, 0xC0 | length & 0x3F, length >> 6]) + text.encode()


KEPT: dict[str, bytes | str] = {
    "plain text, as WxJava keeps it": TOKEN,
    "with a line end": f" {TOKEN}\r\n",
    "a JSON string, as wechatpy keeps it": f'"{TOKEN}"',
    "an object": json.dumps({"expires_in": 7200, "access_token": TOKEN, "备注": "令牌"}),
    "an object of Java's": json.dumps({"accessToken": TOKEN}),
    "an object in a JSON string": json.dumps(json.dumps({"access_token": TOKEN})),
    "bytes shown by Python": f"b'{TOKEN}'",
    "bytes in double quotes": f'b"{TOKEN}"',
    "single quotes": f"'{TOKEN}'",
    "a PHP string, as EasyWeChat 6 keeps it": php(TOKEN),
    "a PHP array, as EasyWeChat 5 keeps it": f"a:2:{{{php('access_token')}{php(TOKEN)}{php('expires_in')}i:7200;}}",
    "a PHP array with text before": f"a:2:{{{php('name')}{php('公众号')}{php('access_token')}{php(TOKEN)}}}",
    "JSON in a PHP string": php(json.dumps({"access_token": TOKEN, "name": "公众号"}, ensure_ascii=False)),
    "a string of ThinkPHP's": "think_serialize:" + php(TOKEN),
    "a string of Java's": b"\xac\xed\x00\x05t" + len(TOKEN).to_bytes(2, "big") + TOKEN.encode(),
    "a short string of igbinary": b"\x00\x00\x00\x02\x11" + bytes([len(TOKEN)]) + TOKEN.encode(),
    "a long string of igbinary": b"\x00\x00\x00\x02\x12\x01\x00" + b"x" * 256,
    "a string of Redisson's": kryo(TOKEN),
}

NOT_KEPT: dict[str, bytes | str] = {
    "nothing": "",
    "a word": "null",
    "a number, as in wechatpy's second key": "1700000000",
    "a JSON number": "17.5",
    "an empty JSON string": '""',
    "an object without a token": '{"errcode": 40001}',
    "an object with a number": '{"access_token": 7200}',
    "an array": '["CANARY"]',
    "broken JSON": '{"access_token": "CANARY',
    "deep JSON": '{"a":' * 5000,
    "texts in texts": json.dumps(json.dumps(json.dumps(json.dumps(TOKEN)))),
    "a page": "<html>CANARY</html>",
    "a PHP object": f'O:8:"stdClass":1:{{{php("access_token")}{php(TOKEN)}}}',
    "a PHP string that is cut": php(TOKEN)[:-3],
    "a PHP string of another length": 's:3:"CANARY";',
    "a PHP string without a length": 's:x:"CANARY";',
    "a PHP array without a token": f"a:1:{{{php('CANARY')}i:1;}}",
    "a PHP array that is cut": f'a:1:{{{php("access_token")}s:99:"CANARY";}}',
    "a pickle": pickle.dumps({"access_token": TOKEN}),
    "a string of Java's that is cut": b"\xac\xed\x00\x05t\x00\xff" + TOKEN.encode(),
    "a string of Redisson's that is cut": kryo(TOKEN)[:-1],
    "more than 16 KiB": json.dumps({"access_token": TOKEN, "rest": "x" * 17_000}),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_other_software_keeps_is_understood(name: str) -> None:
    """The token is found in each form, whether the client gives bytes or text."""
    value = KEPT[name]
    assert token_in(value) in {TOKEN, "x" * 256}
    if isinstance(value, str):
        assert token_in(value.encode()) == TOKEN


@pytest.mark.parametrize("name", NOT_KEPT)
def test_what_holds_no_token_is_told(name: str) -> None:
    """What is no token is not taken for one, and nothing is ever built from it."""
    assert token_in(NOT_KEPT[name]) is None


@define
class Keeper:
    """A client that answers from memory and notes what it is asked.

    Attributes:
        value: What the key holds; an exception is raised.
        left: What PTTL answers.
        asked: The commands so far.
    """

    value: object = TOKEN
    left: int = -1
    asked: list[tuple[str, ...]] = field(factory=list)

    async def execute_command(self, *words: str) -> object:
        """Answer a command."""
        self.asked.append(words)
        if isinstance(self.value, Exception):
            raise self.value
        return self.left if words[0] == "PTTL" else self.value


def kept_by(keeper: Any, key: str = "wx:access_token:wx1") -> RedisToken:
    """A source that reads through this client."""
    return RedisToken(None, key, client=keeper)


@pytest.mark.parametrize(
    ("left", "life"), [(-1, 30.0), (-2, 30.0), (7_200_000, 30.0), (12_000, 12.0), (1, 0.001), (0, 0.001)]
)
async def test_the_key_bounds_the_life_of_its_token(left: int, life: float) -> None:
    """The token is read again after `lifetime` seconds, or when its key ends, with GET and PTTL alone."""
    keeper = Keeper(left=left)
    source = kept_by(keeper)
    assert await fetched(source) == Token(value=TOKEN, expires_in=life)
    assert keeper.asked == [("PTTL", source.key), ("GET", source.key)]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "does not exist"),
        ("<html>CANARY</html>", "holds no token"),
        (ConnectionError("redis://:CANARY@host"), r"could not be read \(ConnectionError\)"),
        (RuntimeError("WRONGTYPE Operation against a key holding the wrong kind of value"), "holds no text"),
        (UnicodeDecodeError("utf-8", b"CANARY", 0, 1, "no"), r"could not be read \(UnicodeDecodeError\)"),
    ],
)
async def test_a_key_without_a_token(value: object, problem: str) -> None:
    """The error names the key and what is wrong with it, and shows neither value nor address."""
    error = await failure(kept_by(Keeper(value)))
    with pytest.raises(AssertionError, match=f"^wx:access_token:wx1 {problem}"):
        raise AssertionError(error.message.removeprefix("The Redis key "))


async def test_a_kept_token_that_is_refused() -> None:
    """While Redis holds the refused token there is none; when the other software has refreshed it there is."""
    keeper = Keeper()
    error = await failure(kept_by(keeper), refused=TOKEN)
    assert "still holds the very token" in error.message
    assert "对方程序" in error.hint.chinese
    keeper.value = "next"
    assert (await fetched(kept_by(keeper), refused=TOKEN)).value == "next"


async def test_a_key_that_holds_the_secret_does_not_show_it() -> None:
    """EasyWeChat 6 puts the AppSecret into the key's name: neither errors nor `repr` show it."""
    secret = "0123456789abcdef" * 2
    keeper = Keeper(None)
    source = kept_by(keeper, f"easywechat:official_account.access_token.wx0123456789abcdef.{secret}.0")
    error = await failure(source)
    assert secret not in everything_shown(error) + repr(source)
    assert "easywechat:official_account.access_token.wx0123456789abcdef.***.0" in f"{error}"
    assert keeper.asked[0][1] == source.key


def test_without_redis_py_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the extra is not installed, the source says how to install it."""
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(UsageError, match=r"pip install 'wxasset\[redis\]'"):
        RedisToken("redis://127.0.0.1/0", "key")


async def test_a_redis_that_is_down() -> None:
    """A Redis that cannot be reached is an error with the key, and without address and password."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    source = RedisToken(f"redis://:CANARY@127.0.0.1:{port}/0", "wx:access_token:wx1")
    error = await failure(source)
    assert "wx:access_token:wx1 could not be read (ConnectionError)" in error.message
    await source.aclose()


def _unnamed() -> dict[str, Any]:
    """Options of a client that does not look up its own version on the disk; redis-py before 7 has others for it."""
    known = inspect.signature(AbstractConnection.__init__).parameters
    return {"driver_info": None} if "driver_info" in known else {"lib_name": None, "lib_version": None}


async def opened(url: str, work: Callable[[BlockingRedis], object]) -> None:
    """Do as other software does, with a client of its own, off the event loop."""

    def do() -> None:
        with BlockingRedis.from_url(url) as client:
            work(client)

    await asyncio.to_thread(do)


async def test_beside_wechatpy_in_a_real_redis(redis_server: RedisServer, server: RawServer) -> None:
    """What wechatpy itself keeps in Redis is used, with no command that writes and no call for a token."""
    key = "wechatpy:wx1_access_token"

    def keep(token: str) -> Callable[[BlockingRedis], object]:
        def work(client: BlockingRedis) -> None:
            WeChatClient("wx1", "secret", session=RedisStorage(client)).session.set("wx1_access_token", token, 7200)

        return work

    await opened(redis_server.url, keep("first"))
    redis_server.command("CONFIG", "RESETSTAT")
    server.script = [COUNT, REFUSED, COUNT]
    source = RedisToken(redis_server.url, key)
    async with session(server, source) as wx:
        await wx.count_materials()
        used = redis_server.command("INFO", "commandstats").decode()
        await opened(redis_server.url, keep("second"))
        await wx.count_materials()
    await source.aclose()
    names = {line.split(":")[0].removeprefix("cmdstat_") for line in used.splitlines() if line.startswith("cmdstat_")}
    assert names - {"auth", "quit", "config|resetstat", "info"} == {"get", "pttl"}
    assert [query(one) for one in server.requests] == [f"access_token={n}" for n in ("first", "first", "second")]
    assert server.token_requests == []


async def test_a_real_redis_that_refuses(redis_server: RedisServer) -> None:
    """A wrong password, a key of another kind and one that is about to end, as a real Redis answers."""
    url = redis_server.url
    await opened(url, lambda client: client.hset("hash", "field", TOKEN))
    await opened(url, lambda client: client.set("short", TOKEN, px=5_000))
    async with Redis.from_url(url, decode_responses=True, **_unnamed()) as client:
        hashed = RedisToken(None, "hash", client=client)
        assert "holds no text" in (await failure(hashed)).message
        await hashed.aclose()
        assert 0 < (await fetched(RedisToken(None, "short", client=client))).expires_in <= 5
        assert "does not exist" in (await failure(RedisToken(None, "none", client=client))).message
    wrong = RedisToken(url.replace("CANARYPASSWORD", "CANARYWRONG"), "short")
    assert "could not be read (AuthenticationError)" in (await failure(wrong)).message
    await wrong.aclose()
