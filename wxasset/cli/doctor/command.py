"""`wxasset doctor`, as it is registered with the command line."""

import os
from contextlib import aclosing
from pathlib import Path

from wxasset.cli.doctor.examine import Context, examine
from wxasset.cli.doctor.findings import COLUMNS, Finding, passed, show, show_end
from wxasset.cli.runtime.exit_codes import Exit
from wxasset.cli.runtime.report import Report
from wxasset.cli.runtime.runner import Options, run_report

__all__ = ["doctor_command"]


def doctor_command(
    *,
    ledger: Path | None = None,
    env: str | None = None,
    options: Options = Options(),  # noqa: B008 - frozen
) -> int:
    """Find out what keeps wxasset from working here, and say what to do about it.

    Looks at versions, credentials, proxy variables, DNS, connection, TLS, clock, address list, permissions, library,
    daily quota and token store. Nothing is changed in the account: a stable token is fetched (never forced), and calls
    are made that read, some 20 in all. No secret is shown. The exit status is 0 when nothing failed.

    JSON keys: check, status (ok, warning, failed, skipped), message, message_zh, hint, hint_zh, evidence.

    Args:
        ledger: A ledger of uploads to look at as well.
        env: A cloud environment to ask about as well.
        options: What every command takes.
    """
    context = Context.find(os.environ, options.account, ledger=ledger, env=env)
    findings: list[Finding] = []

    async def work(report: Report) -> None:
        async with aclosing(examine(context)) as found:
            async for finding in found:
                findings.append(finding)
                show(finding, report.out, as_json=report.as_json)
        show_end(findings)

    status = run_report(options, COLUMNS, work)
    return status if status or passed(findings) else Exit.FAILED
