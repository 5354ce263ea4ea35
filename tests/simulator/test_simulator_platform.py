"""A third-party platform against the simulator, by hand and through the client's own source."""

from typing import Literal

import pytest
from attrs import evolve

from simulated import COUNT, Answer, call, still_simulator, token_of
from wxasset import AuthorizerToken, ComponentToken, WxSession
from wxasset.errors import APIError, CredentialError
from wxasset.simulator import Simulator, SimulatorOptions

sim = still_simulator


PLATFORM = "/cgi-bin/component"
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
        "authorizer_refresh_token": changes.get("authorizer_refresh_token") or sim.authorizer_refresh_token,
    }
    return await call(sim, AUTHORIZER, {**asked, **changes}, query={name: token})


async def listed(sim: Simulator, token: str, offset: int, count: int) -> Answer:
    """Ask for a page of the authorizers."""
    asked = {"component_appid": sim.component_appid, "offset": offset, "count": count}
    return await call(sim, f"{PLATFORM}/api_get_authorizer_list", asked, component_access_token=token)


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
    sim.options = SimulatorOptions(daily_limits={COMPONENT: 1, AUTHORIZER: 1})
    token = await platform_token(sim)
    assert (await component(sim)).errcode == 45009
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


async def test_refresh_tokens_stay(sim: Simulator) -> None:
    """A response brings the refresh token of the request, also after a year (wire reference 8.4)."""
    first = sim.authorizer_refresh_token
    for _ in range(2):
        reply = await authorizer(sim, await platform_token(sim), authorizer_refresh_token=first)
        assert reply.document["authorizer_refresh_token"] == first == sim.authorizer_refresh_token
        sim.advance(365 * 86_400)


@pytest.mark.parametrize(("mode", "codes"), [("rotate", [0, 0, 61023]), ("rotate_at_once", [61023] * 3)])
async def test_refresh_tokens_can_rotate(
    sim: Simulator, mode: Literal["rotate", "rotate_at_once"], codes: list[int]
) -> None:
    """With the switch a used refresh token works 5 minutes more, or no longer."""
    sim.options = SimulatorOptions(refresh_tokens=mode)
    platform = await platform_token(sim)
    first = sim.authorizer_refresh_token
    newer = (await authorizer(sim, platform, authorizer_refresh_token=first)).document["authorizer_refresh_token"]
    found = []
    for wait in (0, 299, 1):
        sim.advance(wait)
        found.append((await authorizer(sim, platform, authorizer_refresh_token=first)).errcode)
    assert (newer != first, found) == (True, codes)
    assert (await authorizer(sim, platform)).errcode == 0


@pytest.mark.parametrize("mode", ["stay", "rotate", "rotate_at_once"])
async def test_a_new_authorization_ends_the_earlier_one(
    sim: Simulator, mode: Literal["stay", "rotate", "rotate_at_once"]
) -> None:
    """The earlier refresh token gets 61023 and the earlier access token 40001, whatever the switch."""
    sim.options = SimulatorOptions(refresh_tokens=mode)
    platform = await platform_token(sim)
    old = (await authorizer(sim, platform)).document
    sim.platform.authorize(sim.appid)
    given = old["authorizer_refresh_token"]
    assert (await authorizer(sim, platform, authorizer_refresh_token=given)).errcode == 61023
    assert (await call(sim, COUNT, access_token=old["authorizer_access_token"])).errcode == 40001
    new = (await authorizer(sim, platform)).document
    assert (await call(sim, COUNT, access_token=new["authorizer_access_token"])).errcode == 0


@pytest.mark.parametrize("code", [61003, 40001])
async def test_a_withdrawn_authorization_ends(sim: Simulator, code: Literal[61003, 40001]) -> None:
    """Refreshing gets 61003, and calls with the old access token the code of the switch."""
    sim.options = SimulatorOptions(withdrawn_token_errcode=code)
    platform = await platform_token(sim)
    old = (await authorizer(sim, platform)).document
    sim.platform.unauthorize(sim.appid)
    given = old["authorizer_refresh_token"]
    assert (await authorizer(sim, platform, authorizer_refresh_token=given)).errcode == 61003
    assert (await call(sim, COUNT, access_token=old["authorizer_access_token"])).errcode == code
    with pytest.raises(ValueError, match="has not authorized"):
        sim.platform.unauthorize(sim.appid)


