"""A third-party platform of many accounts: workers that start at once, without any token, on one store."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import pytest

from platform_server import PlatformServer
from raw_server import RawServer
from redis_server import RedisServer, redis_server

__all__ = ["redis_server"]

ACCOUNTS = int(os.environ.get("WXASSET_ACCOUNTS", "40"))
MOST = 4.0  # seconds for 1,000 accounts on a file, on two cores without other work
# A process takes half a second to start: the tests start 2, and the session `platform` 8 as well.
WORKERS = [(1, "all"), (2, "a share"), (2, "all"), *([(8, "a share"), (8, "all")] if ACCOUNTS > 40 else [])]
WORKER = str(Path(__file__).parents[1] / "support" / "platform_worker.py")


@pytest.fixture(params=["file", "redis"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the workers share their tokens; nothing is there yet."""
    if request.param == "file":
        return str(tmp_path / "tokens.json")
    running: RedisServer = request.getfixturevalue("redis_server")
    running.flush()
    return running.url


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print a figure, also where output is captured."""

    def out(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n  {text}\n")

    return out


async def run(url: str, where: str, shares: list[tuple[int, int]]) -> tuple[float, list[dict[str, object]]]:
    """Run a worker for each share of the accounts, all at once; return the seconds, and the answer of each."""
    arguments = [(WORKER, url, where, str(first), str(count)) for first, count in shares]
    pipe = asyncio.subprocess.PIPE
    workers = [
        await asyncio.create_subprocess_exec(sys.executable, "-W", "error", *one, stdin=pipe, stdout=pipe)
        for one in arguments
    ]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert await worker.stdout.readline() == b"ready\n"
        begun = perf_counter()
        answers = await asyncio.gather(*[worker.communicate(b"\n") for worker in workers])
        seconds = perf_counter() - begun
    finally:
        for worker in workers:
            if worker.returncode is None:
                worker.kill()
                await worker.wait()
    return seconds, [json.loads(output) for output, _ in answers]


@pytest.mark.parametrize(("workers", "each"), WORKERS)
async def test_a_cold_platform_refreshes_each_account_once(
    server: RawServer, where: str, workers: int, each: str, say: Callable[[str], None]
) -> None:
    """Each worker serves a share of the accounts, or all of them: one component call, a refresh each, no failure."""
    wechat = PlatformServer()
    server.script = [wechat]
    count = ACCOUNTS // workers if each == "a share" else ACCOUNTS
    shares = [(number * count if each == "a share" else 0, count) for number in range(workers)]
    seconds, answers = await run(server.url, where, shares)
    assert [one["failed"] for one in answers] == [[]] * workers
    assert wechat.components == 1
    assert set(wechat.refreshes.values()) == {1}
    assert len(wechat.refreshes) == count * (workers if each == "a share" else 1)
    assert wechat.calls.total() == count * workers
    longest, used = max(float(str(one["seconds"])) for one in answers), sum(float(str(one["cpu"])) for one in answers)
    kind = "redis" if where.startswith("redis:") else "file"
    say(
        f"{len(wechat.refreshes)} accounts cold, {workers} workers with {each}, {kind}: {longest:.2f} s,"
        f" {used:.1f} s CPU, at most {max(int(str(one['open'])) for one in answers)} descriptors"
    )
    assert seconds < MOST or kind != "file" or (workers > 1 and each == "all") or "WXASSET_ACCOUNTS" not in os.environ
