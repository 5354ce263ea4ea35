"""The calls of a third-party platform: what they send, what they return, what they hide."""

import json
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from policies import PATIENT
from raw_server import Connection, RawRequest, RawServer, reply, reset
from wxasset import (
    Ack,
    AuthorizerInfo,
    AuthorizerPage,
    AuthorizerToken,
    Call,
    ClearComponentQuota,
    ComponentToken,
    CreatePreauthCode,
    Effect,
    GetAuthorizerInfo,
    GetAuthorizerList,
    ListedAuthorizer,
    PreauthCode,
    QueriedAuthorization,
    QueryAuth,
    StartPushTicket,
    StaticToken,
    TokenCache,
    UploadOutcomeUnknown,
    WxSession,
    authorization_url,
)
from wxasset.calls import platform
from wxasset.calls.platform import GetAuthorizerListByToken
from wxasset.errors import APIError, CredentialError, DecodeError, UsageError, WxAssetError

SECRET: Final = "CANARYSECRET0123456789"
CODE: Final = "queryauthcode@@@CANARY0123456789"
COMPONENT: Final = ComponentToken("wxplatform", SECRET, "ticket@@@1")
READ, CREATE = Effect.READ, Effect.CREATE

# Each call of the official pages (wire reference 1.3 and 8.4) with its path, effect, token, response and body.
CALLS: Final[list[tuple[Call[Any], str, Effect, bool, Any, dict[str, Any]]]] = [
    (
        StartPushTicket(component_appid="wxp", component_secret=SECRET),
        "api_start_push_ticket",
        READ,
        False,
        Ack,
        {"component_appid": "wxp", "component_secret": SECRET},
    ),
    (
        CreatePreauthCode(component_appid="wxp"),
        "api_create_preauthcode",
        READ,
        True,
        PreauthCode,
        {"component_appid": "wxp"},
    ),
    (
        QueryAuth(component_appid="wxp", authorization_code=CODE),
        "api_query_auth",
        READ,
        True,
        QueriedAuthorization,
        {"component_appid": "wxp", "authorization_code": CODE},
    ),
    (
        GetAuthorizerInfo(component_appid="wxp", authorizer_appid="wxa"),
        "api_get_authorizer_info",
        READ,
        True,
        AuthorizerInfo,
        {"component_appid": "wxp", "authorizer_appid": "wxa"},
    ),
    (
        GetAuthorizerList(component_appid="wxp"),
        "api_get_authorizer_list",
        READ,
        True,
        AuthorizerPage,
        {"component_appid": "wxp", "offset": 0, "count": 500},
    ),
    (
        GetAuthorizerListByToken(component_appid="wxp", offset=500, component_access_token="CT"),
        "api_get_authorizer_list",
        READ,
        False,
        AuthorizerPage,
        {"component_appid": "wxp", "offset": 500, "count": 500},
    ),
    (
        ClearComponentQuota(component_appid="wxp", appsecret=SECRET),
        "clear_quota/v2",
        CREATE,
        False,
        Ack,
        {"component_appid": "wxp", "appsecret": SECRET},
    ),
    (
        ClearComponentQuota(component_appid="wxp", appsecret=SECRET, appid="wxa"),
        "clear_quota/v2",
        CREATE,
        False,
        Ack,
        {"component_appid": "wxp", "appsecret": SECRET, "appid": "wxa"},
    ),
]


@pytest.mark.parametrize(("call", "path", "effect", "authorized", "answer", "body"), CALLS)
def test_a_call_sends_what_the_official_page_says(
    call: Call[Any], path: str, effect: Effect, authorized: bool, answer: Any, body: dict[str, Any]
) -> None:
    """Path, effect, token, response type and body are those of the documentation, and the page is cited."""
    route = call.route
    assert (route.path, route.method) == (f"/cgi-bin/component/{path}", "POST")
    assert (route.effect, route.authorized, call.reply) == (effect, authorized, answer)
    assert json.loads(call.body() or b"") == body
    assert call.query() == (
        {"component_access_token": "CT"} if "component_access_token" in repr(vars(type(call))) else {}
    )
    assert "https://developers.weixin.qq.com/doc/" in "".join(one.__doc__ or "" for one in type(call).__mro__)


