"""The ledger: what is uploaded once stays uploaded once, through lost answers, cancellation and other processes."""

import asyncio
import errno
import io
import os
import sqlite3
import stat
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from chaos_proxy import BlackHole, ChaosProxy
from pictures import make_pictures, picture
from policies import PATIENT
from wxasset import (
    Added,
    AddedMaterial,
    CallableToken,
    Failed,
    Ledger,
    LedgerCounts,
    LedgerRow,
    NewMaterial,
    NotTried,
    RetryPolicy,
    StaticToken,
    Unknown,
    UploadPolicy,
    WxSession,
)
from wxasset.calls.materials import Description
from wxasset.engine.uploads import MARK_LETTERS
from wxasset.errors import (
    ConnectError,
    LedgerError,
    MediaNotFoundError,
    QuotaExceededError,
    SourceError,
    UploadOutcomeUnknown,
    UsageError,
)
from wxasset.ledger.liveness import ProcessLock
from wxasset.ledger.records import UploadKey, described_as
from wxasset.ledger.sqlite_store import SqliteStore
from wxasset.ledger.transitions import Kept, Step, beginning, claiming, doubting, ending, next_step, planning, releasing
from wxasset.simulator import Simulator
from wxasset.transfer.uploads.cached_files import open_cached
from wxasset.wire.filenames import upload_name
from wxasset.wire.formats import FORMATS

BOUND: Final = 10.0  # seconds in which anything here ends


def sent(sim: Simulator) -> int:
    """How many uploads were answered."""
    return sum(entry.path.endswith("add_material") for entry in sim.journal)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """An empty ledger that does not list the library at its first use."""
    async with Ledger(tmp_path / "ledger.db", adopt=False) as opened:
        yield opened


@pytest.fixture
async def kept(sim: Simulator, ledger: Ledger) -> AsyncIterator[WxSession]:
    """A session with that ledger, which looks once and at once for what was lost."""
    uploads = UploadPolicy(visibility=0, settle=0)
    async with WxSession(
        sim.appid, sim.secret, base_url=sim.url, retry=PATIENT, uploads=uploads, ledger=ledger
    ) as session:
        yield session


async def only(ledger: Ledger) -> LedgerRow:
    """The one row that there is."""
    (row,) = [row async for row in ledger.rows()]
    return row


# Once is enough


async def _stream(content: bytes) -> AsyncIterator[bytes]:
    yield content[:20]
    yield content[20:]


WAYS: Final[dict[str, Callable[[bytes, Path], Any]]] = {
    "bytes": lambda content, _: content,
    "path": lambda content, path: (path.write_bytes(content), path)[1],
    "stream": lambda content, _: _stream(content),
    "file": lambda content, _: io.BytesIO(content),
}


@pytest.mark.parametrize("second", WAYS)
@pytest.mark.parametrize("first", WAYS)
async def test_the_same_bytes_are_sent_once(
    kept: WxSession, sim: Simulator, tmp_path: Path, first: str, second: str
) -> None:
    """However they are given, and whatever they are called: the second time the first material is the answer."""
    added = await kept.ensure_material("image", WAYS[first](picture(1), tmp_path / "one.png"), filename="first.png")
    again = await kept.ensure_material("image", WAYS[second](picture(1), tmp_path / "two.png"))
    assert again == added
    assert list(sim.materials) == [added.media_id]
    assert added.url == sim.materials[added.media_id].url
    assert sent(sim) == 1
    assert (await kept.ensure_material("image", picture(2))).media_id != added.media_id


async def test_the_row_says_what_became_of_it(kept: WxSession, ledger: Ledger, sim: Simulator, tmp_path: Path) -> None:
    """The name is the one in the library, with a mark; the rest is what WeChat and the clock said."""
    (path,) = make_pictures(tmp_path / "images", 1)
    begun = time.time()
    added = await kept.ensure_material("image", path)
    row = await only(ledger)
    assert (row.state, row.type, row.appid, row.size) == ("done", "image", sim.appid, len(picture(0)))
    assert sim.url.endswith(row.realm)
    assert row.material == added
    assert row.filename == sim.materials[added.media_id].filename
    assert row.filename.startswith("picture00000-")
    assert row.begun is not None
    assert row.ended is not None
    assert begun <= row.begun <= row.ended <= time.time()
    assert row.error is None
    assert await ledger.counts() == LedgerCounts(done=1)


def large(number: int) -> bytes:
    """An image that is too large to be read in the event loop."""
    return picture(number) + bytes(100_000)


def disguise(path: Path, content: bytes) -> None:
    """Give a file other bytes with the same inode, size and times, as nobody has them by accident."""
    found = path.stat()
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


async def test_a_large_file_that_has_not_changed_is_not_read_again(
    kept: WxSession, sim: Simulator, tmp_path: Path
) -> None:
    """Size, inode and times vouch for a file that was left alone for two seconds; a change of its times ends that."""
    path, an_hour_ago = tmp_path / "large.png", time.time() - 3600
    path.write_bytes(large(0))
    os.utime(path, (an_hour_ago, an_hour_ago))
    added = await kept.ensure_material("image", path)
    disguise(path, large(7))
    assert await kept.ensure_material("image", path) == added
    os.utime(path, (an_hour_ago, an_hour_ago + 1))
    assert await kept.ensure_material("image", path) != added
    assert sent(sim) == 2


