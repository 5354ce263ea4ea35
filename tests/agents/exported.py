"""What agents export of a round of all operations under faults; `nox -s agents` runs it."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import sentry_sdk
from redis.asyncio import Redis

import redis_server as support
from agents import Agents
from operations import FAULTS, OPERATIONS
from policies import PATIENT
from redis_server import PASSWORD, RedisServer
from wxasset import (
    AuthorizerToken,
    ComponentToken,
    DownloadPolicy,
    RedisToken,
    RedisTokenStore,
    StableToken,
    Timeouts,
    TokenSource,
    UploadPolicy,
    WxAssetError,
    WxSession,
)
from wxasset.simulator import Simulator

redis_server = support.redis_server

SOURCES: Final = ("stable", "platform", "kept")
SIGNED: Final = re.compile(r"(?:access_token|sign|vkey|sn|q-signature)(?:=|%3D)[^&\s\"*]{4,}", re.IGNORECASE)
"""A query with a token or a signature."""
ROUND: Final = [*FAULTS][::2]
CELLS: Final = [
    (name, fault, SOURCES[(row + column) % len(SOURCES)])
    for row, name in enumerate(OPERATIONS)
    for column, fault in enumerate(ROUND)
]


@pytest.fixture(scope="module")
def agents(redis_server: RedisServer) -> Iterator[Agents]:
    """Both agents, switched on after Redis was started: its command line has a password, and Sentry notes processes."""
    assert redis_server.port
    both = Agents()
    yield both
    both.close()


async def attempt(operation: Callable[[], Awaitable[Any]]) -> None:
    """Make an operation as an application does that reports its errors and transactions."""
    with sentry_sdk.start_transaction(name="round"):
        try:
            await operation()
        except WxAssetError as error:
            sentry_sdk.capture_exception(error)


async def easywechat_key(sim: Simulator, redis: RedisServer) -> str:
    """Keep a token as EasyWeChat does, under a key with the AppSecret; return the key."""
    key = f"easywechat:official_account.access_token.{sim.appid}.{sim.secret}.0"
    redis.command("SET", key, sim._account.tokens.plain_pool.renew(0).value)
    return key


@asynccontextmanager
async def opened(sim: Simulator, redis: RedisServer, kind: str) -> AsyncIterator[WxSession]:
    """A session with tokens of a kind, all of which pass through Redis."""
    store = RedisTokenStore(redis.url, timeout=5)
    source: TokenSource = StableToken(sim.appid, sim.secret)
    if kind == "platform":
        platform = ComponentToken(sim.component_appid, sim.component_appsecret, sim.push_verify_ticket())
        source = AuthorizerToken(platform, sim.appid, sim.authorizer_refresh_token)
    elif kind == "kept":
        source = RedisToken(redis.url, await easywechat_key(sim, redis))
    async with WxSession(
        tokens=source,
        store=store,
        base_url=sim.url,
        retry=PATIENT,
        timeouts=Timeouts(stall=0.15),
        uploads=UploadPolicy(visibility=0.01),
        downloads=DownloadPolicy(allow_private_hosts=True),
    ) as wx:
        yield wx
    await store.aclose()


@pytest.mark.parametrize(("name", "fault", "kind"), CELLS)
async def test_no_secret_is_exported(
    agents: Agents, sim: Simulator, redis_server: RedisServer, tmp_path: Path, name: str, fault: str, kind: str
) -> None:
    """No token, secret, refresh token, signature, or key of a store is in an event, a breadcrumb or a span."""
    redis_server.flush()
    known = [sim.secret, sim.component_appsecret, sim.authorizer_refresh_token, PASSWORD, "wxasset:token:"]
    async with opened(sim, redis_server, kind) as wx:
        sim.fail(OPERATIONS[name].endpoint, fault)
        await attempt(lambda: prepared_and_made(name, wx, sim, tmp_path))
    shown = agents.taken()
    known += [sim.authorizer_refresh_token, *sim._account.tokens.registry._issued]
    assert '"round"' in shown
    found = [one for one in known if one in shown]
    assert not found, [shown[max(0, shown.index(one) - 300) : shown.index(one) + 50] for one in found][:2]
    assert SIGNED.findall(shown) == []


async def prepared_and_made(name: str, wx: WxSession, sim: Simulator, directory: Path) -> None:
    """Prepare an operation and make it."""
    made = await OPERATIONS[name].make(wx, sim, directory)
    del wx, sim
    await made()


async def test_the_agents_are_on(agents: Agents, redis_server: RedisServer) -> None:
    """A command by the usual way is in a breadcrumb and a span, with its key; and the round is large enough."""
    async with Redis.from_url(redis_server.url) as client:
        await attempt(lambda: client.set("SEENKEY", "SEENVALUE"))
    assert agents.taken().count("SEENKEY") >= 2
    assert len(ROUND) >= 20
