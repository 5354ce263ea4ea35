"""The session behind a spoiled line: pieces and delays change nothing, breaks are typed and leave nothing behind."""

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chaos_proxy import BlackHole, ChaosProxy, HalfClose, Latency, Refuse, ResetAfter, Slice, Toxic, Way
from declared import CountImages
from policies import PATIENT
from wxasset import (
    AddedMaterial,
    MaterialStream,
    SavedMaterial,
    Timeouts,
    UploadOutcomeUnknown,
    UploadPolicy,
    WxSession,
)
from wxasset.errors import ConnectError, TransferTimeout, WxAssetError
from wxasset.simulator import Simulator

STALL = 0.1  # seconds
STEPS = 24  # points of a sweep over all the bytes of a transfer
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 2  # an image of a size that passes byte by byte in no time
ENV = "env-1"


QUICK = UploadPolicy(visibility=0.05)


@asynccontextmanager
async def behind(
    sim: Simulator,
    *toxics: Toxic,
    timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
) -> AsyncIterator[tuple[WxSession, ChaosProxy]]:
    """A session whose every byte goes through a proxy."""
    async with (
        ChaosProxy(sim.url, *toxics) as proxy,
        WxSession(*(sim.appid, sim.secret), base_url=proxy.url, retry=PATIENT, timeouts=timeouts, uploads=QUICK) as wx,
    ):
        yield wx, proxy


# What changes nothing


async def _read(wx: WxSession, media_id: str) -> bytes:
    async with wx.open_material(media_id) as material:
        assert isinstance(material, MaterialStream)
        return await material.read()


async def _iterated(wx: WxSession, media_id: str) -> bytes:
    async with wx.open_material(media_id) as material:
        assert isinstance(material, MaterialStream)
        return b"".join([chunk async for chunk in material])


async def _video(wx: WxSession, sim: Simulator, samples: Path) -> None:
    added = await wx.add_material("video", samples / "clip.mp4", title="标题")
    video = await wx.get_material(added.media_id, to=io.BytesIO())
    assert (video.title, len(sim.materials)) == ("标题", 1)  # type: ignore[union-attr]  # a Video


async def _image(wx: WxSession, sim: Simulator, tmp_path: Path) -> None:
    added = await wx.add_material("image", JPEG, filename="海报.jpg")
    for to in (tmp_path / "out.jpg", tmp_path):
        saved = await wx.get_material(added.media_id, to=to)
        assert isinstance(saved, SavedMaterial)
        assert saved.path is not None
        assert saved.path.read_bytes() == JPEG
    assert await _read(wx, added.media_id) == await _iterated(wx, added.media_id) == JPEG
    assert (await wx.count_materials()).image == (await wx.call(CountImages())).image_count == 1
    assert [item.name async for item in wx.iter_materials("image")] == ["海报.jpg"]
    assert (await wx.list_materials("image")).total == 1
    await wx.del_material(added.media_id)
    assert sim.materials == {}


async def _news(wx: WxSession, sim: Simulator) -> None:
    news = await wx.get_material(sim.add_article(title="标题"), to=io.BytesIO())
    assert news.articles[0].title == "标题"  # type: ignore[union-attr]  # a News


async def _temporary(wx: WxSession, sim: Simulator, tmp_path: Path) -> None:
    media = await wx.upload_media("image", JPEG)
    await wx.get_media(media.media_id, to=tmp_path / "temporary.jpg")
    assert (tmp_path / "temporary.jpg").read_bytes() == JPEG
    assert await wx.upload_image(JPEG) in sim.article_images


async def _cloud(wx: WxSession, sim: Simulator) -> None:
    fileids = [sim.add_cloud_file(ENV, f"{number}.bin", b"x") for number in range(60)]
    report = await wx.batch_delete_file(ENV, fileids)
    assert (len(report.deleted), report.failed, sim.cloud_files) == (60, (), {})


@pytest.mark.parametrize(
    "toxic",
    [Slice(size=1), Slice(size=1, way="down"), Slice(size=7, way="up"), Latency(seconds=0.002)],
    ids=["byte by byte", "byte by byte down", "by seven up", "slow"],
)
async def test_pieces_and_delays_make_no_difference(
    sim: Simulator, toxic: Toxic, samples: Path, tmp_path: Path
) -> None:
    """Every operation gives what it gives on a good line, in one attempt, however small and late the pieces are."""
    async with behind(sim, toxic) as (wx, proxy):
        await _image(wx, sim, tmp_path)
        await _news(wx, sim)
        await _temporary(wx, sim, tmp_path)
        await _cloud(wx, sim)
        if isinstance(toxic, Latency):
            sim.materials.clear()
            await _video(wx, sim, samples)  # of 33 KB, too many for single bytes
        assert {entry.errcode for entry in sim.journal} <= {0, None}
    assert proxy.swallowed == 0


# Breaks


async def _upload(wx: WxSession) -> AddedMaterial:
    return await wx.add_material("image", JPEG, filename="one.jpg")


async def traffic(operation: Callable[[WxSession], Awaitable[Any]], sim: Simulator) -> dict[Way, int]:
    """How many bytes an operation of a fresh session takes, each way."""
    async with behind(sim) as (wx, proxy):
        await operation(wx)
        return {"up": proxy.up, "down": proxy.down}


