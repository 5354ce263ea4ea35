"""Responses of a token endpoint without a token: one request, an error that names the credentials, then a pause."""

from collections.abc import Callable
from typing import Any

import anyio.lowlevel
import pytest

from clocks import Clock
from policies import PATIENT
from raw_server import Connection, RawRequest, RawServer, reply
from wxasset import (
    AuthorizerToken,
    ClassicToken,
    ComponentToken,
    RetryPolicy,
    StableToken,
    Token,
    TokenCache,
    WxSession,
)
from wxasset.calls.tokens import GetStableAccessToken
from wxasset.errors import (
    APIError,
    ConnectError,
    CredentialError,
    DecodeError,
    HTTPStatusError,
    IPNotAllowedError,
    WxAssetError,
)

SECRET = "CANARY0123456789CANARY0123456789"
COUNT = reply({"voice_count": 0, "video_count": 0, "image_count": 0, "news_count": 0})
TOKEN = {"access_token": "CANARYtoken", "expires_in": 7200}
ONCE = RetryPolicy(attempts=1)


async def failures(wx: WxSession, count: int = 20) -> list[WxAssetError]:
    """Call WeChat repeatedly; return the errors."""
    found = []
    for _ in range(count):
        with pytest.raises(WxAssetError) as caught:
            await wx.count_materials()
        found.append(caught.value)
    return found


@pytest.mark.parametrize("kind", [StableToken, ClassicToken])
@pytest.mark.parametrize("code", [40001, 40014, 42001, "40001"])
async def test_the_code_of_a_rejected_token_means_a_wrong_secret_at_a_token_endpoint(
    server: RawServer, kind: Callable[[str, str], StableToken | ClassicToken], code: int | str
) -> None:
    """40001 or 40014 from a token endpoint is a `CredentialError`, requested once for 20 calls."""
    server.token_script = [reply({"errcode": code, "errmsg": "invalid credential, access_token is invalid"})]
    async with WxSession(tokens=kind("wx1", SECRET), base_url=server.url, retry=PATIENT) as wx:
        found = await failures(wx)
    assert {type(one) for one in found} == {CredentialError}
    assert "AppSecret" in found[0].hint.english
    assert "AppSecret" in found[0].hint.chinese
    assert "stable" not in found[0].hint.english
    assert len(server.token_requests) == 1
    assert server.requests == []


async def test_a_wrong_secret_is_a_credential_error_also_in_a_direct_call(server: RawServer) -> None:
    """`wx.call` of a token endpoint names the credentials as well."""
    server.token_script = [reply({"errcode": 40001, "errmsg": "invalid credential"})]
    async with WxSession("wx1", SECRET, base_url=server.url) as wx:
        with pytest.raises(CredentialError):
            await wx.call(GetStableAccessToken(appid="wx1", secret=SECRET))
    assert len(server.token_requests) == 1


@pytest.mark.parametrize("code", [40030, 40066, 47001, 99999])
async def test_any_refusal_of_a_token_endpoint_is_followed_by_a_pause(server: RawServer, code: int) -> None:
    """A refusal with an unknown code would be repeated as well: one request for 20 calls."""
    server.token_script = [reply({"errcode": code, "errmsg": "no"})]
    async with WxSession("wx1", SECRET, base_url=server.url, retry=PATIENT) as wx:
        found = await failures(wx)
    assert {type(one) for one in found} == {APIError}
    assert len(server.token_requests) == 1


UNUSABLE = [
    b"",
    b" \r\n",
    b"<html><body>CANARY</body></html>",
    b"null",
    b"[1]",
    b'{"access_token":"CANARYtoken","expires_in":7200',
    {},
    {"access_token": "CANARYtoken"},
    {"expires_in": 7200},
    {"code": "INVALID_PARAM", "message": "CANARY"},
    {**TOKEN, "access_token": ""},
    {**TOKEN, "access_token": " "},
    {**TOKEN, "access_token": 7},
    {**TOKEN, "access_token": "null"},
    {**TOKEN, "access_token": True},
    {**TOKEN, "access_token": ["CANARYtoken"]},
    {**TOKEN, "access_token": "CANARY token"},
    {**TOKEN, "access_token": "CANARY\ntoken"},
    {**TOKEN, "access_token": "<p>CANARY</p>"},
    {**TOKEN, "access_token": "CANARY" * 1000},
    {**TOKEN, "expires_in": 0},
    {**TOKEN, "expires_in": -5},
    {**TOKEN, "expires_in": None},
    {**TOKEN, "expires_in": True},
    {**TOKEN, "expires_in": "soon"},
    {**TOKEN, "expires_in": [7200]},
    {**TOKEN, "expires_in": 7_200_000},
    {**TOKEN, "expires_in": 10**17},
    b'{"access_token":"CANARYtoken","expires_in":NaN}',
    b'{"access_token":"CANARYtoken","expires_in":' + b"9" * 5000 + b"}",
    b'{"access_token":"CANARYtoken","expires_in":7200}' + b" " * 300_000,
]


@pytest.mark.parametrize("kind", [StableToken, ClassicToken])
@pytest.mark.parametrize("body", UNUSABLE, ids=range(len(UNUSABLE)))
async def test_a_response_without_a_token_names_the_credentials_and_is_followed_by_a_pause(
    server: RawServer, kind: Callable[[str, str], StableToken | ClassicToken], body: Any
) -> None:
    """Whatever an unusable response looks like, 20 calls send one request, and credentials are a possible cause."""
    server.token_script = [reply(body, "text/html; charset=gbk")]
    async with WxSession(tokens=kind("wx1", SECRET), base_url=server.url, retry=ONCE) as wx:
        found = await failures(wx)
    assert len(server.token_requests) == 1
    assert server.requests == []
    assert {one.hint for one in found} == {found[0].hint}
    assert "credentials" in found[0].hint.english
    assert "凭据" in found[0].hint.chinese
    assert "CANARY" not in f"{found} {found[0]}"


