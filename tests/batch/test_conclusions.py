"""Batches draw conclusions: one error concerns its item, the next minute, a service that is down, or everything."""

import hashlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import anyio
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from pictures import make_pictures, picture
from wxasset import (
    Added,
    BatchProgress,
    BatchReport,
    BudgetSpentError,
    Failed,
    Later,
    Ledger,
    NotTried,
    RetryPolicy,
    Unknown,
    UploadPolicy,
    WxSession,
)
from wxasset.batch.gate import Gate
from wxasset.batch.pool import Batch
from wxasset.batch.work import Terms, Work
from wxasset.errors import (
    ConnectError,
    CredentialError,
    HTTPStatusError,
    LedgerError,
    SourceError,
    TransferError,
    UploadOutcomeUnknown,
    UsageError,
    WxAssetError,
)
from wxasset.errors.consequence import Consequence, consequence
from wxasset.ledger.records import UploadKey, described_as
from wxasset.ledger.transitions import Step
from wxasset.simulator import Simulator, SimulatorOptions
from wxasset.wire.error_replies import api_error

QUICK: Final = RetryPolicy(wait_initial=0.01, timeout=1.0)
LIST_PATH: Final = "/cgi-bin/material/batchget_material"
ADD_PATH: Final = "/cgi-bin/material/add_material"


def adds(sim: Simulator) -> int:
    """How many uploads were answered."""
    return sum(entry.path == ADD_PATH for entry in sim.journal)


# A service that is down


async def test_a_server_that_is_gone_fails_few_items_and_the_rest_is_not_tried(tmp_path: Path) -> None:
    """Of 3,000 files no more than 20 fail when the server goes away; the rest is left undone after a time."""
    paths = make_pictures(tmp_path, 40) * 75
    sim = Simulator()
    await sim.start()
    counts: Counter[str] = Counter()
    async with (
        WxSession(sim.appid, sim.secret, base_url=sim.url, retry=QUICK) as wx,
        wx.add_materials("image", paths) as outcomes,
    ):
        async for outcome in outcomes:
            counts[type(outcome).__name__] += 1
            if counts["Added"] == 50:
                await sim.close()
    assert counts["Failed"] + counts["Unknown"] <= 20
    assert counts["NotTried"] > 2000
    assert counts.total() == 3000


async def test_what_did_not_reach_a_server_is_done_after_it_is_back(tmp_path: Path) -> None:
    """Uploads that never arrived wait for the server, one probes for it, and all are done once it responds again."""
    paths = make_pictures(tmp_path, 60)
    sim = Simulator()
    await sim.start()
    port = int(sim.url.rpartition(":")[2])

    async def back(seconds: float) -> None:
        if seconds > 1 and not counts["again"]:
            counts["again"] += 1
            await again.start()
        await anyio.sleep(min(seconds, 0.05))

    counts: Counter[str] = Counter()
    again = Simulator(port=port)
    retry = RetryPolicy(attempts=1, timeout=60)
    uploads = UploadPolicy(reconcile="raise")
    async with WxSession(sim.appid, sim.secret, base_url=sim.url, retry=retry, uploads=uploads) as wx:
        wx._engine.sleep = back
        async with wx.add_materials("image", paths) as outcomes:
            async for outcome in outcomes:
                counts[type(outcome).__name__] += 1
                if counts["Added"] == 20 and not counts["closed"]:
                    counts["closed"] += 1
                    await sim.close()
    await again.close()
    assert counts["again"] == 1
    assert counts["Added"] + counts["Unknown"] == 60
    assert counts["Unknown"] <= 8


async def test_a_connection_that_cannot_be_made_is_tried_again_by_the_batch() -> None:
    """An item that never reached the service gets its outcome later, and others probe for it meanwhile."""
    down = 12

    async def do(item: int, work: Work) -> int:
        nonlocal down
        del work
        if down:
            down -= 1
            raise ConnectError("No connection to WeChat.", "/x")
        return item

    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async with Batch(range(100), do, concurrency=4, terms=Terms(sleep=sleep)) as outcomes:
        done = [one async for one in outcomes]
    assert sorted(map(str, done)) == sorted(map(str, range(100)))
    assert len(waits) >= 5  # one probe at a time, with longer and longer pauses
    assert max(waits) > 4 * min(waits)


async def test_an_item_whose_own_host_is_down_fails_alone() -> None:
    """Other items succeed, so that the one that never arrives is not tried for ever."""

    async def do(item: int, work: Work) -> int:
        del work
        if item == 3:
            raise ConnectError("No connection to the host of a video.", "/x")
        return item

    outcomes: list[Any] = [one async for one in _all(Batch(range(10), do, concurrency=2))]
    assert [one.item for one in outcomes if type(one) is Failed] == [3]
    assert len(outcomes) == 10


