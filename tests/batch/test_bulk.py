"""Batches: an outcome for every item, memory that depends on the concurrency alone, and a width that gives way."""

import asyncio
import gc
import sqlite3
import threading
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pictures import make_pictures, picture
from simulated import ADD, COUNT
from waiting import until
from wxasset import (
    Added,
    BatchProgress,
    BatchReport,
    Deleted,
    Failed,
    Fetched,
    Ledger,
    NewMaterial,
    NotTried,
    RetryPolicy,
    SavedMaterial,
    Video,
    WxSession,
)
from wxasset.batch.pacing import ConcurrencyLimiter, Slot
from wxasset.batch.pool import Batch
from wxasset.batch.work import Work
from wxasset.errors import (
    BusyError,
    CredentialError,
    DestinationError,
    HTTPStatusError,
    MediaNotFoundError,
    QuotaExceededError,
    RateLimitedError,
    SourceError,
    StreamConsumedError,
    UsageError,
    WxAssetError,
)
from wxasset.errors.classify import is_throttled
from wxasset.simulator import Simulator, SimulatorOptions

BOUND: Final = 10.0  # seconds in which anything here ends


def running() -> list[str]:
    """The tasks of batches; others are those of connections, and of the simulator."""
    return [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("wxasset.")]


def asked(sim: Simulator, name: str = "add_material") -> int:
    """How many requests to an endpoint were answered."""
    return sum(entry.path.endswith(name) for entry in sim.journal)


# What comes of the items


async def test_every_material_has_one_outcome_with_what_was_given(wx: WxSession, tmp_path: Path) -> None:
    """Paths, bytes and what cannot be uploaded each come back once, as the very objects that were given."""
    paths: list[Any] = [*make_pictures(tmp_path, 20), picture(99), tmp_path / "missing.png", b"no image"]
    outcomes = [outcome async for outcome in _all(wx.add_materials("image", paths, concurrency=3))]
    assert Counter(id(one.item) for one in outcomes) == Counter(map(id, paths))
    failed = [one for one in outcomes if isinstance(one, Failed)]
    assert {str(one.item) for one in failed} == {str(paths[-2]), str(paths[-1])}
    assert all(isinstance(one.error, SourceError) for one in failed)
    added = [one for one in outcomes if isinstance(one, Added)]
    assert len({one.media_id for one in added}) == 21
    assert not any(one.skipped for one in added)


async def _all(batch: Any) -> AsyncIterator[Any]:
    async with batch as outcomes:
        async for outcome in outcomes:
            yield outcome


async def test_outcomes_are_matched_by_position(wx: WxSession) -> None:
    """An outcome is taken apart in a `match` as item and what became of it, and says so without all its bytes."""
    async with wx.add_materials("image", [picture(1), b"x" * 1000]) as outcomes:
        async for outcome in outcomes:
            match outcome:
                case Added(item, material):
                    assert item == picture(1)
                    assert material.media_id == outcome.media_id
                case Failed(item, error):
                    assert item == b"x" * 1000
                    assert isinstance(error, SourceError)
                    assert len(repr(outcome)) < 500


async def test_videos_have_titles_of_their_own_or_that_of_the_batch(
    wx: WxSession, sim: Simulator, samples: Path
) -> None:
    """A `NewMaterial` gives name, title and introduction; what it leaves out is the batch's."""
    film = (samples / "clip.mp4").read_bytes()
    videos: list[NewMaterial | bytes] = [
        NewMaterial(media=film, filename="one.mp4", title="One", introduction="first"),
        NewMaterial(media=film, filename="two.mp4"),
        NewMaterial(media=film, filename="three.mp4"),
    ]
    batch = wx.add_materials("video", videos, title="All", introduction="of them")
    assert len([one async for one in _all(batch) if isinstance(one, Added)]) == 3
    assert {(one.filename, one.title, one.introduction) for one in sim.materials.values()} == {
        ("one.mp4", "One", "first"),
        ("two.mp4", "All", "of them"),
        ("three.mp4", "All", "of them"),
    }


