"""Command `wxasset doctor`: run the checks and print their findings."""

import json
import os
import sys
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Final

from rich.table import Table
from rich.text import Text

from wxasset.cli.doctor.checks import Context, run_checks
from wxasset.cli.doctor.findings import LABELS, Finding, Status, document, passed
from wxasset.cli.runtime.console import one_line, output_console
from wxasset.cli.runtime.exit_codes import Exit
from wxasset.cli.runtime.language import localized
from wxasset.cli.runtime.output import Output, is_terminal, json_line
from wxasset.cli.runtime.report import Report
from wxasset.cli.runtime.runner import Options, run_report
from wxasset.errors import Hint

__all__ = ["doctor_command", "tally"]

_STYLES: Final = {Status.OK: "green", Status.WARNING: "bold yellow", Status.FAILED: "bold red", Status.SKIPPED: "dim"}


def doctor_command(
    *,
    ledger: Path | None = None,
    env: str | None = None,
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """Find problems of configuration and network, and explain how to solve them.

    Checks versions, credentials, the connection (through the environment's proxy, if any), clock, address list,
    permissions, library, daily quota and token store. The account is not changed: a stable token is fetched (never
    forced), and some 20 calls are made that only read. Secrets are not shown. The exit status is 0 if no check failed.

    JSON keys: check, status (ok, warning, failed, skipped), message, hint, evidence; message_zh and hint_zh as well.

    Args:
        ledger: A ledger of uploads to check as well.
        env: A cloud environment to query as well.
        options: Options of every command.
    """
    context = Context.find(os.environ, options.account, options.connection, ledger=ledger, env=env)
    findings: list[Finding] = []

    async def work(report: Report) -> None:
        async with aclosing(run_checks(context)) as found:
            async for finding in found:
                findings.append(finding)
                _show(finding, report.out, as_json=report.as_json)
        if not report.as_json:
            _show_summary(findings)

    status = run_report(options, None, work)
    return status if status or passed(findings) else Exit.FAILED


def _show(finding: Finding, out: Output, *, as_json: bool) -> None:
    """Print one finding immediately."""
    if as_json:
        out.line(json_line(document(finding)))
    else:
        _print(_paragraph(finding))


def tally(findings: Sequence[Finding]) -> Hint:
    """Count the findings by status, in one line."""
    bad, doubtful, good, not_made = (
        sum(finding.status is status for finding in findings)
        for status in (Status.FAILED, Status.WARNING, Status.OK, Status.SKIPPED)
    )
    return Hint(
        f"{bad} failed, {doubtful} warnings, {good} ok, {not_made} skipped.",
        f"{bad} 项失败，{doubtful} 项警告，{good} 项正常，{not_made} 项跳过。",
    )


def _show_summary(findings: Sequence[Finding]) -> None:
    """Print the counts of findings."""
    style = "bold green" if passed(findings) else "bold red"
    _print(Text(f"\n{localized(tally(findings))}", style=style))


def _print(shown: Table | Text) -> None:
    """Print on a terminal; in a pipe the lines have no blanks at their ends."""
    console = output_console()
    if is_terminal(sys.stdout):
        console.print(shown)
        return
    with console.capture() as capture:
        console.print(shown)
    for line in capture.get().splitlines():
        Output.line(line.rstrip())


def _paragraph(finding: Finding) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True, min_width=max(len(status.value) for status in Status))
    grid.add_column(overflow="fold")
    label, style = LABELS[finding.check], "dim" if finding.status is Status.SKIPPED else ""
    message = Text.assemble((f"{localized(label)}: ", "bold"), (one_line(localized(finding.message)), style))
    grid.add_row(Text(finding.status.value, style=_STYLES[finding.status]), message)
    if finding.remedy is not None:
        grid.add_row("", Text(f"-> {one_line(localized(finding.remedy))}", style="cyan"))
    if finding.status in {Status.WARNING, Status.FAILED} and finding.evidence:
        grid.add_row("", Text(one_line(json.dumps(dict(finding.evidence), ensure_ascii=False)), style="dim"))
    return grid
