"""Run the demonstration: upload and download each type of material, on the simulator or the real service."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from time import perf_counter
from typing import Final, TypeAlias

import aiohttp
import anyio
from attrs import frozen

from wxasset import SavedMaterial, Video, WxSession
from wxasset.cli.demo.checks import (
    Check,
    Outcome,
    Row,
    Upload,
    Verdict,
    cloud_check,
    count_check,
    deleted_check,
    expected_count,
    list_check,
    listed_types,
    same_words,
)
from wxasset.cli.demo.cleanup import Cleanup
from wxasset.cli.demo.plan import SAMPLES, SampleFile, piece_of
from wxasset.cli.runtime.credentials import Credentials, open_session
from wxasset.cli.runtime.inputs import format_of
from wxasset.errors import WxAssetError
from wxasset.simulator import Simulator

__all__ = ["DemoContext", "live", "plan", "simulated"]

Film: TypeAlias = Callable[[Video], Awaitable[bytes]]

_ENV: Final = "demo-env"
_LOOK: Final = 100  # newer materials of other programs to skip before the search is abandoned


@frozen(kw_only=True)
class DemoContext:
    """Context of a demonstration besides the session.

    Attributes:
        scratch: A directory for downloads.
        announce: Function to show the current step.
        warn: Function to show failures without effect on the demonstration.
    """

    scratch: Path
    announce: Callable[[str], None]
    warn: Callable[[str], None]


async def plan(files: Sequence[Path]) -> tuple[SampleFile, ...]:
    """Plan the upload of these files, or of the samples.

    Raises:
        SourceError: A file cannot be read, or WeChat does not accept its format.
    """
    if not files:
        return SAMPLES
    return tuple([piece_of(path, await format_of(path)) for path in files])


async def simulated(files: Sequence[Path], desk: DemoContext) -> Outcome:
    """Run the demonstration on a built-in simulator."""
    pieces = await plan(files)
    async with (
        Simulator() as sim,
        WxSession(sim.appid, sim.secret, base_url=sim.url) as wx,
        aiohttp.ClientSession() as http,
    ):

        async def film(video: Video) -> bytes:
            # The link leads to the simulator on this machine; on the service it may lead to any host.
            async with http.get(video.down_url, raise_for_status=True) as reply:
                return await reply.read()

        outcome = await _round(wx, pieces, desk, film)
        desk.announce("deleting cloud files")
        cloud = await _simulated_cloud(wx, sim)
    return Outcome(rows=outcome.rows, checks=(*outcome.checks, cloud))


async def _simulated_cloud(wx: WxSession, sim: Simulator) -> Check:
    """Delete three existing files and a missing one."""
    there = [sim.add_cloud_file(_ENV, f"demo/{number}.txt", b"demo") for number in (1, 2, 3)]
    gone = there[0].replace("1.txt", "missing.txt")
    report = await wx.batch_delete_file(_ENV, [*there, gone])
    check = cloud_check(report, there, refused=[gone])
    return check if not sim.cloud_files else Check(label=check.label, text=check.text, passed=False)


async def live(
    files: Sequence[Path], desk: DemoContext, *, credentials: Credentials, env: str | None, fileids: Sequence[str]
) -> Outcome:
    """Run the demonstration on an account; only its own uploads are changed.

    Args:
        files: Files to upload; empty for the samples.
        desk: The context.
        credentials: The account.
        env: The environment of the cloud files.
        fileids: The cloud files to delete.
    """
    pieces = await plan(files)
    async with open_session(credentials) as wx:
        outcome = await _round(wx, pieces, desk, None)
        desk.announce("deleting cloud files")
        cloud = await _live_cloud(wx, env, fileids)
    return Outcome(rows=outcome.rows, checks=(*outcome.checks, cloud), host=credentials.host)


async def _live_cloud(wx: WxSession, env: str | None, fileids: Sequence[str]) -> Check:
    """Delete the given files; an account without cloud storage fails only this check."""
    if env is None or not fileids:
        return Check(label="cloud files", text="skipped: --env and --fileid were not given", passed=None)
    try:
        return cloud_check(await wx.batch_delete_file(env, fileids), fileids)
    except WxAssetError as error:
        return Check(label="cloud files", text=str(error), passed=False)


async def _round(wx: WxSession, pieces: Sequence[SampleFile], desk: DemoContext, film: Film | None) -> Outcome:
    """Upload, count, list, download, compare, delete.

    Args:
        wx: The session.
        pieces: Files to upload.
        desk: The context.
        film: Function to download a video file; None on the real service.
    """
    async with Cleanup(wx, desk.warn) as cleanup:
        before = await wx.count_materials()
        uploads: list[Upload] = []
        for piece in pieces:
            desk.announce(f"uploading {piece.name}")
            uploads.append(await cleanup.put(piece))
        counted = count_check(await wx.count_materials(), expected_count(before, uploads), ours=film is not None)
        listed = list_check(uploads, await _find(wx, uploads))
        rows: list[Row] = []
        for number, upload in enumerate(uploads):
            desk.announce(f"downloading {upload.piece.name}")
            target = desk.scratch / f"{number}{upload.piece.path.suffix}"
            rows.append(await _fetch(wx, upload, target, film))
        desk.announce("deleting the uploads")
        deleted = await cleanup.clear()
        left = None if film is None else await wx.count_materials()
        gone = deleted_check(deleted, await _find(wx, uploads), left)
    return Outcome(rows=tuple(rows), checks=(counted, listed, gone))


async def _find(wx: WxSession, uploads: Sequence[Upload]) -> dict[str, str]:
    """Return the listed names of the uploads by media id; the list begins with the newest."""
    ours = {upload.media_id for upload in uploads}
    found: dict[str, str] = {}
    for kind in listed_types(uploads):
        seen = 0
        async with aclosing(wx.iter_materials(kind)) as items:
            async for item in items:
                seen += 1
                if item.media_id in ours:
                    found[item.media_id] = item.name
                if seen >= _LOOK + len(ours) or len(found) == len(ours):
                    break
    return found


async def _fetch(wx: WxSession, upload: Upload, target: Path, film: Film | None) -> Row:
    """Download one material and compare it with its file."""
    started = perf_counter()
    got = await wx.get_material(upload.media_id, to=target)
    fetched = await film(got) if isinstance(got, Video) and film is not None else None
    elapsed = (perf_counter() - started) * 1000
    piece = upload.piece
    # Files have at most 10 MiB, WeChat's limit.
    sent = await anyio.Path(piece.path).read_bytes()
    if isinstance(got, SavedMaterial):
        right, good = await anyio.Path(target).read_bytes() == sent, Verdict.IDENTICAL
    elif isinstance(got, Video):
        right = same_words(piece, got) and (film is None or fetched == sent)
        good = Verdict.ACCEPTED if film is None else Verdict.IDENTICAL
    else:
        right, good = False, Verdict.DIFFERENT
    return Row(upload=upload, milliseconds=elapsed, verdict=good if right else Verdict.DIFFERENT)