async def test_materials_are_fetched_into_a_directory(wx: WxSession, sim: Simulator, tmp_path: Path) -> None:
    """Each id gets its file, a name that is taken gets a number, a video has its file too, an unknown id fails."""
    contents = [picture(number) for number in range(5)]
    ids = [(await wx.add_material("image", content, filename="same.png")).media_id for content in contents]
    film = next(iter((Path(__file__).parents[2] / "wxasset/cli/samples").glob("*.mp4")))
    video = (await wx.add_material("video", film, title="t")).media_id
    outcomes = {one.item: one async for one in _all(wx.get_materials([*ids, video, "nothing"], tmp_path))}
    for media_id, content in zip(ids, contents, strict=True):
        saved = outcomes[media_id].material
        assert isinstance(saved, SavedMaterial)
        assert saved.path is not None
        assert saved.path.read_bytes() == content
    assert len(list(tmp_path.iterdir())) == 6
    fetched = outcomes[video]
    assert isinstance(fetched, Fetched)
    assert isinstance(fetched.material, Video)
    assert fetched.file is not None
    assert fetched.file.path is not None
    assert fetched.file.path.read_bytes() == film.read_bytes()
    assert isinstance(outcomes["nothing"].error, MediaNotFoundError)
    assert len(sim.materials) == 6


async def test_fetching_into_a_directory_resumes_with_a_ledger(wx: WxSession, sim: Simulator, tmp_path: Path) -> None:
    """What is there is skipped without a request, what was deleted since is fetched again, a cut leaves nothing."""
    ids = [sim.add_material("image", picture(number), filename="same.png") for number in range(5)]
    ids.append(sim.add_material("video", b"\0\0\0\x18ftypmp42" + bytes(2000), filename="a.mp4", title="t"))
    out = tmp_path / "out"
    sim.fail("get_material", "cut-reply-after-20", times=9, after=2)

    async def fetch() -> BatchReport[str]:
        async with Ledger(tmp_path / "ledger.db") as ledger:
            return await wx.get_materials(ids, f"{out}/", ledger=ledger, concurrency=1).report()

    first = await fetch()
    assert first.failed
    assert len(list(out.iterdir())) == first.done
    sim.clear_faults()
    second = await fetch()
    assert (second.done, second.skipped) == (6, first.done)
    requests = len(sim.journal)
    assert (await fetch()).skipped == 6
    assert len(sim.journal) == requests

    found = sorted(out.iterdir())
    assert len(found) == 6
    found[0].unlink()
    found[-1].unlink()
    async with Ledger(tmp_path / "ledger.db") as ledger:
        outcomes = [one async for one in _all(wx.get_materials(ids, out, ledger=ledger))]
    assert sorted(one.skipped for one in outcomes) == [False, False, True, True, True, True]
    assert sorted(out.iterdir()) == found
    assert {one.file.path for one in outcomes} == set(found)
    assert b"http" not in (tmp_path / "ledger.db").read_bytes(), "no link to a video"


async def test_a_file_is_no_directory(wx: WxSession, tmp_path: Path) -> None:
    """Many materials do not go to one path, nor to a directory that is not there; nothing is asked for then."""
    for to in (tmp_path / "missing", Path(__file__)):
        with pytest.raises(DestinationError, match="no directory"):
            async with wx.get_materials(["x"], to):
                raise AssertionError


async def test_a_directory_that_ends_with_a_separator_is_created(wx: WxSession, tmp_path: Path) -> None:
    """A string with a separator at its end is created before the first material is fetched."""
    added = await wx.add_material("image", picture(1))
    async with wx.get_materials([added.media_id], f"{tmp_path}/new/downloads/") as outcomes:
        (fetched,) = [one async for one in outcomes]
    assert isinstance(fetched, Fetched)
    assert len(list((tmp_path / "new" / "downloads").iterdir())) == 1


