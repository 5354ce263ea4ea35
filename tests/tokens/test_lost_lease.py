"""A process that loses its lease during a slow fetch ends with the token of the process that got the lease."""

import asyncio
from collections.abc import AsyncIterator, Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from attrs import define, field

from raw_server import Connection, RawRequest, RawServer, reply
from redis_server import RedisServer, redis_server
from wxasset import ClassicToken, RedisTokenStore, StableToken, TokenCache, WxSession

__all__ = ["redis_server"]

COUNT = reply({"voice_count": 0, "video_count": 0, "image_count": 0, "news_count": 0})


@define
class WeChat:
    """A token endpoint where each fetch ends the token before, and the first responses wait for their turn.

    Attributes:
        gates: The events awaited by the first responses.
        asked: Set with the request for each of these tokens.
        used: The tokens of the calls.
    """

    gates: list[asyncio.Event]
    asked: list[asyncio.Event]
    issued: int = 0
    used: list[str] = field(factory=list)

    async def token(self, _: RawRequest, connection: Connection) -> None:
        """Issue a token; the response waits."""
        number, self.issued = self.issued, self.issued + 1
        if number < len(self.gates):
            self.asked[number].set()
            await self.gates[number].wait()
        await connection.send(reply({"access_token": f"token{number + 1}", "expires_in": 7200}))

    async def api(self, request: RawRequest, connection: Connection) -> None:
        """Accept the newest token alone."""
        (used,) = parse_qs(urlsplit(request.line.split(" ")[1]).query)["access_token"]
        self.used.append(used)
        stale = reply({"errcode": 40001, "errmsg": "invalid credential, access_token is invalid or not latest"})
        await connection.send(COUNT if used == f"token{self.issued}" else stale)


@pytest.fixture
def wechat(server: RawServer) -> WeChat:
    """The server's script."""
    wechat = WeChat([asyncio.Event(), asyncio.Event()], [asyncio.Event(), asyncio.Event()])
    server.token_script, server.script = [wechat.token], [wechat.api]
    return wechat


Opener = Callable[[type[ClassicToken | StableToken], float], WxSession]


@pytest.fixture
async def opened(server: RawServer, redis_server: RedisServer) -> AsyncIterator[Opener]:
    """Open sessions as of several processes, on one Redis."""
    redis_server.flush()
    sessions, stores = [], []

    def open_session(kind: type[ClassicToken | StableToken], lease_seconds: float) -> WxSession:
        store = RedisTokenStore(redis_server.url, lease_seconds=lease_seconds)
        stores.append(store)
        sessions.append(WxSession(tokens=TokenCache(kind("wx1", "s" * 32), store=store), base_url=server.url))
        return sessions[-1]

    yield open_session
    for session in sessions:
        await session.aclose()
    for store in stores:
        await store.aclose()


@pytest.mark.parametrize("kind", [ClassicToken, StableToken])
async def test_a_lost_lease_ends_with_the_record_of_the_store(
    wechat: WeChat, opened: Opener, kind: type[ClassicToken | StableToken]
) -> None:
    """The lease expires during the first fetch; its caller uses the newer token of the second one."""
    slow, quick = opened(kind, 0.05), opened(kind, 8)
    wechat.gates[1].set()
    late = asyncio.create_task(slow.count_materials())
    await wechat.asked[0].wait()
    await quick.count_materials()
    wechat.gates[0].set()
    await late
    assert wechat.used == ["token2", "token2"]
    assert wechat.issued == 2


async def test_a_lost_lease_waits_for_its_new_holder(wechat: WeChat, opened: Opener) -> None:
    """The second fetch supersedes the first, which ends before it: both callers use the token of the second."""
    slow, quick = opened(ClassicToken, 0.05), opened(ClassicToken, 8)
    late = asyncio.create_task(slow.count_materials())
    await wechat.asked[0].wait()
    newer = asyncio.create_task(quick.count_materials())
    await wechat.asked[1].wait()
    wechat.gates[0].set()
    await asyncio.wait([late], timeout=0.3)
    assert wechat.used == []
    wechat.gates[1].set()
    await asyncio.gather(late, newer)
    assert wechat.used == ["token2", "token2"]
    assert wechat.issued == 2
