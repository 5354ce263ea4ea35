"""What a third-party platform is told when its store is down or its address is not listed (wire reference 8.4)."""

from typing import Any

import pytest

from policies import PATIENT
from wxasset import AuthorizerToken, ClassicToken, ComponentToken, RedisTokenStore, TokenCache, WxSession
from wxasset.errors import IPNotAllowedError, TokenStoreError
from wxasset.simulator import Simulator, SimulatorOptions


def _shop(sim: Simulator, **options: Any) -> AuthorizerToken:
    component = ComponentToken(sim.component_appid, sim.component_appsecret, sim.push_verify_ticket())
    return AuthorizerToken(TokenCache(component, **options), sim.appid, sim.authorizer_refresh_token)


async def test_a_platform_whose_store_is_down_is_not_told_to_use_a_stable_token(sim: Simulator) -> None:
    """A platform has no stable token; the hint says what would be lost. An account's own classic token has one."""
    store = RedisTokenStore("redis://127.0.0.1:1/0", wait=0)
    for tokens in (_shop(sim, store=store), _shop(sim)):
        async with WxSession(tokens=tokens, store=store, base_url=sim.url, retry=PATIENT) as wx:
            with pytest.raises(TokenStoreError) as caught:
                await wx.count_materials()
        assert "no stable token" in caught.value.hint.english
        assert "没有稳定版 token" in caught.value.hint.chinese
    async with WxSession(tokens=ClassicToken(sim.appid, sim.secret), store=store, base_url=sim.url) as wx:
        with pytest.raises(TokenStoreError) as caught:
            await wx.count_materials()
    assert "use the stable token" in caught.value.hint.english
    await store.aclose()
    assert sim.token_calls == 0


async def test_a_platform_learns_the_address_that_is_not_listed(sim: Simulator) -> None:
    """61004 has the address in `.ip`, at a token endpoint and at any other API, and the hint says where the list is."""
    tokens = _shop(sim)
    async with WxSession(tokens=tokens, base_url=sim.url, retry=PATIENT) as wx:
        await wx.count_materials()
        sim.options = SimulatorOptions(allowed_addresses=frozenset({"203.0.113.0/24"}))
        for session in (wx, WxSession(tokens=_shop(sim), base_url=sim.url, retry=PATIENT)):
            with pytest.raises(IPNotAllowedError) as caught:
                await session.count_materials()
            await session.aclose()
            assert (caught.value.errcode, caught.value.ip) == (61004, "127.0.0.1")
            assert "open.weixin.qq.com" in caught.value.hint.english