async def test_materials_are_deleted_and_an_id_that_comes_twice_is_sent_once(wx: WxSession, sim: Simulator) -> None:
    """All that the library lists is deleted while it is listed; of two equal ids one is sent, from any iterable."""
    async with wx.add_materials("image", [picture(number) for number in range(45)]) as outcomes:
        ids = [one.media_id async for one in outcomes if isinstance(one, Added)]
    items = wx.iter_materials("image")
    deleted = [one async for one in _all(wx.del_materials(item.media_id async for item in items))]
    assert sorted(one.item for one in deleted) == sorted(ids)
    assert all(isinstance(one, Deleted) for one in deleted)
    assert sim.materials == {}
    before = asked(sim, "del_material")

    async def stream(ids: list[str]) -> AsyncIterator[str]:
        for one in ids:
            yield one

    for kind in (list, iter, stream):
        media_id = (await wx.add_material("image", picture(1))).media_id
        once = [one async for one in _all(wx.del_materials(kind([media_id, media_id])))]
        assert once == [Deleted(media_id)]
    assert asked(sim, "del_material") == before + 3


# What is given


def _generator(log: list[str]) -> Iterator[bytes]:
    try:
        for number in range(1000):
            yield picture(number)
    finally:
        log.append("closed")


async def _async_generator(log: list[str]) -> AsyncIterator[bytes]:
    try:
        for number in range(1000):
            yield picture(number)
    finally:
        log.append("closed")


@pytest.mark.parametrize("make", [_generator, _async_generator])
async def test_a_generator_is_pulled_as_there_is_room_and_closed_at_an_early_exit(
    wx: WxSession, make: Callable[[list[str]], Any]
) -> None:
    """No more is taken from it than is under way and waits; leaving the block closes it and ends every task."""
    log: list[str] = []
    async with wx.add_materials("image", make(log), concurrency=4) as outcomes:
        assert isinstance(await anext(outcomes), Added)
        assert log == []
        assert running() != []
    assert log == ["closed"]
    assert running() == []
    with pytest.raises(StreamConsumedError):
        await anext(outcomes)


async def test_a_slow_directory_does_not_block_the_loop(wx: WxSession, tmp_path: Path) -> None:
    """A plain generator that opens files is run outside of the event loop, which would notice."""
    paths = make_pictures(tmp_path, 5)

    def walk() -> Iterator[bytes]:
        for path in paths:
            with path.open("rb") as file:  # the watch for blocking calls fails the test for this on the loop
                yield file.read()

    assert len([one async for one in _all(wx.add_materials("image", walk()))]) == 5


async def test_what_makes_its_iterator_slowly_does_not_block_the_loop(wx: WxSession, tmp_path: Path) -> None:
    """An iterable that reads a file before its first item, as the result of a query may, does so in a thread."""
    (path,) = make_pictures(tmp_path, 1)

    class Query:
        def __iter__(self) -> Iterator[bytes]:
            with path.open("rb") as file:
                return iter([file.read()])

    assert len([one async for one in _all(wx.add_materials("image", Query()))]) == 1


async def test_a_path_is_sent_before_the_next_one_is_there(wx: WxSession, tmp_path: Path) -> None:
    """Paths are taken from a plain generator in groups, and none of them waits for the others of its group."""
    paths, sent = make_pictures(tmp_path, 3), threading.Event()
    added: list[Path] = []

    def slowly() -> Iterator[Path]:
        for path in paths:
            yield path
            assert sent.wait(BOUND)
            sent.clear()

    async with wx.add_materials("image", slowly()) as outcomes:
        async for outcome in outcomes:
            assert isinstance(outcome, Added)
            added.append(outcome.item)
            sent.set()
    assert added == paths


class BrokenError(Exception):
    """What no part of wxasset raises."""


