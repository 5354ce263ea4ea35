"""Command `wxasset get`: download materials."""

import os
import sys
from typing import Annotated, BinaryIO, Final

from attrs import asdict
from cyclopts import Parameter

from wxasset import News, SavedMaterial, Video, WxSession
from wxasset.cli.runtime.inputs import DASHED, IDS, STDIO, FileName, ids_of
from wxasset.cli.runtime.progress import transfer
from wxasset.cli.runtime.report import Record, Report
from wxasset.cli.runtime.runner import FLAG, Options, perform
from wxasset.errors import Hint, UsageError

__all__ = ["check_output", "described", "get_command", "saved_record"]

_KEYS: Final = (
    *("media_id", "type", "file", "size", "sha256", "content_type"),
    *("title", "introduction", "articles"),
)
_COLUMNS: Final = ("media_id", "type", "file", "size", "title")


def get_command(
    *media_ids: Annotated[str, IDS],
    output: Annotated[FileName, DASHED, Parameter(name=["--output", "-o"])] = ".",
    film: Annotated[bool, FLAG] = False,
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """Download permanent materials.

    In a directory, files get the names given by WeChat, and no file is replaced. A file given by name is replaced
    atomically after the download is complete. With -, only the bytes are written to stdout. Of a video, the description
    is shown; --film downloads the video file itself. Articles are shown, and not saved as files.

    JSON keys: media_id, type (file, video, news), file, size, sha256, content_type, title, introduction, articles.

    Args:
        media_ids: Ids of materials, or - to read ids from stdin.
        output: A directory (created if it ends with /), a file (for a single id), or - for stdout.
        film: Download the video file of a video.
        options: Options of every command.
    """
    ids = ids_of(media_ids, "media_id")
    to = check_output(str(output), several=len(ids) > 1)

    async def get(wx: WxSession, media_id: str, report: Report) -> Record:
        with transfer(media_id, quiet=report.no_progress) as progress:
            material = await wx.get_material(media_id, to, progress=progress)
            record = described(media_id, material)
            if isinstance(material, Video) and film:
                record |= saved_record(await wx.download_video(material, to, progress=progress))
        if record["size"] is None and output == STDIO:
            kind = record["type"]
            text = Hint(
                f"{media_id} is of the type {kind}; there is no file to write.",
                f"{media_id} 的类型是 {kind}，没有文件可写出。",
            )
            report.note(text, item=media_id)
        return record

    async def work(wx: WxSession, report: Report) -> None:
        await report.each(ids, lambda media_id: get(wx, media_id, report))

    return perform(options, None if output == STDIO else _COLUMNS, work)


def check_output(output: str, *, several: bool) -> str | BinaryIO:
    """Return the destination of downloads.

    Raises:
        UsageError: The destination is unsuitable.
    """
    if not output:
        raise UsageError("-o is empty: give a directory, a file, or - for stdout.")
    if output != STDIO:
        if several and not (output.endswith(("/", os.sep)) or os.path.isdir(output)):  # noqa: PTH112 - a string
            text = f"{output} is not a directory, which several downloads need; with / at its end it is created."
            raise UsageError(text)
        return output  # a Path would lose a separator at the end, which makes a directory
    if several or sys.stdout.isatty():
        raise UsageError("-o - writes a single file to stdout: give one id, and redirect stdout to a file or pipe.")
    return sys.stdout.buffer


def described(media_id: str, material: News | Video | SavedMaterial) -> dict[str, object]:
    """Describe a material; the signed link of a video is not shown."""
    record: dict[str, object] = dict.fromkeys(_KEYS) | {"media_id": media_id}
    if isinstance(material, SavedMaterial):
        return record | {"type": "file"} | saved_record(material)
    if isinstance(material, Video):
        return record | {"type": "video", "title": material.title, "introduction": material.description}
    titles = " / ".join(article.title for article in material.articles)
    return record | {"type": "news", "title": titles, "articles": [asdict(article) for article in material.articles]}


def saved_record(saved: SavedMaterial) -> dict[str, object]:
    """Describe a downloaded file."""
    return {
        "file": None if saved.path is None else str(saved.path),
        "size": saved.size,
        "sha256": saved.sha256,
        "content_type": saved.content_type,
    }
