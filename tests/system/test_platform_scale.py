"""A third-party platform of many accounts: workers that start at once, without any token, on one store."""

import asyncio
import itertools
import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from platform_server import COMPONENT, PlatformServer
from raw_server import RawServer
from redis_server import RedisServer, redis_server
from workers import say, where
from wxasset import ComponentToken, FileTokenStore, Platform, RedisTokenStore
from wxasset.simulator import Simulator

pytestmark = pytest.mark.usefixtures("unmeasured")

__all__ = ["redis_server", "say", "where"]

ACCOUNTS = int(os.environ.get("WXASSET_ACCOUNTS", "40"))
WANTED = 1000
AUTHORIZED = 300
MOST = 4.0  # seconds for so many accounts on a file, on two cores without other work
# A process takes half a second to start: the tests start 2, and the session `platform` 8 as well.
WORKERS = [(1, "all"), (2, "a share"), (2, "all"), *([(8, "a share"), (8, "all")] if ACCOUNTS > 40 else [])]
WORKER = str(Path(__file__).parents[1] / "support" / "platform_worker.py")


async def run(url: str, where: str, component: ComponentToken, shares: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Run a worker for each share of the accounts, all at once; return the answer of each."""
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-W", "error", WORKER, url, where]
    workers = [await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe) for _ in shares]
    names = [component.component_appid, component.component_secret, component.ticket]
    works = [f"{json.dumps({'component': names, 'accounts': accounts})}\n".encode() for accounts in shares]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert await worker.stdout.readline() == b"ready\n"
        answers = await asyncio.gather(*[one.communicate(work) for one, work in zip(workers, works, strict=True)])
    finally:
        for worker in workers:
            if worker.returncode is None:
                worker.kill()
                await worker.wait()
    return [json.loads(output) for output, _ in answers]


@pytest.mark.parametrize(("workers", "each"), WORKERS)
async def test_a_cold_platform_refreshes_each_account_once(
    server: RawServer, where: str, workers: int, each: str, say: Callable[[str], None]
) -> None:
    """Each worker serves a share of the accounts, or all of them: one component call, a refresh each, no failure."""
    wechat = PlatformServer()
    server.script = [wechat]
    count = ACCOUNTS // workers if each == "a share" else ACCOUNTS
    accounts = {f"wx{number}": f"refreshtoken@@@wx{number}-0" for number in range(ACCOUNTS)}
    starts = [number * count if each == "a share" else 0 for number in range(workers)]
    shares = [dict(itertools.islice(accounts.items(), start, start + count)) for start in starts]
    answers = await run(server.url, where, COMPONENT, shares)
    assert [one["failed"] for one in answers] == [[]] * workers
    assert wechat.components == 1
    assert set(wechat.refreshes.values()) == {1}
    assert len(wechat.refreshes) == count * (workers if each == "a share" else 1)
    assert wechat.calls.total() == count * workers
    loads, attempts = (sum(one[name] for one in answers) for name in ("loads", "attempts"))
    longest = max(one["seconds"] for one in answers)
    kind = "redis" if where.startswith("redis:") else "file"
    say(
        f"{len(wechat.refreshes)} accounts cold, {workers} workers with {each}, {kind}:"
        f" {longest:.2f} s ({verdict(kind, workers, each, longest)}),"
        f" {sum(one['cpu'] for one in answers):.1f} s CPU on {os.cpu_count()} cores at a load of"
        f" {os.getloadavg()[0]:.0f}; {attempts} looks for a lease, {loads} others,"
        f" at most {max(one['open'] for one in answers)} descriptors"
    )
    if workers == 1:
        assert attempts == count + 1  # one for each account and one for the platform: none is looked at twice
        assert loads <= count


def verdict(kind: str, workers: int, each: str, seconds: float) -> str:
    """Compare with what is wanted of a machine without other work; it is no test, which a busy machine would fail."""
    if ACCOUNTS != WANTED or kind != "file" or (workers > 1 and each == "all"):
        return "no limit is set"
    return f"{'within' if seconds <= MOST else 'NOT within'} {MOST:g} s"


async def test_two_workers_serve_the_accounts_of_a_simulated_platform(
    sim: Simulator, tmp_path: Path, say: Callable[[str], None]
) -> None:
    """On one file, from nothing: the simulator sees one component call, and a refresh and two calls of each account."""
    appids = [sim.add_account(appid=f"wx{number:016x}").appid for number in range(ACCOUNTS)]
    for appid in appids:
        sim.platform.authorize(appid)
    accounts = {appid: sim.platform.refresh_token(appid) for appid in appids}
    component = ComponentToken(sim.platform.appid, sim.platform.secret, sim.platform.push_ticket())
    answers = await run(sim.url, str(tmp_path / "tokens.json"), component, [accounts, accounts])
    assert [one["failed"] for one in answers] == [[], []]
    asked = Counter(entry.path.rpartition("/")[2] for entry in sim.journal)
    assert asked == {
        "api_component_token": 1,
        "api_authorizer_token": ACCOUNTS,
        "get_materialcount": 2 * ACCOUNTS,
    }
    say(
        f"{ACCOUNTS} simulated accounts cold, 2 workers with all: {max(one['seconds'] for one in answers):.2f} s,"
        f" {sum(one['cpu'] for one in answers):.1f} s CPU"
    )


@pytest.mark.parametrize("kind", ["file", "redis"])
async def test_a_store_that_is_wiped_costs_no_account_its_authorization(
    sim: Simulator, tmp_path: Path, request: pytest.FixtureRequest, kind: str, say: Callable[[str], None]
) -> None:
    """In mid-run, with refresh tokens that WeChat refuses (61023): its list of accounts has the new ones."""
    appids = [sim.add_account(appid=f"wx{number:016x}").appid for number in range(AUTHORIZED)]
    for appid in appids:
        sim.platform.authorize(appid)
    component = ComponentToken(sim.platform.appid, sim.platform.secret, sim.platform.push_ticket())
    running: RedisServer | None = request.getfixturevalue("redis_server") if kind == "redis" else None
    path = tmp_path / "tokens.json"
    store = FileTokenStore(path) if running is None else RedisTokenStore(running.url, timeout=10)
    done = 0

    async with Platform(component, store=store, base_url=sim.url) as platform:

        async def call(appid: str) -> None:
            nonlocal done
            await platform.session(appid, refresh_token="refreshtoken@@@old").count_materials()
            done += 1
            if done == AUTHORIZED // 3:
                sim.advance(7_300)  # all tokens have expired
                if running is not None:
                    running.flush()
                wiped = [one for one in tmp_path.rglob("*") if one.is_file() and "lock" not in one.name]
                assert running is not None or len(wiped) > AUTHORIZED // 4
                for kept in wiped:
                    kept.unlink()

        begun = os.times()
        await asyncio.gather(*map(call, appids))
        await asyncio.gather(*map(call, appids))
        ended = os.times()
    if isinstance(store, RedisTokenStore):
        await store.aclose()
    asked = Counter(entry.path.rpartition("/")[2] for entry in sim.journal)
    assert done == 2 * AUTHORIZED
    assert asked["api_get_authorizer_list"] <= 4
    say(
        f"{AUTHORIZED} accounts, {kind} wiped: {ended.user - begun.user:.1f} s CPU,"
        f" {asked['api_authorizer_token']} refreshes, {asked['api_get_authorizer_list']} lists"
    )
