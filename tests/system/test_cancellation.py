"""Cancelled at any of its suspensions, no operation leaves anything behind, and the session goes on."""

import asyncio
import io
import math
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

import anyio
import pytest
from attrs import define, field, frozen
from fastapi import UploadFile

from counting import Points
from declared import CountImages
from policies import PATIENT
from suspension import BOUND, Residue, Steps, Strike, complaints
from wxasset import (
    DownloadPolicy,
    FileTokenStore,
    Ledger,
    MaterialStream,
    MemoryTokenStore,
    StableToken,
    TokenCache,
    TokenStore,
    WxSession,
)
from wxasset.errors import WxAssetError
from wxasset.simulator import Simulator

ENV = "env-1"
OLD: Final = b"what was there before"

Work: TypeAlias = Callable[[WxSession], Coroutine[Any, Any, object]]


@define
class Room:
    """What operations work with; everything in `directory` has to be in one of its `states`, or it was left behind."""

    sim: Simulator
    directory: Path
    small: bytes
    large: bytes = field(init=False)
    media_id: str = ""
    states: dict[str, tuple[bytes | None, ...]] = field(factory=dict)
    lent: list[Any] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        """Make a medium that is neither read nor written in one piece."""
        self.large = self.small + bytes(1_200_000)

    def file(self, name: str, content: bytes, *others: bytes | None) -> Path:
        """Make a file that keeps its content, or gets one of others."""
        self.states[name] = (content, *others)
        (self.directory / name).write_bytes(content)
        return self.directory / name

    def nothing(self, name: str, *others: bytes) -> Path:
        """Name a file that does not exist, or gets one of these contents."""
        self.states[name] = (None, *others)
        (self.directory / name).unlink(missing_ok=True)
        return self.directory / name

    def lend(self, handle: Any) -> Any:
        """Take note of something that is closed when its operation has ended."""
        self.lent.append(handle)
        return handle

    def check(self, context: str) -> None:
        """See that no file is other than it may be."""
        while self.lent:
            self.lent.pop().close()
        for name in {*os.listdir(self.directory), *self.states}:
            file = self.directory / name
            content = file.read_bytes() if file.exists() else None
            assert content in self.states.get(name, (None,)), f"{context}: {name} has {content and len(content)} bytes"


@frozen(kw_only=True)
class Operation:
    """Something to cancel.

    Attributes:
        prepare: Called before each run; makes what is run.
        warm: Whether the session has a token and a connection by then.
        store: Makes the store of the session, if it has one.
        closes: Whether the session is closed afterwards.
        adds: How many materials it may leave in the library.
    """

    prepare: Callable[[Room], Work]
    warm: bool = True
    store: Callable[[Path], TokenStore] | None = None
    closes: bool = False
    adds: int = 1


OPERATIONS: dict[str, Operation] = {}


def operation(**options: Any) -> Callable[[Callable[[Room], Work]], None]:
    """Enter an operation under the name of its function."""

    def enter(prepare: Callable[[Room], Work]) -> None:
        OPERATIONS[prepare.__name__.replace("_", " ").strip()] = Operation(prepare=prepare, **options)

    return enter


# Uploads


@operation()
def _add_a_small_path(room: Room) -> Work:
    file = room.file("small.jpg", room.small)
    return lambda wx: wx.add_material("image", file)


@operation()
def _add_a_large_path(room: Room) -> Work:
    file = room.file("large.jpg", room.large)
    return lambda wx: wx.add_material("image", file)


@operation()
def _add_a_few_bytes(room: Room) -> Work:
    return lambda wx: wx.add_material("image", room.small)


@operation()
def _add_many_bytes(room: Room) -> Work:
    return lambda wx: wx.add_material("image", room.large)


async def _chunks(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 300_000):
        await asyncio.sleep(0)
        yield data[start : start + 300_000]