async def test_a_small_file_is_read_again_where_no_thread_is_needed(
    kept: WxSession, sim: Simulator, tmp_path: Path
) -> None:
    """A file that is in the memory of the system is hashed by each run, so that its bytes decide, and not its times."""
    (path,) = make_pictures(tmp_path / "images", 1)
    os.utime(path, (1e9, 1e9))
    await kept.ensure_material("image", path)
    if (descriptor := open_cached(str(path))) is None:
        pytest.skip("this system has no openat2, or a file system that cannot tell that a read would wait")
    os.close(descriptor)
    disguise(path, picture(7))
    await kept.ensure_material("image", path)
    assert sent(sim) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every name is UTF-8")
async def test_a_name_that_is_not_utf_8_ends_no_batch(kept: WxSession, sim: Simulator, tmp_path: Path) -> None:
    """It is added like the others, and skipped the next time."""
    paths = [tmp_path / os.fsdecode(b"bad\xff.png"), tmp_path / "good.png"]
    for number, path in enumerate(paths):
        path.write_bytes(picture(number))
        os.utime(path, (1e9, 1e9))
    for skipped in (False, True):
        async with kept.add_materials("image", paths) as outcomes:
            assert [one.skipped async for one in outcomes if isinstance(one, Added)] == [skipped, skipped]
    assert len(sim.materials) == 2


async def test_a_file_that_was_just_written_is_read_again(kept: WxSession, sim: Simulator, tmp_path: Path) -> None:
    """Within two seconds times do not vouch for a file: a second write may leave them as they are."""
    path = tmp_path / "large.png"
    path.write_bytes(large(0))
    await kept.ensure_material("image", path)
    disguise(path, large(7))
    await kept.ensure_material("image", path)
    assert sent(sim) == 2


async def test_a_type_and_the_words_of_a_video_make_another_material(
    kept: WxSession, sim: Simulator, samples: Path, photo: bytes
) -> None:
    """The same bytes are another material as a thumb, and as a video with another title or introduction."""
    small = (samples / "thumb.jpg").read_bytes() if (samples / "thumb.jpg").exists() else photo
    await kept.ensure_material("image", small)
    await kept.ensure_material("thumb", small)
    film = samples / "clip.mp4"
    for title, introduction in (("A", None), ("B", None), ("A", "x")) * 2:
        await kept.ensure_material("video", film, title=title, introduction=introduction)
    assert sorted(one.type for one in sim.materials.values()) == ["image", "thumb", "video", "video", "video"]
    assert sent(sim) == 5


@pytest.mark.parametrize("processes", [1, 3])
async def test_what_many_ask_for_at_once_is_sent_once(
    sim: Simulator, kept: WxSession, tmp_path: Path, processes: int
) -> None:
    """Twenty tasks, over one ledger or three of the same file as processes have them, make one upload."""
    sim.fail("add_material", "delay-50ms", times=None)
    ledgers = [Ledger(tmp_path / "ledger.db") for _ in range(processes)]
    for one in ledgers:
        await one.__aenter__()
    try:
        asked = [kept.ensure_material("image", picture(1), ledger=ledgers[number % processes]) for number in range(20)]
        async with asyncio.timeout(BOUND):
            answers = await asyncio.gather(*asked)
    finally:
        for one in ledgers:
            await one.__aexit__(None, None, None)
    assert len({one.media_id for one in answers}) == 1
    assert sent(sim) == 1


async def test_a_batch_skips_what_the_library_has(
    kept: WxSession, ledger: Ledger, sim: Simulator, tmp_path: Path
) -> None:
    """A second run over a directory sends what is new, and says of the rest that it was skipped."""
    paths = make_pictures(tmp_path / "images", 30)
    done: list[object] = []
    for known in (20, 30, 30):
        async with kept.add_materials("image", paths[:known], ledger=ledger) as outcomes:
            done = [one async for one in outcomes]
        assert all(isinstance(one, Added) for one in done)
    assert [one.skipped for one in done if isinstance(one, Added)] == [True] * 30
    assert sent(sim) == 30
    assert {one.media_id for one in done if isinstance(one, Added)} == set(sim.materials)


async def test_a_second_run_looks_up_many_files_at_once(wx: WxSession, sim: Simulator, tmp_path: Path) -> None:
    """A hundred known files take a few groups of questions to the store, not one for each."""
    asked: list[int] = []

    class Counting(SqliteStore):
        async def find(self, keys: Iterable[UploadKey]) -> Mapping[UploadKey, LedgerRow]:
            asked.append(1)
            return await super().find(keys)

    paths = make_pictures(tmp_path, 100)
    for path in paths:
        os.utime(path, (1e9, 1e9))
    async with Ledger(Counting(tmp_path / "ledger.db")) as ledger:
        first = await wx.add_materials("image", paths, ledger=ledger).report()
        asked.clear()
        second = await wx.add_materials("image", paths, ledger=ledger).report()
    assert (first.done, first.skipped, second.skipped, sent(sim)) == (100, 0, 100, 100)
    assert len(asked) <= 10


