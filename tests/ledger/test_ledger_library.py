"""The library is a ledger too: what it lists is not sent again, and what is gone from it is."""

import asyncio
import time
from pathlib import Path
from typing import Final

import pytest
from attrs import evolve

from pictures import make_pictures, picture
from policies import PATIENT
from wxasset import Added, Ledger, RetryPolicy, UploadPolicy, WxSession
from wxasset.errors import Later, UploadOutcomeUnknown
from wxasset.simulator import Simulator
from wxasset.simulator.state.account import Material

AT_ONCE: Final = UploadPolicy(visibility=0, settle=0)
BOUND: Final = 10.0  # seconds in which anything here ends


def session(sim: Simulator, ledger: Ledger, uploads: UploadPolicy = AT_ONCE) -> WxSession:
    """A session with a ledger."""
    return WxSession(sim.appid, sim.secret, base_url=sim.url, retry=PATIENT, uploads=uploads, ledger=ledger)


def calls(sim: Simulator, name: str) -> int:
    """Count the answered calls of a path."""
    return sum(entry.path.endswith(name) for entry in sim.journal)


async def run(sim: Simulator, path: Path, files: list[Path]) -> tuple[int, int]:
    """Upload files with the ledger at a path; return how many were sent, and how many skipped."""
    async with Ledger(path) as ledger, session(sim, ledger) as wx:
        before = calls(sim, "add_material")
        async with wx.add_materials("image", files) as outcomes:
            skipped = [isinstance(outcome, Added) and outcome.skipped async for outcome in outcomes]
        return calls(sim, "add_material") - before, sum(skipped)


async def test_a_lost_ledger_sends_nothing_again(sim: Simulator, tmp_path: Path) -> None:
    """One pass finds what the library has; an interrupted run, or the third one, needs no second pass."""
    files = make_pictures(tmp_path / "images", 60)
    assert await run(sim, tmp_path / "a.db", files[:50]) == (50, 0)
    before = calls(sim, "batchget_material")
    assert await run(sim, tmp_path / "b.db", files[:5]) == (0, 5)
    assert await run(sim, tmp_path / "b.db", files) == (10, 50)
    assert calls(sim, "batchget_material") - before == 3
    assert len(sim.materials) == 60


async def test_an_older_ledger_adopts_when_asked(sim: Simulator, tmp_path: Path) -> None:
    """Names with dates in them carry marks too; without adoption a ledger knows only its own uploads."""
    async with Ledger(tmp_path / "a.db") as a, Ledger(tmp_path / "b.db") as b, session(sim, a) as wx:
        await wx.ensure_material("image", picture(1), ledger=b)
        added = await wx.ensure_material("image", picture(2), filename="shot-2026.png")
        assert await b.adopt(wx, "image") == 2
        assert await b.adopt(wx) == 0
        found = await b.find(picture(2))
        assert found is not None
        assert found.media_id == added.media_id
        assert (await wx.ensure_material("image", picture(2), ledger=b)).media_id == added.media_id
        async with Ledger(tmp_path / "c.db", adopt=False) as c:
            assert (await wx.ensure_material("image", picture(2), ledger=c)).media_id != added.media_id


async def test_a_list_that_fails_stops_no_upload(sim: Simulator, tmp_path: Path) -> None:
    """Adoption by itself is a help; a spent quota of lists is not one of uploads."""
    sim.fail("batchget_material", "errcode:45009", times=None)
    assert await run(sim, tmp_path / "a.db", make_pictures(tmp_path / "images", 3)) == (3, 0)


@pytest.mark.parametrize("adopted", [False, True])
async def test_verify_forgets_what_the_console_deleted(sim: Simulator, tmp_path: Path, adopted: bool) -> None:
    """Two of five are gone: one pass shows it, and the next run sends the two."""
    files = make_pictures(tmp_path / "images", 5)
    await run(sim, tmp_path / "a.db", files)
    path = tmp_path / ("b.db" if adopted else "a.db")
    await run(sim, path, files)
    for media_id in list(sim.materials)[:2]:
        del sim.materials[media_id]
    async with Ledger(path) as ledger, session(sim, ledger) as wx:
        before = calls(sim, "batchget_material")
        verified = await ledger.verify(wx)
        assert (verified.present, verified.forgotten, verified.undecided) == (3, 2, 0)
        assert calls(sim, "batchget_material") - before == 1
    assert await run(sim, path, files) == (2, 3)
    assert len(sim.materials) == 5


async def _doubts(sim: Simulator, ledger: Ledger, files: list[Path]) -> None:
    """Lose the answers to uploads."""
    sim.fail("add_material", "reset-after-commit", times=len(files))
    uploads = evolve(AT_ONCE, reconcile="raise")
    async with WxSession(
        sim.appid, sim.secret, base_url=sim.url, ledger=ledger, uploads=uploads, retry=RetryPolicy(attempts=1)
    ) as wx:
        for file in files:
            with pytest.raises(UploadOutcomeUnknown):
                await wx.ensure_material("image", file)
    sim.clear_faults()


async def test_one_pass_settles_all_doubts_of_a_batch(sim: Simulator, tmp_path: Path) -> None:
    """Twenty uploads in doubt behind 200 newer materials take as many lists as one of them."""
    files = make_pictures(tmp_path / "images", 20)
    async with Ledger(tmp_path / "a.db") as ledger:
        await _doubts(sim, ledger, files)
        assert (await ledger.counts()).unknown == 20
        for number in range(200):
            media_id = f"other{number:059}"
            sim.materials[media_id] = Material(
                media_id=media_id,
                type="image",
                filename=f"o{number}.png",
                content=b"x",
                content_type="image/png",
                update_time=int(time.time()) + 1,
                url="http://x",
            )
        before = calls(sim, "batchget_material")
    assert await run(sim, tmp_path / "a.db", files) == (0, 20)
    assert calls(sim, "batchget_material") - before <= 12