@operation()
def _add_a_stream_with_a_size(room: Room) -> Work:
    return lambda wx: wx.add_material("image", _chunks(room.large), size=len(room.large))


@operation()
def _add_a_stream_that_is_spooled(room: Room) -> Work:
    return lambda wx: wx.add_material("image", _chunks(room.large))


@operation()
def _add_an_open_file(room: Room) -> Work:
    handle = room.lend(room.file("large.jpg", room.large).open("rb"))
    return lambda wx: wx.add_material("image", handle)


@operation()
def _add_a_pipe(room: Room) -> Work:
    reading, writing = os.pipe()
    with open(writing, "wb") as sink:
        sink.write(room.small)
    handle = room.lend(open(reading, "rb"))
    return lambda wx: wx.add_material("image", handle)


@operation()
def _add_an_UploadFile(room: Room) -> Work:  # noqa: N802 - its name
    spooled = room.lend(tempfile.SpooledTemporaryFile(max_size=1024, dir=str(room.directory.parent)))
    spooled.write(room.large)
    spooled.seek(0)
    return lambda wx: wx.add_material("image", UploadFile(spooled, filename="poster.jpg"))


@operation()
def _add_an_anyio_file(room: Room) -> Work:
    handle = room.lend(room.file("large.jpg", room.large).open("rb"))
    return lambda wx: wx.add_material("image", anyio.wrap_file(handle))


@operation()
def _add_after_a_refused_token(room: Room) -> Work:
    room.sim.revoke_tokens()
    file = room.file("large.jpg", room.large)
    return lambda wx: wx.add_material("image", file)


@operation()
def _upload_image(room: Room) -> Work:
    return lambda wx: wx.upload_image(room.small)


@operation()
def _upload_media(room: Room) -> Work:
    file = room.file("large.jpg", room.large)
    return lambda wx: wx.upload_media("image", file)


# Downloads


@operation()
def _get_to_a_path(room: Room) -> Work:
    to = room.nothing("out.jpg", room.large)
    return lambda wx: wx.get_material(room.media_id, to=to)


@operation()
def _get_to_a_path_that_exists(room: Room) -> Work:
    to = room.file("out.jpg", OLD, room.large)
    return lambda wx: wx.get_material(room.media_id, to=to, fsync=True)


@operation()
def _get_to_a_directory(room: Room) -> Work:
    room.nothing("poster.jpg", room.large)
    return lambda wx: wx.get_material(room.media_id, to=room.directory)


@operation()
def _get_to_an_open_file(room: Room) -> Work:
    handle = room.lend(room.file("out.jpg", OLD, OLD + room.large).open("ab"))
    return lambda wx: wx.get_material(room.media_id, to=handle)


@operation()
def _get_to_an_anyio_file(room: Room) -> Work:
    handle = room.lend(room.file("out.jpg", OLD, OLD + room.large).open("ab"))
    return lambda wx: wx.get_material(room.media_id, to=anyio.wrap_file(handle))


@operation()
def _get_to_memory(room: Room) -> Work:
    return lambda wx: wx.get_material(room.media_id, to=io.BytesIO())


class _Slow:
    """A writer that takes a turn for each write."""

    async def write(self, _: bytes, /) -> None:
        await asyncio.sleep(0)


@operation()
def _get_to_a_writer(room: Room) -> Work:
    return lambda wx: wx.get_material(room.media_id, to=_Slow())


@operation()
def _get_media(room: Room) -> Work:
    to, media_id = room.nothing("out.jpg", room.large), next(iter(room.sim.temporary_media))
    return lambda wx: wx.get_media(media_id, to=to)


@operation()
def _get_news(room: Room) -> Work:
    news = room.sim.add_article(title="标题", content="x" * 100_000)
    to = room.nothing("out.jpg")
    return lambda wx: wx.get_material(news, to=to)


