"""Sessions across event loops, threads and processes."""

import asyncio
import gc
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest
from redis.asyncio import Redis

import forking
from loops import in_a_thread
from policies import PATIENT
from raw_server import Connection, RawRequest, RawServer, reply
from redis_server import RedisServer, redis_server
from simulated import ADD
from wxasset import (
    Added,
    DownloadPolicy,
    Failed,
    Ledger,
    MaterialStream,
    NoToken,
    RedisToken,
    RedisTokenStore,
    RetryPolicy,
    StableToken,
    TokenCache,
    Video,
    WxSession,
)
from wxasset.errors import UsageError
from wxasset.simulator import Simulator

__all__ = ["redis_server"]

COUNTS = reply({"voice_count": 0, "video_count": 0, "image_count": 0, "news_count": 0})


@pytest.fixture
def service() -> Iterator[Simulator]:
    """A simulator in a thread of its own."""
    with Simulator() as simulator:
        yield simulator


def session_on(service: Simulator, **options: Any) -> WxSession:
    """A session of the simulator's account."""
    return WxSession(
        service.appid,
        service.secret,
        base_url=service.url,
        retry=PATIENT,
        downloads=DownloadPolicy(allow_private_hosts=True),
        **options,
    )


async def stream(data: bytes) -> AsyncIterator[bytes]:
    """Yield the bytes in two chunks."""
    yield data[:100]
    yield data[100:]


async def add(wx: WxSession, photo: bytes, _: Path) -> None:
    """Add bytes."""
    await wx.add_material("image", photo, filename="a.jpg")


async def add_path(wx: WxSession, photo: bytes, directory: Path) -> None:
    """Add a file."""
    path = anyio.Path(directory / "a.jpg")
    await path.write_bytes(photo)
    await wx.add_material("image", path)


async def add_stream(wx: WxSession, photo: bytes, _: Path) -> None:
    """Add a stream of known size."""
    await wx.add_material("image", stream(photo), filename="a.jpg", size=len(photo))


async def add_with_options(wx: WxSession, photo: bytes, _: Path) -> None:
    """Add bytes with other options."""
    await wx.with_options(retry=RetryPolicy(attempts=1)).add_material("image", photo, filename="a.jpg")


async def add_many(wx: WxSession, photo: bytes, _: Path) -> None:
    """Add a batch of one."""
    async with wx.add_materials("image", [photo]) as outcomes:
        async for one in outcomes:
            if isinstance(one, Failed):
                raise one.error
            assert isinstance(one, Added)


ADDING = [add, add_path, add_stream, add_with_options, add_many]


@pytest.mark.parametrize("adding", ADDING, ids=lambda one: one.__name__)
def test_a_session_serves_successive_loops(
    service: Simulator,
    photo: bytes,
    tmp_path: Path,
    adding: Callable[[WxSession, bytes, Path], Coroutine[Any, Any, None]],
) -> None:
    """Each `asyncio.run` adds exactly one material, with the token of the first one, and closes its connections."""
    wx = session_on(service)
    for number in range(1, 4):
        asyncio.run(adding(wx, photo, tmp_path))
        assert len(service.materials) == number
    assert service.token_calls == 1


def test_downloads_and_links_serve_successive_loops(service: Simulator, samples: Path, tmp_path: Path) -> None:
    """A material, a video and a cloud file are fetched in one loop after the other."""
    wx = session_on(service)

    async def fetch() -> None:
        added = await wx.add_material("video", samples / "clip.mp4", title="t")
        video = await wx.get_material(added.media_id, tmp_path)
        assert isinstance(video, Video)
        await wx.download_video(video, tmp_path / "clip.mp4")
        fileid = await wx.upload_file("env-1", "a.mp4", samples / "clip.mp4")
        await wx.download_file("env-1", fileid, tmp_path / "b.mp4")

    for _ in range(2):
        asyncio.run(fetch())
        assert (tmp_path / "clip.mp4").read_bytes() == (samples / "clip.mp4").read_bytes()


def test_a_shared_cache_serves_successive_loops(service: Simulator) -> None:
    """Sessions that come and go with their loops use one token of a shared cache."""
    cache = TokenCache(StableToken(service.appid, service.secret))

    async def count() -> None:
        async with WxSession(tokens=cache, base_url=service.url) as wx:
            await wx.count_materials()

    for _ in range(3):
        asyncio.run(count())
    assert service.token_calls == 1