async def test_without_a_ledger_a_batch_sends_all(wx: WxSession, sim: Simulator) -> None:
    """Nothing is skipped where nobody keeps account."""
    async with wx.add_materials("image", [picture(1), picture(1)]) as outcomes:
        assert [one.skipped async for one in outcomes if isinstance(one, Added)] == [False, False]
    assert sent(sim) == 2


# What was refused, lost or cancelled


async def test_what_was_refused_is_tried_again(kept: WxSession, ledger: Ledger, sim: Simulator) -> None:
    """A spent quota leaves the row as failed, with the reason; the next day it is sent."""
    sim.fail("add_material", "errcode:45009")
    with pytest.raises(QuotaExceededError):
        await kept.ensure_material("image", picture(1))
    row = await only(ledger)
    assert row.state == "failed"
    assert "45009" in (row.error or "")
    added = await kept.ensure_material("image", picture(1))
    assert list(sim.materials) == [added.media_id]
    assert await ledger.counts() == LedgerCounts(done=1)
    assert (await only(ledger)).error is None


async def test_a_spent_quota_leaves_the_rest_for_the_next_run(kept: WxSession, ledger: Ledger, sim: Simulator) -> None:
    """What comes as NotTried is not in the ledger, and the next run over everything sends exactly what is left."""
    media = [picture(number) for number in range(50)]
    sim.fail("add_material", "errcode:45009", times=None, after=20)
    async with kept.add_materials("image", media, concurrency=3) as outcomes:
        first = [one async for one in outcomes]
    assert sum(isinstance(one, NotTried) for one in first) >= 27
    assert (await ledger.counts()).done == 20
    sim.clear_faults()
    before = sent(sim)
    async with kept.add_materials("image", media) as outcomes:
        assert all(isinstance(one, Added) for one in [one async for one in outcomes])
    assert sent(sim) - before == 30
    assert sorted(one.content for one in sim.materials.values()) == sorted(media)


@pytest.mark.parametrize(("fault", "uploads"), [("reset-after-commit", 1), ("reset-before-commit", 2)])
async def test_a_lost_answer_is_resolved_by_the_library(
    kept: WxSession, ledger: Ledger, sim: Simulator, fault: str, uploads: int
) -> None:
    """The row is unknown; the next call finds what was added, and sends again only what is not there."""
    wx = kept.with_options(uploads=UploadPolicy(reconcile="raise", visibility=0, settle=0))
    sim.fail("add_material", fault)
    with pytest.raises(UploadOutcomeUnknown):
        await wx.ensure_material("image", picture(1))
    row = await only(ledger)
    assert row.state == "unknown"
    assert row.error
    added = await wx.ensure_material("image", picture(1))
    assert list(sim.materials) == [added.media_id]
    assert sent(sim) == uploads
    assert added.reconciled is (uploads == 1)
    assert added.url == sim.materials[added.media_id].url
    assert await wx.ensure_material("image", picture(1)) == added
    assert (await only(ledger)).reconciled is (uploads == 1)


async def test_a_lost_answer_is_found_by_the_call_itself(kept: WxSession, sim: Simulator) -> None:
    """The name is the upload's alone, so that the call finds it also among others of the same file name."""
    sim.fail("add_material", "reset-after-commit", times=None)
    async with kept.add_materials(
        "image", [NewMaterial(media=picture(number), filename="same.png") for number in range(10)]
    ) as outcomes:
        added = [one async for one in outcomes if isinstance(one, Added)]
    assert len({one.media_id for one in added}) == 10 == len(sim.materials)
    for one in added:
        assert sim.materials[one.media_id].content == one.item.media


@pytest.mark.parametrize(("visibility", "settle"), [(1.0, 0.0), (0.0, 1.0)])
async def test_what_is_listed_late_is_waited_for(
    kept: WxSession, sim: Simulator, visibility: float, settle: float
) -> None:
    """A material that the list does not show yet is not sent again within `visibility`, nor within `settle`."""
    wx = kept.with_options(uploads=UploadPolicy(reconcile="raise", visibility=visibility, settle=settle))
    sim.fail("add_material", "hide-300ms,reset-after-commit")
    with pytest.raises(UploadOutcomeUnknown):
        await wx.ensure_material("image", picture(1))
    assert (await wx.ensure_material("image", picture(1))).reconciled
    assert sent(sim) == 1


async def test_what_somebody_holds_for_ever_holds_nobody_up(
    kept: WxSession, ledger: Ledger, sim: Simulator, tmp_path: Path
) -> None:
    """Who waits for a claim that never ends is told after the time that an upload may take; a batch goes on."""
    wx = kept.with_options(retry=RetryPolicy(timeout=0.2))
    await wx.ensure_material("image", picture(1), filename="a.png")
    row = await only(ledger)
    await ledger.forget(row.media_id or "")
    async with Ledger(tmp_path / "ledger.db") as stuck:
        key = UploadKey(appid=row.appid, realm=row.realm, type=row.type, sha256=row.sha256)
        assert (await stuck.claim(key, row.filename, row.size)).step is Step.SEND
        async with wx.add_materials("image", [picture(1), picture(2)]) as outcomes:
            ends = [one async for one in outcomes]
        assert [type(one.error) for one in ends if isinstance(one, Unknown)] == [UploadOutcomeUnknown]
        assert len([one for one in ends if isinstance(one, Added)]) == 1
        assert sent(sim) == 2
        await stuck.end(key, "planned")


