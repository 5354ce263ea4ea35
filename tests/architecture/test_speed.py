"""What is done for speed changes no byte: on every event loop, over TLS and plain, and one connection serves a run."""

import asyncio
import hashlib
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import certificates
from policies import PATIENT
from raw_server import RawServer, reply
from upload_sources import ADDED, HUGE, SOURCES, UNLIMITED, jpeg, parts
from wxasset import SavedMaterial, WxSession
from wxasset.transfer.buffers import BufferBudget

COUNTED = reply(b'{"voice_count":1,"video_count":2,"image_count":3,"news_count":4}', "application/json")

pytestmark = pytest.mark.usefixtures("unmeasured")

contexts = certificates.contexts


uvloop = pytest.importorskip("uvloop", reason="uvloop has no build for this platform")

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[[Awaitable[None]], None]:
    """Run a coroutine in an event loop of each kind."""

    def in_loop(work: Any) -> None:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(work)

    return in_loop


@asynccontextmanager
async def connected(
    contexts: tuple[ssl.SSLContext, ssl.SSLContext] | None,
) -> AsyncIterator[tuple[WxSession, RawServer]]:
    """A session and a server, over TLS where there are contexts for it."""
    async with (
        RawServer(tls=contexts[0] if contexts else None) as server,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=contexts[1] if contexts else False)) as http,
        WxSession("wx1", "s", base_url=server.url, http=http, retry=PATIENT, limits=UNLIMITED) as wx,
    ):
        yield wx, server


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
def test_every_byte_arrives_on_every_loop(
    run: Callable[[Any], None], contexts: tuple[ssl.SSLContext, ssl.SSLContext], tmp_path: Path, tls: bool
) -> None:
    """Buffers that are used again never change what is still on its way: more than sockets hold, from each source."""
    file = tmp_path / "file.jpg"
    file.write_bytes(jpeg(HUGE // 4))
    expected = hashlib.sha256(file.read_bytes()).digest()

    async def upload_all() -> None:
        async with connected(contexts if tls else None) as (wx, server):
            server.script = [ADDED]
            for make, _ in SOURCES.values():
                media = make(file)
                await asyncio.gather(wx.add_material("image", media), wx.add_material("image", file))
                if hasattr(media, "close"):
                    (media.file if hasattr(media, "filename") else media).close()
            for request in server.requests:
                assert hashlib.sha256(parts(request)[0][1]).digest() == expected
            assert len(server.requests) == 2 * len(SOURCES)
            assert server.connections <= 3

    run(upload_all())


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
def test_every_byte_comes_back_on_every_loop(
    run: Callable[[Any], None], contexts: tuple[ssl.SSLContext, ssl.SSLContext], tmp_path: Path, tls: bool
) -> None:
    """Eight downloads at once, in batches and behind a thread, are what was sent."""
    data = jpeg(HUGE // 4)

    async def download_all() -> None:
        async with connected(contexts if tls else None) as (wx, server):
            server.script = [reply(data, "image/jpeg")]
            saved = await asyncio.gather(*(wx.get_material("M", to=tmp_path / f"{number}.jpg") for number in range(8)))
            for number, one in enumerate(saved):
                assert isinstance(one, SavedMaterial)
                assert (tmp_path / f"{number}.jpg").read_bytes() == data
                assert one.sha256 == hashlib.sha256(data).hexdigest()

    run(download_all())


def test_one_connection_serves_a_thousand_uploads(
    run: Callable[[Any], None], contexts: tuple[ssl.SSLContext, ssl.SSLContext], tmp_path: Path
) -> None:
    """A sequential run of 1,000 uploads over TLS keeps its one connection: nothing is awaited after the last byte."""
    file = tmp_path / "file.jpg"
    file.write_bytes(jpeg(300_000))

    async def upload_all() -> None:
        async with connected(contexts) as (wx, server):
            server.script = [ADDED]
            for number in range(1000):
                await wx.add_material("image", file)
                server.requests.clear()
                assert server.connections == 1, number

    run(upload_all())


def test_calls_share_the_timer_of_their_deadlines() -> None:
    """A call starts no timers but the two of aiohttp, which end a connection without bytes."""
    timers: list[asyncio.TimerHandle] = []

    async def call_all() -> None:
        loop = asyncio.get_running_loop()
        start = loop.call_at

        def noted(*arguments: Any, **options: Any) -> asyncio.TimerHandle:
            timers.append(start(*arguments, **options))
            return timers[-1]

        async with connected(None) as (wx, server):
            server.script = [COUNTED]
            await asyncio.gather(*(wx.count_materials() for _ in range(20)))  # opens the connections
            loop.call_at = noted  # type: ignore[assignment, method-assign]
            await asyncio.gather(*(wx.count_materials() for _ in range(20)))
            assert len(timers) <= 2 * 20 + 1

    asyncio.run(call_all())


def test_the_transfers_of_a_loop_share_their_memory() -> None:
    """The more there are the less each takes, in whole records of TLS, between its least and its most."""
    budget = BufferBudget(total=1 << 20, minimum=1 << 15, maximum=1 << 18)
    assert [budget.for_each_of(number) for number in (0, 1, 4, 5, 20, 32, 1000)] == [
        *(262_144, 262_144, 262_144),
        *(196_608, 49_152, 32_768, 32_768),
    ]

    async def take() -> None:
        leases = [budget.lease() for _ in range(32)]
        first = leases[0]
        assert (first.minimum, first.current) == (32_768, 262_144)
        for lease in leases:
            lease.__enter__()
        assert first.current == 32_768
        for lease in leases:
            lease.__exit__(None, None, None)
        assert first.current == 32_768, "what a connection has taken less of does not grow again"
        assert budget.lease().current == 262_144

    asyncio.run(take())


def test_the_command_line_runs_on_uvloop() -> None:
    """Where uvloop is installed commands run on it, and elsewhere on asyncio's own loop."""
    code = (
        "import asyncio, sys; from wxasset.cli.runtime.signals import run_in_event_loop\n"
        "async def work(): return type(asyncio.get_running_loop()).__module__\n"
        "print(run_in_event_loop(work))\n"
    )
    hidden = "import sys; sys.modules['uvloop'] = None\n"
    for text, expected in ((code, "uvloop"), (hidden + code, "asyncio.")):
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
        assert done.stdout.startswith(expected)
