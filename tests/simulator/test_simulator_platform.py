"""A third-party platform against the simulator, by hand and through the client's own source."""

import pytest
from attrs import evolve

from simulated import COUNT, Answer, call, still_simulator, token_of
from wxasset import AuthorizerToken, ComponentToken, WxSession
from wxasset.errors import APIError, CredentialError
from wxasset.simulator import Simulator, SimulatorOptions

sim = still_simulator


COMPONENT = "/cgi-bin/component/api_component_token"
AUTHORIZER = "/cgi-bin/component/api_authorizer_token"


async def component(sim: Simulator, **changes: str) -> Answer:
    """Ask for the platform's token with a ticket just pushed."""
    asked = {
        "component_appid": sim.component_appid,
        "component_appsecret": sim.component_appsecret,
        "component_verify_ticket": changes.get("component_verify_ticket") or sim.push_verify_ticket(),
    }
    return await call(sim, COMPONENT, {**asked, **changes})


async def authorizer(sim: Simulator, token: str, name: str = "component_access_token", **changes: str) -> Answer:
    """Ask for the account's token with a token of the platform."""
    asked = {
        "component_appid": sim.component_appid,
        "authorizer_appid": sim.appid,
        "authorizer_refresh_token": sim.authorizer_refresh_token,
    }
    return await call(sim, AUTHORIZER, {**asked, **changes}, query={name: token})


async def platform_token(sim: Simulator) -> str:
    """A token of the platform."""
    return str((await component(sim)).document["component_access_token"])


@pytest.mark.parametrize("name", ["component_access_token", "access_token"])
async def test_from_a_ticket_to_a_call(sim: Simulator, name: str) -> None:
    """A ticket buys the platform's token, that buys the account's, and that works as access_token."""
    first = (await component(sim)).document
    assert (list(first), first["expires_in"]) == (["component_access_token", "expires_in"], 7200)
    second = (await authorizer(sim, first["component_access_token"], name)).document
    assert list(second) == ["authorizer_access_token", "expires_in", "authorizer_refresh_token"]
    assert second["authorizer_refresh_token"].startswith("refreshtoken@@@")
    assert (await call(sim, COUNT, access_token=second["authorizer_access_token"])).errcode == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"component_appid": "wx0"}, 61011),
        ({"component_appsecret": "bad"}, 40125),
        ({"component_appsecret": ""}, 41004),
        ({"component_verify_ticket": "ticket@@@none"}, 61006),
    ],
)
async def test_the_platform_is_judged(sim: Simulator, changes: dict[str, str], code: int) -> None:
    """Its appid, secret and ticket each have a code."""
    assert (await component(sim, **changes)).errcode == code


async def test_the_tokens_of_a_platform_have_a_quota(sim: Simulator) -> None:
    """Both endpoints count their calls, where an option limits them."""
    token = await platform_token(sim)
    sim.options = SimulatorOptions(daily_limits={COMPONENT: 2, AUTHORIZER: 1})
    assert [(await component(sim)).errcode for _ in range(2)] == [0, 45009]
    assert [(await authorizer(sim, token)).errcode for _ in range(2)] == [0, 45009]


async def test_a_ticket_lives_for_twelve_hours(sim: Simulator) -> None:
    """After that it is 61005, also where a newer one has been pushed."""
    ticket = sim.push_verify_ticket()
    sim.advance(12 * 3_600 - 1)
    sim.push_verify_ticket()
    assert (await component(sim, component_verify_ticket=ticket)).errcode == 0
    sim.advance(1)
    assert (await component(sim, component_verify_ticket=ticket)).errcode == 61005


async def test_the_platform_has_a_whitelist(sim: Simulator) -> None:
    """An address that is not on it gets 61004 from both endpoints."""
    token = await platform_token(sim)
    sim.options = SimulatorOptions(allowed_addresses=frozenset({"203.0.113.7"}))
    assert (await component(sim)).errcode == 61004
    assert (await authorizer(sim, token)).errcode == 61004


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"component_appid": "wx0"}, 61011),
        ({"authorizer_appid": "wx0"}, 61003),
        ({"authorizer_refresh_token": "refreshtoken@@@none"}, 61023),
    ],
)
async def test_the_authorization_is_judged(sim: Simulator, changes: dict[str, str], code: int) -> None:
    """The platform, the account and the refresh token each have a code."""
    assert (await authorizer(sim, await platform_token(sim), **changes)).errcode == code