@operation()
def _open_and_iterate(room: Room) -> Work:
    async def work(wx: WxSession) -> None:
        async with wx.open_material(room.media_id) as material:
            assert isinstance(material, MaterialStream)
            assert sum([len(chunk) async for chunk in material]) == len(room.large)

    return work


@operation()
def _open_and_read(room: Room) -> Work:
    async def work(wx: WxSession) -> None:
        async with wx.open_material(room.media_id) as material:
            assert isinstance(material, MaterialStream)
            assert await material.read() == room.large

    return work


@operation()
def _open_and_save(room: Room) -> Work:
    to = room.nothing("out.jpg", room.large)

    async def work(wx: WxSession) -> None:
        async with wx.open_material(room.media_id) as material:
            assert isinstance(material, MaterialStream)
            await material.save(to)

    return work


# Many at once


@operation(adds=3)
def _add_materials(room: Room) -> Work:
    media = [room.file("small.jpg", room.small), room.file("large.jpg", room.large), room.directory / "missing.jpg"]

    async def work(wx: WxSession) -> None:
        async with wx.add_materials("image", iter(media), concurrency=2) as outcomes:
            assert len([outcome async for outcome in outcomes]) == 3

    return work


@operation()
def _ensure_material(room: Room) -> Work:
    file = room.file("large.jpg", room.large + os.urandom(8))

    async def work(wx: WxSession) -> None:
        async with Ledger(room.directory.parent / "ledger.db") as ledger:
            await wx.ensure_material("image", file, ledger=ledger)

    return work


@operation(adds=3)
def _add_materials_with_a_ledger(room: Room) -> Work:
    media: list[bytes | AsyncIterator[bytes]] = [b"no image", room.small + os.urandom(8)]
    media.append(_chunks(room.large + os.urandom(8)))

    async def work(wx: WxSession) -> None:
        async with (
            Ledger(room.directory.parent / "ledger.db") as ledger,
            wx.add_materials("image", media, concurrency=2, ledger=ledger) as outcomes,
        ):
            assert len([outcome async for outcome in outcomes]) == 3

    return work


@operation()
def _get_materials(room: Room) -> Work:
    room.nothing("poster.jpg", room.large)

    async def work(wx: WxSession) -> None:
        async with wx.get_materials([room.media_id, "missing"], room.directory, concurrency=2) as outcomes:
            assert len([outcome async for outcome in outcomes]) == 2

    return work


@operation()
def _leave_a_batch_early(_: Room) -> Work:
    async def work(wx: WxSession) -> None:
        async with wx.del_materials(["missing"] * 9, concurrency=2) as outcomes:
            async for _ in outcomes:
                return

    return work


# Everything else


@operation()
def _del_material(room: Room) -> Work:
    media_id = room.sim.add_article(title="x")
    return lambda wx: wx.del_material(media_id)


@operation()
def _count_materials(_: Room) -> Work:
    return lambda wx: wx.count_materials()


@operation()
def _list_materials(_: Room) -> Work:
    return lambda wx: wx.list_materials("image")


@operation()
def _iter_materials(room: Room) -> Work:
    for number in range(45 - len(room.sim.materials)):
        room.sim.add_article(title=str(number))

    async def work(wx: WxSession) -> None:
        assert len([item async for item in wx.iter_materials("news")]) >= 44

    return work


@operation()
def _batch_delete_file(room: Room) -> Work:
    fileids = [room.sim.add_cloud_file(ENV, f"{number}.bin", b"x") for number in range(120)]
    return lambda wx: wx.batch_delete_file(ENV, fileids, concurrency=2)


@operation()
def _batch_delete_file_of_an_async_iterable(room: Room) -> Work:
    fileids = [room.sim.add_cloud_file(ENV, f"{number}.bin", b"x") for number in range(60)]

    async def ids() -> AsyncIterator[str]:
        for number, fileid in enumerate(fileids):
            if number % 20 == 0:
                await asyncio.sleep(0)
            yield fileid

    return lambda wx: wx.batch_delete_file(ENV, ids(), concurrency=2)


