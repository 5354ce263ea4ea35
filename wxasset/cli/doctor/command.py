"""Command `wxasset doctor`."""

import os
from contextlib import aclosing
from pathlib import Path

from wxasset.cli.doctor.checks import Context, run_checks
from wxasset.cli.doctor.findings import Finding, passed, show, show_summary
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
                show(finding, report.out, as_json=report.as_json)
        if not report.as_json:
            show_summary(findings)

    status = run_report(options, None, work)
    return status if status or passed(findings) else Exit.FAILED