async def test_a_search_that_fails_leaves_it_unknown(kept: WxSession, ledger: Ledger, sim: Simulator) -> None:
    """As long as the library cannot be listed nothing is sent again."""
    wx = kept.with_options(uploads=UploadPolicy(reconcile="raise", visibility=0, settle=0))
    sim.fail("add_material", "reset-after-commit")
    sim.fail("batchget_material", "errcode:48001")
    for _ in range(2):
        async with wx.add_materials("image", [picture(1)]) as outcomes:
            assert [type(one) async for one in outcomes] == [Unknown]
        assert (await only(ledger)).state == "unknown"
    assert (await wx.ensure_material("image", picture(1))).reconciled
    assert sent(sim) == 1


async def test_of_several_with_its_name_the_newest_is_taken(kept: WxSession, ledger: Ledger, sim: Simulator) -> None:
    """What has the mark has the bytes: a material that the ledger was told to forget does not make it unsure."""
    wx = kept.with_options(uploads=UploadPolicy(reconcile="raise", visibility=0, settle=0))
    first = await wx.ensure_material("image", picture(1), filename="a.png")
    assert await ledger.forget(first.media_id)
    assert not await ledger.forget(first.media_id)
    sim.fail("add_material", "reset-after-commit")
    with pytest.raises(UploadOutcomeUnknown):
        await wx.ensure_material("image", picture(1), filename="a.png")
    async with WxSession(
        sim.appid, sim.secret, base_url=sim.url, ledger=ledger, uploads=UploadPolicy(visibility=0, settle=0)
    ) as other:
        found = await other.ensure_material("image", picture(1), filename="a.png")
    assert found.media_id == list(sim.materials)[-1]
    assert found.url == sim.materials[found.media_id].url
    assert sent(sim) == 2


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_cancelled_upload_is_unknown(ledger: Ledger, sim: Simulator, arrives: bool) -> None:
    """Whether WeChat had all of it by then is what the next call finds out."""
    async with (
        ChaosProxy(sim.url) as proxy,
        WxSession(
            sim.appid, sim.secret, base_url=proxy.url, ledger=ledger, uploads=UploadPolicy(visibility=0, settle=0)
        ) as wx,
    ):
        await wx.count_materials()
        proxy.toxics = () if arrives else (BlackHole(),)
        if arrives:
            sim.fail("add_material", "delay-300ms")
        sending = asyncio.Event()
        uploading = wx.ensure_material("image", picture(1), progress=lambda _done, _total: sending.set())
        task = asyncio.create_task(uploading)
        async with asyncio.timeout(BOUND):
            await sending.wait()
            while arrives and not sim.materials:  # noqa: ASYNC110 - no event
                await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await only(ledger)).state == "unknown"
        proxy.toxics = ()
        added = await wx.ensure_material("image", picture(1))
    assert list(sim.materials) == [added.media_id]
    assert added.reconciled is arrives


async def test_what_is_cancelled_before_its_first_byte_is_planned(
    kept: WxSession, ledger: Ledger, sim: Simulator
) -> None:
    """While a token is fetched nothing is sent: a later call does not search."""
    sim.fail("stable_token", "delay-500ms")
    task = asyncio.create_task(kept.ensure_material("image", picture(1)))
    async with asyncio.timeout(BOUND):
        while (await ledger.counts()).in_flight == 0:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    row = await only(ledger)
    assert (row.state, row.begun) == ("planned", None)
    await kept.ensure_material("image", picture(1))
    assert not any(entry.path.endswith("batchget_material") for entry in sim.journal)


async def test_nothing_sent_is_a_failure_and_not_unknown(ledger: Ledger, sim: Simulator) -> None:
    """Where there was no connection no search is needed."""
    async with WxSession(
        sim.appid, tokens=StaticToken("x" * 100), base_url="http://127.0.0.1:9", retry=PATIENT, ledger=ledger
    ) as wx:
        with pytest.raises(ConnectError):
            await wx.ensure_material("image", picture(1))
    assert await ledger.counts() == LedgerCounts(failed=1)


class Hesitating(Ledger):
    """One that is cancelled when it has noted that the library does not have something."""

    async def plan(self, key: UploadKey, filename: str) -> None:
        """Note it, and be cancelled."""
        await super().plan(key, filename)
        raise asyncio.CancelledError


async def test_what_is_cancelled_between_search_and_upload_holds_nobody_up(sim: Simulator, tmp_path: Path) -> None:
    """Another call with the same ledger sends it, instead of waiting for one that is gone."""
    uploads = UploadPolicy(reconcile="raise", visibility=0, settle=0)
    async with (
        Hesitating(tmp_path / "ledger.db") as ledger,
        WxSession(sim.appid, sim.secret, base_url=sim.url, ledger=ledger, uploads=uploads) as wx,
    ):
        sim.fail("add_material", "reset-before-commit")
        with pytest.raises(UploadOutcomeUnknown):
            await wx.ensure_material("image", picture(1))
        with pytest.raises(asyncio.CancelledError):
            await wx.ensure_material("image", picture(1))
        added = await asyncio.wait_for(wx.ensure_material("image", picture(1)), BOUND)
    assert list(sim.materials) == [added.media_id]


