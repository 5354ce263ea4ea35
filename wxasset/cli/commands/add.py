"""Commands `wxasset add` and `wxasset image`: upload files."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, get_args

from attrs import frozen
from cyclopts import Parameter

from wxasset import Limits, WxSession
from wxasset.calls.images import UploadImage
from wxasset.calls.materials import AddMaterial, Description
from wxasset.cli.runtime.inputs import FileName, Kind, kind_of
from wxasset.cli.runtime.progress import transfer
from wxasset.cli.runtime.report import Record, Report
from wxasset.cli.runtime.runner import FLAG, Options, perform, run_report
from wxasset.errors import Hint, UsageError
from wxasset.transfer.uploads.source import open_source
from wxasset.wire.filenames import guarded_name
from wxasset.wire.limits import UploadLimit

__all__ = [
    "DRY_COLUMNS",
    "FILES",
    "UNLISTED",
    "add_command",
    "check_file",
    "check_files",
    "image_command",
    "split_type",
]

_KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
DRY_COLUMNS: Final = ("would", "file", "type", "size")
_LISTED: Final = Hint(
    "Look for its name with wxasset ls before you upload it again.", "再次上传前，请先用 wxasset ls 按文件名查找。"
)
UNLISTED: Final = Hint(
    "WeChat does not list it; a second copy does no harm.", "微信不提供此类文件的列表；重复上传无妨。"
)
FILES: Final = Parameter(negative="", show_default=False)


@frozen(kw_only=True)
class _Words:
    """Options describing the files."""

    type: Kind | None
    title: str | None
    introduction: str | None
    filename: str | None

    async def material_of(self, file: str) -> AddMaterial:
        """Return the call to add a file; the title of a video defaults to the name of its file."""
        kind = self.type or await kind_of(Path(file))
        described = kind == "video" or self.title is not None or self.introduction is not None
        title = self.title or guarded_name(Path(file).stem)
        description = Description(title=title, introduction=self.introduction or "") if described else None
        return AddMaterial(type=kind, description=description)


def add_command(
    *files: Annotated[FileName, FILES],
    type: Kind | None = None,  # noqa: A002 - WeChat's own name for it
    title: str | None = None,
    introduction: str | None = None,
    filename: str | None = None,
    dry_run: Annotated[bool, FLAG] = False,
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """Add permanent materials to the library.

    The type (image, voice, video, thumb) is detected from the bytes of each file by default; write ./image for a file
    named image.

    JSON keys: file, type, media_id, url, size, reconciled; with --dry-run: would, file, type, size.

    Args:
        files: Files, optionally preceded by a type.
        type: The type of all files.
        title: The title of a video; the name of its file by default.
        introduction: The introduction of a video.
        filename: The name of a single file in the library; its own by default.
        dry_run: Check the files and show the planned uploads; send nothing.
        options: Options of every command.
    """
    type, names = split_type(type, files)  # noqa: A001 - the same
    check_files(names, filename)
    words = _Words(type=type, title=title, introduction=introduction, filename=filename)

    async def add(wx: WxSession, file: str, *, quiet: bool) -> Record:
        call = await words.material_of(file)
        size = await check_file(file, call.limit, filename)
        with transfer(Path(file).name, quiet=quiet) as progress:
            added = await wx.call(call, media=file, filename=filename, progress=progress)
        return {
            "file": file,
            "type": call.type,
            "media_id": added.media_id,
            "url": added.url,
            "size": size,
            "reconciled": added.reconciled,
        }

    async def work(wx: WxSession, report: Report) -> None:
        await report.each(names, lambda file: add(wx, file, quiet=report.no_progress), check=_LISTED)

    async def would(file: str) -> Record:
        call = await words.material_of(file)
        return {"would": "add", "file": file, "type": call.type, "size": await check_file(file, call.limit, filename)}

    if dry_run:
        return run_report(options, DRY_COLUMNS, lambda report: report.each(names, would))
    return perform(options, ("media_id", "type", "file"), work)


def image_command(
    *files: Annotated[FileName, FILES],
    filename: str | None = None,
    dry_run: Annotated[bool, FLAG] = False,
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """Upload images for the bodies of articles, and print their URLs.

    They must be JPEG or PNG of less than 1 MiB. They do not count against the library, and WeChat does not list them.
    JSON keys: file, url, size; with --dry-run: would, file, type, size.

    Args:
        files: Images.
        filename: The name to send a single file under; its own by default.
        dry_run: Check the files and show the planned uploads; send nothing.
        options: Options of every command.
    """
    names = [str(file) for file in files]
    check_files(names, filename)
    call = UploadImage()

    async def upload(wx: WxSession, file: str, *, quiet: bool) -> Record:
        size = await check_file(file, call.limit, filename)
        with transfer(Path(file).name, quiet=quiet) as progress:
            url = await wx.upload_image(file, filename=filename, progress=progress)
        return {"file": file, "url": url, "size": size}

    async def work(wx: WxSession, report: Report) -> None:
        await report.each(names, lambda file: upload(wx, file, quiet=report.no_progress), check=UNLISTED)

    async def would(file: str) -> Record:
        return {"would": "upload", "file": file, "type": "image", "size": await check_file(file, call.limit, filename)}

    if dry_run:
        return run_report(options, DRY_COLUMNS, lambda report: report.each(names, would))
    return perform(options, ("url", "file"), work)


def split_type(kind: Kind | None, files: Sequence[FileName]) -> tuple[Kind | None, list[str]]:
    """Separate a type in front of the files from them, unless the type is an option."""
    names = [str(file) for file in files]
    if kind is None and names and names[0] in _KINDS:
        return next(one for one in _KINDS if one == names[0]), names[1:]
    return kind, names


def check_files(files: Sequence[str], filename: str | None) -> None:
    """Refuse an upload of no file, and one name for several files.

    Raises:
        UsageError: The arguments do not fit.
    """
    if not files:
        raise UsageError("No file to upload was given.")
    if filename is not None and len(files) > 1:
        raise UsageError(f"--filename names a single file, but {len(files)} files were given.")


async def check_file(file: str, limit: UploadLimit | None, filename: str | None = None) -> int:
    """Check a file the way an upload does before sending, and return its size in bytes.

    Raises:
        SourceError: The file cannot be read, or WeChat does not accept its format or size.
    """
    source = await open_source(file, filename=filename, size=None, limit=limit, limits=Limits())
    try:
        return source.size
    finally:
        await source.aclose()
