"""Every operation meets every fault, and ends as it should: the matrix, as data.

The simulator is the judge: what ended well is there, exactly once; what is unknown is there at most once.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from forward_proxy import ForwardProxy
from loops import in_a_thread
from operations import FAULTS, FOUND, OK, OPERATIONS, PHOTO, UNKNOWN, Operation
from wxasset import (
    DownloadPolicy,
    RetryPolicy,
    SavedMaterial,
    Timeouts,
    UploadOutcomeUnknown,
    UploadPolicy,
    WxAssetError,
    WxSession,
)
from wxasset.simulator import Simulator

EXCEPTIONS: dict[tuple[str, str], str] = {}
"""Cells that differ from their column, each with its reason."""

# A stream that is open is the caller's: what breaks while it is read is not made again behind his back.
EXCEPTIONS["open_material", "wrong-length:10"] = "TruncatedDownload"

# A film's address is followed: 404 may mean "not yet", redirects are gone along with, and a page is told from a film.
EXCEPTIONS |= {
    ("download_video", "status:404"): OK,
    ("download_video", "malformed-token"): "TokenRejectedError",  # a link takes no token that could be replaced
    ("download_video", "redirect:307"): "APIError",
    ("download_video", "html"): "NotAFileError",
    ("download_video", "html-after-commit"): "NotAFileError",
}

# A link to a cloud file is followed likewise, and one that is answered with 403 is replaced.
EXCEPTIONS |= {
    ("download_file", "redirect:302:http://169.254.169.254/"): "ok or HTTPStatusError",
}

# Object storage knows neither codes nor tokens, and what is no empty answer of it is not believed.
for _fault in FAULTS:
    if _fault.startswith(("errcode", "malformed-token", "gzip-bomb")):
        EXCEPTIONS["upload_file, form", _fault] = OK

# A cloud file may have any content: what is answered with status 200 is the file.
ANSWERED = {
    ("download_file", fault)
    for fault in FAULTS
    if fault.startswith(("errcode", "malformed-token", "html", "foreign", "empty", "garbage", "deep", "long", "gzip"))
} | {("download_file", "redirect:307")}
EXCEPTIONS |= dict.fromkeys(ANSWERED, OK)

CELLS = [(name, fault) for name in OPERATIONS for fault in FAULTS]


def session_on(sim: Simulator, **options: Any) -> WxSession:
    """A session that waits for nothing between two attempts."""
    wx = WxSession(
        sim.appid,
        sim.secret,
        base_url=sim.url,
        retry=RetryPolicy(wait_initial=0),
        uploads=UploadPolicy(visibility=0.01),
        downloads=DownloadPolicy(allow_private_hosts=True),
        **options,
    )
    wx._engine.sleep = _at_once
    return wx


@pytest.fixture
async def session(sim: Simulator) -> AsyncIterator[WxSession]:
    """Such a session on a simulator."""
    async with session_on(sim) as wx:
        yield wx


async def _at_once(_: float) -> None:
    """Wait for nothing."""


async def _outcome(operation: Callable[[], Awaitable[Any]]) -> tuple[str, Any]:
    """Make an operation; say how it ended, and with what."""
    try:
        result = await operation()
    except UploadOutcomeUnknown:
        return UNKNOWN, None
    except WxAssetError as error:
        return type(error).__name__, None
    return (FOUND if getattr(result, "reconciled", False) else OK), result if result is not None else True


@pytest.mark.parametrize(("name", "fault"), CELLS, ids=[f"{name}-{fault}" for name, fault in CELLS])
async def test_a_cell(session: WxSession, sim: Simulator, tmp_path: Path, name: str, fault: str) -> None:
    """The operation ends as the matrix says, the library holds what the caller was told, and no file is half."""
    operation = OPERATIONS[name]
    make = await operation.make(session, sim, tmp_path)
    sim.fail(operation.endpoint, fault)
    if fault.startswith("stall"):  # nowhere else: on a busy machine, any reply may take as long as this
        session._engine.timeouts = Timeouts(stall=0.15)
    outcome, result = await _outcome(make)
    expected = EXCEPTIONS.get((name, fault), FAULTS[fault][operation.column])
    assert outcome in expected.split(" or "), f"{name} under {fault}"
    if (name, fault) in ANSWERED:
        assert result.path.read_bytes() != PHOTO
    else:
        operation.judge(sim, result)
    assert sim.unused_faults == ()
    if not isinstance(result, SavedMaterial):
        assert not any(tmp_path.iterdir()), "an incomplete file"


# What lies around a call: a proxy, and event loops

AROUND = ("a proxy that refuses", "no proxy there", "the next event loop", "a second running loop")


def _nothing(_: Simulator, path: Path) -> None:
    assert not any(path.iterdir()), "an incomplete file"


@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_proxy_that_refuses(sim: Simulator, tmp_path: Path, name: str) -> None:
    """A proxy that refuses, or is gone, is a `ConnectError` of every operation, and nothing was carried out."""
    async with ForwardProxy() as proxy, session_on(sim, proxy=proxy.url) as wx:
        operation = await OPERATIONS[name].make(wx, sim, tmp_path)
        await proxy.drop()
        proxy.refuse, before = [407] * 99, len(sim.journal)
        assert await _outcome(wx.count_materials) == ("ConnectError", None), "no kept connection is left after it"
        assert await _outcome(operation) == ("ConnectError", None)
        assert len(sim.journal) == before
        _nothing(sim, tmp_path)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_proxy_that_is_gone(sim: Simulator, tmp_path: Path, name: str) -> None:
    """A proxy that is not there any more is a `ConnectError` of every operation, and nothing was carried out."""
    proxy = ForwardProxy()
    async with session_on(sim, proxy=(await proxy.__aenter__()).url) as wx:
        operation = await OPERATIONS[name].make(wx, sim, tmp_path)
        await proxy.__aexit__(None, None, None)
        before = len(sim.journal)
        assert await _outcome(wx.count_materials) == ("ConnectError", None), "no kept connection is left after it"
        assert await _outcome(operation) == ("ConnectError", None)
        assert len(sim.journal) == before
        _nothing(sim, tmp_path)


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_next_event_loop(tmp_path: Path, name: str) -> None:
    """An operation that is prepared in one loop is made in the next one."""
    operation = OPERATIONS[name]
    with Simulator() as sim:
        wx = session_on(sim)
        made = asyncio.run(_made(operation, wx, sim, tmp_path))
        outcome, result = asyncio.run(_outcome(made))
        assert outcome == OK
        operation.judge(sim, result)


async def _made(operation: Operation, wx: WxSession, sim: Simulator, path: Path) -> Callable[[], Awaitable[Any]]:
    return await operation.make(wx, sim, path)


@pytest.mark.parametrize("name", OPERATIONS)
async def test_a_second_running_loop(session: WxSession, sim: Simulator, tmp_path: Path, name: str) -> None:
    """An operation in a second loop, while the first one runs, is a `UsageError` before anything is sent."""
    operation = await OPERATIONS[name].make(session, sim, tmp_path)
    await session.count_materials()
    before = len(sim.journal)

    async def outcome() -> None:
        raise AssertionError(await _outcome(operation))

    (seen,) = await asyncio.to_thread(in_a_thread, outcome)
    assert seen.args == (("UsageError", None),)
    assert len(sim.journal) == before
    _nothing(sim, tmp_path)


def test_the_matrix_is_large_enough(figures: list[str]) -> None:
    """Every operation of the face meets at least 20 faults, in 200 cells or more; the count is printed."""
    foreign = sum("foreign-json" in fault for _, fault in CELLS)
    figures.append(
        f"matrix: {len(CELLS)} cells, {len(OPERATIONS)} operations x {len(FAULTS)} faults, {foreign} with foreign JSON;"
        f" {len(AROUND) * len(OPERATIONS)} more with proxies and event loops"
    )
    assert len(FAULTS) >= 20
    assert len(CELLS) >= 200
    assert len(CELLS) == len(OPERATIONS) * len(FAULTS)
