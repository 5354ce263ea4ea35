"""An account of a third-party platform authorizes again, or a refresh token is lost: calls go on."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from attrs import evolve

from policies import PATIENT
from wxasset import (
    AuthorizerToken,
    ComponentToken,
    MemoryTokenStore,
    RetryPolicy,
    Token,
    TokenCache,
    TokenStore,
    WxAssetError,
    WxSession,
)
from wxasset.errors import CredentialError, PermissionDeniedError, TokenRejectedError, TokenUnavailableError
from wxasset.simulator import Simulator

LIST = "/cgi-bin/component/api_get_authorizer_list"
REFRESH = "/cgi-bin/component/api_authorizer_token"
RefreshToken = str | Callable[[], Awaitable[str | None]] | None


@pytest.fixture
def component(sim: Simulator) -> TokenCache:
    """The platform's token, shared by the workers of a test; it has the clock of the simulator."""

    async def ticket() -> str:
        return sim.push_verify_ticket()

    source = ComponentToken(sim.component_appid, sim.component_appsecret, ticket)
    return TokenCache(source, now=sim.now, clock=sim.now)


@pytest.fixture
async def opened(sim: Simulator, component: TokenCache) -> AsyncIterator[Callable[..., WxSession]]:
    """Open sessions of the account with caches of their own."""
    sessions: list[WxSession] = []

    def one(
        refresh_token: RefreshToken = None, *, store: TokenStore | None = None, retry: RetryPolicy = PATIENT
    ) -> WxSession:
        cache = TokenCache(AuthorizerToken(component, sim.appid, refresh_token), store=store)
        sessions.append(WxSession(tokens=cache, base_url=sim.url, retry=retry))
        return sessions[-1]

    yield one
    for wx in sessions:
        await wx.aclose()


def paths(sim: Simulator) -> list[str]:
    """The paths of all requests."""
    return [one.path for one in sim.journal]


async def newest(sim: Simulator, store: TokenStore) -> None:
    """Have another worker store the tokens of the newest authorization."""

    async def ticket() -> str:
        return sim.push_verify_ticket()

    # A component token of its own would end that of the workers.
    sim.options = evolve(sim.options, component_token_overlap=300)
    source = ComponentToken(sim.component_appid, sim.component_appsecret, ticket)
    tokens = AuthorizerToken(source, sim.appid, sim.authorizer_refresh_token)
    async with WxSession(tokens=tokens, store=store, base_url=sim.url, retry=PATIENT) as wx:
        await wx.count_materials()


@pytest.mark.parametrize("known", ["store", "function", "list"])
async def test_workers_go_on_while_the_account_authorizes_again(
    sim: Simulator, opened: Callable[..., WxSession], known: str
) -> None:
    """8 workers call without a pause, the account authorizes again 5 times: no call fails that knows how to go on."""

    async def function() -> str:
        return sim.authorizer_refresh_token

    sim.options = evolve(sim.options, authorizer_list_refresh_tokens=known == "list")
    store = MemoryTokenStore() if known == "store" else None
    given: RefreshToken = function if known == "function" else sim.authorizer_refresh_token
    changes = [0]  # even: all that is known is the newest

    async def work(wx: WxSession) -> None:
        for _ in range(60):
            before = changes[0]
            try:
                await wx.count_materials()
            except WxAssetError:
                if before % 2 == 0 and changes[0] == before:
                    raise

    async def authorize() -> None:
        for _ in range(5):
            for _ in range(3):
                await opened(sim.authorizer_refresh_token).count_materials()
            sim.authorize_platform()
            if store is not None:
                changes[0] += 1
                await newest(sim, store)
                changes[0] += 1

    await asyncio.gather(authorize(), *[work(opened(given, store=store)) for _ in range(8)])
    assert {one.errcode for one in sim.journal[-8:]} == {0}


async def test_a_refusal_is_over_once_the_store_has_the_good_token(
    sim: Simulator, opened: Callable[..., WxSession]
) -> None:
    """A worker that was refused uses the record of another one at its next call."""
    sim.options = evolve(sim.options, authorizer_list_refresh_tokens=False)
    store = MemoryTokenStore()
    wx = opened(sim.authorizer_refresh_token, store=store)
    await wx.count_materials()
    sim.authorize_platform()
    with pytest.raises(CredentialError) as caught:
        await wx.count_materials()
    assert caught.value.errcode == 61023
    await newest(sim, store)
    await wx.count_materials()


