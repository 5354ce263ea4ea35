"""The day's calls of an account: counted before they are made, shared by processes, corrected by WeChat."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import evolve

from pictures import make_pictures, picture
from policies import PATIENT
from redis_server import PASSWORD, RedisServer, redis_server
from waiting import until
from workers import say
from wxasset import (
    BatchReport,
    BudgetSpentError,
    CallBudget,
    ComponentToken,
    Ledger,
    Platform,
    StaticToken,
    WxSession,
)
from wxasset.batch.counts import Count, DayCount, Lane, Taken, day_of, next_day
from wxasset.errors import QuotaExceededError, RateLimitedError, UsageError
from wxasset.simulator import Simulator

__all__ = ["redis_server", "say"]

ADD: Final = "/cgi-bin/material/add_material"
COUNT: Final = "/cgi-bin/material/get_materialcount"
QUOTA: Final = "/cgi-bin/openapi/quota/get"
WORKER: Final = Path(__file__).parents[1] / "support" / "budget_worker.py"
BOUND: Final = 60.0  # seconds in which anything here ends


def session(sim: Simulator, budget: CallBudget | None, **options: Any) -> WxSession:
    """A session of the simulated account that asks the budget."""
    return WxSession(sim.appid, sim.secret, base_url=sim.url, retry=PATIENT, budget=budget, **options)


def allow(sim: Simulator, calls: int, path: str = ADD) -> None:
    """Allow some calls a day."""
    sim.options = evolve(sim.options, daily_limits={**sim.options.daily_limits, path: calls})


def pictures(first: int, last: int) -> list[bytes]:
    """Different images."""
    return [picture(number) for number in range(first, last)]


def asked(sim: Simulator, path: str = ADD) -> int:
    """How many calls of a path arrived."""
    return sum(entry.path == path for entry in sim.journal)


def refused(sim: Simulator) -> int:
    """How many calls were refused for the day's quota."""
    return sum(entry.errcode == 45009 for entry in sim.journal)


@pytest.fixture
def redis(redis_server: RedisServer) -> Iterator[RedisServer]:
    """An empty Redis; it is there again after each test."""
    redis_server.flush()
    yield redis_server
    redis_server.restart()


@pytest.fixture(params=["memory", "redis"])
async def budget(request: pytest.FixtureRequest) -> AsyncIterator[CallBudget]:
    """A budget of either kind."""
    url = request.getfixturevalue("redis").url if request.param == "redis" else None
    async with CallBudget(url) as made:
        yield made


# One process


async def test_a_batch_ends_with_the_quota_and_no_call_is_refused(sim: Simulator, budget: CallBudget) -> None:
    """Three calls were made by another program; 17 files arrive, the rest is left until midnight in Beijing."""
    allow(sim, 20)
    async with session(sim, None) as other:
        await other.add_materials("image", pictures(0, 3)).report()
    async with session(sim, budget) as wx:
        report = await wx.add_materials("image", pictures(3, 30)).report()
        assert (report.done, len(report.left), len(report.failed)) == (17, 10, 0)
        error = report.left[0].error
        assert isinstance(error, BudgetSpentError)
        assert (error.path, error.minute) == (ADD, False)
        assert 0 < error.at - time.time() <= 86_400
        assert day_of(error.at + 1) - day_of(error.at - 1) == 1
        with pytest.raises(BudgetSpentError, match=rf"{ADD} of the account {sim.appid} are spent"):
            await wx.add_material("image", picture(200))
        assert (await wx.count_materials()).image == 20  # another path
    assert (asked(sim), refused(sim)) == (20, 0)


async def test_calls_of_another_program_cost_one_refused_call(sim: Simulator, budget: CallBudget) -> None:
    """It makes ten calls after WeChat was asked: one call is refused, and closes the day for the whole batch."""
    allow(sim, 20)
    async with session(sim, None) as other, session(sim, budget) as wx:
        await wx.add_material("image", picture(0))
        await other.add_materials("image", pictures(1, 11)).report()
        report = await wx.add_materials("image", pictures(11, 40)).report()
    assert (report.done, len(report.failed)) == (9, 1)
    assert isinstance(report.failed[0].error, QuotaExceededError)
    assert refused(sim) == 1


async def test_what_processes_counted_before_they_were_killed_is_corrected(sim: Simulator, redis: RedisServer) -> None:
    """Half of the calls were counted and never made: WeChat is asked before the day counts as spent."""
    allow(sim, 20)
    async with CallBudget(redis.url) as budget, session(sim, budget) as wx:
        await wx.add_material("image", picture(0))
        key = f"wxasset:calls:{sim.url.removeprefix('http://')}:{sim.appid}:{ADD}:{day_of(time.time())}"
        assert redis.command("HINCRBY", key, "used", "10").startswith(b":11")
        report = await wx.add_materials("image", pictures(1, 30)).report()
    assert (report.done, len(report.left), refused(sim)) == (19, 10, 0)


