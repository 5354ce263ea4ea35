"""Commands `wxasset ledger ls | find | adopt | verify | resolve`: the ledger of a command, and doubts."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from anyio import to_thread
from attrs import asdict
from cyclopts import App, Parameter

from wxasset import WxSession
from wxasset.cli.commands.library import iso_time
from wxasset.cli.runtime.help import epilogue, helped
from wxasset.cli.runtime.inputs import FileName, Kind
from wxasset.cli.runtime.ledgers import LedgerOption, LedgerPlace, find_ledger, given_ledger
from wxasset.cli.runtime.prompts import counted
from wxasset.cli.runtime.report import Record, Report
from wxasset.cli.runtime.runner import FLAG, Options, perform, run_report
from wxasset.errors import Hint, SourceError, UsageError

if TYPE_CHECKING:
    from wxasset import Ledger, LedgerRow
    from wxasset.ledger.records import LedgerState

__all__ = ["ledgers"]

ledgers: App = App(name="ledger", help="The ledger of uploads, beside the library of the account.")

_LISTED: Final[tuple[Kind, ...]] = ("image", "voice", "video")
_FILES: Final = Parameter(negative="", show_default=False)
_UNKNOWN: Final = Hint(
    "wxasset batch adds it, and wxasset ledger adopt looks for it in the library. A video is found by its --title.",
    "可用 wxasset batch 上传，或用 wxasset ledger adopt 在素材库中查找；视频按 --title 查找。",
)
_DOUBTS: Final = Hint("wxasset ledger ls shows the names.", "可用 wxasset ledger ls 查看名称。")
_SEVERAL: Final = Hint(
    "Name it as wxasset ledger ls shows it, and the account: --account.",
    "请使用 wxasset ledger ls 显示的名称，并用 --account 指定账号。",
)
State = Literal["planned", "in-flight", "done", "failed", "unknown"]


def _place(given: LedgerOption, options: Options) -> tuple[LedgerPlace, str | None]:
    """Return the ledger of a command, and the account to which its uploads are limited, if to any."""
    if given is not None and options.account is None:
        return given_ledger(given), None
    appid = options.credentials().appid
    return find_ledger(given, os.environ, appid), appid


def _state(word: State | None) -> "LedgerState | None":
    return "in flight" if word == "in-flight" else word


def _record(row: "LedgerRow") -> dict[str, object]:
    time = row.begun if row.ended is None else row.ended
    return {
        "state": row.state,
        "media_id": row.media_id,
        "type": row.type,
        "name": row.filename,
        "size": row.size,
        "url": row.url,
        "time": None if time is None else iso_time(int(time)),
        "sha256": row.sha256,
        "appid": row.appid,
        "realm": row.realm,
        "errcode": row.errcode,
        "message": row.error,
    }


@ledgers.command(
    name="ls",
    usage="Usage: wxasset ledger ls [OPTIONS]",
    help_epilogue=epilogue("ledger ls --state unknown"),
)
@helped
def ls_command(
    *,
    state: State | None = None,
    ledger: LedgerOption = None,
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """List the uploads of a ledger, in the order in which they began.

    Uploads that are unknown, or in flight without a process, are in doubt: the next run searches the library for them.
    No request is sent. With --ledger alone no credentials are needed, and the uploads of all accounts are listed.

    JSON keys: state (planned, in flight, done, failed, unknown), media_id, type, name, size, url, time (ISO 8601),
    sha256, appid, realm, errcode, message.

    Args:
        state: The state of the uploads; all by default.
        ledger: The ledger, as of wxasset batch.
        options: Options of every command.
    """
    place, appid = _place(ledger, options)
    kept = place.existing()

    async def work(report: Report) -> None:
        place.tell(report)
        doubts = 0
        async with kept as opened:
            async for row in opened.rows(state=_state(state)):
                if appid in {None, row.appid}:
                    doubts += row.state in {"unknown", "in flight"}
                    report.did(_record(row))
        if doubts:
            what = counted(doubts, "upload")
            english = f"{what} in doubt or under way: the next run looks for them; wxasset ledger resolve decides."
            chinese = f"{doubts} 项上传结果未知或正在进行：再次执行时会先查找；也可用 wxasset ledger resolve 决定。"
            report.note(Hint(english, chinese), doubts=doubts)

    return run_report(options, ("state", "media_id", "type", "name", "realm"), work)


@ledgers.command(
    name="find",
    usage="Usage: wxasset ledger find FILE... [OPTIONS]",
    help_epilogue=epilogue("ledger find poster.png"),
)
@helped
def find_command(
    *files: Annotated[FileName, _FILES],
    title: str | None = None,
    introduction: str | None = None,
    ledger: LedgerOption = None,
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """Look up files in a ledger by their bytes, under any name.

    No request is sent. A file without an upload is an error: the exit status is 1, or 3 if others were found.

    JSON keys: file, and those of wxasset ledger ls.

    Args:
        files: The files.
        title: The title of a video; the name of its file by default.
        introduction: The introduction of a video.
        ledger: The ledger, as of wxasset batch.
        options: Options of every command.
    """
    if not files:
        raise UsageError("No file to look up was given.")
    place, _ = _place(ledger, options)
    kept = place.existing()

    async def work(report: Report) -> None:
        place.tell(report)
        async with kept as opened:

            async def find(file: str) -> Record:
                row = await opened.find(file, title=title, introduction=introduction)
                if row is None:
                    raise SourceError(f"The ledger {place.name} does not have it.", _UNKNOWN)
                return {"file": file, **_record(row)}

            await report.each([str(file) for file in files], find)

    return run_report(options, ("state", "media_id", "file"), work)


@ledgers.command(
    name="adopt",
    usage="Usage: wxasset ledger adopt [TYPE] [OPTIONS]",
    help_epilogue=epilogue("ledger adopt image"),
)
@helped
def adopt_command(
    type: Kind | None = None,  # noqa: A002 - WeChat's own name for it
    /,
    *,
    ledger: LedgerOption = None,
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """List the library, and record what earlier runs added: it is not sent again.

    Materials are known by the marks in their names. A new ledger does so by itself for the first 5,000 of a type; use
    this command for a larger library, or where other ledgers added to it.

    JSON keys: type, adopted.

    Args:
        type: The type of the materials; all by default. Thumbs are listed as images.
        ledger: The ledger, as of wxasset batch; created if missing.
        options: Options of every command.
    """
    place = find_ledger(ledger, os.environ, options.credentials().appid)
    kept = place.ledger()

    async def work(wx: WxSession, report: Report) -> None:
        place.tell(report)
        async with kept as opened:

            async def adopt(kind: str) -> Record:
                return {"type": kind, "adopted": await opened.adopt(wx, kind)}

            await report.each(_types(type), adopt)

    return perform(options, ("type", "adopted"), work)


@ledgers.command(
    name="verify",
    usage="Usage: wxasset ledger verify [TYPE] [OPTIONS]",
    help_epilogue=epilogue("ledger verify image"),
)
@helped
def verify_command(
    type: Kind | None = None,  # noqa: A002 - WeChat's own name for it
    /,
    *,
    ledger: LedgerOption = None,
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """List the library, and forget uploads whose material was deleted: the next run sends them again.

    Undecided uploads were not listed, by a list that does not prove that they are gone; they stay.

    JSON keys: type, present, forgotten, undecided.

    Args:
        type: The type of the materials; all by default. Thumbs are listed as images.
        ledger: The ledger, as of wxasset batch.
        options: Options of every command.
    """
    place = find_ledger(ledger, os.environ, options.credentials().appid)
    kept = place.existing()

    async def work(wx: WxSession, report: Report) -> None:
        place.tell(report)
        async with kept as opened:

            async def verify(kind: str) -> Record:
                return {"type": kind, **asdict(await opened.verify(wx, kind))}

            await report.each(_types(type), verify)

    return perform(options, ("type", "present", "forgotten", "undecided"), work)


def _types(kind: Kind | None) -> Sequence[str]:
    return _LISTED if kind is None else (kind,)


@ledgers.command(
    name="resolve",
    usage="Usage: wxasset ledger resolve UPLOAD... --absent|--media-id ID [OPTIONS]",
    help_epilogue=epilogue("ledger resolve poster-k7m2xq9dh3wa.png --absent"),
)
@helped
def resolve_command(
    *uploads: Annotated[FileName, _FILES],
    media_id: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    absent: Annotated[bool, FLAG] = False,
    ledger: LedgerOption = None,
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """Decide about uploads in doubt that the library does not show for certain.

    An upload is named as wxasset ledger ls shows it, or by its file. Look for it in the console or with wxasset ls
    first: an upload that is called absent, and is there, is added a second time.

    JSON keys: upload, and those of wxasset ledger ls.

    Args:
        uploads: Names or files of uploads in doubt.
        media_id: The id of the single upload in the library, which is asked for it.
        absent: The uploads are not in the library: the next run sends them. No request is sent.
        ledger: The ledger, as of wxasset batch.
        options: Options of every command.
    """
    if absent is (media_id is not None):
        raise UsageError("Pass either --absent, or --media-id with the id of the upload in the library.")
    if not uploads or (media_id is not None and len(uploads) > 1):
        raise UsageError("Pass the name of one upload." if media_id else "Pass the name of an upload, or several.")
    place, appid = _place(ledger, options)
    kept = place.existing()
    names = [str(upload) for upload in uploads]

    async def work(report: Report) -> None:
        place.tell(report)
        async with kept as opened:
            await report.each(names, lambda name: _resolve(opened, name, appid, media_id))

    async def checked(wx: WxSession, report: Report) -> None:
        async with wx.open_material(media_id or ""):
            pass
        await work(report)

    columns = ("state", "media_id", "upload")
    return run_report(options, columns, work) if absent else perform(options, columns, checked)


async def _resolve(ledger: "Ledger", name: str, appid: str | None, media_id: str | None) -> Record:
    """Decide about one upload, and return its record.

    Raises:
        SourceError: It is not in doubt, or its name is that of several uploads.
        LedgerError: It is being sent by a process, or the ledger cannot be written.
    """
    digest = await to_thread.run_sync(_digest, Path(name))
    found = [row async for row in ledger.doubts() if name == row.filename or digest == row.sha256]
    found = [row for row in found if appid in {None, row.appid}]
    if len(found) > 1:
        raise SourceError(f"{counted(len(found), 'upload')} in doubt have this name or these bytes.", _SEVERAL)
    if not found or not await ledger.resolve(found[0], media_id):
        raise SourceError("No upload of this name is in doubt.", _DOUBTS)
    decided = (await ledger.store.find([found[0].key])).get(found[0].key, found[0])
    return {"upload": name, **_record(decided)}


def _digest(path: Path) -> str | None:
    """Return the hash of a file, in a thread; None if it does not exist."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