# A process that died


async def test_what_a_dead_process_left_is_searched_for_and_what_a_living_one_has_is_waited_for(
    kept: WxSession, ledger: Ledger, sim: Simulator, tmp_path: Path
) -> None:
    """The claim of another ledger holds as long as its lock does; then what it was sending is looked for."""
    content = picture(1)
    added = await kept.ensure_material("image", content, filename="a.png")
    row = await only(ledger)
    other = await asyncio.to_thread(ProcessLock.take, str(tmp_path / "ledger.db"))
    _change(tmp_path, "state = 'in flight', media_id = NULL, ended = NULL, holder = ?", other.id)
    task = asyncio.create_task(kept.ensure_material("image", content, filename="b.png"))
    await asyncio.sleep(0.1)
    assert not task.done()
    await asyncio.to_thread(other.end)
    assert (await task).media_id == added.media_id
    assert sent(sim) == 1
    assert (await only(ledger)).filename == row.filename


def _change(tmp_path: Path, what: str, *values: object) -> None:
    """Change all rows, as another process would."""
    base = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
    base.execute(f"UPDATE uploads SET {what}", values)  # noqa: S608 - the tests' own
    base.close()


async def test_what_a_dead_process_had_planned_is_sent_without_a_search(
    kept: WxSession, ledger: Ledger, sim: Simulator, tmp_path: Path
) -> None:
    """Of a planned upload not a byte was sent."""
    await kept.ensure_material("image", picture(1))
    sim.materials.clear()
    _change(tmp_path, "state = 'planned', media_id = NULL, begun = NULL, ended = NULL, holder = ?", "0" * 32)
    await kept.ensure_material("image", picture(1))
    assert sent(sim) == 2
    assert not any(entry.path.endswith("batchget_material") for entry in sim.journal)
    assert await ledger.counts() == LedgerCounts(done=1)


async def test_times_of_a_clock_that_was_wrong_delay_nothing_and_hide_nothing(
    kept: WxSession, sim: Simulator, tmp_path: Path
) -> None:
    """A start and an end in the future: the whole library is searched, and at once."""
    wx = kept.with_options(uploads=UploadPolicy(reconcile="raise", visibility=0, settle=0.5))
    sim.fail("add_material", "reset-after-commit")
    with pytest.raises(UploadOutcomeUnknown):
        await wx.ensure_material("image", picture(1))
    report = await wx.add_materials("image", [picture(number) for number in range(2, 152)]).report()
    assert report.done == 150
    _change(tmp_path, "begun = ?, ended = ? WHERE state = 'unknown'", time.time() + 1e6, time.time() + 1e6)
    begun = time.monotonic()
    assert (await wx.ensure_material("image", picture(1))).reconciled
    assert time.monotonic() - begun < BOUND
    assert sent(sim) == 151


def test_what_a_dead_process_left_beside_a_name_with_brackets_is_cleared_away(tmp_path: Path) -> None:
    """The name of a ledger is no pattern."""
    left = tmp_path / "uploads[1].db-holder-0"
    left.touch(0o600)
    ProcessLock.take(str(tmp_path / "uploads[1].db")).end()
    assert not left.exists()


def test_a_holding_is_alive_until_it_ends(tmp_path: Path) -> None:
    """Its lock says so to others, and what is left of one that ended is cleared away by the next."""
    base = str(tmp_path / "ledger.db")
    one, other = ProcessLock.take(base), ProcessLock.take(base)
    assert one.is_alive(other.id)
    assert other.is_alive(one.id)
    assert one.is_alive(one.id)
    assert not one.is_alive("0" * 32)
    left = tmp_path / "ledger.db-holder-left"
    left.touch(0o600)
    assert not one.is_alive("left")
    third = ProcessLock.take(base)
    assert not left.exists()
    assert one.is_alive(third.id)
    for holding in (one, other, third):
        holding.end()
    assert not other.is_alive(one.id)
    assert list(tmp_path.iterdir()) == []


# What WeChat has no longer


@pytest.mark.parametrize("how", ["verify", "get", "open", "delete", "deleted", "batch", "forget"])
async def test_what_is_gone_is_added_again(
    kept: WxSession, ledger: Ledger, sim: Simulator, tmp_path: Path, how: str
) -> None:
    """It is noticed on use, by deletion, or when asked to verify; otherwise the ledger is believed."""
    media_id = (await kept.ensure_material("image", picture(1))).media_id
    if how not in {"deleted", "batch"}:
        del sim.materials[media_id]  # on the web console
    if how == "get":
        with pytest.raises(MediaNotFoundError):
            await kept.get_material(media_id, tmp_path / "x.png")
    elif how == "open":
        with pytest.raises(MediaNotFoundError):
            async with kept.open_material(media_id):
                raise AssertionError
    elif how == "delete":
        with pytest.raises(MediaNotFoundError):
            await kept.del_material(media_id)
    elif how == "deleted":
        await kept.del_material(media_id)
    elif how == "batch":
        async with kept.del_materials([media_id]) as outcomes:
            assert len([one async for one in outcomes]) == 1
    elif how == "forget":
        assert await ledger.forget(media_id)
    assert (await ledger.counts()).done == (how == "verify")
    again = await kept.ensure_material("image", picture(1), verify=how == "verify")
    assert again.media_id != media_id
    assert list(sim.materials) == [again.media_id]