async def test_a_worker_of_a_queue_is_told_when_to_try_again(sim: Simulator, tmp_path: Path) -> None:
    """With ``wait=False`` nothing sleeps until an upload has settled."""
    async with Ledger(tmp_path / "a.db") as ledger, session(sim, ledger, UploadPolicy(settle=60)) as wx:
        sim.fail("add_material", "reset-before-commit")
        with pytest.raises(UploadOutcomeUnknown):
            await wx.with_options(uploads=UploadPolicy(reconcile="raise")).ensure_material("image", picture(1))
        with pytest.raises(Later) as raised:
            await wx.ensure_material("image", picture(1), wait=False)
        assert 50 < raised.value.at - time.time() <= 60
        assert (await ledger.counts()).unknown == 1


@pytest.mark.parametrize(("fault", "seconds"), [("reset-before-commit", 600), ("errcode:45011", 63)])
async def test_a_worker_of_a_queue_waits_for_nothing(sim: Simulator, tmp_path: Path, fault: str, seconds: int) -> None:
    """A response that was lost just now, and a minute that is used up, are tried again later as well."""
    policy = UploadPolicy(visibility=0, settle=600)
    async with Ledger(tmp_path / "a.db") as ledger, session(sim, ledger, policy) as wx:
        sim.fail("add_material", fault)
        with pytest.raises(Later) as raised:
            await wx.ensure_material("image", picture(1), wait=False)
        assert seconds - 70 < raised.value.at - time.time() <= seconds
        assert "add_material" in raised.value.message
        assert calls(sim, "add_material") == 1


@pytest.mark.parametrize("ahead", [-3600.0, 3600.0])
async def test_a_clock_that_is_wrong_delays_no_second_search(tmp_path: Path, ahead: float) -> None:
    """A list fails at the first search of a batch; `settle` seconds later another one finds the upload."""
    files = make_pictures(tmp_path / "images", 2)
    policy = UploadPolicy(visibility=0, settle=0.4)
    async with (
        Simulator(clock=lambda: time.time() + ahead) as sim,
        Ledger(tmp_path / "a.db") as ledger,
        session(sim, ledger, policy) as wx,
    ):
        await wx.count_materials()  # tells WeChat's time
        sim.fail("add_material", "reset-after-commit")
        with pytest.raises(UploadOutcomeUnknown):
            await wx.with_options(uploads=UploadPolicy(reconcile="raise")).ensure_material("image", files[0])
        sim.fail("batchget_material", "status:502", times=PATIENT.attempts)
        with pytest.raises(Later) as raised:
            await wx.ensure_material("image", files[0], wait=False)
        assert raised.value.at - time.time() <= policy.settle
        sim.fail("batchget_material", "status:502", times=PATIENT.attempts)
        async with asyncio.timeout(BOUND):
            report = await wx.add_materials("image", files).report()
        assert report.complete, report
        assert calls(sim, "add_material") == len(sim.materials) == 2


async def test_a_batch_settles_what_it_lost_itself(sim: Simulator, tmp_path: Path) -> None:
    """Of ten responses seven are lost, four of them before anything was added; the library gets each image once."""
    files = make_pictures(tmp_path / "images", 10)
    for fault in ("reset-before-commit", "reset-after-commit", "delay-1ms") * 3 + ("reset-before-commit",) * 3:
        sim.fail("add_material", fault)
    policy = UploadPolicy(visibility=0, settle=0.4)
    async with Ledger(tmp_path / "a.db") as ledger, session(sim, ledger, policy) as wx:
        report = await wx.add_materials("image", files, concurrency=4).report()
        assert report.complete, report
        assert (await ledger.counts()).done == 10
    assert sorted(one.content for one in sim.materials.values()) == [picture(number) for number in range(10)]


async def test_what_a_batch_has_lost_is_unknown_where_it_stops(sim: Simulator, tmp_path: Path) -> None:
    """A spent quota leaves the rest not tried, but an upload that may have happened is told as one."""
    files = make_pictures(tmp_path / "images", 5)
    for fault in ("reset-before-commit", "errcode:45009"):
        sim.fail("add_material", fault)
    policy = UploadPolicy(visibility=0, settle=60)
    async with Ledger(tmp_path / "a.db") as ledger, session(sim, ledger, policy) as wx:
        report = await wx.add_materials("image", files, concurrency=1).report()
    assert [one.item for one in report.unknown] == files[:1]
    assert len(report.left) == 3


@pytest.mark.parametrize("there", [True, False])
async def test_a_person_decides_about_a_doubt(sim: Simulator, tmp_path: Path, there: bool) -> None:
    """An upload is there under an id, and is skipped; or it is not there, and is sent."""
    files = make_pictures(tmp_path / "images", 1)
    async with Ledger(tmp_path / "a.db") as ledger:
        await _doubts(sim, ledger, files)
        row = await ledger.find(files[0])
        assert row is not None
        assert await ledger.resolve(row, next(iter(sim.materials)) if there else None)
        assert (await ledger.counts()).unknown == 0
        assert not there or not await ledger.resolve(row, None)
    assert await run(sim, tmp_path / "a.db", files) == ((0, 1) if there else (1, 0))
