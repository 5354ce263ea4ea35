"""Commands `wxasset media add | get`: temporary media, valid for three days."""

from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter

from wxasset import Video, WxSession
from wxasset.cli.commands.add import DRY_COLUMNS, FILES, UNLISTED, check_file, check_files, split_type
from wxasset.cli.commands.get import check_output, described, saved_record
from wxasset.cli.runtime.help import epilogue, helped
from wxasset.cli.runtime.inputs import DASHED, IDS, STDIO, FileName, Kind, ids_of, kind_of
from wxasset.cli.runtime.progress import transfer
from wxasset.cli.runtime.report import Record, Report
from wxasset.cli.runtime.runner import FLAG, Options, perform, run_report
from wxasset.wire.limits import UPLOAD_MEDIA

__all__ = ["media"]

media: App = App(name="media", help="Temporary media: valid for three days, and not listed by WeChat.")

_KEYS: Final = ("media_id", "type", "file", "size", "sha256", "content_type", "title", "introduction")


@media.command(
    name="add",
    usage="Usage: wxasset media add [TYPE] FILE... [OPTIONS]",
    help_epilogue=epilogue("media add greeting.mp3"),
)
@helped
def add_command(
    *files: Annotated[FileName, FILES],
    type: Kind | None = None,  # noqa: A002 - WeChat's own name for it
    filename: str | None = None,
    dry_run: Annotated[bool, FLAG] = False,
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """Upload temporary media, and print their ids.

    The type (image, voice, video, thumb) is detected from the bytes of each file by default.

    JSON keys: file, type, media_id, created_at (unix seconds), size; with --dry-run: would, file, type, size.

    Args:
        files: Files, optionally preceded by a type.
        type: The type of all files.
        filename: The name to send a single file under; its own by default.
        dry_run: Check the files and show the planned uploads; send nothing.
        options: Options of every command.
    """
    type, names = split_type(type, files)  # noqa: A001 - the same
    check_files(names, filename)

    async def add(wx: WxSession, file: str, *, quiet: bool) -> Record:
        kind = type or await kind_of(Path(file))
        size = await check_file(file, UPLOAD_MEDIA[kind], filename)
        with transfer(Path(file).name, quiet=quiet) as progress:
            added = await wx.upload_media(kind, file, filename=filename, progress=progress)
        return {
            "file": file,
            "type": kind,
            "media_id": added.media_id,
            "created_at": added.created_at,
            "size": size,
        }

    async def work(wx: WxSession, report: Report) -> None:
        await report.each(names, lambda file: add(wx, file, quiet=report.no_progress), check=UNLISTED)

    async def would(file: str) -> Record:
        kind = type or await kind_of(Path(file))
        return {"would": "upload", "file": file, "type": kind, "size": await check_file(file, UPLOAD_MEDIA[kind])}

    if dry_run:
        return run_report(options, DRY_COLUMNS, lambda report: report.each(names, would))
    return perform(options, ("media_id", "type", "file"), work)


@media.command(
    name="get",
    usage="Usage: wxasset media get MEDIA_ID... [OPTIONS]",
    help_epilogue=epilogue("media get MEDIA_ID -o voices/"),
)
@helped
def get_command(
    *media_ids: Annotated[str, IDS],
    output: Annotated[FileName, DASHED, Parameter(name=["--output", "-o"])] = ".",
    film: Annotated[bool, FLAG] = False,
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """Download temporary media.

    Files are saved as by wxasset get. Of a video, the description is shown; --film downloads the video file itself.

    JSON keys: media_id, type (file, video), file, size, sha256, content_type, title, introduction.

    Args:
        media_ids: Ids of temporary media, or - to read ids from stdin.
        output: A directory (created if it ends with /), a file (for a single id), or - for stdout.
        film: Download the video file of a video.
        options: Options of every command.
    """
    ids = ids_of(media_ids, "media_id")
    to = check_output(str(output), several=len(ids) > 1)

    async def get(wx: WxSession, media_id: str, *, quiet: bool) -> Record:
        with transfer(media_id, quiet=quiet) as progress:
            found = await wx.get_media(media_id, to, progress=progress)
            record = described(media_id, found)
            if isinstance(found, Video) and film:
                record |= saved_record(await wx.download_video(found, to, progress=progress))
        return {key: record[key] for key in _KEYS}

    async def work(wx: WxSession, report: Report) -> None:
        await report.each(ids, lambda media_id: get(wx, media_id, quiet=report.no_progress))

    return perform(options, None if output == STDIO else ("media_id", "type", "file", "size"), work)