async def test_an_unknown_material_is_reported_also_where_the_ledger_fails(
    sim: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What WeChat says of a material is not hidden by a ledger that cannot note it."""
    monkeypatch.setattr("wxasset.ledger.schema._BUSY", 0.05)
    async with (
        Ledger(tmp_path / "ledger.db") as ledger,
        WxSession(sim.appid, sim.secret, base_url=sim.url, retry=PATIENT, ledger=ledger) as wx,
    ):
        base = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
        base.execute("BEGIN IMMEDIATE")
        with pytest.raises(MediaNotFoundError):
            await wx.get_material("unknown", io.BytesIO())
        base.close()


async def test_what_is_there_is_verified_without_its_bytes(kept: WxSession, sim: Simulator, tmp_path: Path) -> None:
    """One call of get_material, and the material stays; a path that has not changed is verified as well."""
    path = tmp_path / "large.png"
    path.write_bytes(picture(1) + bytes(5_000_000))
    os.utime(path, (1_700_000_000, 1_700_000_000))
    added = await kept.ensure_material("image", path)
    begun = time.monotonic()
    for _ in range(3):
        assert await kept.ensure_material("image", path, verify=True) == added
    assert await kept.ensure_material("image", path.read_bytes(), verify=True) == added
    assert time.monotonic() - begun < BOUND
    assert sum(entry.path.endswith("get_material") for entry in sim.journal) == 4
    assert sent(sim) == 1


# The account, the file, and mistakes


async def test_accounts_have_rows_of_their_own(ledger: Ledger) -> None:
    """What one account has is sent again for another, with the same ledger."""
    for seed in (1, 2):
        async with (
            Simulator(seed=seed) as sim,
            WxSession(sim.appid, sim.secret, base_url=sim.url, ledger=ledger) as wx,
        ):
            await wx.ensure_material("image", picture(1))
            assert len(sim.materials) == 1
    assert len({row.appid async for row in ledger.rows(state="done")}) == 2


async def test_a_ledger_has_to_be_there_open_and_know_the_account(
    wx: WxSession, ledger: Ledger, sim: Simulator
) -> None:
    """Each mistake is told before anything is sent; an appid beside other tokens is enough."""
    with pytest.raises(UsageError, match="no ledger"):
        await wx.ensure_material("image", picture(1))
    with pytest.raises(UsageError, match="not open"):
        await wx.ensure_material("image", picture(1), ledger=Ledger(ledger.path))
    with pytest.raises(UsageError, match="ledger="):
        wx.with_options(ledger="ledger.db")  # type: ignore[arg-type]  # the point of the test
    with pytest.raises(UsageError, match="open already"):
        await ledger.__aenter__()
    with pytest.raises(UsageError, match="state="):
        [row async for row in ledger.rows(state="lost")]  # type: ignore[arg-type]  # the same

    async def fetch() -> str:
        raise AssertionError

    tokens = CallableToken(fetch)
    async with WxSession(tokens=tokens, base_url=sim.url, ledger=ledger) as unknown:
        with pytest.raises(UsageError, match="account"):
            await unknown.ensure_material("image", picture(1))
        with pytest.raises(UsageError, match="account"):
            unknown.add_materials("image", [picture(1)])
    assert sent(sim) == 0
    assert (await wx.with_options(ledger=ledger).ensure_material("image", picture(1))).media_id in sim.materials


async def test_a_stream_of_another_size_than_was_said_is_refused(kept: WxSession, sim: Simulator) -> None:
    """`size` of a `NewMaterial` is held against what came; the right one passes."""
    items = [
        NewMaterial(media=_stream(picture(1)), size=10),
        NewMaterial(media=_stream(picture(2)), size=len(picture(2))),
    ]
    async with kept.add_materials("image", items) as outcomes:
        found = {one.item: one async for one in outcomes}
    first = found[items[0]]
    assert isinstance(first, Failed)
    assert isinstance(first.error, SourceError)
    assert isinstance(found[items[1]], Added)
    assert sent(sim) == 1


async def test_the_file_is_its_owners_alone(kept: WxSession, tmp_path: Path) -> None:
    """The database and all files beside it have mode 0600."""
    await kept.ensure_material("image", picture(1))
    files = list(tmp_path.glob("ledger.db*"))
    assert len(files) >= 3
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_rows_come_in_pages_by_state(kept: WxSession, ledger: Ledger, sim: Simulator) -> None:
    """More rows than one page come in their order; a state picks its own."""
    async with kept.add_materials("image", [picture(number) for number in range(3)]) as outcomes:
        assert len([one async for one in outcomes]) == 3
    await asyncio.to_thread(_multiply, Path(ledger.path))
    assert len([row async for row in ledger.rows()]) == 1203
    assert len([row async for row in ledger.rows(state="done")]) == 3
    failed = [row async for row in ledger.rows(state="failed")]
    assert [row.sha256 for row in failed] == [str(number) for number in range(1200)]
    assert (await ledger.counts()).failed == 1200
    assert len(sim.materials) == 3


def _multiply(path: Path) -> None:
    base = sqlite3.connect(path)
    with base:
        base.executemany(
            "INSERT INTO uploads (appid, realm, type, sha256, described, state, filename, size)"
            " VALUES ('a', 'b', 'image', ?, '', 'failed', 'x.png', 1)",
            [(str(number),) for number in range(1200)],
        )
    base.close()


async def test_a_writer_in_another_process_is_waited_for(kept: WxSession, tmp_path: Path, sim: Simulator) -> None:
    """While somebody else writes, the upload waits, and the event loop does not."""
    await kept.ensure_material("image", picture(0))
    base = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None, check_same_thread=False)
    base.execute("BEGIN IMMEDIATE")
    task = asyncio.create_task(kept.ensure_material("image", picture(1)))
    await asyncio.sleep(0.2)
    assert not task.done()
    assert sent(sim) == 1
    base.execute("COMMIT")
    base.close()
    await asyncio.wait_for(task, BOUND)
    assert sent(sim) == 2


@pytest.mark.parametrize("what", ["table", "disk"])
async def test_nothing_is_sent_that_the_ledger_could_not_note(
    sim: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Where the start of an upload cannot be written, or not to the disk, it fails before its first byte."""
    monkeypatch.setattr("wxasset.ledger.schema._BUSY", 0.05)

    def broken(_: int) -> None:
        raise OSError(errno.EIO, "the disk is broken")

    async with (
        Ledger(tmp_path / "ledger.db", adopt=False) as ledger,
        WxSession(sim.appid, sim.secret, base_url=sim.url, retry=PATIENT, ledger=ledger) as wx,
    ):
        base = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None, check_same_thread=False)
        with monkeypatch.context() as patch:
            if what == "table":
                base.execute("BEGIN IMMEDIATE")
            else:
                patch.setattr("wxasset.ledger.files._SYNC", broken)
            with pytest.raises(LedgerError):
                await wx.ensure_material("image", picture(1))
        assert sim.materials == {}
        base.execute("ROLLBACK" if what == "table" else "BEGIN")
        base.close()
        added = await wx.ensure_material("image", picture(1))
        assert list(sim.materials) == [added.media_id]
        assert not any(entry.path.endswith("batchget_material") for entry in sim.journal)