@pytest.mark.parametrize("kind", ["plain", "paths", "async"])
async def test_what_the_items_raise_comes_after_the_outcomes_under_way(
    wx: WxSession, tmp_path: Path, kind: str
) -> None:
    """The items that came before have their outcomes; then the failure itself is raised, not wrapped."""

    def plain() -> Iterator[bytes | Path]:
        yield from make_pictures(tmp_path, 7) if kind == "paths" else (picture(number) for number in range(7))
        raise BrokenError

    async def over() -> AsyncIterator[bytes | Path]:
        for one in range(7):
            yield picture(one)
        raise BrokenError

    seen: list[Added[bytes | Path]] = []

    async def take() -> None:
        async with wx.add_materials("image", over() if kind == "async" else plain()) as outcomes:
            async for outcome in outcomes:
                assert isinstance(outcome, Added)
                seen.append(outcome)

    with pytest.raises(BrokenError):
        await take()
    assert len(seen) == 7


async def test_what_the_block_raises_is_not_wrapped(wx: WxSession) -> None:
    """An exception in the block comes out as itself, and nothing goes on."""

    async def take() -> None:
        async with wx.add_materials("image", [picture(number) for number in range(50)]) as outcomes:
            async for _ in outcomes:
                assert running() != []
                raise BrokenError

    with pytest.raises(BrokenError):
        await take()
    assert running() == []


@pytest.mark.parametrize("media", ["poster.png", b"bytes", 7, None])
def test_a_single_text_is_no_batch(media: Any) -> None:
    """A path in place of a list of paths would be taken for its letters."""
    wx = WxSession("wx0123456789abcdef", "s3cret")
    with pytest.raises(UsageError):
        wx.add_materials("image", media)
    with pytest.raises(UsageError):
        wx.del_materials(media)


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, True])
def test_concurrency_is_a_positive_number(concurrency: Any) -> None:
    """Anything else is refused before anything is sent."""
    with pytest.raises(UsageError, match="concurrency="):
        WxSession("wx0123456789abcdef", "s3cret").del_materials([], concurrency=concurrency)


async def test_an_empty_batch_ends_and_a_batch_is_run_once(wx: WxSession) -> None:
    """Nothing comes of nothing; the same batch is not entered twice."""
    nothing: list[bytes] = []
    batch = wx.add_materials("image", nothing)
    assert [one async for one in _all(batch)] == []
    with pytest.raises(UsageError, match="once"):
        await batch.__aenter__()


# Memory, width and the end


