"""The token of a third-party platform: its sessions fetch it once, also where nobody made a cache for them."""

import asyncio
import copy
import pickle

import pytest

from platform_server import COMPONENT, PlatformServer
from raw_server import RawServer
from wxasset import AuthorizerToken, ComponentToken, MemoryTokenStore, TokenCache, TokenStore, WxSession


@pytest.fixture
def wechat(server: RawServer) -> PlatformServer:
    """The platform's side of the server."""
    platform = PlatformServer()
    server.script = [platform]
    return platform


def equal() -> ComponentToken:
    """A platform's source, made anew."""
    return ComponentToken("wxplatform", "CANARYSECRET", "ticket@@@1")


def opened(url: str, appid: str, component: TokenCache | ComponentToken, store: TokenStore | None = None) -> WxSession:
    """A session of an account."""
    return WxSession(tokens=AuthorizerToken(component, appid, f"refreshtoken@@@{appid}-0"), store=store, base_url=url)


async def test_many_sessions_with_a_plain_source_fetch_once(server: RawServer, wechat: PlatformServer) -> None:
    """20 sessions at once, with one source or an equal one of their own: one component token."""
    component = equal()
    sources = [component if number % 2 else equal() for number in range(20)]
    sessions = [opened(server.url, f"wx{number}", source) for number, source in enumerate(sources)]
    await asyncio.gather(*[wx.count_materials() for wx in sessions])
    for wx in sessions:
        await wx.aclose()
    assert (wechat.components, wechat.calls.total()) == (1, 20)


async def test_sessions_one_after_the_other_fetch_once(server: RawServer, wechat: PlatformServer) -> None:
    """The token stays with the source, also while no session is open."""
    component = equal()
    for number in range(3):
        async with opened(server.url, f"wx{number}", component) as wx:
            await wx.count_materials()
    assert wechat.components == 1


async def test_the_store_of_a_session_reaches_a_plain_source(server: RawServer, wechat: PlatformServer) -> None:
    """A process that shares the store uses the component token of another one."""
    store = MemoryTokenStore()
    async with opened(server.url, "wx1", equal(), store) as wx:
        await wx.count_materials()
    async with opened(server.url, "wx2", TokenCache(equal(), store=store)) as wx:
        await wx.count_materials()
    assert wechat.components == 1


async def test_a_component_token_that_is_refused_is_replaced_once(server: RawServer, wechat: PlatformServer) -> None:
    """Sessions that share a plain source replace a superseded token with one fetch."""
    sessions = [opened(server.url, f"wx{number}", equal()) for number in range(5)]
    await sessions[0].count_materials()
    wechat.components += 1  # another program has fetched one
    await asyncio.gather(*[wx.count_materials() for wx in sessions])
    for wx in sessions:
        await wx.aclose()
    assert wechat.components == 3


async def test_another_host_gets_a_token_of_its_own(server: RawServer, wechat: PlatformServer) -> None:
    """A component token is not sent to another API host."""
    component, other = equal(), PlatformServer()
    async with RawServer(script=[other]) as second:
        for url in (server.url, second.url):
            async with opened(url, "wx1", component) as wx:
                await wx.count_materials()
    assert (wechat.components, other.components) == (1, 1)


async def test_two_running_loops_share_a_plain_source(server: RawServer, wechat: PlatformServer) -> None:
    """A session in another thread, with a running loop of its own, is not refused."""
    component = equal()

    async def count(appid: str) -> None:
        async with opened(server.url, appid, component) as wx:
            await wx.count_materials()

    await count("wx1")
    await asyncio.to_thread(lambda: asyncio.run(count("wx2")))
    await count("wx3")
    assert wechat.components == 2
    assert wechat.calls.total() == 3


async def test_a_source_is_copied_without_its_tokens(server: RawServer, wechat: PlatformServer) -> None:
    """A source that was used can be copied and sent to another process."""
    async with opened(server.url, "wx1", COMPONENT) as wx:
        await wx.count_materials()
    for other in (copy.deepcopy(COMPONENT), pickle.loads(pickle.dumps(COMPONENT))):  # noqa: S301 - our own
        assert other == COMPONENT
        assert "CANARY" not in repr(other)
    assert wechat.components == 1