def test_every_declared_call_is_tested_here() -> None:
    """A call that is added to the module has a row in the table."""
    declared = {
        one
        for one in vars(platform).values()
        if isinstance(one, type) and issubclass(one, Call) and hasattr(one, "route")
    }
    assert declared == {type(call) for call, *_ in CALLS}


@pytest.mark.parametrize("call", [call for call, *_ in CALLS])
def test_secrets_do_not_show(call: Call[Any]) -> None:
    """Neither an AppSecret, nor an authorization code, nor a token is in a repr."""
    assert "CANARY" not in repr(call)
    assert "CT" not in repr(call)


async def test_an_authorization_code_is_exchanged_for_a_refresh_token(server: RawServer) -> None:
    """The call carries the platform's token as component_access_token; the sets are numbers, and no token shows."""
    functions = [{"funcscope_category": {"id": 1}}, {"funcscope_category": {"id": 11}, "confirm_info": {}}]
    server.script = [
        reply({"component_access_token": "platform-token", "expires_in": 7200}),
        reply(
            {
                "authorization_info": {
                    "authorizer_appid": "wxshop",
                    "authorizer_access_token": "CANARY-access",
                    "expires_in": 7200,
                    "authorizer_refresh_token": "CANARY-refresh",
                    "func_info": functions,
                }
            }
        ),
    ]
    async with WxSession(tokens=TokenCache(COMPONENT), base_url=server.url) as wx:
        found = await wx.call(QueryAuth(component_appid="wxplatform", authorization_code=CODE))
    assert found.authorization.authorizer_appid == "wxshop"
    assert found.authorization.authorizer_refresh_token == "CANARY-refresh"
    assert found.authorization.permission_sets == (1, 11)
    assert "CANARY" not in repr(found)
    query = parse_qs(urlsplit(server.requests[-1].line.split(" ")[1]).query)
    assert query == {"component_access_token": ["platform-token"]}


async def test_the_profile_of_an_account(server: RawServer) -> None:
    """Older responses name the account `appid`; a mini program is known by its settings."""
    profile = {
        "nick_name": "小店",
        "service_type_info": {"id": 2},
        "verify_type_info": {"id": -1, "name": "未认证"},
        "user_name": "gh_1",
        "MiniProgramInfo": {"network": {}, "visit_status": 0},
        "account_status": 1,
    }
    server.script = [reply({"authorizer_info": profile, "authorization_info": {"appid": "wxshop", "func_info": []}})]
    async with WxSession(tokens=StaticToken("platform-token"), base_url=server.url) as wx:
        found = await wx.call(GetAuthorizerInfo(component_appid="wxp", authorizer_appid="wxshop"))
    assert (found.profile.nick_name, found.profile.user_name, found.profile.account_status) == ("小店", "gh_1", 1)
    assert found.profile.service_type is not None
    assert found.profile.service_type.id == 2
    assert found.profile.mini_program is not None
    assert found.authorization is not None
    assert found.authorization.authorizer_appid == "wxshop"


async def echo(request: RawRequest, connection: Connection) -> None:
    """Refuse a request, and repeat all of it."""
    sent = json.dumps(json.loads(request.body))
    await connection.send(reply({"errcode": 61003, "errmsg": f"{request.line} {sent}"}))


@pytest.mark.parametrize("call", [call for call, *_ in CALLS])
@pytest.mark.parametrize("answer", [echo, reply({"odd": "CANARY-refresh"})])
async def test_no_secret_is_in_an_error(server: RawServer, call: Call[Any], answer: Any) -> None:
    """An echoed AppSecret or code, and a token in a response that cannot be read, are left out."""
    server.script = [answer]
    async with WxSession(tokens=StaticToken("CANARY-platform-token"), base_url=server.url, retry=PATIENT) as wx:
        with pytest.raises(WxAssetError) as caught:
            await wx.call(call)
    assert "CANARY" not in f"{caught.value!s} {caught.value!r}"