@pytest.mark.parametrize("slow", [False, True])
async def test_memory_depends_on_the_concurrency_alone(slow: bool) -> None:
    """Of 4,000 items of 10 KB no more are alive at once than twice the concurrency and some, whoever is slow."""
    alive = most = taken = 0

    class Thing:
        def __init__(self) -> None:
            nonlocal alive, most
            self.load = bytes(10_000)
            alive += 1
            most = max(most, alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    async def things() -> AsyncIterator[Thing]:
        for _ in range(4_000):
            yield Thing()

    async def do(thing: Thing, work: Work) -> Thing:
        del work
        await asyncio.sleep(0)
        return thing

    tracemalloc.start()
    try:
        async with Batch(things(), do, concurrency=8) as outcomes:
            async for _ in outcomes:
                taken += 1
                if slow and taken % 100 == 0:
                    await asyncio.sleep(0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert taken == 4_000
    assert most <= 2 * 8 + 4
    assert peak < 400_000


async def test_no_more_are_under_way_than_allowed(sim: Simulator, wx: WxSession) -> None:
    """With a concurrency of 5, five requests stand at the server, and the next begins as one ends."""
    sim.fail("add_material", "delay-100ms", times=None)
    async with wx.add_materials("image", [picture(number) for number in range(10)], concurrency=5) as outcomes:
        await until(lambda: asked(sim) >= 5)
        assert asked(sim) == 5
        assert len([one async for one in outcomes if isinstance(one, Added)]) == 10


@pytest.mark.parametrize(
    ("fault", "error"), [("errcode:45009", QuotaExceededError), ("errcode:40125", CredentialError)]
)
async def test_a_spent_quota_stops_the_batch(
    sim: Simulator, wx: WxSession, fault: str, error: type[WxAssetError]
) -> None:
    """After it nothing new is sent; what was under way ends; all others are left to do, and say what stopped it."""
    sim.fail("add_material", fault, times=None, after=10)
    media = [picture(number) for number in range(500)]
    outcomes = [one async for one in _all(wx.add_materials("image", media, concurrency=4))]
    kinds = Counter(type(one) for one in outcomes)
    assert kinds[Added] == 10 == len(sim.materials)
    assert 1 <= kinds[Failed] <= 4
    assert asked(sim) == 10 + kinds[Failed]
    left = [one for one in outcomes if isinstance(one, NotTried)]
    assert len(left) == 490 - kinds[Failed]
    assert {type(one.error) for one in left} == {error}
    done = {one.item for one in outcomes if not isinstance(one, NotTried)}
    assert {one.item for one in left} == set(media) - done


async def test_the_daily_quota_of_the_service_leaves_exactly_the_rest(sim: Simulator, wx: WxSession) -> None:
    """Where WeChat counts to 30, 30 materials are added, and a second run on the next day adds the others."""
    sim.options = SimulatorOptions(daily_limits={ADD: 30})
    media = [picture(number) for number in range(100)]
    first = [one async for one in _all(wx.add_materials("image", media))]
    assert len(sim.materials) == 30
    sim.advance(86_400)
    sim.options = SimulatorOptions()
    left = [one.item for one in first if not isinstance(one, Added)]
    second = [one async for one in _all(wx.add_materials("image", left))]
    assert all(isinstance(one, Added) for one in second)
    assert sorted(one.content for one in sim.materials.values()) == sorted(media)


async def test_an_ended_batch_has_the_outcomes_of_what_was_under_way_alone(wx: WxSession, sim: Simulator) -> None:
    """Of 40 images, two at a time, those under way are named and end as usual; no other is begun."""
    sim.fail("add_material", "delay-100ms", times=None)
    batch = wx.add_materials("image", [picture(number) for number in range(40)], concurrency=2)
    outcomes: list[Any] = []
    begun: list[Any] = []
    async with batch as stream:
        async for outcome in stream:
            outcomes.append(outcome)
            if len(outcomes) == 1:
                await until(lambda: len(batch.in_progress) == 2)
                begun += batch.in_progress
                batch.end()
    assert {type(outcome) for outcome in outcomes} == {Added}
    assert len(sim.materials) == len(outcomes) < 10
    assert {id(one) for one in begun} <= {id(outcome.item) for outcome in outcomes}
    assert batch.in_progress == []


async def claimed(ledger: Ledger, count: int) -> None:
    """Wait until so many uploads are claimed and not done."""
    async with asyncio.timeout(BOUND):
        while (await ledger.counts()).in_flight < count:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.001)


async def test_the_next_items_are_claimed_while_others_are_sent(wx: WxSession, sim: Simulator, tmp_path: Path) -> None:
    """With two at a time, four more are claimed and not sent; the end of the batch gives these back as planned."""
    sim.fail("add_material", "delay-300ms", times=None)
    async with Ledger(tmp_path / "ledger.db") as ledger:
        batch = wx.add_materials("image", make_pictures(tmp_path / "images", 12), concurrency=2, ledger=ledger)
        outcomes: list[Any] = []
        async with batch as stream:
            await claimed(ledger, 6)
            await until(lambda: len(batch.in_progress) == 2)
            batch.end()
            outcomes = [outcome async for outcome in stream]
            counts = await ledger.counts()
    assert {type(outcome) for outcome in outcomes} == {Added}
    assert len(outcomes) == len(sim.materials) == counts.done == 2
    assert (counts.planned, counts.in_flight, counts.unknown) == (4, 0, 0)


async def test_the_next_items_are_claimed_together(wx: WxSession, sim: Simulator, tmp_path: Path) -> None:
    """With two at a time, four begin when two are left to take the slots, so that there are six again."""
    sim.fail("add_material", "delay-600ms", times=None)
    async with Ledger(tmp_path / "ledger.db") as ledger:
        batch = wx.add_materials("image", make_pictures(tmp_path / "images", 12), concurrency=2, ledger=ledger)
        async with batch as stream:
            outcomes = [await anext(stream), await anext(stream)]
            await claimed(ledger, 8)
            batch.end()
            outcomes += [outcome async for outcome in stream]
            counts = await ledger.counts()
    assert [type(outcome) for outcome in outcomes] == [Added] * 4
    assert (counts.done, counts.planned, counts.in_flight, counts.unknown) == (4, 6, 0, 0)


async def test_a_slot_is_left_at_the_response_and_the_outcome_waits_for_the_ledger(
    wx: WxSession, sim: Simulator, tmp_path: Path
) -> None:
    """One at a time, the second is sent while the first cannot be recorded; nothing is told before it is."""
    sim.fail("add_material", "delay-100ms", times=None)
    async with Ledger(tmp_path / "ledger.db") as ledger:
        batch = wx.add_materials("image", make_pictures(tmp_path / "images", 4), concurrency=1, ledger=ledger)
        base, outcomes = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None), []

        async def take(stream: AsyncIterator[Any]) -> None:
            outcomes.extend([one async for one in stream])

        async with batch as stream:
            await claimed(ledger, 2)
            base.execute("BEGIN IMMEDIATE")
            taking = asyncio.create_task(take(stream))
            try:
                await until(lambda: len(sim.materials) == 2)
                assert outcomes == []
            finally:
                base.execute("COMMIT")
                base.close()
            await taking
    assert [type(one) for one in outcomes] == [Added] * 4
    assert {one.media_id for one in outcomes} == set(sim.materials)