async def test_a_material_that_the_ledger_could_not_note_keeps_its_id(
    sim: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outcome has the material and the ledger's error, and the batch stops; the next run finds it."""
    monkeypatch.setattr("wxasset.ledger.schema._BUSY", 0.05)
    sim.fail("add_material", "delay-300ms")
    async with (
        Ledger(tmp_path / "ledger.db") as ledger,
        WxSession(sim.appid, sim.secret, base_url=sim.url, retry=PATIENT, ledger=ledger) as wx,
    ):
        base = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None, check_same_thread=False)

        async def lock() -> None:
            async with asyncio.timeout(BOUND):
                while (await ledger.counts()).in_flight == 0:  # noqa: ASYNC110 - it has no event
                    await asyncio.sleep(0.001)
            base.execute("BEGIN IMMEDIATE")

        batch = wx.add_materials("image", [picture(number) for number in range(5)], concurrency=1)
        report, _ = await asyncio.gather(batch.report(), lock())
        base.execute("COMMIT")
        (added,) = report.unrecorded
        assert [added.media_id] == list(sim.materials)
        assert (report.done, len(report.left)) == (1, 4)
        assert {one.error for one in report.left} == {added.unrecorded}
        base.close()
        assert isinstance(added.unrecorded, LedgerError)
        assert added.unrecorded.material is added.material
        again = await wx.ensure_material("image", picture(0))
    assert list(sim.materials) == [added.media_id] == [again.media_id]