@operation()
def _file_urls(room: Room) -> Work:
    fileids = [room.sim.add_cloud_file(ENV, f"{number}.bin", b"x") for number in range(120)]
    return lambda wx: wx.file_urls(ENV, fileids, concurrency=2)


@operation()
def _upload_a_cloud_file(room: Room) -> Work:
    file = room.file("large.jpg", room.large)
    return lambda wx: wx.upload_file(ENV, "a/large.jpg", file)


@operation()
def _upload_a_cloud_file_that_is_spooled(room: Room) -> Work:
    return lambda wx: wx.upload_file(ENV, "a/large.jpg", _chunks(room.large))


@operation()
def _upload_a_cloud_file_twice(room: Room) -> Work:
    room.sim.clear_faults()
    room.sim.fail("link", "reset-after-commit")
    return lambda wx: wx.upload_file(ENV, "a/small.jpg", room.small)


@operation()
def _download_a_cloud_file_that_is_cut(room: Room) -> Work:
    fileid = room.sim.add_cloud_file(ENV, "a/large.jpg", room.large)
    room.sim.clear_faults()
    room.sim.fail("link", "cut-reply-after-500000", times=2)
    to = room.file("out.jpg", OLD, room.large)
    return lambda wx: wx.download_file(ENV, fileid, to)


@operation()
def _download_a_cloud_file_that_changes(room: Room) -> Work:
    fileid, changed = room.sim.add_cloud_file(ENV, "a/large.jpg", bytes(reversed(room.large))), False
    room.sim.clear_faults()
    room.sim.fail("link", "cut-reply-after-500000")
    room.nothing("large.jpg", room.large, bytes(reversed(room.large)))

    def change(_: int, __: int | None) -> None:
        nonlocal changed
        if not changed:
            changed = bool(room.sim.add_cloud_file(ENV, "a/large.jpg", room.large))

    return lambda wx: wx.download_file(ENV, fileid, room.directory, progress=change)


@operation()
def _call_an_endpoint_of_ones_own(_: Room) -> Work:
    return lambda wx: wx.call(CountImages())


@operation(warm=False)
def _the_first_call(_: Room) -> Work:
    return lambda wx: wx.count_materials()


@operation(warm=False, store=lambda _: MemoryTokenStore())
def _the_first_call_with_a_store_in_memory(_: Room) -> Work:
    return lambda wx: wx.count_materials()


@operation(warm=False, store=lambda directory: FileTokenStore(directory / "tokens", wait=BOUND))
def _the_first_call_with_a_store_in_a_file(_: Room) -> Work:
    return lambda wx: wx.count_materials()


@operation(closes=True)
def _aclose(_: Room) -> Work:
    return lambda wx: wx.aclose()


@operation(warm=False, closes=True)
def _aclose_while_a_token_is_fetched(_: Room) -> Work:
    async def work(wx: WxSession) -> None:
        call = asyncio.ensure_future(wx.count_materials())
        try:
            await asyncio.sleep(0.002)
            await wx.aclose()
        finally:
            call.cancel()
            await asyncio.wait([call])

    return work


# How it is cancelled


def at_once(task: asyncio.Task[Any], _: object) -> None:
    """Cancel while nothing of what is waited for has happened."""
    task.cancel()


def with_the_result(task: asyncio.Task[Any], waited: Any) -> None:
    """Cancel when what is waited for has just happened, and its result is on its way."""
    if waited is None:
        task.cancel()
    else:
        waited.add_done_callback(lambda _: task.cancel())


def again_and_again(task: asyncio.Task[Any], _: object) -> None:
    """Cancel now, and in each of the next turns, while it cleans up."""
    loop = asyncio.get_running_loop()

    def cancel(turns: int) -> None:
        if turns and not task.done():
            task.cancel()
            loop.call_soon(cancel, turns - 1)

    cancel(20)


