"""What was found of a ledger of uploads. Pure."""

from attrs import asdict, field, frozen

from wxasset import LedgerCounts
from wxasset.cli.doctor.findings import Finding, failed, ok, skipped, warning
from wxasset.cli.runtime.hints import hint_for
from wxasset.errors import Hint, LedgerError

__all__ = ["LedgerFile", "judge_ledger"]


@frozen(kw_only=True)
class LedgerFile:
    """What was found of it.

    Attributes:
        path: Where it is.
        fault: The system's reason why it cannot be read and written; None where it can.
        damage: What SQLite says is wrong with it; None where nothing is.
        error: Why it is no ledger of this version; None where it is one.
        counts: How many uploads are how far.
    """

    path: str
    fault: str | None = None
    damage: str | None = None
    error: LedgerError | None = None
    counts: LedgerCounts = field(factory=LedgerCounts)


def judge_ledger(found: LedgerFile | None) -> Finding:
    """Judge a ledger; None where none was named."""
    if found is None:
        return skipped("ledger", Hint("None was named (--ledger).", "未指定台账（--ledger）。"))
    evidence: dict[str, object] = {"path": found.path, **asdict(found.counts)}
    if found.fault is not None:
        return failed(
            "ledger",
            Hint(f"{found.path} cannot be used: {found.fault}.", f"台账 {found.path} 不可用：{found.fault}。"),
            Hint("Correct the path, or give the file to who runs this.", "请更正路径，或把文件权限交给运行者。"),
            **evidence,
        )
    if found.damage is not None:
        return failed(
            "ledger",
            Hint(f"{found.path} is damaged: {found.damage}.", f"台账 {found.path} 已损坏：{found.damage}。"),
            Hint(
                "Keep a copy, and take it from a backup, or begin a new one: what was uploaded before is then found in"
                " the library by its marked name.",
                "请先备份该文件，再从备份恢复或新建台账：已上传的素材可凭带标记的文件名在素材库中找到。",
            ),
            **evidence,
        )
    if found.error is not None:
        return failed(
            "ledger", Hint(found.error.message, f"台账不可用：{found.error.message}"), hint_for(found.error), **evidence
        )
    return _whole(found, evidence)


def _whole(found: LedgerFile, evidence: dict[str, object]) -> Finding:
    counts = found.counts
    if counts.unknown:
        return warning(
            "ledger",
            Hint(
                f"Of {counts.unknown} uploads in {found.path} it is not known whether they happened.",
                f"台账 {found.path} 中有 {counts.unknown} 项上传结果未知。",
            ),
            Hint(
                "Ask for them again with the same ledger: each is looked up in the library before it is sent.",
                "请用同一台账再次执行：发送前会先在素材库中查找。",
            ),
            **evidence,
        )
    message = Hint(
        f"{found.path} is whole: {counts.done} uploads are done, {counts.in_flight} in flight, {counts.failed} failed.",
        f"台账 {found.path} 完好：已完成 {counts.done}，进行中 {counts.in_flight}，失败 {counts.failed}。",
    )
    return ok("ledger", message, **evidence)