async def test_a_batch_stops_where_its_ledger_fails(
    sim: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be noted would be sent again by the next run: nothing more is sent, and the rest is left to do."""
    monkeypatch.setattr("wxasset.ledger.schema._BUSY", 0.05)
    media = [picture(number) for number in range(50)]
    async with (
        Ledger(tmp_path / "ledger.db") as ledger,
        WxSession(sim.appid, sim.secret, base_url=sim.url, retry=PATIENT, ledger=ledger) as wx,
    ):
        base = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None, check_same_thread=False)
        async with wx.add_materials("image", media, concurrency=2) as outcomes:
            kinds = []
            async for outcome in outcomes:
                kinds.append(type(outcome))
                if len(kinds) == 10:
                    base.execute("BEGIN IMMEDIATE")
        base.close()
        assert 10 <= kinds.count(Added) <= 16
        assert 1 <= kinds.count(Failed) <= 2
        assert kinds.count(NotTried) >= 32
        async with wx.add_materials("image", media) as outcomes:
            assert all(isinstance(one, Added) for one in [one async for one in outcomes])
    assert sorted(one.content for one in sim.materials.values()) == sorted(media)


@pytest.mark.parametrize("kind", ["text", "other", "newer", "directory", "missing"])
async def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path, kind: str) -> None:
    """Nothing is written to what is something else, or was made by a later version."""
    path = tmp_path / "file.db"
    if kind in {"text", "other"}:
        path.touch(0o600)
    if kind == "text":
        path.write_text("not a database, and long enough to be looked at" * 10)
    elif kind == "directory":
        path.mkdir()
    elif kind == "missing":
        path = tmp_path / "nowhere" / "file.db"
    else:
        if kind == "newer":
            async with Ledger(path):
                pass
        base = sqlite3.connect(path)
        base.execute("CREATE TABLE t (x)" if kind == "other" else "PRAGMA user_version = 99")
        base.close()
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(LedgerError, match=r"file\.db") as caught:
        async with Ledger(path):
            raise AssertionError
    assert caught.value.hint.chinese
    if before is not None:
        assert path.read_bytes() == before
    assert not list(tmp_path.glob("*-holder-*"))


async def test_several_open_a_new_ledger_at_once(tmp_path: Path) -> None:
    """One makes the tables, the others find them."""
    ledgers = [Ledger(tmp_path / "ledger.db") for _ in range(8)]
    await asyncio.gather(*(one.__aenter__() for one in ledgers))
    assert [await one.counts() for one in ledgers] == [LedgerCounts()] * 8
    for one in ledgers:
        await one.__aexit__(None, None, None)
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.db"]


# The pure parts

KEY: Final = UploadKey(appid="wx1", realm="weixin", type="image", sha256="ab" * 32)
ROW: Final = LedgerRow(
    appid="wx1", realm="weixin", type="image", sha256="ab" * 32, state="done", filename="x.png", size=1
)


@pytest.mark.parametrize(
    ("state", "held", "step"),
    [
        (None, False, Step.SEND),
        ("planned", False, Step.SEND),
        ("failed", False, Step.SEND),
        ("in flight", False, Step.LOOK),
        ("unknown", False, Step.LOOK),
        ("done", False, Step.SKIP),
        ("done", True, Step.SKIP),
        ("planned", True, Step.WAIT),
        ("failed", True, Step.WAIT),
        ("in flight", True, Step.WAIT),
        ("unknown", True, Step.WAIT),
    ],
)
def test_the_next_step(state: Any, held: bool, step: Step) -> None:
    """Only what is certainly not there is sent; what may be there is searched for; what somebody has is waited for."""
    assert next_step(None if state is None else evolve(ROW, state=state), held=held) is step


@pytest.mark.parametrize("lost_at", [None, 5.0])
@pytest.mark.parametrize("mine", [True, False])
@pytest.mark.parametrize("state", [None, "planned", "in flight", "done", "failed", "unknown"])
def test_a_transition_may_be_applied_again_to_its_result(state: Any, mine: bool, lost_at: float | None) -> None:
    """A store repeats one whose response was lost: the row stays as it is. Without a claim nothing is written."""
    row = None if state is None else evolve(ROW, state=state, begun=1.0)
    changes = (
        claiming(KEY, "b.png", 2),
        beginning(7.0),
        doubting(8.0),
        planning("c.png"),
        ending("done", material=AddedMaterial(media_id="M")),
        ending("unknown", error="x"),
        releasing(1.0),
        releasing(None),
    )
    for number, change in enumerate(changes):
        kept = Kept(row=row, mine=mine and row is not None, lost_at=lost_at)
        _, write = change(kept, 10.0)
        assert write is None or number == 0 or kept.mine
        if write is not None:
            again = change(Kept(row=write.row, mine=write.hold), 10.0)[1]
            assert again is None or again == write


@pytest.mark.parametrize(("begun", "state"), [(1.0, "planned"), (7.0, "in flight"), (None, "in flight")])
def test_a_claim_that_is_released_leaves_the_doubts_of_others(begun: float | None, state: str) -> None:
    """What began with this very claim has not been sent; what a lost process sent stays in doubt."""
    kept = Kept(row=evolve(ROW, state="in flight", begun=1.0), mine=True)
    _, write = releasing(begun)(kept, 10.0)
    assert write is not None
    assert (write.row.state, write.hold) == (state, False)


@given(
    type=st.sampled_from(["image", "thumb", "voice", "video"]),
    sha256=st.binary(min_size=32, max_size=32).map(bytes.hex),
    name=st.text(min_size=1, max_size=60).map(lambda text: upload_name(text, FORMATS["png"])),
)
def test_the_mark_is_made_of_the_media(type: str, sha256: str, name: str) -> None:  # noqa: A002 - WeChat's own name
    """It is the same for every account, process and run, of 12 plain letters, and keeps the extension."""
    key = evolve(KEY, type=type, sha256=sha256)
    assert key.mark == evolve(key, appid="wx2", realm="other").mark
    assert len(key.mark) == 12
    assert set(key.mark) <= set(MARK_LETTERS)
    assert key.sent_as(name).lower().endswith(f"-{key.mark}.png")
    assert key.mark != evolve(key, described="x").mark
    assert key.mark != evolve(key, sha256=sha256[::-1] + "0").mark


@given(st.text(), st.text(), st.text(), st.text())
def test_words_that_differ_make_another_key(title: str, introduction: str, other: str, more: str) -> None:
    """Title and introduction are told apart, also where they are the same text together."""
    one = Description(title=title, introduction=introduction)
    two = Description(title=other, introduction=more)
    assert (described_as(one) == described_as(two)) is (one == two)
    assert described_as(None) == ""