async def test_cancelled_from_outside_nothing_goes_on(sim: Simulator, wx: WxSession) -> None:
    """A timeout around a batch that stands still ends it, by whichever means it comes."""
    sim.fail("add_material", "stall-30s-before-commit", times=None)

    async def work() -> None:
        async with wx.add_materials("image", [picture(number) for number in range(20)]) as outcomes:
            async for _ in outcomes:
                raise AssertionError

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await work()
    with anyio.move_on_after(0.2) as scope:
        await work()
    assert scope.cancelled_caught
    task = asyncio.create_task(work())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert running() == []


# Progress


@pytest.mark.parametrize("ends", ["returns", "raises"])
async def test_items_that_swallow_their_cancellation_do_not_hold_the_block(ends: str) -> None:
    """The outcome that such an item still has takes no room that nobody will make: the block is left."""
    begun: list[int] = []

    async def do(number: int, _: Work) -> int:
        begun.append(number)
        if number >= 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if ends == "raises":
                    raise SourceError("It was cancelled.") from None
        return number

    async def leave() -> None:
        async with Batch(range(4), do, concurrency=2) as outcomes:
            await anext(outcomes)
            await until(lambda: len(begun) == 4)  # an outcome is there that nobody takes

    await asyncio.wait_for(leave(), 5)


async def test_an_item_that_others_cancel_does_not_vanish() -> None:
    """A batch with an item that was cancelled from outside does not end as if it had been complete."""

    async def do(number: int, _: Work) -> int:
        task = asyncio.current_task()
        if number == 1 and task is not None:
            task.cancel()
        await asyncio.sleep(0)
        return number

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(Batch(range(4), do, concurrency=2).report())