async def test_a_wrong_secret_is_named_when_the_push_is_started(server: RawServer) -> None:
    """40001 from a call with the AppSecret means that this is wrong."""
    server.script = [reply({"errcode": 40001, "errmsg": "invalid credential"})]
    async with WxSession(tokens=StaticToken("t" * 20), base_url=server.url) as wx:
        with pytest.raises(CredentialError):
            await wx.call(StartPushTicket(component_appid="wxp", component_secret=SECRET))
    assert len(server.requests) == 1


async def test_a_reset_of_the_quota_is_not_repeated_blindly(server: RawServer) -> None:
    """The ten resets of a month are not spent on lost responses."""
    server.script = [reset]
    async with WxSession(tokens=StaticToken("t" * 20), base_url=server.url, retry=PATIENT) as wx:
        with pytest.raises(UploadOutcomeUnknown) as caught:
            await wx.call(ClearComponentQuota(component_appid="wxp", appsecret=SECRET))
    assert len(server.requests) == 1
    assert "CANARY" not in str(caught.value)


class Accounts:
    """The list of a platform's accounts, as long as `count` says."""

    def __init__(self, count: int) -> None:
        self.appids = [f"wx{number}" for number in range(count)]
        self.before: list[Any] = []  # functions to call before each page

    async def __call__(self, request: RawRequest, connection: Connection) -> None:
        """Answer a request for a page, or for a token."""
        if request.path.endswith("api_component_token"):
            await connection.send(reply({"component_access_token": "platform-token", "expires_in": 7200}))
            return
        if self.before:
            self.before.pop(0)()
        body = json.loads(request.body)
        assert body["component_appid"] == "wxplatform"
        page = self.appids[body["offset"] : body["offset"] + body["count"]]
        found = [{"authorizer_appid": one, "refresh_token": f"refreshtoken@@@{one}"} for one in page]
        await connection.send(reply({"total_count": len(self.appids), "list": found}))


async def test_all_accounts_are_listed_in_pages_of_500(server: RawServer) -> None:
    """1,001 accounts take three requests; the platform's appid comes from the source of tokens."""
    accounts = Accounts(1001)
    server.script = [accounts]
    async with WxSession(tokens=COMPONENT, base_url=server.url) as wx:
        found = [one async for one in wx.iter_authorizers()]
    assert [one.authorizer_appid for one in found] == accounts.appids
    assert found[7] == ListedAuthorizer(authorizer_appid="wx7", refresh_token="refreshtoken@@@wx7")
    assert len(server.requests) == 4  # one of them for the token


async def test_an_account_that_withdraws_meanwhile_hides_no_other(server: RawServer) -> None:
    """The rest of the list moves forward, and the iteration steps back: each account comes once."""
    accounts = Accounts(1200)
    accounts.before = [lambda: None, lambda: accounts.appids.__delitem__(slice(0, 3))]
    server.script = [accounts]
    async with WxSession(tokens=StaticToken("platform-token"), base_url=server.url) as wx:
        found = [one.authorizer_appid async for one in wx.iter_authorizers("wxplatform")]
    assert found == [f"wx{number}" for number in range(1200)]


async def test_a_page_that_fails_says_where_to_continue(server: RawServer) -> None:
    """The error of a page names the accounts before it and the offset; that offset continues there."""
    accounts = Accounts(600)
    server.script = [accounts, reply({"errcode": 48001, "errmsg": "api unauthorized"})]
    async with WxSession(tokens=StaticToken("platform-token"), base_url=server.url) as wx:
        with pytest.raises(APIError, match=r"500 accounts came before; continue with offset=500\."):
            _ = [one async for one in wx.iter_authorizers("wxplatform")]
        server.script = [accounts]
        assert len([one async for one in wx.iter_authorizers("wxplatform", offset=500)]) == 100


