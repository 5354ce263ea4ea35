"""What the doctor says: one finding for each check, in English and Chinese. Pure."""

import enum
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from attrs import evolve, field, frozen
from rich.table import Table
from rich.text import Text

from wxasset.cli.runtime.console import one_line, output_console
from wxasset.cli.runtime.output import Output, is_terminal, json_line
from wxasset.errors import Hint

__all__ = [
    "COLUMNS",
    "LABELS",
    "Evidence",
    "Finding",
    "Status",
    "document",
    "failed",
    "ok",
    "passed",
    "show",
    "show_end",
    "skipped",
    "stamp",
    "tally",
    "warning",
    "without_secrets",
]

Evidence = Mapping[str, object]
"""What a finding rests on, as JSON has it."""
_SECRET: Final = 4  # characters; what is shorter is in many words, and protects nothing
LABELS: Final[Mapping[str, Hint]] = {
    "versions": Hint("versions", "版本"),
    "credentials": Hint("credentials", "凭证"),
    "proxy": Hint("proxy", "代理"),
    "dns": Hint("DNS", "域名解析"),
    "connection": Hint("connection", "连接"),
    "tls": Hint("TLS", "证书"),
    "api": Hint("API host", "接口主机"),
    "clock": Hint("clock", "时钟"),
    "token": Hint("token", "access_token"),
    "address": Hint("address list", "IP 白名单"),
    "permissions": Hint("permissions", "接口权限"),
    "library": Hint("library", "素材库"),
    "quota": Hint("daily quota", "每日额度"),
    "store": Hint("token file", "token 文件"),
    "redis": Hint("Redis", "Redis"),
    "shared_token": Hint("shared token", "共享 token"),
    "ledger": Hint("ledger", "台账"),
}
"""The checks in the order in which they are shown, with their names."""


class Status(enum.Enum):
    """What a check came to."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@frozen(kw_only=True)
class Finding:
    """What one check has found.

    Attributes:
        check: A key of `LABELS`.
        status: What it came to.
        message: What is so; of a skipped check, why.
        remedy: What to do; None where there is nothing to do.
        evidence: What that rests on. Nothing in it is secret.
    """

    check: str
    status: Status
    message: Hint
    remedy: Hint | None = None
    evidence: Evidence = field(factory=dict)


def ok(check: str, message: Hint, **evidence: object) -> Finding:
    """Say that all is well."""
    return Finding(check=check, status=Status.OK, message=message, evidence=evidence)


def warning(check: str, message: Hint, remedy: Hint, **evidence: object) -> Finding:
    """Say what may become a failure, or surprise."""
    return Finding(check=check, status=Status.WARNING, message=message, remedy=remedy, evidence=evidence)


def failed(check: str, message: Hint, remedy: Hint, **evidence: object) -> Finding:
    """Say what keeps wxasset from working."""
    return Finding(check=check, status=Status.FAILED, message=message, remedy=remedy, evidence=evidence)


def skipped(check: str, why: Hint) -> Finding:
    """Say why nothing was looked at."""
    return Finding(check=check, status=Status.SKIPPED, message=why)


def passed(findings: Iterable[Finding]) -> bool:
    """Tell whether nothing failed."""
    return all(finding.status is not Status.FAILED for finding in findings)


def tally(findings: Sequence[Finding]) -> Hint:
    """Count the findings in one line."""
    count = {status: sum(finding.status is status for finding in findings) for status in Status}
    return Hint(
        f"{count[Status.FAILED]} failed, {count[Status.WARNING]} warnings, {count[Status.OK]} ok,"
        f" {count[Status.SKIPPED]} skipped.",
        f"{count[Status.FAILED]} 项失败，{count[Status.WARNING]} 项警告，{count[Status.OK]} 项正常，"
        f"{count[Status.SKIPPED]} 项跳过。",
    )


def document(finding: Finding) -> dict[str, object]:
    """Describe a finding by keys that stay: check, status, message, message_zh, hint, hint_zh, evidence."""
    return {
        "check": finding.check,
        "status": finding.status.value,
        "message": finding.message.english,
        "message_zh": finding.message.chinese,
        "hint": finding.remedy and finding.remedy.english,
        "hint_zh": finding.remedy and finding.remedy.chinese,
        "evidence": dict(finding.evidence),
    }


def without_secrets(finding: Finding, secrets: Iterable[str]) -> Finding:
    """Take out whatever is secret, should a server or a library have repeated it."""
    hidden = sorted({secret for secret in secrets if len(secret) >= _SECRET}, key=len, reverse=True)

    def clean(value: object) -> object:
        if isinstance(value, str):
            for secret in hidden:
                value = value.replace(secret, "***")
            return value
        if isinstance(value, Mapping):
            return {str(clean(name)): clean(one) for name, one in value.items()}
        return [clean(one) for one in value] if isinstance(value, list | tuple) else value

    def text(message: Hint) -> Hint:
        return Hint(str(clean(message.english)), str(clean(message.chinese)))

    return evolve(
        finding,
        message=text(finding.message),
        remedy=None if finding.remedy is None else text(finding.remedy),
        evidence={name: clean(value) for name, value in finding.evidence.items()},
    )


def stamp(moment: float) -> str:
    """Write a unix time in seconds."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


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
    message = Text.assemble((f"{names}: ", "bold"), (one_line(finding.message.english), quiet))
    grid.add_row(Text(finding.status.value, style=style), message)
    grid.add_row("", Text(one_line(finding.message.chinese), style=quiet))
    if finding.remedy is not None:
        grid.add_row("", Text(f"-> {one_line(finding.remedy.english)}", style="cyan"))
        grid.add_row("", Text(f"-> {one_line(finding.remedy.chinese)}", style="cyan"))
    if finding.status in {Status.WARNING, Status.FAILED} and finding.evidence:
        grid.add_row("", Text(one_line(json.dumps(dict(finding.evidence), ensure_ascii=False)), style="dim"))
    return grid
