"""What the tests share: an event loop that notices blocking calls, a simulator, a session, and real media."""

import gc
import os
import sys
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import anyio
import pytest
import redis.asyncio  # noqa: F401 - older versions read their metadata when imported, which blocks a running loop
from blockbuster import BlockBuster
from coverage import Coverage

from blocking import unblocked
from command_line import Command, serving
from counting import Points
from policies import PATIENT
from proofs import Outcomes, rows
from raw_server import RawServer
from unsafe_links import Sockets, watched_sockets
from wxasset import DownloadPolicy, WxSession, cli
from wxasset.simulator import Simulator

# anyio loads its parts at their first use; pytest reads its modules with `open`, which blocks a running loop.
_LOADED = [getattr(anyio, name) for name in ("AsyncFile", "CancelScope", "Event", "create_task_group")]

SAMPLES = Path(cli.__file__).parent / "samples"

LONGEST = (
    "test_readme.py",
    "test_leaks.py",
    "test_speed.py",
    "test_cancellation.py",
    "test_matrix.py",
    "test_token_processes.py",
    "test_stores.py",
    "test_hostile.py",
    "test_platform_scale.py",
    "test_ledger_kill.py",
    "test_chaos.py",
    "test_pytest_plugin.py",
    "test_starlette_memory.py",
    "test_timeouts.py",
    "test_cli.py",
    "test_bulk.py",
    "test_workers.py",
)
"""Files of tests that take 15 seconds or more, the longest first."""

ACCOUNTS = count(1)
FIGURES = pytest.StashKey[list[str]]()
OUTCOMES = Outcomes()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no process is left with one of them at the end."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


def pytest_collection_finish() -> None:
    """Take ten thousand tests, and all that was imported for them, out of what the garbage collector looks through."""
    gc.collect()
    gc.freeze()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember which tests ran, for SECURITY.md; pytest-xdist hands reports to the process that reports."""
    OUTCOMES.add(report)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what the tests have counted and measured, and which claims of SECURITY.md they have not proved."""
    for line in terminalreporter.config.stash.get(FIGURES, []):
        terminalreporter.write_line(line)
    for line in OUTCOMES.unproved(rows()):
        terminalreporter.write_line(f"NOT PROVED {line}", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the figures of a worker of pytest-xdist to the process that reports, which judges the proofs."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["figures"] = session.config.stash.get(FIGURES, [])
    elif sys.platform == "linux" and OUTCOMES.unproved(rows()) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the figures of a worker that has ended."""
    node.config.stash.setdefault(FIGURES, []).extend(getattr(node, "workeroutput", {}).get("figures", []))


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> list[str]:
    """Lines with what was counted or measured, told at the end of the run."""
    return request.config.stash.setdefault(FIGURES, [])


@pytest.fixture(scope="session")
def points(figures: list[str]) -> Iterator[Points]:
    """Where cancellations are counted."""
    told = Points()
    yield told
    where = f"{sum(told.by_operation.values())} points in {len(told.by_operation)} operations"
    figures.append(f"cancellation: {where}, {told.tried} times in all, {told.late} times too late")


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Run on asyncio, which aiohttp needs; on uvloop's loop if WXASSET_UVLOOP is set."""
    return "asyncio", {"use_uvloop": bool(os.environ.get("WXASSET_UVLOOP"))}


@pytest.fixture(scope="session", autouse=True)
def blockbuster() -> Iterator[BlockBuster]:
    """Fail a test in which wxasset blocks the event loop."""
    with unblocked() as found:
        yield found


@pytest.fixture(scope="module")
def unmeasured(blockbuster: BlockBuster) -> Iterator[None]:
    """Measure no coverage in a module that repeats, many times, what other modules do once; it takes half as long.

    Processes that such a module starts are not measured either.
    """
    measuring = Coverage.current()
    if measuring is None:
        yield
        return
    measuring.stop()
    os.environ.pop("COVERAGE_PROCESS_CONFIG", None)
    yield
    # Coverage keeps the method that locks its data. The watched one would raise in the middle of any later test, where
    # two threads meet a file of code at the same time.
    lock = blockbuster.functions["threading.Lock.acquire"].deactivate()
    measuring.start()
    lock.activate()


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
    """A fresh simulator, with an account of its own.

    Sessions of one account share what they know of its uploads, and the port of an ended simulator may be given again.
    """
    async with Simulator(appid=f"wxacc{next(ACCOUNTS):013x}") as simulator:
        yield simulator


@pytest.fixture
async def wx(sim: Simulator) -> AsyncIterator[WxSession]:
    """A session on that simulator."""
    async with WxSession(sim.appid, sim.secret, base_url=sim.url, retry=PATIENT) as session:
        yield session


@pytest.fixture
async def near(sim: Simulator) -> AsyncIterator[WxSession]:
    """A session on that simulator which follows the addresses that it gives."""
    async with WxSession(
        sim.appid, sim.secret, base_url=sim.url, retry=PATIENT, downloads=DownloadPolicy(allow_private_hosts=True)
    ) as session:
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


@pytest.fixture
async def raw_near(server: RawServer) -> AsyncIterator[WxSession]:
    """A session on that server which follows the addresses that it gives."""
    async with WxSession(
        "wx0123456789abcdef",
        "s3cret",
        base_url=server.url,
        retry=PATIENT,
        downloads=DownloadPolicy(allow_private_hosts=True),
    ) as session:
        yield session


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    """The connections that are tried in a test."""
    with watched_sockets() as watching:
        yield watching


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A simulator in a thread, to which the environment of this process leads; ledgers have a directory of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
    with serving(monkeypatch) as simulator:
        yield simulator


@pytest.fixture
def wxasset(capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line, in this process."""
    return Command(capsys)
