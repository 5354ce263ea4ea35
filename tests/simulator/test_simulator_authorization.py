"""The round of a third-party platform: codes, what an account has granted, quotas and addresses."""

from collections.abc import AsyncIterator

import pytest

from simulated import COUNT, START, Answer, call, token_of
from wxasset.simulator import Simulator, SimulatorOptions

PLATFORM = "/cgi-bin/component/"


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    """A running simulator whose clock stands still."""
    async with Simulator(clock=lambda: START) as running:
        yield running


async def component_token(sim: Simulator) -> str:
    """A new token of the platform."""
    asked = {
        "component_appid": sim.component_appid,
        "component_appsecret": sim.component_appsecret,
        "component_verify_ticket": sim.push_verify_ticket(),
    }
    return str((await call(sim, f"{PLATFORM}api_component_token", asked)).document["component_access_token"])


async def ask(sim: Simulator, token: str, name: str, **asked: object) -> Answer:
    """Call one of the platform's endpoints with its token."""
    asked = {"component_appid": sim.component_appid, **asked}
    return await call(sim, PLATFORM + name, asked, component_access_token=token)


async def test_from_a_code_to_a_call(sim: Simulator) -> None:
    """A pre-authorization code, the user's authorization and its code lead to tokens of the account."""
    token = await component_token(sim)
    created = (await ask(sim, token, "api_create_preauthcode")).document
    assert (list(created), created["expires_in"]) == (["pre_auth_code", "expires_in"], 1800)
    shop = sim.add_account()
    code = sim.platform.authorize(shop.appid, permission_sets={11, 3}, pre_auth_code=created["pre_auth_code"])
    info = (await ask(sim, token, "api_query_auth", authorization_code=code)).document["authorization_info"]
    assert info["authorizer_appid"] == shop.appid
    assert info["authorizer_refresh_token"] == sim.platform.refresh_token(shop.appid)
    assert info["func_info"] == [{"funcscope_category": {"id": 3}}, {"funcscope_category": {"id": 11}}]
    assert (await call(sim, COUNT, access_token=info["authorizer_access_token"])).errcode == 0


async def test_an_authorization_code_works_once_and_for_a_while(sim: Simulator) -> None:
    """A used or unknown code is 61009, an old one 61010, one of an ended authorization 61003."""
    token = await component_token(sim)
    used, old, ended = (sim.platform.authorize(sim.appid) for _ in range(3))
    codes = [(await ask(sim, token, "api_query_auth", authorization_code=used)).errcode for _ in range(2)]
    assert codes == [0, 61009]
    assert (await ask(sim, token, "api_query_auth")).errcode == 61009
    sim.platform.unauthorize(sim.appid)
    assert (await ask(sim, token, "api_query_auth", authorization_code=ended)).errcode == 61003
    sim.advance(600)
    assert (await ask(sim, token, "api_query_auth", authorization_code=old)).errcode == 61010
    sim.options = SimulatorOptions(authorization_code_seconds=60)
    late = sim.platform.authorize(sim.appid)
    sim.advance(60)
    assert (await ask(sim, token, "api_query_auth", authorization_code=late)).errcode == 61010


async def test_a_code_of_the_platform_expires(sim: Simulator) -> None:
    """The page of WeChat takes no pre-authorization code after 1,800 seconds, nor an invented one."""
    code = (await ask(sim, await component_token(sim), "api_create_preauthcode")).document["pre_auth_code"]
    sim.advance(1800)
    for given in (code, "preauthcode@@@none"):
        with pytest.raises(ValueError, match="pre_auth_code is unknown or expired"):
            sim.platform.authorize(sim.appid, pre_auth_code=given)


async def test_an_authorizer_is_described(sim: Simulator) -> None:
    """The kind of account and its permission sets are told; of a stranger nothing is."""
    token = await component_token(sim)
    shop = sim.add_account(options=SimulatorOptions(account_kind="mini_program", verified=False))
    sim.platform.authorize(shop.appid, permission_sets={49})
    told = (await ask(sim, token, "api_get_authorizer_info", authorizer_appid=shop.appid)).document
    assert (told["authorizer_info"]["verify_type_info"], "MiniProgramInfo" in told["authorizer_info"]) == (
        {"id": -1},
        True,
    )
    assert told["authorization_info"] == {
        "authorizer_appid": shop.appid,
        "authorizer_refresh_token": sim.platform.refresh_token(shop.appid),
        "func_info": [{"funcscope_category": {"id": 49}}],
    }
    own = (await ask(sim, token, "api_get_authorizer_info", authorizer_appid=sim.appid)).document
    assert ("MiniProgramInfo" in own["authorizer_info"], len(own["authorization_info"]["func_info"])) == (False, 14)
    stranger = sim.add_account()
    assert (await ask(sim, token, "api_get_authorizer_info", authorizer_appid=stranger.appid)).errcode == 61003


@pytest.mark.parametrize("asked", [{"offset": -1, "count": 1}, {"offset": 0, "count": "1"}, {"count": 1}])
async def test_a_page_of_authorizers_has_numbers(sim: Simulator, asked: dict[str, object]) -> None:
    """An offset or count of another form is 40097."""
    assert (await ask(sim, await component_token(sim), "api_get_authorizer_list", **asked)).errcode == 40097