async def test_a_refused_call_is_not_repeated_for_30_seconds(sim: Simulator, opened: Callable[..., WxSession]) -> None:
    """While nobody knows a newer refresh token, WeChat is asked once for 20 calls, and its list twice."""
    sim.options = evolve(sim.options, authorizer_list_refresh_tokens=False)
    wx = opened("refreshtoken@@@lost")
    for _ in range(20):
        with pytest.raises(CredentialError, match="更新授权"):
            await wx.count_materials()
    assert (paths(sim).count(REFRESH), paths(sim).count(LIST)) == (1, 2)


async def test_the_function_is_asked_again_after_a_refusal(sim: Simulator, opened: Callable[..., WxSession]) -> None:
    """A function that knows the new refresh token a moment later ends the refusal at the next call."""
    sim.options = evolve(sim.options, authorizer_list_refresh_tokens=False)
    given = [sim.authorizer_refresh_token]

    async def function() -> str:
        return given[-1]

    wx = opened(function)
    await wx.count_materials()
    sim.authorize_platform()
    with pytest.raises(CredentialError):
        await wx.count_materials()
    given.append(sim.authorizer_refresh_token)
    await wx.count_materials()


async def test_the_list_is_asked_again_at_the_next_call(sim: Simulator, opened: Callable[..., WxSession]) -> None:
    """An account that withdrew its authorization and authorizes again is served at once."""
    wx = opened(sim.authorizer_refresh_token)
    await wx.count_materials()
    sim.platform.unauthorize(sim.appid)
    with pytest.raises(PermissionDeniedError) as caught:
        await wx.count_materials()
    assert caught.value.errcode == 61003
    sim.platform.authorize(sim.appid)
    await wx.count_materials()


async def test_a_withdrawal_between_two_calls_goes_unnoticed(sim: Simulator, opened: Callable[..., WxSession]) -> None:
    """The token of an authorization that ended is replaced by one of the next, also where WeChat says 61003."""
    wx = opened(sim.authorizer_refresh_token)
    await wx.count_materials()
    sim.platform.unauthorize(sim.appid)
    sim.platform.authorize(sim.appid)
    await wx.count_materials()


async def test_a_refresh_token_may_be_left_out(sim: Simulator, opened: Callable[..., WxSession]) -> None:
    """A new process takes it from the store, and one without a store from the list."""
    store = MemoryTokenStore()
    await opened(sim.authorizer_refresh_token, store=store).count_materials()
    sim.expire_tokens()
    await opened(store=store).count_materials()
    assert LIST not in paths(sim)
    await opened().count_materials()
    assert paths(sim).count(LIST) == 1


async def test_without_any_refresh_token_the_error_tells_what_to_do(
    sim: Simulator, opened: Callable[..., WxSession]
) -> None:
    """Where function and list know none, the error asks for another authorization."""

    async def function() -> None:
        return None

    sim.options = evolve(sim.options, authorizer_list_refresh_tokens=False)
    with pytest.raises(TokenUnavailableError, match="更新授权") as caught:
        await opened(function).count_materials()
    assert sim.appid in caught.value.message
    assert REFRESH not in paths(sim)


@pytest.mark.parametrize(("result", "kind"), [(b"CANARY", "bytes"), ("CANARY x", "str"), (7, "int")])
async def test_a_function_that_returns_no_refresh_token(
    opened: Callable[..., WxSession], result: Any, kind: str
) -> None:
    """A value that cannot be a refresh token is named by its type, and not shown."""

    async def function() -> Any:
        return result

    with pytest.raises(TokenUnavailableError, match=f"refresh_token function .* {kind}") as caught:
        await opened(function).count_materials()
    assert "CANARY" not in str(caught.value)