async def _all(batch: Batch[Any, Any]) -> AsyncIterator[Any]:
    async with batch as outcomes:
        async for outcome in outcomes:
            yield outcome


@pytest.mark.parametrize("fault", ["status:502", "reset-before-commit"])
async def test_no_sign_of_life_stops_a_batch(sim: Simulator, wx: WxSession, fault: str) -> None:
    """Error pages of a gateway and broken connections burn through a few items, not through all of them."""
    sim.fail("add_material", fault, times=None)
    impatient = wx.with_options(retry=RetryPolicy(attempts=1, timeout=0.6), uploads=UploadPolicy(reconcile="raise"))
    report = await impatient.add_materials("image", [picture(number) for number in range(200)]).report()
    assert len(report.failed) + len(report.unknown) <= 20
    assert len(report.left) >= 180
    assert report.done == 0


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 5)), max_size=60))
def test_a_gate_pauses_without_signs_of_life_and_stops_past_its_patience(steps: list[tuple[bool, float]]) -> None:
    """It is paused after three failures in a row, waits at most 15 s between probes, and one sign of life opens it."""
    gate, now, row = Gate(20.0), 0.0, 0
    for alive, passed in steps:
        now += passed
        if alive:
            gate.alive()
            row = 0
            assert gate.wait(now, 7) == 0
        else:
            gate.silent(now, ConnectError("x"))
            row += 1
        assert gate.paused is (row >= 3)
        assert gate.wait(now, 0) <= 15
        if gate.paused:
            assert gate.wait(now, 1) == float("inf")
    if gate.stop is None and row == 0:
        gate.silent(now, ConnectError("x"))
        gate.silent(now + 19, ConnectError("x"))
        gate.silent(now + 21, ConnectError("x"))
        assert gate.stop is not None


# Limits of WeChat


@pytest.mark.parametrize(("concurrency", "most"), [(1, 205), (8, 240)])
async def test_a_minutes_limit_is_waited_out_any_number_of_times(
    sim: Simulator, wx: WxSession, concurrency: int, most: int
) -> None:
    """200 files with 40 uploads a minute arrive within five minutes, nothing fails, and few calls are turned away."""
    sim.options = evolve(sim.options, minute_limits={ADD_PATH: 40})

    async def wait(seconds: float) -> None:
        sim.advance(seconds)
        date, at = clock._told or (time.time(), time.monotonic())
        clock._told = date + seconds, at  # the client's clock passes over the same time

    clock = wx._engine.register.clock
    wx._engine.sleep = wait
    pictures = [picture(number) for number in range(200)]
    report = await wx.add_materials("image", pictures, concurrency=concurrency).report()
    assert report == BatchReport(done=200)
    # Each of five minutes turns away what is under way at its end. If each file were sent again, it would be 600.
    assert adds(sim) <= most


async def test_a_spent_quota_of_another_call_stops_no_upload(sim: Simulator, wx: WxSession, tmp_path: Path) -> None:
    """One upload is in doubt, and the day's lists are spent: the other files arrive nevertheless."""
    paths = make_pictures(tmp_path, 20)
    async with Ledger(tmp_path / "l.db") as ledger:
        sim.fail("add_material", "reset-before-commit")
        with pytest.raises(UploadOutcomeUnknown):
            await wx.with_options(retry=RetryPolicy(timeout=0.2)).ensure_material("image", paths[0], ledger=ledger)
        sim.options = evolve(sim.options, daily_limits={LIST_PATH: 0})
        report = await wx.add_materials("image", paths, ledger=ledger).report()
    assert report.done == 19
    assert not report.left
    assert [*(one.item for one in report.failed), *(one.item for one in report.unknown)] == [paths[0]]


async def test_a_full_library_stops_uploads(sim: Simulator, wx: WxSession) -> None:
    """45074 is the answer to every further image: what is under way meets it, the rest is left."""
    sim.options = SimulatorOptions(image_and_news_cap=10)
    report = await wx.add_materials("image", [picture(number) for number in range(300)]).report()
    assert report.done == 10
    assert len(report.failed) <= 8
    assert len(report.left) >= 282
    assert adds(sim) <= 18