async def test_each_kind_of_token_has_its_place(sim: Simulator) -> None:
    """The platform's token is none of the account's, nor the other way round; none at all is missing."""
    platform = await platform_token(sim)
    assert (await authorizer(sim, await token_of(sim))).errcode == 61014
    assert (await call(sim, COUNT, access_token=platform)).errcode == 61015
    assert (await authorizer(sim, "")).errcode == 41001
    sim.advance(7200)
    assert (await authorizer(sim, platform)).errcode == 42001


async def test_a_refresh_token_is_good_until_a_later_one_is_used(sim: Simulator) -> None:
    """The refresh token of a reply that got lost can be replaced; one that was overtaken is refused."""
    platform = await platform_token(sim)
    first = sim.authorizer_refresh_token
    await authorizer(sim, platform, authorizer_refresh_token=first)
    again = (await authorizer(sim, platform, authorizer_refresh_token=first)).document["authorizer_refresh_token"]
    assert (await authorizer(sim, platform, authorizer_refresh_token=again)).errcode == 0
    assert (await authorizer(sim, platform, authorizer_refresh_token=first)).errcode == 61023
    assert (await authorizer(sim, platform, authorizer_refresh_token=sim.authorize_platform())).errcode == 0
    assert (await authorizer(sim, platform, authorizer_refresh_token=again)).errcode == 61023


async def test_refresh_tokens_can_stay_the_same(sim: Simulator) -> None:
    """With the switch off a reply brings the refresh token that was sent."""
    sim.options = SimulatorOptions(rotate_refresh_token=False)
    reply = (await authorizer(sim, await platform_token(sim))).document
    assert reply["authorizer_refresh_token"] == sim.authorizer_refresh_token


async def test_what_is_not_granted_is_refused_to_the_platform_alone(sim: Simulator) -> None:
    """An endpoint of other permission sets is 61007 to the platform's token and open to the account's own."""
    reply = (await authorizer(sim, await platform_token(sim))).document
    token = reply["authorizer_access_token"]
    sim.options = SimulatorOptions(permission_sets=frozenset({3}))
    assert (await call(sim, COUNT, access_token=token)).errcode == 61007
    assert (await call(sim, "/cgi-bin/material/get_material", {}, access_token=token)).errcode == 41006
    assert (await call(sim, COUNT, access_token=await token_of(sim))).errcode == 0


async def test_the_platform_deletes_cloud_files_with_its_own_token(sim: Simulator) -> None:
    """The calls for cloud files stand under /componenttcb as well."""
    fileid = sim.add_cloud_file("env", "a.png", b"1")
    asked = {"env": "env", "fileid_list": [fileid]}
    platform = await platform_token(sim)
    reply = await call(sim, "/componenttcb/batchdeletefile", asked, access_token=platform)
    assert (reply.document["delete_list"][0]["status"], sim.cloud_files) == (0, {})
    assert (await call(sim, "/componenttcb/batchdeletefile", asked, access_token=await token_of(sim))).errcode == 61014


def session_of(sim: Simulator) -> WxSession:
    """A session of the platform, which fetches every ticket anew."""

    async def ticket() -> str:
        return sim.push_verify_ticket()

    platform = ComponentToken(sim.component_appid, sim.component_appsecret, ticket)
    return WxSession(tokens=AuthorizerToken(platform, sim.appid, sim.authorizer_refresh_token), base_url=sim.url)


async def test_the_client_works_for_a_platform(sim: Simulator) -> None:
    """The client's own source fetches both tokens, and calls with the one of the account."""
    async with session_of(sim) as wx:
        assert (await wx.count_materials()).image == 0
    assert [(entry.path, entry.errcode, entry.token) for entry in sim.journal] == [
        (COMPONENT, 0, None),
        (AUTHORIZER, 0, 1),
        (COUNT, 0, 2),
    ]


async def test_the_client_tells_what_is_wrong_with_a_platform(sim: Simulator) -> None:
    """A secret that is wrong is a matter of credentials, and so is an authorization that was withdrawn."""
    platform = ComponentToken(sim.component_appid, "wrong", sim.push_verify_ticket())
    async with WxSession(
        tokens=AuthorizerToken(platform, sim.appid, sim.authorizer_refresh_token), base_url=sim.url
    ) as wx:
        with pytest.raises(CredentialError, match="40125"):
            await wx.count_materials()
    session = session_of(sim)
    sim.authorize_platform()
    async with session as wx:
        with pytest.raises(CredentialError, match="61023"):
            await wx.count_materials()


async def test_the_client_tells_what_the_account_has_not_granted(sim: Simulator) -> None:
    """61007 reaches the caller as what it is."""
    sim.options = evolve(sim.options, permission_sets=frozenset({1}))
    async with session_of(sim) as wx:
        with pytest.raises(APIError) as caught:
            await wx.count_materials()
    assert caught.value.errcode == 61007
