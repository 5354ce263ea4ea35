"""Command `wxasset batch`: upload many files with a ledger; running it again completes the rest."""

import os
import shlex
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import anyio
from attrs import frozen
from cyclopts import Parameter
from cyclopts.validators import Number

from wxasset import Added, Failed, NewMaterial, NotTried, Unknown, WxSession
from wxasset.calls.materials import AddMaterial, Description
from wxasset.cli.commands.add import check_file
from wxasset.cli.runtime.inputs import DASHED, STDIO, FileName, Kind, files_of
from wxasset.cli.runtime.ledgers import LedgerOption, LedgerPlace, find_ledger
from wxasset.cli.runtime.progress import counting
from wxasset.cli.runtime.prompts import counted, listing
from wxasset.cli.runtime.report import Record, Report
from wxasset.cli.runtime.runner import FLAG, Options, perform, run_report
from wxasset.errors import Hint, QuotaExceededError
from wxasset.wire.filenames import guarded_name

if TYPE_CHECKING:
    from wxasset import Ledger

__all__ = ["OUTCOMES", "Outcome", "batch_command", "file_of", "outcome_of", "record_of", "summary"]

Outcome: TypeAlias = Added[NewMaterial] | Failed[NewMaterial] | Unknown[NewMaterial] | NotTried[NewMaterial]
OUTCOMES: Final = ("added", "skipped", "failed", "unknown", "not_tried")
"""Outcomes of a file; the words are a stable interface."""


def file_of(outcome: Outcome) -> str:
    """Return the file of an outcome."""
    return str(outcome.item.media)


def outcome_of(outcome: Outcome) -> str:
    """Return the word of `OUTCOMES` for an outcome."""
    if isinstance(outcome, Added):
        return "skipped" if outcome.skipped else "added"
    if isinstance(outcome, NotTried):
        return "not_tried"
    return "unknown" if isinstance(outcome, Unknown) else "failed"


def record_of(outcome: Outcome) -> dict[str, Any]:
    """Describe an outcome by stable keys."""
    added = outcome.material if isinstance(outcome, Added) else None
    error = None if isinstance(outcome, Added) else outcome.error
    return {
        "outcome": outcome_of(outcome),
        "file": file_of(outcome),
        "media_id": added.media_id if added else None,
        "url": added.url if added else None,
        "kind": type(error).__name__ if error else None,
        "message": error.message if error else None,
    }


def summary(counts: Counter[str]) -> str:
    """Count the outcomes in one line."""
    return ", ".join(f"{counts[word]} {word.replace('_', ' ')}" for word in OUTCOMES if counts[word]) or "nothing to do"


def _summary_zh(counts: Counter[str]) -> str:
    return "，".join(f"{_OUTCOMES_ZH[word]} {counts[word]}" for word in OUTCOMES if counts[word]) or "无需处理"


_OUTCOMES_ZH: Final = dict(zip(OUTCOMES, ("新增", "跳过", "失败", "未知", "未尝试"), strict=True))
_COLUMNS: Final = ("outcome", "media_id", "file")
_RESUMED: Final = Hint(
    "The same command looks for them in the library before it uploads them.",
    "同一命令会先在素材库中查找，再决定是否上传。",
)
_PATIENCE: Final = 30.0
"""Seconds to wait after a signal for uploads in progress; a healthy one of 10 MiB takes a few."""


@frozen(kw_only=True)
class _Batch:
    """Options of a batch."""

    source: str
    type: Kind
    files: list[str]
    links: list[str]
    concurrency: int
    recursive: bool
    introduction: str | None
    account: str | None
    retry_refused: bool = False

    def material_of(self, file: str) -> NewMaterial:
        """Return the material of a file; the title of a video is the name of its file."""
        if self.type != "video":
            return NewMaterial(media=file)
        return NewMaterial(media=file, title=guarded_name(Path(file).stem), introduction=self.introduction)

    def again(self, ledger: LedgerPlace) -> str:
        """Return the command to continue this batch with its ledger."""
        words = ["wxasset", "batch", self.source, "--type", self.type]
        words += ["--ledger", ledger.argument] if ledger.argument else []
        words += ["--concurrency", str(self.concurrency)]
        words += ["--recursive"] if self.recursive else []
        words += ["--introduction", self.introduction] if self.introduction else []
        words += ["--account", self.account] if self.account else []
        return shlex.join(words) + (" < THE SAME LIST" if self.source == STDIO else "")

    def tell_links(self, report: Report) -> None:
        """Note symbolic links: those to directories are not followed, those to files are."""
        linked = set(self.files)
        directories = [link for link in self.links if link not in linked]
        files = [link for link in self.links if link in linked]
        if directories:
            what = counted(len(directories), "symbolic link")
            text = f"{what} to directories not followed: {listing(directories)}. Name such a directory itself."
            text_zh = f"未跟随 {len(directories)} 个指向目录的符号链接：{listing(directories)}。请直接指定这些目录。"
            report.note(Hint(text, text_zh), links=directories)
        if files:
            what = counted(len(files), "symbolic link")
            text = f"{what} to files, which are uploaded under the name of the link: {listing(files)}."
            text_zh = f"有 {len(files)} 个指向文件的符号链接，将以链接名上传：{listing(files)}。"
            report.note(Hint(text, text_zh), links=files)