async def test_a_list_that_cannot_be_read_leaves_the_refusal(sim: Simulator, opened: Callable[..., WxSession]) -> None:
    """61023 is raised where WeChat refuses the list as well; a network failure is raised as it is."""
    sim.fail("api_get_authorizer_list", "errcode:48001")
    with pytest.raises(CredentialError) as caught:
        await opened("refreshtoken@@@lost").count_materials()
    assert caught.value.errcode == 61023
    sim.fail("api_get_authorizer_list", "reset-before-commit", times=None)
    with pytest.raises(WxAssetError) as broken:
        await opened("refreshtoken@@@lost2", retry=RetryPolicy(attempts=1)).count_materials()
    assert "reset" in str(broken.value) or "broke" in str(broken.value)


@pytest.mark.parametrize("mode", ["stay", "rotate", "rotate_at_once"])
async def test_a_refresh_response_that_is_lost_costs_no_call(
    sim: Simulator, opened: Callable[..., WxSession], mode: Any
) -> None:
    """The request is repeated with the same refresh token; where that has ended at once, the list has the next."""
    sim.options = evolve(sim.options, refresh_tokens=mode)
    wx = opened(sim.authorizer_refresh_token)
    for _ in range(3):
        sim.fail("api_authorizer_token", "reset-after-commit")
        await wx.count_materials()
        sim.expire_tokens()
    assert (LIST in paths(sim)) == (mode == "rotate_at_once")


async def test_300_accounts_that_lost_their_store_share_a_pass(sim: Simulator, component: TokenCache) -> None:
    """The list of 301 accounts is read once for all, also for those whose refresh token was refused first."""
    accounts = [sim.add_account() for _ in range(300)]
    for one in accounts:
        sim.platform.authorize(one.appid)
    sessions = [
        WxSession(
            tokens=AuthorizerToken(component, one.appid, "refreshtoken@@@old" if number % 2 else None),
            base_url=sim.url,
            retry=PATIENT,
        )
        for number, one in enumerate(accounts)
    ]
    await asyncio.gather(*[wx.count_materials() for wx in sessions])
    for wx in sessions:
        await wx.aclose()
    assert paths(sim).count(LIST) == 1


async def test_two_stale_tokens_are_healed_in_one_fetch(sim: Simulator, opened: Callable[..., WxSession]) -> None:
    """A component token that was superseded and a refresh token that ended take three requests, and no call fails."""
    wx = opened(sim.authorizer_refresh_token)
    for _ in range(4):
        await wx.count_materials()
        sim.authorize_platform()
        sim.revoke_tokens()


@pytest.mark.parametrize("step", [300, 7200, 86_400])
async def test_no_token_source_gives_up_while_the_clock_moves(
    sim: Simulator, opened: Callable[..., WxSession], step: float
) -> None:
    """30 moves of the simulator's clock, within seconds of ours: each call gets a new token."""
    wx = opened(sim.authorizer_refresh_token)
    async with WxSession(sim.appid, sim.secret, base_url=sim.url, retry=PATIENT) as own:
        for _ in range(30):
            await wx.count_materials()
            await own.count_materials()
            sim.advance(step)


async def test_a_token_that_serves_another_path_is_held_back(sim: Simulator) -> None:
    """Tokens that one API accepts and another one always refuses are fetched twice in 30 seconds."""
    async with WxSession(sim.appid, sim.secret, base_url=sim.url, retry=PATIENT) as wx:
        sim.fail("batchget_material", "errcode:40001", times=None)
        for _ in range(10):
            for call in (wx.count_materials, functools.partial(wx.list_materials, "image")):
                with contextlib.suppress(TokenRejectedError):
                    await call()
    assert sim.token_calls == 3, "the second one forced a refresh"


async def test_the_record_keeps_the_parameter(sim: Simulator, component: TokenCache) -> None:
    """After a restart the component token is sent under the same name as before."""
    store = MemoryTokenStore()
    caches = [TokenCache(component.source, store=store) for _ in range(2)]
    tokens: list[Token] = []
    for cache in caches:
        async with WxSession(tokens=cache, base_url=sim.url, retry=PATIENT) as wx:
            tokens.append(await cache.acquire(wx._engine.exchange))
    assert tokens[0].value == tokens[1].value
    assert [one.parameter for one in tokens] == ["component_access_token"] * 2