def points(total: int) -> list[int]:
    """Points all over a transfer, its ends and their neighbours among them, and one that is never reached."""
    return sorted({*range(0, total, max(1, total // STEPS)), 1, total - 1, total, total + 1})


BREAKS: dict[str, Callable[[Way, int], Toxic]] = {
    "each connection reset": lambda way, count: ResetAfter(way=way, count=count),
    "one connection reset": lambda way, count: ResetAfter(way=way, count=count, connection=1),
    "one connection half closed": lambda way, count: HalfClose(way=way, count=count, connection=1),
}
WAYS: list[Way] = ["up", "down"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", BREAKS)
async def test_an_upload_over_a_line_that_breaks_is_added_once_or_a_typed_error(kind: str, way: Way) -> None:
    """Broken after any number of bytes, an upload is there once, or not there, or of an outcome that is called unknown.

    `AddedMaterial` means one in the library, `UploadOutcomeUnknown` one or none, each other error none.
    """
    async with Simulator() as measured:
        total = (await traffic(_upload, measured))[way]
    seen: dict[str, int] = {}
    for count in points(total):
        sim = Simulator()
        outcome: AddedMaterial | WxAssetError
        async with sim, behind(sim, BREAKS[kind](way, count), timeouts=Timeouts(stall=STALL)) as (wx, _):
            try:
                outcome = await _upload(wx)
            except WxAssetError as error:
                outcome = error
        kept = {type(outcome): (0,), AddedMaterial: (1,), UploadOutcomeUnknown: (0, 1)}[type(outcome)]
        assert len(sim.materials) in kept, f"{kind} after {count} of {total} bytes {way}: {outcome!r}"
        name = "found" if getattr(outcome, "reconciled", False) else type(outcome).__name__
        seen[name] = seen.get(name, 0) + 1
    assert "AddedMaterial" in seen
    assert len(seen) > 1, "something broke on the way"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", BREAKS)
@pytest.mark.parametrize("before", [None, b"old"], ids=["new", "replaced"])
async def test_a_download_over_a_line_that_breaks_is_whole_or_not_there(
    kind: str, way: Way, before: bytes | None, tmp_path: Path, photo: bytes
) -> None:
    """Broken after any number of bytes, a download is whole or a typed error, with the destination as it was."""
    content = photo + bytes(600_000)  # more than is collected for one write
    async with Simulator() as sim:
        async with WxSession(sim.appid, sim.secret, base_url=sim.url) as wx:
            media_id = (await wx.add_material("image", content)).media_id
        to = tmp_path / "out.jpg"

        async def download(wx: WxSession) -> Any:
            return await wx.get_material(media_id, to=to)

        total, failed = (await traffic(download, sim))[way], 0
        for count in points(total):
            to.unlink(missing_ok=True)
            if before is not None:
                to.write_bytes(before)
            async with behind(sim, BREAKS[kind](way, count), timeouts=Timeouts(stall=STALL)) as (wx, _):
                try:
                    await download(wx)
                except WxAssetError:
                    failed += 1
                    assert (to.read_bytes() if to.exists() else None) == before
                else:
                    assert to.read_bytes() == content
            assert set(tmp_path.iterdir()) <= {to}, f"{kind} after {count} bytes {way}"
    # Where only one connection breaks, a read is made again over the next.
    assert failed if kind == "each connection reset" else not failed


async def test_a_reset_costs_a_kept_connection_no_more_than_one_attempt(sim: Simulator) -> None:
    """A session goes on over a new connection when the one that it kept was reset, or ended, while it was idle."""
    async with behind(sim) as (wx, proxy):
        await wx.count_materials()
        for kind in (ResetAfter, HalfClose):
            proxy.toxics = (kind(way="down", count=0, connection=proxy.connections),)
            assert (await wx.count_materials()).image == 0
        assert proxy.connections == 3


# Silence and refusal


async def test_a_black_hole_is_a_timeout_within_the_stall(sim: Simulator, tmp_path: Path) -> None:
    """Where connections are taken and nothing comes, each attempt ends in `TransferTimeout` after `Timeouts.stall`.

    An answer to an upload has the time of its last piece besides, which is a quarter of a second here.
    """
    async with behind(sim, timeouts=Timeouts(stall=STALL, min_rate=1 << 20)) as (wx, proxy):
        media_id = (await _upload(wx)).media_id
        proxy.toxics = (BlackHole(),)
        loop = asyncio.get_running_loop()
        for call in (wx.count_materials(), wx.get_material(media_id, to=tmp_path / "x"), wx.del_material(media_id)):
            begun = loop.time()
            with pytest.raises(TransferTimeout):
                await call
            assert STALL <= loop.time() - begun < PATIENT.attempts * STALL + 2
        assert list(tmp_path.iterdir()) == []
        for size in (0, 9_000_000):
            begun = loop.time()
            with pytest.raises(UploadOutcomeUnknown, match="did not answer"):
                await wx.add_material("image", JPEG + bytes(size))
            assert STALL <= loop.time() - begun < STALL + 2
        proxy.toxics = ()
        assert (await wx.count_materials()).image == 1
    async with behind(sim, BlackHole(), timeouts=Timeouts(stall=STALL)) as (wx, _):
        with pytest.raises(TransferTimeout, match="stable_token"):
            await wx.count_materials()


async def test_a_refused_connection_is_a_connect_error(sim: Simulator, tmp_path: Path) -> None:
    """Where nobody listens every operation is a `ConnectError`, and works again when somebody does."""
    async with behind(sim) as (wx, proxy):
        await wx.count_materials()
        # The kept connection goes as well, which a read survives and finds nobody.
        proxy.toxics = (Refuse(), ResetAfter(way="up", count=0))
        for call in (
            wx.count_materials(),
            _upload(wx),
            wx.get_material("M", to=tmp_path / "x"),
            wx.del_material("M"),
        ):
            with pytest.raises(ConnectError, match="refused"):
                await call
        assert list(tmp_path.iterdir()) == []
        assert sim.materials == {}
        proxy.toxics = ()
        await _upload(wx)
        assert len(sim.materials) == 1
