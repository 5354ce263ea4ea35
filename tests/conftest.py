"""What the tests share: an event loop that notices blocking calls, a simulator, a session, and real media."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from blockbuster import BlockBuster, blockbuster_ctx

import wxasset
from raw_server import RawServer
from wxasset import RetryPolicy, WxSession
from wxasset.simulator import Simulator

SAMPLES = Path(wxasset.__file__).parent / "cli" / "samples"
PATIENT = RetryPolicy(wait_initial=0)
"""Tries as often as the default, without waiting."""


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run on asyncio, which aiohttp needs."""
    return "asyncio"


@pytest.fixture(autouse=True)
def blockbuster() -> Iterator[BlockBuster]:
    """Fail a test in which wxasset blocks the event loop."""
    with blockbuster_ctx(scanned_modules=["wxasset"]) as found:
        yield found


@pytest.fixture
def samples() -> Path:
    """The directory of real media that the package carries."""
    return SAMPLES


@pytest.fixture
def photo() -> bytes:
    """A real JPEG."""
    return (SAMPLES / "photo.jpg").read_bytes()


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    """A fresh simulator."""
    async with Simulator() as simulator:
        yield simulator


@pytest.fixture
async def wx(sim: Simulator) -> AsyncIterator[WxSession]:
    """A session on that simulator."""
    async with WxSession(sim.appid, sim.secret, base_url=sim.url, retry=PATIENT) as session:
        yield session


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    """A server of plain sockets, which answers whatever a test tells it to."""
    async with RawServer() as raw:
        yield raw


@pytest.fixture
async def raw(server: RawServer) -> AsyncIterator[WxSession]:
    """A session on that server."""
    async with WxSession("wx0123456789abcdef", "s3cret", base_url=server.url, retry=PATIENT) as session:
        yield session