def batch_command(
    source: Annotated[FileName, DASHED],
    /,
    *,
    type: Kind,  # noqa: A002 - WeChat's own name for it
    ledger: LedgerOption = None,
    concurrency: Annotated[int, Parameter(validator=Number(gte=1, lte=64))] = 8,
    recursive: Annotated[bool, FLAG] = False,
    introduction: str | None = None,
    retry_refused: Annotated[bool, FLAG] = False,
    verify: Annotated[bool, FLAG] = False,
    dry_run: Annotated[bool, FLAG] = False,
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """Add many permanent materials, and continue an interrupted batch.

    Files in the library according to the ledger are skipped: after Ctrl-C, a spent quota or a crash the same command
    continues, and adds no file twice. The exit status is 3 if some files failed or were not tried.

    JSON keys: outcome (added, skipped, failed, unknown, not_tried), file, media_id, url, kind, message; the last note
    has counts, ledger and resume. With --dry-run: would, file, type, size.

    Args:
        source: A directory (its files of the type are uploaded), a file with a path on each line, or - for such lines
            on stdin.
        type: The type of all files.
        ledger: The ledger: a file, created if missing, or postgresql://user@host/database with the password from
            PGPASSWORD or ~/.pgpass. By default wxasset-ledger.db of the working directory if there is one, else that of
            the account in ~/.local/state/wxasset/ledgers.
        concurrency: The maximum number of concurrent uploads.
        recursive: Include subdirectories.
        introduction: The introduction of videos; their title is the name of their file.
        retry_refused: Send the files that WeChat refused before; without it they fail again, with no request.
        verify: List the library first, and upload again what was deleted there.
        dry_run: Check the files and show the planned uploads; the ledger is not read, and no request is sent.
        options: Options of every command.
    """
    links: list[str] = []
    batch = _Batch(
        source=str(source),
        type=type,
        files=files_of(str(source), type, recursive=recursive, link=links.append),
        links=links,
        concurrency=concurrency,
        recursive=recursive,
        introduction=introduction,
        account=options.account,
        retry_refused=retry_refused,
    )

    async def would(file: str) -> Record:
        title = batch.material_of(file).title
        call = AddMaterial(type=type, description=None if title is None else Description(title=title))
        return {"would": "add", "file": file, "type": type, "size": await check_file(file, call.limit)}

    async def dry(report: Report) -> None:
        batch.tell_links(report)
        await report.each(batch.files, would)

    if dry_run:
        return run_report(options, ("would", "file", "type", "size"), dry)
    place = find_ledger(ledger, os.environ, options.credentials().appid)
    kept, again = place.ledger(), batch.again(place)

    async def work(wx: WxSession, report: Report) -> None:
        report.resume = again
        place.tell(report)
        batch.tell_links(report)
        async with kept as opened:
            if verify:
                await opened.verify(wx, type)
            await _run(wx, batch, opened, report, place.name)

    return perform(options, _COLUMNS, work)


async def _run(wx: WxSession, batch: _Batch, ledger: "Ledger", report: Report, name: str) -> None:
    """Upload the files and show each outcome; after a signal only uploads in progress are completed."""
    counts, told, ending = Counter[str](), list[str](), False
    with anyio.CancelScope() as scope, counting(len(batch.files), quiet=report.no_progress) as progress:

        def end() -> None:
            nonlocal ending
            ending = True
            adding.end()
            report.in_progress = begun()
            scope.deadline = anyio.current_time() + _PATIENCE

        def begun() -> list[str]:
            return [str(material.media) for material in adding.in_progress]

        report.ask_to_end, report.check = end, _RESUMED
        adding = wx.add_materials(
            batch.type,
            map(batch.material_of, batch.files),
            concurrency=batch.concurrency,
            ledger=ledger,
            retry_refused=batch.retry_refused,
            progress=progress,
        )
        try:
            async with adding as outcomes:
                try:
                    async for outcome in outcomes:
                        told.append(file_of(outcome))
                        counts[outcome_of(outcome)] += 1
                        _tell(outcome, report)
                finally:
                    report.in_progress = begun()
        finally:
            report.left += (Counter(batch.files) - Counter(told) - Counter(report.in_progress)).elements()
            places = {file: place for place, file in enumerate(batch.files)}  # outcomes come as they end
            report.left.sort(key=lambda file: places.get(file, 0))
    _sum_up(name, counts, report, ending=ending)


def _tell(outcome: Outcome, report: Report) -> None:
    report.out.add(record_of(outcome))
    match outcome:
        case Added(unrecorded=unrecorded):
            report.done += 1
            if unrecorded is not None:
                report.failed(unrecorded, file_of(outcome))
        case Failed(error=error) | Unknown(error=error):
            report.failed(error, file_of(outcome))
        case NotTried(error=error):
            report.left.append(file_of(outcome))
            if type(error) not in map(type, report.errors):  # the reason, once: in an outage no file has failed
                report.failed(error)


def _sum_up(ledger: str, counts: Counter[str], report: Report, *, ending: bool) -> None:
    text, text_zh = f"{summary(counts)}; ledger: {ledger}.", f"{_summary_zh(counts)}；台账：{ledger}。"
    if any(isinstance(error, QuotaExceededError) for error in report.errors):
        text += f" The quota is spent: {len(report.left)} files are left."
        text_zh += f"额度已用完，还有 {len(report.left)} 个文件。"
    unfinished = bool(report.left or report.errors)
    if unfinished and not ending:  # after a signal the report names the command
        text += f" To continue: {report.resume}"
        text_zh += f"继续请执行：{report.resume}"
    report.note(
        Hint(text, text_zh),
        counts={word: counts[word] for word in OUTCOMES},
        ledger=ledger,
        resume=report.resume if unfinished else None,
        not_tried=report.left,
    )