async def test_a_path_without_a_quota_has_no_end(sim: Simulator, budget: CallBudget) -> None:
    """WeChat says 0 there, and knows nothing of other paths; it is asked once, and the calls go on."""
    sim.fail(QUOTA, "errcode:76021")
    async with session(sim, budget) as wx:
        report = await wx.add_materials("image", pictures(0, 12)).report()
        assert report == BatchReport(done=12)
        assert (await wx.count_materials()).image == 12
    assert asked(sim, QUOTA) == 2


async def test_a_new_day_begins_at_midnight_in_beijing(sim: Simulator, budget: CallBudget) -> None:
    """The calls of yesterday do not count: by WeChat's clock, not by that of this machine."""
    allow(sim, 3)
    async with session(sim, budget) as wx:
        assert (await wx.add_materials("image", pictures(0, 5)).report()).done == 3
        until_then = next_day(time.time()) + 60
        sim.advance(until_then)
        wx._engine.register.clock.tell(time.time() + until_then)
        assert (await wx.add_materials("image", pictures(5, 10)).report()).done == 3
    assert refused(sim) == 0


async def test_a_closed_minute_is_waited_for(sim: Simulator, budget: CallBudget) -> None:
    """45011 for one session: the next call of another one waits for the minute, or says when to come back."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        wx._engine.register.clock.tell(time.time() + sum(waits))

    sim.fail("add_material", "errcode:45011")
    async with session(sim, budget) as wx, session(sim, budget) as second:
        wx._engine.sleep = second._engine.sleep = sleep
        with pytest.raises(RateLimitedError):
            await wx.with_options(retry=evolve(PATIENT, attempts=1)).add_material("image", picture(0))
        arrived = asked(sim)
        with pytest.raises(BudgetSpentError, match="in this minute") as caught:
            await second._engine.with_options(minutes=False).budget.enter(ADD, second._engine.ask_quota)  # type: ignore[union-attr]
        assert caught.value.minute
        assert asked(sim) == arrived
        report = await second.add_materials("image", pictures(1, 4)).report()
        assert report == BatchReport(done=3)
    assert sum(waits) > 0


async def test_a_spent_budget_of_lists_stops_no_upload(sim: Simulator, tmp_path: Path) -> None:
    """A path's budget concerns its path; an upload that was not made stays planned in the ledger."""
    allow(sim, 0, COUNT)
    allow(sim, 2)
    async with Ledger(tmp_path / "l.db") as ledger, session(sim, CallBudget(), ledger=ledger) as wx:
        paths = make_pictures(tmp_path / "images", 4)
        report = await wx.add_materials("image", paths).report()
        assert (report.done, len(report.left)) == (2, 2)
        assert (await ledger.counts()).failed == 0
        allow(sim, 10)
        async with session(sim, CallBudget(), ledger=ledger) as again:
            report = await again.add_materials("image", paths).report()
    assert (report.done, report.skipped) == (4, 2)


# Many processes


async def test_processes_that_share_a_redis_never_exceed_the_quota(
    sim: Simulator, redis: RedisServer, say: Callable[[str], None]
) -> None:
    """Two processes with 60 files each and 70 calls: 70 arrive, none is refused, nothing fails."""
    allow(sim, 70)
    arguments = [sim.url, sim.appid, sim.secret, redis.url]
    answers = await run(arguments, [(0, 60), (60, 60)])
    assert sum(one["done"] for one in answers) == 70
    assert sum(one["left"] for one in answers) == 50
    assert [one["failed"] for one in answers] == [[], []]
    assert refused(sim) == 0
    say(f"2 processes, a quota of 70: {asked(sim)} calls, {refused(sim)} refused, {asked(sim, QUOTA)} questions")


async def run(arguments: list[str], shares: list[tuple[int, int]]) -> list[dict[str, Any]]:
    """Run a process for each share of the images, all at once."""
    pipe, environment = asyncio.subprocess.PIPE, os.environ | {"PYTHONPATH": str(WORKER.parent)}
    started = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, str(WORKER), *arguments, str(first), str(count)), stdout=pipe, env=environment
        )
        for first, count in shares
    ]
    async with asyncio.timeout(BOUND):
        answers = await asyncio.gather(*(one.communicate() for one in started))
    return [json.loads(output.splitlines()[-1]) for output, _ in answers]