def test_a_ledger_serves_successive_loops(service: Simulator, photo: bytes, tmp_path: Path) -> None:
    """An ensured material is known in the next loop."""
    wx = session_on(service)

    async def ensure() -> None:
        async with Ledger(tmp_path / "uploads.db") as ledger:
            await wx.ensure_material("image", photo, ledger=ledger)

    for _ in range(2):
        asyncio.run(ensure())
    assert len(service.materials) == 1


def test_a_fetch_that_died_with_its_loop_is_made_again(service: Simulator) -> None:
    """A loop that ends while a token is on its way does not hold up the next one."""
    wx = session_on(service)
    service.fail("/cgi-bin/stable_token", "stall-30s")

    async def leave() -> None:
        asyncio.ensure_future(wx.count_materials())  # noqa: RUF006 - ends with the loop
        await asyncio.sleep(0.05)

    asyncio.run(leave())
    service.clear_faults()
    asyncio.run(asyncio.wait_for(wx.count_materials(), 5))


def test_a_loop_that_is_closed_without_its_generators_is_survived(
    service: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    """`loop.close()` alone, as older frameworks do, leaves a session that serves the next loop without complaint."""
    wx = session_on(service)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "unclosed", ResourceWarning)  # asyncio's own, about the socket
        for _ in range(3):
            loop = asyncio.new_event_loop()
            loop.run_until_complete(wx.count_materials())
            loop.close()
        del wx
        for _ in range(2):  # the session, then the connections that it had
            gc.collect()
    assert caplog.records == []


async def test_a_dropped_session_closes_its_connections(server: RawServer, caplog: pytest.LogCaptureFixture) -> None:
    """A session that nobody closed is closed by the garbage collector, without a word of aiohttp's."""
    server.script = [COUNTS]

    async def watch() -> None:
        wx = WxSession(tokens=NoToken(), base_url=server.url)
        await wx.count_materials()

    await watch()
    gc.collect()
    await server.abandoned()
    assert caplog.records == []


@pytest.mark.parametrize("adding", ADDING, ids=lambda one: one.__name__)
def test_two_running_loops_are_refused_before_anything_is_sent(
    service: Simulator,
    photo: bytes,
    tmp_path: Path,
    adding: Callable[[WxSession, bytes, Path], Coroutine[Any, Any, None]],
) -> None:
    """A session in use by a running loop raises `UsageError` in another one, and names the remedy."""
    wx = session_on(service)

    async def main() -> list[BaseException]:
        await adding(wx, photo, tmp_path)
        return in_a_thread(lambda: adding(wx, photo, tmp_path))

    (error,) = asyncio.run(main())
    assert isinstance(error, UsageError)
    assert "run_coroutine_threadsafe" in str(error)
    assert len(service.materials) == 1
    assert [one.path for one in service.journal].count(ADD) == 1


async def test_without_a_token_two_running_loops_are_refused_too(server: RawServer) -> None:
    """The connections are guarded by themselves, also where there is no token."""
    server.script = [COUNTS]
    async with WxSession(tokens=NoToken(), base_url=server.url) as wx:
        await wx.count_materials()
        (error,) = await asyncio.to_thread(in_a_thread, wx.count_materials)
    assert isinstance(error, UsageError)
    assert len(server.requests) == 1


def test_a_borrowed_session_stays_in_its_loop(service: Simulator) -> None:
    """An `aiohttp.ClientSession` given as `http=` serves one loop; the error of the next one says so."""
    http: list[aiohttp.ClientSession] = []

    async def count() -> WxSession:
        http.append(aiohttp.ClientSession())
        wx = session_on(service, http=http[0])
        await wx.count_materials()
        return wx

    loop = asyncio.new_event_loop()
    wx = loop.run_until_complete(count())
    with pytest.raises(UsageError, match="http="):
        asyncio.run(wx.count_materials())
    assert len(service.journal) == 2
    loop.run_until_complete(http[0].close())
    loop.close()


async def test_an_open_stream_stays_in_its_loop(wx: WxSession, photo: bytes) -> None:
    """A stream opened in one loop is not read in another."""
    added = await wx.add_material("image", photo)
    async with wx.open_material(added.media_id) as opened:
        assert isinstance(opened, MaterialStream)
        (error,) = await asyncio.to_thread(in_a_thread, opened.read)
        assert isinstance(error, UsageError)
        assert await opened.read() == photo