ITEM, REFUSED, LATER, PAUSE, STOP = Consequence


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (SourceError("a broken file"), ITEM),
        (api_error(40007, "", ADD_PATH), ITEM),
        (api_error(-1, "", ADD_PATH), ITEM),
        (api_error(45001, "", ADD_PATH), REFUSED),
        (api_error(40113, "", ADD_PATH), REFUSED),
        (api_error(45011, "", ADD_PATH), LATER),
        (Later("Not yet.", at=0.0), LATER),
        (BudgetSpentError("x", at=0.0, path=ADD_PATH), STOP),
        (BudgetSpentError("x", at=0.0, path=LIST_PATH), ITEM),
        (BudgetSpentError("x", at=0.0, path=ADD_PATH, minute=True), LATER),
        (api_error(85113, "", ADD_PATH), PAUSE),
        (ConnectError("x", ADD_PATH), PAUSE),
        (TransferError("x", ADD_PATH), PAUSE),
        (HTTPStatusError("x", ADD_PATH, status=502), PAUSE),
        (HTTPStatusError("x", ADD_PATH, status=429), PAUSE),
        (HTTPStatusError("x", "/cgi-bin/stable_token", status=503), PAUSE),
        (HTTPStatusError("x", ADD_PATH, status=404), ITEM),
        (api_error(45009, "", ADD_PATH), STOP),
        (api_error(45009, "", LIST_PATH), ITEM),
        (api_error(48001, "", ADD_PATH), STOP),
        (api_error(48001, "", LIST_PATH), ITEM),
        (api_error(50007, "", "/cgi-bin/stable_token"), STOP),
        (api_error(45009, "", "/cgi-bin/token"), STOP),
        (api_error(45074, "", ADD_PATH), STOP),
        (api_error(45034, "", ADD_PATH), STOP),
        (api_error(40164, "", "/cgi-bin/stable_token"), STOP),
        (api_error(40001, "", ADD_PATH), STOP),
        (CredentialError(errcode=40125, errmsg=""), STOP),
        (ConnectError("A certificate", ADD_PATH, permanent=True), STOP),
        (LedgerError("x"), STOP),
    ],
)
def test_what_follows_from_an_error(error: WxAssetError, what: Consequence) -> None:
    """A quota and a permission belong to their path; a service that is down is no fault of an item."""
    assert consequence(error, ADD_PATH) is what


async def test_something_to_do_later_holds_no_slot() -> None:
    """Items that are not decided yet wait beside the slots, and come in the end."""
    asked: Counter[int] = Counter()
    order: list[int] = []

    async def do(item: int, work: Work) -> int:
        del work
        asked[item] += 1
        if item < 2 and asked[item] == 1:
            raise Later("Another process is still uploading it.", at=time.time() + 5)
        return item

    async def sleep(seconds: float) -> None:
        del seconds

    async with Batch(range(20), do, concurrency=1, terms=Terms(sleep=sleep)) as outcomes:
        async for outcome in outcomes:
            assert isinstance(outcome, int)
            order.append(outcome)
    assert order == [*range(2, 20), 0, 1]


# Outcomes and their sum


async def test_an_upload_that_may_have_happened_is_unknown(sim: Simulator, wx: WxSession) -> None:
    """It is no failure: sent again, it could be there twice; its error finds out."""
    sim.fail("add_material", "reset-after-commit")
    async with wx.with_options(uploads=UploadPolicy(reconcile="raise")).add_materials("image", [picture(1)]) as got:
        (outcome,) = [one async for one in got]
    assert isinstance(outcome, Unknown)
    found = await outcome.error.resolve(wx)
    assert found is not None
    assert list(sim.materials) == [found.media_id]


async def test_a_report_sums_up_a_batch(sim: Simulator, wx: WxSession, tmp_path: Path) -> None:
    """Counts, failures and unknowns are there without a loop; what was skipped counts as done, and in progress."""
    paths = make_pictures(tmp_path, 5)
    told: list[BatchProgress] = []
    async with Ledger(tmp_path / "l.db") as ledger:
        await wx.ensure_material("image", paths[0], ledger=ledger)
        items = [*paths, tmp_path / "missing.png"]
        report = await wx.add_materials("image", items, ledger=ledger, progress=told.append).report()
    assert (report.done, report.skipped, len(report.failed)) == (5, 1, 1)
    assert report.failed[0].item == tmp_path / "missing.png"
    assert not report.complete
    assert str(report) == "5 done (1 skipped), 1 failed, 0 unknown, 0 left"
    assert told[-1].skipped == 1
    assert len(sim.materials) == 5


async def test_what_the_items_raise_says_how_far_the_batch_came(wx: WxSession) -> None:
    """A report that breaks off raises the items' own exception, with the sum as a note."""

    def items() -> Iterator[bytes]:
        yield from (picture(number) for number in range(3))
        raise KeyError("cursor")

    with pytest.raises(KeyError) as caught:
        await wx.add_materials("image", items()).report()
    assert any("3 done" in note for note in caught.value.__notes__)


async def test_leaving_a_batch_without_taking_an_outcome_is_an_error(wx: WxSession) -> None:
    """Nothing would have happened, and nobody would know."""
    with pytest.raises(UsageError, match="report"):
        async with wx.add_materials("image", [picture(1)]):
            pass
    with pytest.raises(KeyError):  # an error of the block is the one that counts
        async with wx.add_materials("image", [picture(1)]):
            raise KeyError