async def test_a_list_without_refresh_tokens(server: RawServer) -> None:
    """WeChat leaves the refresh token of some accounts out."""
    server.script = [reply({"total_count": 1, "list": [{"authorizer_appid": "wx1", "auth_time": 1685428690}]})]
    async with WxSession(tokens=StaticToken("platform-token"), base_url=server.url) as wx:
        (found,) = [one async for one in wx.iter_authorizers("wxplatform")]
    assert found.refresh_token is None


@pytest.mark.parametrize(
    ("tokens", "told"),
    [
        (StaticToken("platform-token"), "component_appid= is missing"),
        (AuthorizerToken(COMPONENT, "wxshop", "refreshtoken@@@1"), "takes the token of the platform"),
    ],
)
async def test_a_session_that_cannot_list_accounts(server: RawServer, tokens: Any, told: str) -> None:
    """Nothing is sent without the platform's appid, or with the token of an account."""
    async with WxSession(tokens=tokens, base_url=server.url) as wx:
        with pytest.raises(UsageError, match=told):
            _ = [one async for one in wx.iter_authorizers()]
    assert server.connections == 0


@pytest.mark.parametrize(("field", "value"), [("offset", -1), ("count", 0), ("count", 501), ("component_appid", "")])
def test_a_page_that_there_is_not(field: str, value: object) -> None:
    """Offsets, sizes and names that WeChat would refuse are refused before anything is sent."""
    arguments: dict[str, Any] = {"component_appid": "wxp", field: value}
    with pytest.raises(UsageError, match=f"{field}="):
        GetAuthorizerList(**arguments)


def test_the_page_for_desktop_browsers() -> None:
    """The address has the official host, path and parameters; the redirect is escaped."""
    address = urlsplit(authorization_url("wxp", "preauthcode@@@1", "https://p.example/done?shop=1&a=b"))
    assert (address.scheme, address.netloc, address.path) == (
        "https",
        "mp.weixin.qq.com",
        "/cgi-bin/componentloginpage",
    )
    assert parse_qs(address.query) == {
        "component_appid": ["wxp"],
        "pre_auth_code": ["preauthcode@@@1"],
        "redirect_uri": ["https://p.example/done?shop=1&a=b"],
    }


def test_the_page_for_mobile_devices() -> None:
    """The address ends with the fragment that WeChat's browser wants, and may offer one account alone."""
    address = urlsplit(
        authorization_url("wxp", "p", "https://p.example", device="mobile", auth_type=1, biz_appid="wxshop")
    )
    assert (address.netloc, address.path) == ("open.weixin.qq.com", "/wxaopen/safe/bindcomponent")
    assert address.fragment == "wechat_redirect"
    assert parse_qs(address.query) == {
        "action": ["bindcomponent"],
        "no_scan": ["1"],
        "component_appid": ["wxp"],
        "pre_auth_code": ["p"],
        "redirect_uri": ["https://p.example"],
        "auth_type": ["1"],
        "biz_appid": ["wxshop"],
    }


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"component_appid": ""}, "component_appid="),
        ({"pre_auth_code": None}, "pre_auth_code="),
        ({"redirect_uri": "p.example/done"}, "redirect_uri="),
        ({"device": "phone"}, "device="),
    ],
)
def test_an_address_that_cannot_be_made(arguments: dict[str, Any], told: str) -> None:
    """A mistake is named, without the code."""
    good = {"component_appid": "wxp", "pre_auth_code": "CANARY", "redirect_uri": "https://p.example"}
    with pytest.raises(UsageError, match=told) as caught:
        authorization_url(**(good | arguments))
    assert "CANARY" not in str(caught.value)


async def test_a_response_without_its_keys_is_an_error(server: RawServer) -> None:
    """A page without the number of all accounts is not taken for an empty list."""
    server.script = [reply({"list": []})]
    async with WxSession(tokens=StaticToken("platform-token"), base_url=server.url) as wx:
        with pytest.raises(DecodeError, match="total_count"):
            _ = [one async for one in wx.iter_authorizers("wxplatform")]