async def test_a_batch_stays_in_its_loop(wx: WxSession, photo: bytes) -> None:
    """The outcomes of a batch are taken in the loop that runs it."""
    async with wx.add_materials("image", [photo, photo]) as outcomes:
        (error,) = await asyncio.to_thread(in_a_thread, lambda: _first(outcomes))
        assert isinstance(error, UsageError)
        assert len([one async for one in outcomes]) == 2


async def _first(outcomes: AsyncIterator[object]) -> object:
    return await anext(outcomes)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_a_forked_child_opens_its_own_connection(server: RawServer, loop: str) -> None:
    """The child never uses its parent's socket, and the parent goes on with it after the child's exit.

    So does a child that was forked while the loop of the parent was running.
    """
    server.script = [COUNTS]
    process = await asyncio.create_subprocess_exec(
        sys.executable, forking.__file__, server.url, loop, stderr=subprocess.PIPE
    )
    _, complaints = await process.communicate()

    assert (process.returncode, complaints) == (0, b"")
    assert len(server.requests) == 5
    assert len(server.token_requests) == 1
    assert server.connections == 3


async def test_connections_are_closed_in_a_cancelled_scope(server: RawServer) -> None:
    """Leaving the block closes the connections, also where the scope around it was cancelled."""
    server.script = [COUNTS]
    with anyio.CancelScope() as scope:
        async with WxSession("wx0123456789abcdef", "s3cret", base_url=server.url) as wx:
            await wx.count_materials()
            scope.cancel()
    await server.abandoned()


async def test_connections_are_closed_although_a_token_hangs(server: RawServer) -> None:
    """A cancelled scope with a token fetch under way leaves neither a task nor a connection."""
    asked = asyncio.Event()

    async def silent(_: RawRequest, connection: Connection) -> None:
        asked.set()
        await connection.reader.read()

    server.script, server.token_script = [COUNTS], [silent]
    before = asyncio.all_tasks()
    with anyio.CancelScope() as scope:
        async with (
            WxSession("wx0123456789abcdef", "s3cret", base_url=server.url) as wx,
            anyio.create_task_group() as group,
        ):
            group.start_soon(wx.count_materials)
            await asked.wait()
            scope.cancel()
    assert {one for one in asyncio.all_tasks() - before if "_accept" not in repr(one)} == set()
    await server.abandoned()


# Redis


def test_a_redis_store_serves_successive_loops(service: Simulator, redis_server: RedisServer) -> None:
    """A store at module level shares one token between the loops, and its connections end with them."""
    redis_server.flush()
    store = RedisTokenStore(redis_server.url)

    async def count() -> None:
        async with session_on(service, store=store) as wx:
            await wx.count_materials()

    for _ in range(3):
        asyncio.run(count())
    assert service.token_calls == 1


def test_a_redis_source_serves_successive_loops(service: Simulator, redis_server: RedisServer) -> None:
    """A token kept by other software is read in one loop after the other."""
    redis_server.flush()
    source = RedisToken(redis_server.url, "wx:access_token:wx1")

    async def count() -> None:
        async with session_on(service) as wx:
            token = await wx._engine.tokens.acquire(wx._engine.exchange)
        async with Redis.from_url(redis_server.url) as client:
            await client.set("wx:access_token:wx1", token.value)
        async with WxSession(tokens=source, base_url=service.url) as wx:
            await wx.count_materials()

    for _ in range(3):
        asyncio.run(count())


def test_a_redis_store_is_refused_in_a_second_running_loop(service: Simulator, redis_server: RedisServer) -> None:
    """Two sessions with one store, in two running loops: the second one is told so."""
    redis_server.flush()
    store = RedisTokenStore(redis_server.url)

    async def count() -> None:
        async with session_on(service, store=store) as wx:
            await wx.count_materials()

    async def main() -> list[BaseException]:
        await count()
        return in_a_thread(count)

    (error,) = asyncio.run(main())
    assert isinstance(error, UsageError)
    assert "RedisTokenStore" in str(error)


def test_a_borrowed_redis_client_stays_in_its_loop(service: Simulator, redis_server: RedisServer) -> None:
    """A client given as `client=` serves one loop; the error of the next one names it."""
    redis_server.flush()
    clients: list[Redis] = []

    async def count(store: RedisTokenStore) -> None:
        async with session_on(service, store=store) as wx:
            await wx.count_materials()

    async def first() -> RedisTokenStore:
        clients.append(Redis.from_url(redis_server.url))
        store = RedisTokenStore(client=clients[0])
        await count(store)
        await clients[0].aclose()
        return store

    store = asyncio.run(first())
    with pytest.raises(UsageError, match="client="):
        asyncio.run(count(store))
