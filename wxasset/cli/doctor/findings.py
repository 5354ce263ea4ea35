"""Findings of the doctor, one for each check, in English and Chinese."""

import enum
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from attrs import evolve, field, frozen

from wxasset.engine.redaction import hide
from wxasset.errors import Hint

__all__ = ["LABELS", "Finding", "Status", "document", "failed", "ok", "passed", "redact", "skipped", "stamp", "warning"]

LABELS: Final[Mapping[str, Hint]] = {
    "versions": Hint("versions", "版本"),
    "credentials": Hint("credentials", "凭据"),
    "connection": Hint("connection", "连接"),
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
"""Names of the checks, in display order."""


class Status(enum.Enum):
    """Result of a check."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@frozen(kw_only=True)
class Finding:
    """Result of one check.

    Attributes:
        check: A key of `LABELS`.
        status: The result.
        message: Description of the result; for a skipped check, the reason.
        remedy: Action to take, or None.
        evidence: Facts behind the finding, without secrets.
    """

    check: str
    status: Status
    message: Hint
    remedy: Hint | None = None
    evidence: Mapping[str, object] = field(factory=dict)


def ok(check: str, message: Hint, **evidence: object) -> Finding:
    """Create the finding of a passed check."""
    return Finding(check=check, status=Status.OK, message=message, evidence=evidence)


def warning(check: str, message: Hint, remedy: Hint, **evidence: object) -> Finding:
    """Create the finding of a possible problem."""
    return Finding(check=check, status=Status.WARNING, message=message, remedy=remedy, evidence=evidence)


def failed(check: str, message: Hint, remedy: Hint, **evidence: object) -> Finding:
    """Create the finding of a problem that prevents wxasset from working."""
    return Finding(check=check, status=Status.FAILED, message=message, remedy=remedy, evidence=evidence)


def skipped(check: str, why: Hint) -> Finding:
    """Create the finding of a check that was not made."""
    return Finding(check=check, status=Status.SKIPPED, message=why)


def passed(findings: Iterable[Finding]) -> bool:
    """Return whether no check failed."""
    return all(finding.status is not Status.FAILED for finding in findings)


def document(finding: Finding) -> dict[str, object]:
    """Convert a finding to JSON in both languages; its keys are a stable interface."""
    message, remedy = finding.message, finding.remedy
    return {
        "check": finding.check,
        "status": finding.status.value,
        "message": message.english,
        "message_zh": message.chinese,
        "hint": remedy and remedy.english,
        "hint_zh": remedy and remedy.chinese,
        "evidence": dict(finding.evidence),
    }


def redact(finding: Finding, hidden: Sequence[str]) -> Finding:
    """Replace secrets repeated by a server or a library."""

    def clean(value: object) -> object:
        if isinstance(value, Mapping):
            return {str(clean(name)): clean(one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [clean(one) for one in value]
        return hide(value, hidden) if isinstance(value, str) else value

    def clean_hint(hint: Hint) -> Hint:
        return Hint(str(clean(hint.english)), str(clean(hint.chinese)))

    return evolve(
        finding,
        message=clean_hint(finding.message),
        remedy=finding.remedy and clean_hint(finding.remedy),
        evidence={name: clean(value) for name, value in finding.evidence.items()},
    )


def stamp(moment: float) -> str:
    """Format a unix time in seconds as ISO 8601."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