@pytest.mark.parametrize("endpoint", ["api_component_token", "api_authorizer_token"])
@pytest.mark.parametrize("body", [b"", b"<html></html>", {}, {"expires_in": 7200}, {"errcode": 99999}])
async def test_the_endpoints_of_a_platform_are_followed_by_a_pause_too(
    server: RawServer, endpoint: str, body: Any
) -> None:
    """A platform's own endpoints are requested once for 20 calls as well."""
    asked: list[str] = []

    async def platform(request: RawRequest, connection: Connection) -> None:
        asked.append(request.path.rsplit("/", 1)[1])
        token = {"component_access_token": "platform", "expires_in": 7200}
        await connection.send(reply(body if asked[-1] == endpoint else token))

    server.script = [platform]
    source = AuthorizerToken(ComponentToken("wxplatform", SECRET, "ticket@@@1"), "wx1", "refreshtoken@@@1")
    async with WxSession(tokens=source, base_url=server.url, retry=ONCE) as wx:
        found = await failures(wx)
    assert asked == ["api_component_token", "api_authorizer_token"][: 2 if endpoint == "api_authorizer_token" else 1]
    if body != {"errcode": 99999}:
        assert {type(one) for one in found} == {DecodeError}
        assert "credentials" in found[-1].hint.english


@pytest.mark.parametrize("status", ["302 Found", "403 Forbidden", "404 Not Found"])
async def test_a_page_with_another_status_is_followed_by_a_pause(server: RawServer, status: str) -> None:
    """A token endpoint behind a gateway that refuses is requested once for 20 calls."""
    server.token_script = [reply(b"<html></html>", "text/html", status=status)]
    async with WxSession("wx1", SECRET, base_url=server.url, retry=PATIENT) as wx:
        found = await failures(wx)
    assert {type(one) for one in found} == {HTTPStatusError}
    assert len(server.token_requests) == 1


async def test_a_token_endpoint_that_recovers_is_used_after_the_pause(server: RawServer) -> None:
    """An empty page is requested again within one call; later failures are followed by 30 seconds of silence."""
    clock = Clock()
    server.token_script = [reply(b""), reply(b""), reply(b""), reply(TOKEN)]
    server.script = [COUNT]
    cache = TokenCache(StableToken("wx1", SECRET), now=clock)
    async with WxSession(tokens=cache, base_url=server.url, retry=PATIENT) as wx:
        (error,) = await failures(wx, 1)
        assert isinstance(error, DecodeError)
        assert len(server.token_requests) == 3
        clock.time += 29
        await failures(wx, 3)
        assert len(server.token_requests) == 3
        clock.time += 2
        await wx.count_materials()
    assert len(server.token_requests) == 4


async def test_a_busy_token_endpoint_is_not_followed_by_a_pause(server: RawServer) -> None:
    """503 and -1 pass: the next call requests a token at once."""
    server.token_script = [
        reply(b"<html></html>", status="503 Service Unavailable"),
        reply({"errcode": -1, "errmsg": "system error"}),
        reply(TOKEN),
    ]
    server.script = [COUNT]
    async with WxSession("wx1", SECRET, base_url=server.url, retry=ONCE) as wx:
        await failures(wx, 2)
        await wx.count_materials()


class Plan:
    """A token source that follows a plan."""

    def __init__(self, *steps: Token | Exception) -> None:
        self.steps = list(steps)

    async def fetch(self, exchange: Any, *, previous: Token | None, rejected: bool) -> Token:
        """Take the next step."""
        del exchange, previous, rejected
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step


@pytest.mark.parametrize(
    "later", [ConnectError("No connection."), OSError("a fault of the source"), HTTPStatusError("503", status=503)]
)
async def test_another_kind_of_failure_replaces_a_remembered_refusal(later: Exception) -> None:
    """A 40164 that was followed by a network failure is over: the next call fetches a token."""
    clock = Clock()
    not_listed = IPNotAllowedError(errcode=40164, errmsg="invalid ip", ip="203.0.113.7")
    source = Plan(Token(value="first", expires_in=7200), not_listed, later, Token(value="second", expires_in=7200))
    cache = TokenCache(source, now=clock)
    seen = []
    for at in (0, 6970, 7125, 7145):
        clock.time = 1000.0 + at
        seen.append((await cache.acquire(nothing)).value)
        await settle()
    assert seen == ["first", "first", "first", "second"]
    assert source.steps == []


async def test_another_refusal_replaces_a_remembered_one() -> None:
    """The newest refusal is raised during the pause after it."""
    clock = Clock()
    wrong = CredentialError(errcode=40125, errmsg="invalid appsecret")
    cache = TokenCache(Plan(IPNotAllowedError(errcode=40164, errmsg="invalid ip"), wrong), now=clock)
    for at, kind in ((0, IPNotAllowedError), (29, IPNotAllowedError), (31, CredentialError), (60, CredentialError)):
        clock.time = 1000.0 + at
        with pytest.raises(kind):
            await cache.acquire(nothing)


async def nothing(call: Any, /) -> Any:
    """Make no call."""
    raise AssertionError(call)


async def settle() -> None:
    """Let the fetch in the background end."""
    for _ in range(5):
        await anyio.lowlevel.checkpoint()