STRIKES: list[Strike] = [at_once, with_the_result, again_and_again]


@pytest.fixture
async def room(sim: Simulator, tmp_path: Path, photo: bytes, monkeypatch: pytest.MonkeyPatch) -> Room:
    """A directory with nothing in it, in which temporary files would be made too, and a library with one image."""
    directory = tmp_path / "room"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    made = Room(sim, directory, photo)
    async with WxSession(sim.appid, sim.secret, base_url=sim.url) as wx:
        made.media_id = (await wx.add_material("image", made.large, filename="poster.jpg")).media_id
        await wx.upload_media("image", made.large)
    return made


@pytest.mark.parametrize("strike", STRIKES)
@pytest.mark.parametrize("name", OPERATIONS)
async def test_cancelled_at_any_point_nothing_is_left(
    room: Room, tmp_path: Path, name: str, strike: Strike, points: Points
) -> None:
    """No file, task, socket or descriptor is left of it; the same session makes another call; nothing is complained of.

    How often an operation gives way differs from run to run: it is cancelled at its first suspension, its second, and
    so on, until it ends before the next one is reached.
    """
    subject, at, cancelled = OPERATIONS[name], 0, 0
    with complaints() as said:
        while True:
            at += 1
            ended, reached = await _cancel_at(room, tmp_path, subject, at, strike)
            cancelled += ended
            if reached < at:
                break
    assert said == []
    assert cancelled, "it was cancelled in the middle at least once"
    points.add(name, at - 1, at - 1 - cancelled)


async def _cancel_at(room: Room, tmp_path: Path, subject: Operation, at: int, strike: Strike) -> tuple[bool, int]:
    """Cancel an operation at one point; tell whether it ended as cancelled, and how many points it reached."""
    context, before = f"cancelled at {at}", Residue.now()
    store = subject.store(tmp_path) if subject.store is not None else None
    near = DownloadPolicy(allow_private_hosts=True)
    async with WxSession(
        room.sim.appid, room.sim.secret, base_url=room.sim.url, retry=PATIENT, store=store, downloads=near
    ) as wx:
        if subject.warm:
            await wx.count_materials()
        room.states.clear()
        work = subject.prepare(room)
        kept = len(room.sim.materials)
        steps = Steps(at, strike)
        task = steps.start(work(wx))
        _, pending = await asyncio.wait([task], timeout=BOUND)
        assert not pending, f"{context} it goes on"
        room.check(context)
        if not task.cancelled():
            task.result()
        async with asyncio.timeout(BOUND):
            await (wx.aclose() if subject.closes else wx.count_materials())
    await before.gone(context)
    room.check(context)
    assert len(room.sim.materials) <= kept + subject.adds
    assert not list(tmp_path.rglob("*.tmp"))
    return task.cancelled(), steps.points


# Scopes, and others who wait


def cancel_scope(scope: anyio.CancelScope) -> Strike:
    """Cancel a scope instead of a task."""
    return lambda _, __: scope.cancel()


def expire(scope: anyio.CancelScope) -> Strike:
    """Let the time of a scope be over."""

    def strike(_: object, __: object) -> None:
        scope.deadline = -math.inf

    return strike


SAMPLE = ["add a large path", "add a stream that is spooled", "get to a path that exists", "batch delete file"]


