"""Commands `wxasset cloud put | get | rm | url`: files in the cloud storage of a Mini Program."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import anyio
from anyio.lowlevel import checkpoint
from cyclopts import App, Parameter
from cyclopts.validators import Number

from wxasset import FailedDelete, WxSession
from wxasset.calls.cloud import BatchDeleteFile
from wxasset.cli.commands.add import check_file
from wxasset.cli.commands.get import check_output, saved_record
from wxasset.cli.runtime.errors import note
from wxasset.cli.runtime.exit_codes import Exit
from wxasset.cli.runtime.help import epilogue, helped
from wxasset.cli.runtime.inputs import DASHED, IDS, STDIO, FileName, ids_of
from wxasset.cli.runtime.progress import transfer
from wxasset.cli.runtime.prompts import NOT_DELETED, agreed, counted, listing
from wxasset.cli.runtime.report import Record, Report
from wxasset.cli.runtime.runner import FLAG, Options, perform, run_report
from wxasset.errors import DecodeError, Hint, UsageError, WxAssetError
from wxasset.wire.error_replies import api_error
from wxasset.wire.filenames import guarded_name
from wxasset.wire.limits import CLOUD_FILE

__all__ = ["cloud"]

cloud: App = App(name="cloud", help="Files in the cloud storage of a Mini Program.")

_REPLACED: Final = Hint(
    "Uploading it to the same path replaces it and leaves no second copy.",
    "再次上传到同一路径会替换该文件，不会产生副本。",
)
_SHOWN: Final = Hint("wxasset cloud url shows whether they are still there.", "可用 wxasset cloud url 确认是否仍存在。")
_CHUNK: Final = 200  # ids deleted between two checks for a signal: four concurrent requests of 50


@cloud.command(
    name="put",
    usage="Usage: wxasset cloud put ENV FILE... PATH [OPTIONS]",
    help_epilogue=epilogue("cloud put ENV poster.png reports/"),
)
@helped
def put_command(
    env: str,
    /,
    *files_and_path: Annotated[FileName, Parameter(negative="", show_default=False)],
    dry_run: Annotated[bool, FLAG] = False,
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """Upload files; an existing file at the path is replaced.

    JSON keys: file, path, fileid, size; with --dry-run: would, file, path, size.

    Args:
        env: The id of the cloud environment.
        files_and_path: Files, then their path in the storage; a path ending with / is a directory.
        dry_run: Check the files and show the planned uploads; send nothing.
        options: Options of every command.
    """
    *files, to = map(str, files_and_path or ("",))
    if not files:
        raise UsageError("No file to upload was given. Usage: wxasset cloud put ENV FILE... PATH.")
    if len(files) > 1 and not to.endswith("/"):
        raise UsageError(f"Several files need a directory: end PATH with /, not {to}.")

    def path_of(file: str) -> str:
        return to + guarded_name(Path(file).name) if to.endswith("/") else to

    async def put(wx: WxSession, file: str, *, quiet: bool) -> Record:
        size = await check_file(file, CLOUD_FILE)
        with transfer(Path(file).name, quiet=quiet) as progress:
            fileid = await wx.upload_file(env, path_of(file), file, progress=progress)
        return {"file": file, "path": path_of(file), "fileid": fileid, "size": size}

    async def work(wx: WxSession, report: Report) -> None:
        await report.each(files, lambda file: put(wx, file, quiet=report.no_progress), check=_REPLACED)

    async def would(file: str) -> Record:
        return {"would": "upload", "file": file, "path": path_of(file), "size": await check_file(file, CLOUD_FILE)}

    if dry_run:
        return run_report(options, ("would", "file", "path", "size"), lambda report: report.each(files, would))
    return perform(options, ("fileid", "file"), work)


@cloud.command(
    name="get",
    usage="Usage: wxasset cloud get ENV FILEID... [OPTIONS]",
    help_epilogue=epilogue("cloud get ENV cloud://ENV.BUCKET/reports/poster.png -o reports/"),
)
@helped
def get_command(
    env: str,
    /,
    *fileids: Annotated[str, IDS],
    output: Annotated[FileName, DASHED, Parameter(name=["--output", "-o"])] = ".",
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """Download files; an interrupted download is resumed.

    JSON keys: fileid, file, size, sha256, content_type.

    Args:
        env: The id of the cloud environment.
        fileids: Ids of files, such as cloud://env.bucket/path, or - to read ids from stdin.
        output: A directory (created if it ends with /), a file (for a single id), or - for stdout.
        options: Options of every command.
    """
    ids = list(dict.fromkeys(ids_of(fileids, "fileid")))
    to = check_output(str(output), several=len(ids) > 1)

    async def get(wx: WxSession, fileid: str, *, quiet: bool) -> Record:
        with transfer(fileid, quiet=quiet) as progress:
            saved = await wx.download_file(env, fileid, to, progress=progress)
        return {"fileid": fileid, **saved_record(saved)}

    async def work(wx: WxSession, report: Report) -> None:
        await report.each(ids, lambda fileid: get(wx, fileid, quiet=report.no_progress))

    return perform(options, None if output == STDIO else ("fileid", "file", "size"), work)


@cloud.command(
    name="url",
    usage="Usage: wxasset cloud url ENV FILEID... [OPTIONS]",
    help_epilogue=epilogue("cloud url ENV cloud://ENV.BUCKET/reports/poster.png"),
)
@helped
def url_command(
    env: str,
    /,
    *fileids: Annotated[str, IDS],
    max_age: Annotated[int, Parameter(validator=Number(gte=1))] = 7200,
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """Print temporary public download links.

    JSON keys: fileid, url, max_age.

    Args:
        env: The id of the cloud environment.
        fileids: Ids of files, or - to read ids from stdin.
        max_age: Seconds until the links expire.
        options: Options of every command.
    """
    ids = list(dict.fromkeys(ids_of(fileids, "fileid")))

    async def work(wx: WxSession, report: Report) -> None:
        for found in await wx.file_urls(env, ids, max_age=max_age):
            try:
                report.did({"fileid": found.fileid, "url": found.require(), "max_age": found.max_age})
            except WxAssetError as error:
                report.failed(error, found.fileid)

    return perform(options, ("url", "fileid"), work)


@cloud.command(
    name="rm",
    usage="Usage: wxasset cloud rm ENV FILEID... [OPTIONS]",
    help_epilogue=epilogue("cloud rm ENV cloud://ENV.BUCKET/reports/poster.png --dry-run"),
)
@helped
def rm_command(
    env: str,
    /,
    *fileids: Annotated[str, IDS],
    yes: Annotated[bool, FLAG] = False,
    dry_run: Annotated[bool, FLAG] = False,
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """Delete files permanently.

    JSON keys: fileid, deleted; with --dry-run: would, fileid.

    Args:
        env: The id of the cloud environment.
        fileids: Ids of files, or - to read ids from stdin; repeated ids are sent once.
        yes: Do not ask for confirmation.
        dry_run: Show the files to delete; delete nothing.
        options: Options of every command.
    """
    ids = list(dict.fromkeys(ids_of(fileids, "fileid")))
    if dry_run:
        return run_report(options, ("would", "fileid"), lambda report: report.each(ids, _would))
    account = options.credentials()
    question = Hint(
        f"This permanently deletes {counted(len(ids), 'file')} of {env} of {account.appid} at {account.host}:"
        f" {listing(ids)}. Continue? [y/N]",
        f"将永久删除 {account.appid}（{account.host}）环境 {env} 中的 {len(ids):,} 个文件：{listing(ids)}。"
        "继续吗？[y/N]",
    )
    if not yes and not agreed(question, "wxasset cloud rm"):
        note(NOT_DELETED, as_json=options.json)
        return Exit.FAILED
    return perform(options, ("fileid",), lambda wx, report: _delete(wx, env, ids, report))


async def _would(fileid: str) -> Record:
    return {"would": "delete", "fileid": fileid}


async def _delete(wx: WxSession, env: str, ids: Sequence[str], report: Report) -> None:
    """Delete in chunks; a chunk in progress is completed after a signal."""
    for start in range(0, len(ids), _CHUNK):
        report.left = list(ids[start:])
        report.in_progress, report.check = list(ids[start : start + _CHUNK]), _SHOWN
        with anyio.CancelScope(shield=True):
            found = await wx.batch_delete_file(env, ids[start : start + _CHUNK])
            report.left, report.in_progress = list(ids[start + _CHUNK :]), []
            for fileid in found.deleted:
                report.did({"fileid": fileid, "deleted": True})
            for failed in found.failed:
                report.failed(_error_of(failed), failed.fileid)
        await checkpoint()


def _error_of(failed: FailedDelete) -> WxAssetError:
    path = BatchDeleteFile.route.path
    if failed.error is not None:
        return failed.error
    if failed.status is None:
        return DecodeError(f"{path} returned no status for the file: {failed.errmsg}.", path)
    return api_error(failed.status, failed.errmsg, path)
