"""`Platform`: the accounts of a third-party platform share connections and a component token, and end together."""

import asyncio
import gc
import os
import weakref
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from platform_server import COMPONENT, PlatformServer
from raw_server import Connection, RawRequest, RawServer
from wxasset import (
    AuthorizerToken,
    CallableToken,
    FileTokenStore,
    MemoryTokenStore,
    Platform,
    StaticToken,
    TokenCache,
    WxSession,
)
from wxasset.calls.platform import GetAuthorizerList
from wxasset.errors import UsageError
from wxasset.tokens.lease import SharedToken

ACCOUNTS = 900


@pytest.fixture
def wechat(server: RawServer) -> PlatformServer:
    """The platform's side of the server."""
    platform = PlatformServer()
    server.script = [platform]
    return platform


def descriptors() -> int:
    """The number of open descriptors."""
    return len(os.listdir("/proc/self/fd"))


async def test_900_accounts_share_connections_and_a_component_token(
    server: RawServer, wechat: PlatformServer, tmp_path: Path
) -> None:
    """All at once: one component call, 900 refreshes, and no more than 100 connections on either side."""
    store, before = FileTokenStore(tmp_path / "tokens.json", wait=60), descriptors()
    most = 0
    async with Platform(COMPONENT, store=store, base_url=server.url) as platform:

        async def count(number: int) -> None:
            nonlocal most
            await platform.session(f"wx{number}", refresh_token=f"refreshtoken@@@wx{number}-0").count_materials()
            most = max(most, descriptors() - before)

        await asyncio.gather(*[count(number) for number in range(ACCOUNTS)])
    assert (wechat.components, wechat.refreshes.total(), wechat.calls.total()) == (1, ACCOUNTS, ACCOUNTS)
    assert server.connections <= 100
    # Those of client and server, leases, two files in each of 32 threads that save, and what the loop needs.
    assert most <= 100 + server.connections + 64 + 2 * 32 + 7
    assert descriptors() - before < 10


async def test_an_account_has_one_session_while_it_is_used(server: RawServer, wechat: PlatformServer) -> None:
    """A session that is in use shares its token with the next one, although many others came between."""
    async with Platform(COMPONENT, base_url=server.url, max_sessions=2) as platform:
        used = platform.session("wx0", refresh_token="refreshtoken@@@wx0-0")
        assert platform.session("wx0") is used
        derived = used.with_options()
        await used.count_materials()
        for number in range(1, 6):
            await platform.session(f"wx{number}", refresh_token=f"refreshtoken@@@wx{number}-0").count_materials()
        await used.count_materials()
        await platform.session("wx0").count_materials()
        del used
        gc.collect()
        await platform.session("wx0").count_materials()
        await derived.count_materials()
    assert (wechat.refreshes["wx0"], wechat.calls["wx0"]) == (1, 5)


async def test_sessions_beyond_the_limit_are_dropped(server: RawServer, wechat: PlatformServer) -> None:
    """A session that is not used is given up; its token and its newest refresh token are kept, without a store too."""
    wechat.rotate = True
    async with Platform(COMPONENT, base_url=server.url, max_sessions=3) as platform:
        made: weakref.WeakSet[WxSession] = weakref.WeakSet()

        async def use(number: int) -> None:
            session = platform.session(f"wx{number}", refresh_token=f"refreshtoken@@@wx{number}-0")
            made.add(session)
            await session.count_materials()

        for number in [*range(10), *range(10)]:
            await use(number)
        gc.collect()
        assert len(made) == 3
        wechat.refreshes["wx0"] += 1  # another program fetched one, and its refresh token is on WeChat's list alone
        await platform.session("wx0").count_materials()
    assert (wechat.refreshes["wx0"], wechat.refreshes["wx1"]) == (3, 1)


async def test_a_new_authorization_replaces_the_refresh_token(server: RawServer, wechat: PlatformServer) -> None:
    """A session that is asked for with another refresh token uses that one."""
    wechat.rotate = True
    async with Platform(COMPONENT, base_url=server.url) as platform:
        old = platform.session("wx1", refresh_token="refreshtoken@@@wx1-0")
        await old.count_materials()
        wechat.refreshes["wx1"] = 7  # the account has authorized again
        new = platform.session("wx1", refresh_token="refreshtoken@@@wx1-7")
        assert new is not old
        assert platform.session("wx1") is new
        await new.count_materials()
    assert wechat.refreshes["wx1"] == 8


async def test_the_end_of_the_platform_ends_its_sessions(server: RawServer, wechat: PlatformServer) -> None:
    """A session cannot be closed alone; after the platform none of them sends anything."""
    platform = Platform(COMPONENT, base_url=server.url)
    async with platform, platform.session("wx1", refresh_token="refreshtoken@@@wx1-0") as wx:
        await wx.count_materials()
    async with platform:
        pass
    for one in (wx, platform.session("wx1")):
        with pytest.raises(UsageError, match="closed"):
            await one.count_materials()
    assert wechat.calls.total() == 1


async def test_a_fetch_in_progress_ends_with_the_platform(server: RawServer) -> None:
    """Closed while an account waits for its token, the platform leaves no task behind."""
    asked = asyncio.Event()

    async def hang(_: RawRequest, __: Connection) -> None:
        asked.set()
        await asyncio.Event().wait()

    server.script = [hang]
    platform = Platform(COMPONENT, base_url=server.url)
    call = asyncio.create_task(platform.session("wx1", refresh_token="refreshtoken@@@wx1-0").count_materials())
    await asked.wait()
    await platform.aclose()
    with pytest.raises(UsageError, match="closed"):
        await call


