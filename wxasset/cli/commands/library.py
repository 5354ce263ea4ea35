"""Commands `wxasset count | ls | rm`: count, list and delete materials of the library."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from wxasset import ListedType, MaterialItem, WxSession
from wxasset.calls.library import PAGE
from wxasset.cli.runtime.errors import note
from wxasset.cli.runtime.exit_codes import Exit
from wxasset.cli.runtime.inputs import IDS, ids_of
from wxasset.cli.runtime.prompts import NOT_DELETED, agreed, counted, listing
from wxasset.cli.runtime.report import Record, Report
from wxasset.cli.runtime.runner import FLAG, Options, perform, run_report
from wxasset.errors import Hint, UsageError

__all__ = ["count_command", "iso_time", "ls_command", "rm_command"]

_COUNTED: Final = ("image", "voice", "video", "news")
_SHOWN: Final = Hint("wxasset ls shows whether it is still there.", "可用 wxasset ls 确认是否仍存在。")
_NATURAL: Final = Parameter(validator=Number(gte=0))


def count_command(*, options: Options = Options()) -> int:  # noqa: B008 - frozen
    """Count the materials of each type.

    JSON keys: type, count.
    """

    async def work(wx: WxSession, report: Report) -> None:
        count = await wx.count_materials()
        for kind in _COUNTED:
            report.did({"type": kind, "count": getattr(count, kind)})

    return perform(options, ("type", "count"), work)


def ls_command(
    type: ListedType,  # noqa: A002 - WeChat's own name for it
    /,
    *,
    limit: Annotated[int, _NATURAL] = PAGE,
    offset: Annotated[int, _NATURAL] = 0,
    all: Annotated[bool, FLAG] = False,  # noqa: A002 - the usual name of this option
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """List materials of a type, newest first.

    Columns: media_id, time, name. On a terminal the time is local, and ids are shortened if it is narrow.

    JSON keys: media_id, type, name, update_time (unix seconds), time (ISO 8601), url.

    Args:
        type: The type; thumbs are listed as images.
        limit: The maximum number to list.
        offset: The number to skip.
        all: List every material, each exactly once, also during concurrent additions and deletions.
        options: Options of every command.
    """
    if all and (offset or limit != PAGE):
        raise UsageError("--all lists every material; leave --limit and --offset out.")

    async def work(wx: WxSession, report: Report) -> None:
        async with aclosing(wx.iter_materials(type) if all else _some(wx, type, offset, limit, report)) as items:
            async for item in items:
                report.did(_listed(type, item))
        if report.out.shortened and report.done:
            report.note(
                Hint(
                    "Ids are shortened to fit; a pipe, --json or a wider terminal shows them whole.",
                    "media_id 已缩短显示；使用管道、--json 或更宽的终端可查看完整内容。",
                )
            )

    return perform(options, ("media_id", "time", "name"), work, shorten=True)


async def _some(
    wx: WxSession, kind: ListedType, offset: int, limit: int, report: Report
) -> AsyncGenerator[MaterialItem, None]:
    """Yield materials from `offset` on, and note the number of materials beyond `limit`."""
    end, total = offset + limit, None
    while offset < end and (total is None or offset < total):
        page = await wx.list_materials(kind, offset=offset, count=min(PAGE, end - offset))
        for item in page.items:
            yield item
        offset, total = offset + len(page.items), page.total
        if not page.items:
            return
    if total is not None and offset < total:
        text = Hint(
            f"{total} in total; list the rest with --all, or continue with --offset {offset}.",
            f"共 {total} 个；可用 --all 全部列出，或用 --offset {offset} 继续。",
        )
        report.note(text, total=total, next=offset)


def _listed(kind: ListedType, item: MaterialItem) -> Record:
    articles = item.content.articles if item.content is not None else ()
    return {
        "media_id": item.media_id,
        "type": kind,
        "name": item.name or " / ".join(article.title for article in articles),
        "update_time": item.update_time,
        "time": iso_time(item.update_time),
        "url": item.url,
    }


def iso_time(moment: int) -> str | None:
    """Format unix seconds as ISO 8601; None for a time outside of the calendar."""
    try:
        return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return None


def rm_command(
    *media_ids: Annotated[str, IDS],
    yes: Annotated[bool, FLAG] = False,
    dry_run: Annotated[bool, FLAG] = False,
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """Delete permanent materials; this cannot be undone.

    With -, the first column of each line of stdin is an id: the output of wxasset ls can be piped to this command.

    JSON keys: media_id, deleted; with --dry-run: would, media_id.

    Args:
        media_ids: Ids of materials, or - to read ids from stdin; repeated ids are sent once.
        yes: Do not ask for confirmation.
        dry_run: Show the materials to delete; delete nothing.
        options: Options of every command.
    """
    ids = list(dict.fromkeys(ids_of(media_ids, "media_id")))
    if dry_run:
        return run_report(options, ("would", "media_id"), lambda report: report.each(ids, _would))
    account = options.credentials()
    question = Hint(
        f"This deletes {counted(len(ids), 'permanent material')} of {account.appid} at {account.host}: {listing(ids)}."
        " Continue? [y/N]",
        f"将删除 {account.appid}（{account.host}）的 {len(ids):,} 个永久素材：{listing(ids)}。继续吗？[y/N]",
    )
    if not yes and not agreed(question, "wxasset rm"):
        note(NOT_DELETED, as_json=options.json)
        return Exit.FAILED

    async def work(wx: WxSession, report: Report) -> None:
        async def delete(media_id: str) -> Record:
            await wx.del_material(media_id)
            return {"media_id": media_id, "deleted": True}

        await report.each(ids, delete, check=_SHOWN)

    return perform(options, ("media_id",), work)


async def _would(media_id: str) -> Record:
    return {"would": "delete", "media_id": media_id}