@pytest.mark.parametrize("enter", [anyio.move_on_after, anyio.fail_after])
@pytest.mark.parametrize("how", [cancel_scope, expire])
@pytest.mark.parametrize("name", [*SAMPLE, "the first call with a store in a file"])
async def test_scopes_of_anyio_cancel_as_well(
    room: Room, tmp_path: Path, name: str, enter: Callable[[float], Any], how: Callable[[anyio.CancelScope], Strike]
) -> None:
    """The same holds where a scope is cancelled or runs out, and the scope is what ends it."""
    subject, at, caught = OPERATIONS[name], 0, 0

    async def work(wx: WxSession, steps: Steps) -> None:
        nonlocal caught
        prepared = subject.prepare(room)
        with suppress(TimeoutError) if enter is anyio.fail_after else nullcontext(), enter(60) as scope:
            steps.strike = how(scope)
            await prepared(wx)
        caught += scope.cancelled_caught

    with complaints() as said:
        while True:
            at += 1
            steps, before = Steps(at, at_once), Residue.now()
            store = subject.store(tmp_path) if subject.store is not None else None
            async with WxSession(room.sim.appid, room.sim.secret, base_url=room.sim.url, store=store) as wx:
                room.states.clear()
                await asyncio.wait_for(steps.start(work(wx, steps)), BOUND)
                room.check(f"cancelled at {at}")
                await asyncio.wait_for(wx.count_materials(), BOUND)
            await before.gone(f"cancelled at {at}")
            if steps.points < at:
                break
    assert said == []
    assert caught > 3


@pytest.mark.parametrize("strike", STRIKES)
@pytest.mark.parametrize("first", [True, False])
async def test_others_who_wait_for_the_same_token_get_it(sim: Simulator, first: bool, strike: Strike) -> None:
    """Wherever a call is cancelled while a token is fetched, another one gets that token, which is fetched once."""
    at = 0
    with complaints() as said:
        while True:
            at += 1
            steps, before, fetched = Steps(at, strike), Residue.now(), sim.token_calls
            async with WxSession(sim.appid, sim.secret, base_url=sim.url, retry=PATIENT) as wx:
                other = None if first else asyncio.create_task(wx.count_materials())
                cancelled = steps.start(wx.count_materials())
                other = other or asyncio.create_task(wx.count_materials())
                await asyncio.wait([cancelled, other], timeout=BOUND)
                assert other.result().image == 0
                assert cancelled.done()
            assert sim.token_calls == fetched + 1
            await before.gone(f"cancelled at {at}")
            if steps.points < at:
                break
    assert said == []
    assert at > 3


STORES: dict[str, Callable[[Path], TokenStore | None]] = {
    "no store": lambda _: None,
    "memory": lambda _: MemoryTokenStore(),
    "file": lambda directory: FileTokenStore(directory / "tokens", wait=BOUND),
}


@pytest.mark.parametrize("kind", STORES)
async def test_a_session_closed_at_any_point_of_a_fetch_takes_nothing_from_others(
    sim: Simulator, tmp_path: Path, kind: str
) -> None:
    """Closing the session that fetches a token stops the fetch; whoever waits for it gets a token nevertheless.

    The lease of the store is free afterwards, and the closed session's own call ends, in a typed error if not well.
    """
    at = stopped = 0
    with complaints() as said:
        while True:
            at += 1
            before, store, closing = Residue.now(), STORES[kind](tmp_path), list[asyncio.Task[None]]()
            cache = TokenCache(StableToken(sim.appid, sim.secret), store=store)
            async with (
                WxSession(tokens=cache, base_url=sim.url, retry=PATIENT) as other,
                WxSession(tokens=cache, base_url=sim.url, retry=PATIENT) as wx,
            ):
                steps = Steps(at, lambda *_: closing.append(asyncio.create_task(wx.aclose())))  # noqa: B023 - struck in this turn
                fetching = steps.start(wx.count_materials())
                await asyncio.sleep(0)
                waiting = asyncio.create_task(other.count_materials())
                await asyncio.wait([fetching, waiting, *closing], timeout=BOUND)
                assert waiting.result().image == 0
                assert fetching.done()
                stopped += isinstance(fetching.exception(), WxAssetError)
                if store is not None and cache._shared is not None:
                    async with asyncio.timeout(BOUND), store.lease(cache._shared.key):
                        pass
            await before.gone(f"closed at {at}")
            if steps.points < at:
                break
            (tmp_path / "tokens").unlink(missing_ok=True)
    assert said == []
    assert stopped > 3