async def test_a_platform_makes_calls_of_its_own(server: RawServer, wechat: PlatformServer) -> None:
    """A declared call, and the list of accounts, go out with the token of the platform."""
    wechat.refreshes["wx1"] = 1
    async with Platform(COMPONENT, base_url=server.url) as platform:
        listed = await platform.call(GetAuthorizerList(component_appid="wxplatform", offset=0))
        assert [one.authorizer_appid async for one in platform.iter_authorizers()] == ["wx1"]
    assert listed.total == 1


async def test_a_platform_serves_one_loop_after_the_other(server: RawServer, wechat: PlatformServer) -> None:
    """Tokens and sessions are used again in another event loop."""
    platform = Platform(COMPONENT, base_url=server.url)

    async def count() -> None:
        await platform.session("wx1", refresh_token="refreshtoken@@@wx1-0").count_materials()

    for _ in range(2):
        await asyncio.to_thread(lambda: asyncio.run(count()))
    assert (wechat.components, wechat.refreshes["wx1"], wechat.calls["wx1"]) == (1, 1, 2)


async def component_token() -> str:
    """The token of a platform that another program fetches."""
    return "platform-0"


async def test_the_platform_token_of_another_program(server: RawServer, wechat: PlatformServer) -> None:
    """A source that does not know the platform's appid needs `component_appid`."""
    with pytest.raises(UsageError, match="component_appid"):
        Platform(CallableToken(component_token))
    async with Platform(
        TokenCache(CallableToken(component_token), store=MemoryTokenStore()),
        component_appid="wxplatform",
        base_url=server.url,
    ) as platform:
        await platform.session("wx1", refresh_token="refreshtoken@@@wx1-0").count_materials()
    assert (wechat.components, wechat.calls["wx1"]) == (0, 1)


def test_arguments_are_checked_at_once() -> None:
    """A wrong source, limit or appid is an error where it is given, without its value."""
    with pytest.raises(UsageError, match="component"):
        Platform(StaticToken("CANARY"))
    with pytest.raises(UsageError, match="component"):
        Platform(AuthorizerToken(COMPONENT, "wx1", "refreshtoken@@@wx1-0"))
    with pytest.raises(UsageError, match="max_sessions"):
        Platform(COMPONENT, max_sessions=0)
    with pytest.raises(UsageError, match="authorizer_appid"):
        Platform(COMPONENT).session("")


def key_of(number: int) -> str:
    """The name of an account's record in a store."""
    return SharedToken(MemoryTokenStore(), AuthorizerToken(COMPONENT, f"wx{number}").account, supersedes=True).key


async def test_accounts_that_others_refresh_hold_up_no_other_account(
    server: RawServer, wechat: PlatformServer, tmp_path: Path
) -> None:
    """Another process holds the leases of 80 accounts, more than are fetched at once: the others are served."""
    held, free = range(80), range(80, 100)
    other = FileTokenStore(tmp_path / "tokens.json")
    async with Platform(COMPONENT, store=FileTokenStore(tmp_path / "tokens.json"), base_url=server.url) as platform:

        async def count(number: int) -> None:
            await platform.session(f"wx{number}", refresh_token=f"refreshtoken@@@wx{number}-0").count_materials()

        async with AsyncExitStack() as leases:
            for number in held:
                await leases.enter_async_context(other.lease(key_of(number)))
            waiting = [asyncio.create_task(count(number)) for number in held]
            async with asyncio.timeout(10):
                await asyncio.gather(*[count(number) for number in free])
            assert not any(task.done() for task in waiting)
        await asyncio.gather(*waiting)
    assert wechat.refreshes.total() == wechat.calls.total() == 100


async def test_slow_refreshes_hold_up_no_account_with_a_token(
    server: RawServer, wechat: PlatformServer, tmp_path: Path
) -> None:
    """While WeChat leaves 64 refreshes without an answer, an account whose token is in the store is served."""
    gate, all_wait, waiting = asyncio.Event(), asyncio.Event(), 0

    async def slow(request: RawRequest, connection: Connection) -> None:
        nonlocal waiting
        if request.path.endswith("/api_authorizer_token") and b"wx99" not in request.body:
            waiting += 1
            if waiting == 64:
                all_wait.set()
            await gate.wait()
        await wechat(request, connection)

    server.script = [slow]
    path = tmp_path / "tokens.json"
    async with Platform(COMPONENT, store=FileTokenStore(path), base_url=server.url) as platform:
        await platform.session("wx99", refresh_token="refreshtoken@@@wx99-0").count_materials()
    async with Platform(COMPONENT, store=FileTokenStore(path), base_url=server.url) as platform:
        names = [f"wx{number}" for number in range(64)]
        sessions = [platform.session(name, refresh_token=f"refreshtoken@@@{name}-0") for name in names]
        slow_ones = [asyncio.create_task(session.count_materials()) for session in sessions]
        async with asyncio.timeout(10):
            await all_wait.wait()
            await platform.session("wx99").count_materials()
        gate.set()
        await asyncio.gather(*slow_ones)
    assert wechat.refreshes["wx99"] == 1