async def test_progress_counts_items_and_bytes(wx: WxSession, tmp_path: Path) -> None:
    """It ends with all items and bytes, never goes back, and is called ten times a second at most."""
    paths = make_pictures(tmp_path, 200)
    told: list[BatchProgress] = []
    begun = asyncio.get_running_loop().time()
    items: list[Any] = [*paths, tmp_path / "missing.png"]
    ids = [
        one.media_id async for one in _all(wx.add_materials("image", items, progress=told.append)) if type(one) is Added
    ]
    took = asyncio.get_running_loop().time() - begun
    assert told[-1] == BatchProgress(
        done=201, failed=1, total=201, bytes_sent=sum(path.stat().st_size for path in paths)
    )
    assert all(later.done >= earlier.done for earlier, later in pairwise(told))
    assert len(told) <= took * 10 + 2
    told.clear()
    out = tmp_path / "out"
    out.mkdir()
    assert len([one async for one in _all(wx.get_materials(iter(ids), out, progress=told.append))]) == 200
    assert told[-1] == BatchProgress(
        done=200, failed=0, total=None, bytes_received=sum(path.stat().st_size for path in paths)
    )


async def test_what_progress_raises_is_raised_where_the_outcomes_are_taken(wx: WxSession) -> None:
    """A mistake in the callback is no failure of an item."""

    def broken(so_far: BatchProgress) -> None:
        if so_far.done:
            raise BrokenError

    with pytest.raises(BrokenError):
        async for _ in _all(wx.add_materials("image", [picture(number) for number in range(99)], progress=broken)):
            pass


async def test_what_progress_raises_takes_no_outcome_away(wx: WxSession, sim: Simulator) -> None:
    """What was added before the mistake is told of: nobody else knows its media_id."""

    def broken(so_far: BatchProgress) -> None:
        if so_far.done:
            raise BrokenError

    sim.fail("add_material", "delay-150ms")  # longer than between two calls of it
    async with wx.add_materials("image", [picture(1)], progress=broken) as outcomes:
        outcome = await anext(outcomes)
        with pytest.raises(BrokenError):
            await anext(outcomes)
    assert isinstance(outcome, Added)
    assert list(sim.materials) == [outcome.media_id]


async def test_bytes_that_were_sent_in_vain_count(wx: WxSession, sim: Simulator) -> None:
    """An attempt that is made again sends all of its bytes again."""
    sim.fail("add_material", "status:429", times=2)
    told: list[BatchProgress] = []
    (outcome,) = [one async for one in _all(wx.add_materials("image", [picture(1)], progress=told.append))]
    assert isinstance(outcome, Added)
    assert asked(sim) > 1
    assert told[-1].bytes_sent == asked(sim) * len(picture(1))


# The pace


@pytest.mark.parametrize(
    ("error", "less"),
    [
        (RateLimitedError(errcode=45011, errmsg=""), True),
        (BusyError(errcode=-1, errmsg=""), True),
        (HTTPStatusError("", status=429), True),
        (HTTPStatusError("", status=503), True),
        (HTTPStatusError("", status=502), False),
        (QuotaExceededError(errcode=45009, errmsg=""), False),
        (SourceError(""), False),
    ],
)
def test_what_asks_for_less(error: WxAssetError, less: bool) -> None:
    """The limit of a minute, a busy service and the two statuses do; a spent day and a broken file do not."""
    assert is_throttled(error) is less


@given(most=st.integers(1, 64), events=st.lists(st.tuples(st.booleans(), st.integers(0, 63)), max_size=200))
def test_the_width_stays_between_one_and_the_most(most: int, events: list[tuple[bool, int]]) -> None:
    """Whatever happens in whichever order: a throttle never widens, a success never narrows, 1 <= width <= most."""
    pace = ConcurrencyLimiter(most)
    tickets = [pace.begin()]
    for throttled, number in events:
        ticket, before = tickets[number % len(tickets)], pace.width
        (pace.throttled if throttled else pace.succeeded)(ticket)
        assert pace.width <= before if throttled else pace.width >= before
        assert 1 <= pace.limit <= pace.width <= most
        tickets.append(pace.begin())


@given(most=st.integers(1, 64), hit=st.integers(1, 64))
def test_requests_that_are_throttled_together_count_once(most: int, hit: int) -> None:
    """However many of those under way are turned away at the same time, half of the width is left."""
    pace = ConcurrencyLimiter(most)
    for ticket in [pace.begin() for _ in range(hit)]:
        pace.throttled(ticket)
    assert pace.width == max(1, most / 2)