@pytest.mark.parametrize("kind", ["images", "", None, "news"])
async def test_an_unknown_type_is_one_usage_error(wx: WxSession, kind: Any) -> None:
    """It is wrong for all items, and raised before the first one."""
    with pytest.raises(UsageError, match="image, voice, video, thumb"):
        wx.add_materials(kind, [picture(1)])


async def test_calls_are_spread_over_a_minute_on_request(sim: Simulator, wx: WxSession) -> None:
    """With 1,200 calls a minute the twelfth begins after 11 / 20 s, and not before; a retry counts as a call."""
    sim.fail("add_material", "status:429", times=2)
    begun = time.monotonic()
    async with wx.with_options(retry=RetryPolicy(wait_initial=0)).add_materials(
        "image", [picture(number) for number in range(10)], max_rate=1200
    ) as outcomes:
        assert len([one async for one in outcomes if isinstance(one, Added)]) == 10
    assert time.monotonic() - begun >= 0.5
    with pytest.raises(UsageError, match="max_rate="):
        wx.add_materials("image", [], max_rate=0)


def test_outcomes_name_what_was_left() -> None:
    """The outcomes of a stopped batch are told apart by type."""
    report = BatchReport(left=(NotTried("a", SourceError("x")),))
    assert not report.complete


# What an item shows about the service


async def test_what_is_skipped_or_cannot_be_read_is_no_sign_of_life(
    sim: Simulator, wx: WxSession, tmp_path: Path
) -> None:
    """A job that is mostly done, with missing files in between, stops as soon as one that has to send everything."""
    paths = make_pictures(tmp_path, 60)
    async with Ledger(tmp_path / "l.db") as ledger:
        assert (await wx.add_materials("image", paths[::3], ledger=ledger).report()).complete
        for path in paths[1::3]:
            path.unlink()
        sim.fail("add_material", "status:502", times=None)
        impatient = wx.with_options(
            retry=RetryPolicy(attempts=1, timeout=0.2), uploads=UploadPolicy(reconcile="raise"), ledger=ledger
        )
        report = await impatient.add_materials("image", paths, concurrency=1).report()
    assert len(report.left) >= 20
    assert any(isinstance(one.error, HTTPStatusError | UploadOutcomeUnknown) for one in report.left)


async def test_a_rate_counts_no_skipped_item(wx: WxSession, tmp_path: Path) -> None:
    """Of 60 files 57 are there: at one call in two seconds they take no time, and three take two waits."""
    waits: list[float] = []
    paths = make_pictures(tmp_path, 60)

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async with Ledger(tmp_path / "l.db") as ledger:
        assert (await wx.add_materials("image", paths[3:], ledger=ledger).report()).complete
        wx._engine.sleep = sleep
        report = await wx.add_materials("image", paths, ledger=ledger, max_rate=30).report()
    assert (report.done, report.skipped) == (60, 57)
    assert [round(wait) for wait in waits] == [2, 4]


# What others are at


async def test_an_upload_of_another_process_holds_no_slot(sim: Simulator, wx: WxSession, tmp_path: Path) -> None:
    """Two slots, and two claims of another process in front: the others arrive meanwhile, then these two."""
    paths = make_pictures(tmp_path, 10)
    arrived: list[Path] = []
    async with Ledger(tmp_path / "l.db") as other, Ledger(tmp_path / "l.db") as ledger:
        realm = await other.realm_of(wx._engine.transport.api)
        bare = UploadKey(appid=sim.appid, realm=realm, type="image", sha256="", described=described_as(None))
        keys = [evolve(bare, sha256=hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths[:2]]
        for key, path in zip(keys, paths, strict=False):
            assert (await other.claim(key, path.name, 1)).step is Step.SEND
        async with wx.add_materials("image", paths, ledger=ledger, concurrency=2) as outcomes:
            async for outcome in outcomes:
                assert isinstance(outcome, Added)
                arrived.append(outcome.item)
                if len(arrived) == 8:
                    for key in keys:
                        await other.end(key, "failed")
    assert sorted(arrived[:8]) == paths[2:]
    assert len(sim.materials) == 10


async def test_media_that_can_be_read_once_wait_in_their_slot(sim: Simulator, wx: WxSession, tmp_path: Path) -> None:
    """Neither a minute's limit nor another upload of the same bytes makes a stream be read twice."""
    waits: list[float] = []

    async def stream(number: int) -> AsyncIterator[bytes]:
        yield picture(number)

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    wx._engine.sleep = sleep
    sim.fail("add_material", "errcode:45011")  # once: a second one could meet the same item, which waits for one minute
    items = [stream(number // 2) for number in range(8)]
    async with Ledger(tmp_path / "l.db") as ledger:
        report = await wx.add_materials("image", items, ledger=ledger).report()
    assert (report.done, report.skipped) == (8, 4)
    assert len(waits) == 1
