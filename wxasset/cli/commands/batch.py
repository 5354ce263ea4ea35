"""`wxasset batch`: many files go up, with a ledger, so that it can be run again until all are there."""

import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import anyio
from attrs import define, frozen
from cyclopts import Parameter
from cyclopts.validators import Number

from wxasset import Added, Failed, NewMaterial, NotTried, WxSession
from wxasset.calls.materials import AddMaterial, Description
from wxasset.cli.commands.add import check_file
from wxasset.cli.runtime.inputs import DASHED, STDIO, Kind, files_of
from wxasset.cli.runtime.progress import counting
from wxasset.cli.runtime.report import Record, Report
from wxasset.cli.runtime.runner import FLAG, Options, perform, run_report
from wxasset.errors import QuotaExceededError

if TYPE_CHECKING:
    from wxasset import Ledger
from typing import Any, TypeAlias

from wxasset import UploadOutcomeUnknown

__all__ = ["LEDGER", "OUTCOMES", "Outcome", "batch_command", "file_of", "outcome_of", "record_of", "summary"]

Outcome: TypeAlias = Added[NewMaterial] | Failed[NewMaterial] | NotTried[NewMaterial]
OUTCOMES: Final = ("added", "skipped", "failed", "unknown", "not_tried")
"""Every word for what became of a file; they stay."""


def file_of(outcome: Outcome) -> str:
    """The file that it is about."""
    return str(outcome.item.media)


def outcome_of(outcome: Outcome) -> str:
    """The word for it."""
    if isinstance(outcome, Added):
        return "skipped" if outcome.skipped else "added"
    if isinstance(outcome, NotTried):
        return "not_tried"
    return "unknown" if isinstance(outcome.error, UploadOutcomeUnknown) else "failed"


def record_of(outcome: Outcome) -> dict[str, Any]:
    """Describe it by keys that stay."""
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
    """Say in one line what became of all of them."""
    return ", ".join(f"{counts[word]} {word.replace('_', ' ')}" for word in OUTCOMES if counts[word]) or "nothing to do"


LEDGER: Final = "wxasset-ledger.db"
_COLUMNS: Final = ("outcome", "media_id", "file")
_PATIENCE: Final = 30.0
"""Seconds for which uploads that were begun are waited for after a signal; a healthy one of 10 MiB takes a few."""


@frozen(kw_only=True)
class _Batch:
    """Options of a batch."""

    source: str
    type: Kind
    files: list[str]
    ledger: Path
    concurrency: int
    recursive: bool
    introduction: str | None
    account: str | None

    def material_of(self, file: str) -> NewMaterial:
        """One of its files; a video is called by the name of its file."""
        if self.type != "video":
            return NewMaterial(media=file)
        return NewMaterial(media=file, title=Path(file).stem, introduction=self.introduction)

    def again(self) -> str:
        """The command that goes on where this one stopped."""
        words = ["wxasset", "batch", self.source, "--type", self.type, "--ledger", str(self.ledger.absolute())]
        words += ["--concurrency", str(self.concurrency)]
        words += ["--recursive"] if self.recursive else []
        words += ["--introduction", self.introduction] if self.introduction else []
        words += ["--account", self.account] if self.account else []
        return shlex.join(words) + (" < THE SAME LIST" if self.source == STDIO else "")


def batch_command(
    source: Annotated[str, DASHED],
    /,
    *,
    type: Kind,  # noqa: A002 - WeChat's own name for it
    ledger: Path = Path(LEDGER),
    concurrency: Annotated[int, Parameter(validator=Number(gte=1, lte=64))] = 8,
    recursive: Annotated[bool, FLAG] = False,
    introduction: str | None = None,
    dry_run: Annotated[bool, FLAG] = False,
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """Add many permanent materials, and go on where that was interrupted.

    What the ledger says is in the library is skipped, so that the same command goes on after Ctrl-C, a spent quota or
    a crash, and adds nothing twice. The status is 3 where some files failed or were not tried.

    JSON keys: outcome (added, skipped, failed, unknown, not_tried), file, media_id, url, kind, message; the last note
    has counts, ledger and resume. With --dry-run: would, file, type, size.

    Args:
        source: A directory, of which the files that fit the type are taken; a file with a path on each line; or - for
            such lines on stdin.
        type: The type of all files.
        ledger: The ledger; it is made if there is none.
        concurrency: The most uploads under way at once.
        recursive: Take the directories in the directory as well.
        introduction: The introduction of videos; their title is the name of their file.
        dry_run: Say what would be done, and do nothing; what the ledger has is not looked at.
        options: What every command takes.
    """
    from wxasset import Ledger  # noqa: PLC0415 - with it comes SQLite, which other commands do without

    batch = _Batch(
        source=source,
        type=type,
        files=files_of(source, type, recursive=recursive),
        ledger=ledger,
        concurrency=concurrency,
        recursive=recursive,
        introduction=introduction,
        account=options.account,
    )

    async def would(file: str) -> Record:
        call = AddMaterial(type=type, description=Description(title=Path(file).stem) if type == "video" else None)
        return {"would": "add", "file": file, "type": type, "size": await check_file(file, call.limit)}

    again = batch.again()

    async def work(wx: WxSession, report: Report) -> None:
        report.resume = again
        async with Ledger(batch.ledger) as opened:
            await _run(wx, batch, opened, report)

    if dry_run:
        return run_report(options, ("would", "file", "type", "size"), lambda report: report.each(batch.files, would))
    return perform(options, _COLUMNS, work)


@define
class _Feed:
    """Gives the materials of a batch one by one, until it is told to end."""

    batch: _Batch
    given: int = 0
    ending: bool = False

    def __iter__(self) -> Iterator[NewMaterial]:
        for file in self.batch.files:
            if self.ending:
                return
            self.given += 1
            yield self.batch.material_of(file)


async def _run(wx: WxSession, batch: _Batch, ledger: "Ledger", report: Report) -> None:
    """Upload the files, and show what becomes of each; after a signal those that were begun come to their end."""
    feed, counts = _Feed(batch), Counter[str]()
    with anyio.CancelScope() as scope, counting(len(batch.files), quiet=report.as_json) as progress:

        def end() -> None:
            feed.ending = True
            scope.deadline = anyio.current_time() + _PATIENCE

        report.ask_to_end = end
        adding = wx.add_materials(batch.type, feed, concurrency=batch.concurrency, ledger=ledger, progress=progress)
        async with adding as outcomes:
            async for outcome in outcomes:
                counts[outcome_of(outcome)] += 1
                _tell(outcome, report)
    report.left += batch.files[feed.given :]
    _sum_up(batch, counts, report, ending=feed.ending)


def _tell(outcome: Outcome, report: Report) -> None:
    report.out.add(record_of(outcome))
    match outcome:
        case Added():
            report.done += 1
        case Failed(error=error):
            report.failed(error, file_of(outcome))
        case NotTried():
            report.left.append(file_of(outcome))


def _sum_up(batch: _Batch, counts: Counter[str], report: Report, *, ending: bool) -> None:
    text = f"{summary(counts)}; ledger: {batch.ledger}."
    if any(isinstance(error, QuotaExceededError) for error in report.errors):
        text += f" The quota is spent: {len(report.left)} files are left."
    unfinished = bool(report.left or report.errors)
    if unfinished and not ending:  # after a signal that is said anyhow
        text += f" To go on: {report.resume}"
    report.note(
        text,
        counts={word: counts[word] for word in OUTCOMES},
        ledger=str(batch.ledger),
        resume=report.resume if unfinished else None,
        not_tried=report.left,
    )