async def test_only_the_platform_uses_its_endpoints(sim: Simulator) -> None:
    """The token of an account is 61014, another component_appid 61011, no token 41001."""
    names = ("api_create_preauthcode", "api_query_auth", "api_get_authorizer_info", "api_get_authorizer_list")
    own, token = await token_of(sim), await component_token(sim)
    for name in names:
        assert (await ask(sim, own, name)).errcode == 61014
        assert (await ask(sim, token, name, component_appid="wx0")).errcode == 61011
        assert (await ask(sim, "", name)).errcode == 41001


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 0),
        ({"component_appid": "wx0"}, 40013),
        ({"component_secret": "bad"}, 40125),
        ({"component_secret": ""}, 41004),
    ],
)
async def test_the_push_service_knows_its_platform(sim: Simulator, changes: dict[str, str], code: int) -> None:
    """api_start_push_ticket takes component_secret, not component_appsecret."""
    asked = {"component_appid": sim.component_appid, "component_secret": sim.component_appsecret, **changes}
    assert (await call(sim, f"{PLATFORM}api_start_push_ticket", asked)).errcode == code


async def test_the_platform_clears_its_quota_with_its_secret(sim: Simulator) -> None:
    """Without a token, as the quota of api_component_token needs it; with an appid it clears that of an authorizer."""
    shop = sim.add_account(options=SimulatorOptions(daily_limits={"/cgi-bin/token": 1}))
    sim.platform.authorize(shop.appid)
    token = {"grant_type": "client_credential", "appid": shop.appid, "secret": shop.secret}
    component = f"{PLATFORM}api_component_token"
    sim.options = SimulatorOptions(daily_limits={component: 1})
    await component_token(sim)
    asked = {"component_appid": sim.component_appid, "component_appsecret": sim.component_appsecret}
    clear = {"component_appid": sim.component_appid, "appsecret": sim.component_appsecret}
    ticket = sim.push_verify_ticket()
    assert (await call(sim, component, {**asked, "component_verify_ticket": ticket})).errcode == 45009
    assert (await call(sim, f"{PLATFORM}clear_quota/v2", clear)).errcode == 0
    assert (await call(sim, component, {**asked, "component_verify_ticket": ticket})).errcode == 0
    assert [(await call(sim, "/cgi-bin/token", query=token)).errcode for _ in range(2)] == [0, 45009]
    assert (await call(sim, f"{PLATFORM}clear_quota/v2", {**clear, "appid": shop.appid})).errcode == 0
    assert (await call(sim, "/cgi-bin/token", query=token)).errcode == 0
    for changes, code in (
        ({"appsecret": "bad"}, 40125),
        ({"component_appid": "wx0"}, 40013),
        ({"appid": sim.add_account().appid}, 61003),
    ):
        assert (await call(sim, f"{PLATFORM}clear_quota/v2", {**clear, **changes})).errcode == code


async def test_the_platform_clears_its_quota_with_its_token(sim: Simulator) -> None:
    """clear_quota takes the platform's token with its appid, ten times a month as for an account."""
    token = await component_token(sim)
    own = {"appid": sim.component_appid}
    codes = [(await call(sim, "/cgi-bin/clear_quota", own, access_token=token)).errcode for _ in range(9)]
    codes += [(await ask(sim, token, "clear_quota")).errcode for _ in range(2)]
    assert codes == [0] * 10 + [48006]
    assert (await ask(sim, token, "clear_quota", component_appid="wx0")).errcode == 61011
    assert (await call(sim, "/cgi-bin/clear_quota", {"appid": sim.appid}, access_token=token)).errcode == 40013
    account = await token_of(sim)
    assert (await call(sim, "/cgi-bin/clear_quota", {"appid": sim.appid}, access_token=account)).errcode == 0


async def test_an_address_that_is_not_listed_is_refused_everywhere(sim: Simulator) -> None:
    """Calls with a token get 61004 with the address (wire reference 8.3, 8.4); a switch leaves the list to tokens."""
    token, account = await component_token(sim), await token_of(sim)
    strangers = frozenset({"203.0.113.7", "10.0.0.0/8"})
    sim.options = SimulatorOptions(allowed_addresses=strangers)
    refused = await call(sim, COUNT, access_token=account)
    assert refused.errcode == 61004
    assert refused.document["errmsg"].startswith("access clientip is not registered requestIP: 127.0.0.1 rid: ")
    assert (await ask(sim, token, "api_get_authorizer_list", offset=0, count=1)).errcode == 61004
    sim.options = SimulatorOptions(allowed_addresses=strangers, addresses_for_calls=False)
    assert (await call(sim, COUNT, access_token=account)).errcode == 0
    assert (await ask(sim, token, "api_get_authorizer_list", offset=0, count=1)).errcode == 61004
    sim.options = SimulatorOptions(allowed_addresses=frozenset({"127.0.0.0/8"}))
    assert (await call(sim, COUNT, access_token=account)).errcode == 0
    with pytest.raises(ValueError, match=r"127\.0\.0\.0\.0"):
        SimulatorOptions(allowed_addresses=frozenset({"127.0.0.0.0"}))


async def test_the_list_of_the_platform_holds_for_its_authorizers(sim: Simulator) -> None:
    """A call on behalf of an account comes from the platform's addresses, whatever the account itself lists."""
    shop = sim.add_account(options=SimulatorOptions(allowed_addresses=frozenset({"203.0.113.7"})))
    code = sim.platform.authorize(shop.appid)
    info = (await ask(sim, await component_token(sim), "api_query_auth", authorization_code=code)).document
    token = info["authorization_info"]["authorizer_access_token"]
    assert (await call(sim, COUNT, access_token=token)).errcode == 0
    sim.options = SimulatorOptions(allowed_addresses=frozenset({"203.0.113.7"}))
    assert (await call(sim, COUNT, access_token=token)).errcode == 61004


async def test_no_code_or_token_stands_in_the_journal(sim: Simulator) -> None:
    """Codes are secrets as well, also where a program sends them in the query."""
    await call(sim, f"{PLATFORM}api_query_auth", {}, authorization_code="secret-code", pre_auth_code="secret-code")
    assert "secret-code" not in str(sim.journal)