@given(most=st.integers(1, 64), throttles=st.integers(1, 10))
def test_it_comes_back(most: int, throttles: int) -> None:
    """After any number of throttles as many successes as fill the rounds up to the most bring it all the way back."""
    pace = ConcurrencyLimiter(most)
    for _ in range(throttles):
        pace.throttled(pace.begin())
    needed = sum(range(pace.limit, most)) + most
    for _ in range(needed):
        pace.succeeded(pace.begin())
    assert pace.limit == most


@given(most=st.integers(2, 64))
def test_what_was_sent_before_it_gave_way_does_not_widen_it(most: int) -> None:
    """A success of an earlier round says nothing of the narrower width; a second refusal of the same call does."""
    pace = ConcurrencyLimiter(most)
    early, refused = pace.begin(), pace.begin()
    pace.throttled(refused)
    width = pace.width
    pace.succeeded(early)
    assert pace.width == width
    pace.throttled(refused)
    assert pace.width == max(1, width / 2)
    assert refused.round == pace.round
    assert isinstance(refused, Slot)


async def test_a_batch_that_is_throttled_gives_way_and_comes_back(sim: Simulator, wx: WxSession) -> None:
    """Calls that succeed in the next minute narrow the batch nevertheless, and it widens again over the next ones."""

    async def wait(seconds: float) -> None:
        sim.advance(seconds)

    wx._engine.sleep = wait
    sim.options = SimulatorOptions(minute_limits={COUNT: 60})
    limits: list[int] = []

    async def count(number: int, work: Work) -> int:
        await wx._observed(work).count_materials()
        return number

    batch = Batch(range(110), count, concurrency=8)
    async with batch as outcomes:
        async for outcome in outcomes:
            assert isinstance(outcome, int)
            limits.append(batch._run._slots.limiter.limit)
    assert limits[0] == 8
    assert 1 <= min(limits) <= 4
    assert limits[-1] == 8


async def test_fewer_requests_reach_a_service_that_was_busy(sim: Simulator, wx: WxSession) -> None:
    """In the journal, no more requests stand at the server after the throttles than the narrower batch lets through.

    Each answer takes 50 ms, so that those within 45 ms stood there together; the eight that were throttled go on.
    """
    for fault, times in (("delay-50ms", 16), ("status:429", 8), ("delay-50ms", None)):
        sim.fail("del_material", fault, times=times)
    ids = [sim.add_article(title=str(number)) for number in range(40)]
    patient = wx.with_options(retry=RetryPolicy(attempts=9, wait_initial=0))  # one call may meet all eight
    async with patient.del_materials(ids, concurrency=8) as outcomes:
        assert len([one async for one in outcomes if isinstance(one, Deleted)]) == 40
    answers = [entry for entry in sim.journal if entry.path.endswith("del_material")]
    throttled = max(number for number, entry in enumerate(answers) if entry.status == 429)
    later = [entry.at for entry in answers[throttled + 9 : throttled + 17]]
    together = max(sum(at <= other < at + 0.045 for other in later) for at in later)
    assert len(later) == 8
    assert together < 8


async def test_memory_of_materials_is_flat(sim: Simulator, wx: WxSession, tmp_path: Path) -> None:
    """A hundred images of 200 KB are read four at a time: never more than a few of them are in memory.

    Nothing waits for the garbage collector, and an outcome that is kept does not keep the media.
    """
    sim.fail("add_material", "errcode:45001", times=None)  # nothing is kept by the simulator
    content = picture(1) + bytes(200_000)
    for number in range(100):
        (tmp_path / f"{number}.png").write_bytes(content)
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        batch = wx.add_materials("image", tmp_path.glob("*.png"), concurrency=4)
        outcomes = [outcome async for outcome in _all(batch) if isinstance(outcome, Failed)]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        gc.enable()
    assert len(outcomes) == 100
    assert peak < 8_000_000, "20 MB were sent, by a client and to a simulator in this process"