@pytest.mark.parametrize("back", [True, False], ids=["comes back empty", "stays away"])
async def test_no_call_fails_while_redis_is_away(
    sim: Simulator, redis: RedisServer, back: bool, say: Callable[[str], None]
) -> None:
    """Three hosts go on with their last counts; each of them meets one refused call at most."""
    allow(sim, 60)
    async with AsyncExitStack() as stack:
        budgets = [await stack.enter_async_context(CallBudget(redis.url, timeout=0.2)) for _ in range(3)]
        sessions = [await stack.enter_async_context(session(sim, one)) for one in budgets]
        jobs = [
            asyncio.create_task(one.add_materials("image", pictures(100 * number, 100 * number + 40)).report())
            for number, one in enumerate(sessions)
        ]
        await until(lambda: asked(sim) >= 15, within=BOUND)
        await asyncio.to_thread(redis.kill)
        if back:
            await asyncio.to_thread(redis.start)
        reports = await asyncio.gather(*jobs)
    say(f"3 hosts, a quota of 60, Redis away: {asked(sim)} calls, {refused(sim)} refused: {[str(r) for r in reports]}")
    assert sum(report.done for report in reports) == 60
    assert refused(sim) == sum(len(report.failed) for report in reports) <= 3
    assert all(isinstance(one.error, QuotaExceededError) for report in reports for one in report.failed)


async def test_redis_that_was_never_there_is_not_needed(sim: Simulator) -> None:
    """A wrong port, from the start: the calls are counted here, and WeChat is asked as ever."""
    allow(sim, 5)
    async with CallBudget("redis://:CANARY@127.0.0.1:1/0", timeout=0.2) as budget, session(sim, budget) as wx:
        report = await wx.add_materials("image", pictures(0, 8)).report()
    assert (report.done, len(report.left), refused(sim)) == (5, 3, 0)
    assert "CANARY" not in repr(budget)


async def test_calls_without_redis_are_told_when_it_is_back() -> None:
    """The next step counts them too; they are told once, also by calls at the same time."""
    day = DayCount(1, limit=1000, used=0)
    day.divide()
    assert [day.take_alone(0.0).uncertain for _ in range(64)] == [False] * 62 + [True] * 2
    assert (day.alone, day.used) == (64, 64)
    day.follow(Count(Taken.YES, 1000, 900))
    assert day.share == 6


async def test_a_cancelled_call_does_not_hold_up_the_last_ones(sim: Simulator, budget: CallBudget) -> None:
    """The last calls are made one at a time: one that was cancelled gives its turn to the next."""
    allow(sim, 5)
    sim.fail("add_material", "stall-30s")
    async with session(sim, budget) as wx:
        stuck = asyncio.create_task(wx.add_material("image", picture(0)))
        await until(lambda: len(sim.materials) == 1)
        waiting = asyncio.create_task(wx.add_material("image", picture(1)))
        account = wx._engine.budget
        assert account is not None
        lane = Lane(account.realm, account.appid, ADD)
        await until(lambda: account.counts.known(lane, time.time()) == (5, 2))
        assert len(sim.materials) == 1
        stuck.cancel()
        assert (await asyncio.wait_for(waiting, BOUND)).media_id in sim.materials


# Accounts


async def test_each_account_of_a_platform_has_its_own_budget(sim: Simulator) -> None:
    """One budget for all sessions; the calls of the platform itself are not counted."""
    other = sim.add_account(appid="wx00000000000000aa")
    sim.platform.authorize(other.appid)
    allow(sim, 1, COUNT)
    component = ComponentToken(sim.platform.appid, sim.platform.secret, sim.platform.push_ticket())
    async with Platform(component, base_url=sim.url, budget=CallBudget()) as platform:
        for appid in (sim.appid, other.appid):
            await platform.session(appid).count_materials()
            with pytest.raises(BudgetSpentError, match=appid):
                await platform.session(appid).count_materials()
        assert [one.authorizer_appid async for one in platform.iter_authorizers()]


def test_a_budget_needs_an_account_and_an_address(tmp_path: Path) -> None:
    """Wrong arguments are told before anything is sent, without a password."""
    with pytest.raises(UsageError, match="pass its appid"):
        WxSession(tokens=StaticToken("TOKEN"), budget=CallBudget())
    with pytest.raises(UsageError, match="budget= is a CallBudget; not PosixPath"):
        WxSession("wx0", "secret", budget=tmp_path)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="CallBudget needs a URL") as caught:
        CallBudget(f"mysql://:{PASSWORD}@host/0")
    assert PASSWORD not in str(caught.value)
    with pytest.raises(UsageError, match="timeout"):
        CallBudget(timeout=0)
