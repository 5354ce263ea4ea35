"""Tables of the demo: one row per file, and the checks."""

from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wxasset.cli.demo.checks import Check, Outcome, Row, Verdict, summary
from wxasset.cli.runtime.console import one_line, printable, short_id

__all__ = ["show"]

_WIDE: Final = 72  # columns of the whole table
_STYLES: Final = {Verdict.IDENTICAL: "green", Verdict.ACCEPTED: "green", Verdict.DIFFERENT: "bold red"}
_SIMULATED_NOTE: Final = (
    "A video is downloaded as a description with a link: title, introduction and the linked bytes were compared with"
    " the upload."
)
_LIVE_NOTE: Final = (
    "A video is downloaded as a description: accepted means unchanged title and introduction; its bytes were not"
    " compared."
)


def show(outcome: Outcome, console: Console) -> None:
    """Print the table of files, the checks, and the summary."""
    console.print(_table(outcome.rows, narrow=console.width < _WIDE))
    if any(row.upload.piece.type == "video" for row in outcome.rows):
        console.print(Text(_SIMULATED_NOTE if outcome.host is None else _LIVE_NOTE, style="dim"))
    console.print()
    console.print(_checks(outcome.checks))
    console.print()
    style = "bold green" if outcome.passed else "bold red"
    console.print(Text(one_line(summary(outcome)), style=style), soft_wrap=not console.is_terminal)


def _table(rows: tuple[Row, ...], *, narrow: bool) -> Table:
    """Return a table; a narrow one has neither sizes, times nor ids."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    table.add_column("file", overflow="fold")
    table.add_column("type", no_wrap=True)
    if not narrow:
        for heading in ("size", "up ms", "down ms"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("media_id", no_wrap=True)
    table.add_column("check", no_wrap=True)
    for row in rows:
        name, kind, *more, verdict = _cells(row)
        table.add_row(name, kind, *(() if narrow else more), verdict)
    return table


def _cells(row: Row) -> tuple[Text, ...]:
    upload = row.upload
    texts = (
        printable(upload.piece.name),
        upload.piece.type,
        f"{upload.size:,}",
        f"{upload.milliseconds:.1f}",
        f"{row.milliseconds:.1f}",
        short_id(upload.media_id),
    )
    return (*map(Text, texts), Text(row.verdict.value, style=_STYLES[row.verdict]))


def _checks(checks: tuple[Check, ...]) -> Table:
    verdicts = {True: Text("ok", style="green"), False: Text("FAILED", style="bold red"), None: Text("-", style="dim")}
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for check in checks:
        grid.add_row(Text(check.label), verdicts[check.passed], Text(one_line(check.text)))
    return grid
