"""One token for everybody: real processes that share a file or a real Redis, and die in the middle."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from time import perf_counter

import pytest

from raw_server import Connection, RawRequest, RawServer, reply
from redis_server import RedisServer, redis_server
from workers import say, where
from wxasset import (
    ClassicToken,
    FileTokenStore,
    MemoryTokenStore,
    RedisTokenStore,
    RetryPolicy,
    StableToken,
    TokenCache,
    TokenStore,
    WxSession,
)
from wxasset.errors import TokenUnavailableError

pytestmark = pytest.mark.usefixtures("unmeasured")

__all__ = ["redis_server", "say", "where"]

PROCESSES = 8
COUNT = reply({"voice_count": 0, "video_count": 0, "image_count": 0, "news_count": 0})
WORKER = str(Path(__file__).parents[1] / "support" / "token_worker.py")


@asynccontextmanager
async def workers(
    server: RawServer, where: str, kind: str, count: int
) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """Start processes, and wait until each is ready to begin."""
    started = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", WORKER, server.url, where, kind),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(count)
    ]
    try:
        for process in started:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"ready\n"
        yield started
    finally:
        for process in started:
            if process.returncode is None:
                process.kill()
            await process.communicate()


def begin(*processes: asyncio.subprocess.Process) -> None:
    """Let processes begin."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")


async def answers(*processes: asyncio.subprocess.Process) -> int:
    """How many calls of these processes were answered, when all have ended well."""
    outputs = [(await process.communicate())[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return sum(int(output.split()[-1]) for output in outputs)


def lease_left(redis: RedisServer) -> float:
    """Return the seconds after which Redis itself ends the only lease; 0 where there is none any more."""
    found = redis.command("KEYS", "*:lease").split(b"\r\n")
    return int(redis.command("PTTL", found[2].decode()).strip(b":\r\n")) / 1000 if len(found) > 2 else 0.0


def shown(where: str) -> str:
    """The kind of store, without an address."""
    return "redis" if where.startswith("redis:") else "file"


@pytest.mark.parametrize("kind", ["stable", "classic"])
async def test_8_processes_on_a_cold_store_make_one_token_call(
    server: RawServer, where: str, kind: str, say: Callable[[str], None]
) -> None:
    """8 processes x 50 tasks that all begin at once, without any token: one token call."""
    server.script = [COUNT]
    async with workers(server, where, kind, PROCESSES) as processes:
        begin(*processes)
        answered = await answers(*processes)
    assert (answered, len(server.token_requests)) == (PROCESSES * 50, 1)
    say(f"{PROCESSES} processes x 50 tasks, {shown(where)}, {kind}: {len(server.token_requests)} token call")


async def test_when_the_holder_of_the_lease_is_killed_the_rest_go_on(
    server: RawServer, where: str, request: pytest.FixtureRequest, say: Callable[[str], None]
) -> None:
    """SIGKILL of the process that fetches: its lease ends within 8 seconds, and one of the others fetches."""
    server.script = [COUNT]
    asked = asyncio.Event()

    async def hang(_: RawRequest, __: Connection) -> None:
        asked.set()
        await asyncio.Event().wait()

    server.token_script = [hang, reply({"access_token": "t" * 100, "expires_in": 7200})]
    async with workers(server, where, "classic", PROCESSES) as processes:
        holder, *rest = processes
        begin(holder)
        await asked.wait()
        begin(*rest)
        holder.kill()
        started = perf_counter()
        if where.startswith("redis:"):
            assert await asyncio.to_thread(lease_left, request.getfixturevalue("redis_server")) <= 8.0
        answered = await answers(*rest)
        took = perf_counter() - started
    # A process that waits in vain for the lease fetches for itself: there would be more token calls.
    assert (answered, len(server.token_requests)) == (len(rest) * 50, 2)
    say(f"holder of the lease killed, {shown(where)}: the rest had a token after {took:.1f} s")


async def test_redis_that_stops_in_mid_run_fails_no_call(
    server: RawServer, redis_server: RedisServer, say: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    """With a stable token no call fails while Redis is paused, flushed or killed; an open breaker adds little."""
    now, timeout = 0.0, 1.0
    server.script = [COUNT]
    redis_server.flush()
    store = RedisTokenStore(redis_server.url, timeout=timeout)
    cache = TokenCache(StableToken("wx1", "secret-4711"), store=store, now=lambda: now)
    async with WxSession(tokens=cache, base_url=server.url) as wx:

        async def renewal() -> float:
            nonlocal now
            now += 7200
            started = perf_counter()
            await wx.count_materials()
            return perf_counter() - started

        alone = median([await renewal() for _ in range(5)])
        assert b"wxasset:token:" in redis_server.command("KEYS", "*"), "the store is used"
        assert caplog.records == []
        redis_server.pause()
        opening = await renewal()
        opened = median([await renewal() for _ in range(20)])
        redis_server.resume()
        redis_server.flush()
        redis_server.kill()
        await renewal()
        redis_server.restart()
    await store.aclose()
    figures = f"with Redis {alone * 1000:.1f} ms, meeting the pause {opening * 1000:.0f} ms"
    say(f"a renewal takes {figures}, with the breaker open {opened * 1000:.1f} ms")
    assert opened < timeout < opening, "the timeout is paid once"


async def test_calls_without_a_token_wait_for_a_redis_that_restarts(
    server: RawServer, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A classic token is fetched once, after the restart; a call with less time than the restart takes fails in it."""
    server.script = [COUNT]
    redis_server.kill()
    stores = [RedisTokenStore(redis_server.url) for _ in range(3)]
    opened = [WxSession(tokens=ClassicToken("wx1", "secret-4711"), store=one, base_url=server.url) for one in stores]
    calls = [asyncio.create_task(wx.count_materials()) for wx in opened for _ in range(20)]
    with pytest.raises(TokenUnavailableError):
        await opened[0].with_options(retry=RetryPolicy(timeout=0.3)).count_materials()
    assert not any(call.done() for call in calls)
    assert "waiting for it up to 8 s" in caplog.text
    await asyncio.to_thread(redis_server.start)
    await asyncio.gather(*calls)
    assert len(server.token_requests) == 1
    for wx, store in zip(opened, stores, strict=True):
        await wx.aclose()
        await store.aclose()


async def test_a_session_takes_a_store(server: RawServer, tmp_path: Path) -> None:
    """`store=` of a session is used, borrowed, and left open; two sessions fetch once."""
    server.script = [COUNT]
    stores: list[TokenStore] = [MemoryTokenStore(), FileTokenStore(tmp_path / "tokens.json")]
    for number, store in enumerate(stores, 1):
        for _ in range(2):
            async with WxSession("wx1", "secret-4711", store=store, base_url=server.url) as wx:
                await wx.count_materials()
        assert len(server.token_requests) == number
    (file,) = (tmp_path / "tokens.json.d").glob("*.json")
    secret = file.read_text()
    assert "token-2" in secret
    assert "secret-4711" not in secret
    assert file.stat().st_mode & 0o777 == 0o600
