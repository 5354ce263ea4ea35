"""How findings look: on a terminal, in a pipe, and as JSON."""

import json
import sys
from collections.abc import Sequence
from typing import Final

from rich.table import Table
from rich.text import Text

from wxasset.cli.doctor.findings import LABELS, Finding, Status, document, passed, tally
from wxasset.cli.output import Output, is_terminal, json_line
from wxasset.cli.view import one_line, output_console

__all__ = ["COLUMNS", "show", "show_end"]

COLUMNS: Final = ("check", "status", "message", "message_zh", "hint", "hint_zh", "evidence")
_STYLES: Final = {
    Status.OK: "green",
    Status.WARNING: "bold yellow",
    Status.FAILED: "bold red",
    Status.SKIPPED: "dim",
}
_WIDTH: Final = 7  # of the longest status


def show(finding: Finding, out: Output, *, as_json: bool) -> None:
    """Show one finding at once.

    Raises:
        BrokenPipeError: Nobody reads any more.
    """
    if as_json:
        out.line(json_line(document(finding)))
    elif is_terminal(sys.stdout):
        output_console().print(_paragraph(finding))
    else:
        out.add(document(finding))


def show_end(findings: Sequence[Finding]) -> None:
    """Sum up, on a terminal alone."""
    if is_terminal(sys.stdout):
        end = tally(findings)
        style = "bold green" if passed(findings) else "bold red"
        output_console().print(Text(f"\n{end.english} {end.chinese}", style=style))


def _paragraph(finding: Finding) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True, min_width=_WIDTH)
    grid.add_column(overflow="fold")
    style, label = _STYLES[finding.status], LABELS[finding.check]
    names = label.english if label.english == label.chinese else f"{label.english} {label.chinese}"
    quiet = "dim" if finding.status is Status.SKIPPED else ""
    said = Text.assemble((f"{names}: ", "bold"), (one_line(finding.said.english), quiet))
    grid.add_row(Text(finding.status.value, style=style), said)
    grid.add_row("", Text(one_line(finding.said.chinese), style=quiet))
    if finding.cure is not None:
        grid.add_row("", Text(f"-> {one_line(finding.cure.english)}", style="cyan"))
        grid.add_row("", Text(f"-> {one_line(finding.cure.chinese)}", style="cyan"))
    if finding.status in {Status.WARNING, Status.FAILED} and finding.evidence:
        grid.add_row("", Text(one_line(json.dumps(dict(finding.evidence), ensure_ascii=False)), style="dim"))
    return grid