async def test_a_newer_token_of_the_platform_ends_the_earlier_one(sim: Simulator) -> None:
    """Two programs with a fetch of their own end each other's token; the switch lets both live (8.4)."""
    first = await platform_token(sim)
    second = await platform_token(sim)
    assert [(await authorizer(sim, token)).errcode for token in (first, second)] == [40001, 0]
    sim.options = SimulatorOptions(component_token_overlap=300)
    await platform_token(sim)
    assert (await authorizer(sim, second)).errcode == 0


@pytest.mark.parametrize(("overlap", "code"), [(300, 0), (0, 40001)])
async def test_tokens_of_an_authorizer_overlap_by_choice(sim: Simulator, overlap: float, code: int) -> None:
    """The earlier access token lives as long as the switch says."""
    sim.options = SimulatorOptions(authorizer_token_overlap=overlap)
    platform = await platform_token(sim)
    tokens = [(await authorizer(sim, platform)).document["authorizer_access_token"] for _ in range(2)]
    assert [(await call(sim, COUNT, access_token=token)).errcode for token in tokens] == [code, 0]


async def test_each_authorizer_has_its_own_library(sim: Simulator) -> None:
    """The platform's calls reach the account of the token, and cloud files the account of the link."""
    platform = await platform_token(sim)
    shops = [sim.add_account() for _ in range(3)]
    for number, shop in enumerate(shops):
        sim.platform.authorize(shop.appid)
        for _ in range(number):
            shop.add_article(title="a")
    for number, shop in enumerate(shops):
        given = sim.platform.refresh_token(shop.appid)
        reply = await authorizer(sim, platform, authorizer_appid=shop.appid, authorizer_refresh_token=given)
        found = await call(sim, COUNT, access_token=reply.document["authorizer_access_token"])
        assert found.document["news_count"] == number == len(shop.materials)
    foreign = sim.platform.refresh_token(shops[0].appid)
    assert (await authorizer(sim, platform, authorizer_refresh_token=foreign)).errcode == 61023
    assert sim.materials == {}


async def test_an_account_grants_its_own_permission_sets(sim: Simulator) -> None:
    """A set that one account left out is 61007 for this account alone."""
    platform = await platform_token(sim)
    shop = sim.add_account()
    sim.platform.authorize(shop.appid, permission_sets={3})
    given = sim.platform.refresh_token(shop.appid)
    token = (await authorizer(sim, platform, authorizer_appid=shop.appid, authorizer_refresh_token=given)).document
    assert (await call(sim, COUNT, access_token=token["authorizer_access_token"])).errcode == 61007
    own = (await authorizer(sim, platform)).document["authorizer_access_token"]
    assert (await call(sim, COUNT, access_token=own)).errcode == 0


async def test_a_set_that_is_added_later_needs_a_new_authorization(sim: Simulator) -> None:
    """An account grants what the platform has at this time (wire reference 8.4)."""
    codes = []
    for held, again in (({3}, True), ({3, 11}, False), ({3, 11}, True), ({3}, False)):
        sim.options = SimulatorOptions(permission_sets=frozenset(held))
        if again:
            sim.platform.authorize(sim.appid)
        reply = (await authorizer(sim, await platform_token(sim))).document
        codes.append((await call(sim, COUNT, access_token=reply["authorizer_access_token"])).errcode)
    assert codes == [61007, 61007, 0, 61007]


async def test_a_thousand_authorizers_are_listed_in_pages(sim: Simulator) -> None:
    """A page has at most 500, and its refresh tokens work; a switch leaves them out."""
    for _ in range(1000):
        sim.platform.authorize(sim.add_account().appid)
    platform = await platform_token(sim)
    pages = [(await listed(sim, platform, offset, 500)).document for offset in (0, 500, 1000, 1500)]
    assert [(page["total_count"], len(page["list"])) for page in pages] == [
        (1001, 500),
        (1001, 500),
        (1001, 1),
        (1001, 0),
    ]
    assert [one["authorizer_appid"] for page in pages for one in page["list"]] == list(sim.accounts)
    last = pages[2]["list"][0]
    changes = {"authorizer_appid": last["authorizer_appid"], "authorizer_refresh_token": last["refresh_token"]}
    assert (await authorizer(sim, platform, **changes)).errcode == 0
    assert (await listed(sim, platform, 0, 501)).errcode == 40170
    sim.options = SimulatorOptions(authorizer_list_refresh_tokens=False)
    assert list((await listed(sim, platform, 0, 1)).document["list"][0]) == ["authorizer_appid", "auth_time"]


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
    sim.options = evolve(sim.options, authorizer_list_refresh_tokens=False)
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
