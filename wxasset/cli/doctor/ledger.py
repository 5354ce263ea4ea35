"""What was found of a ledger, the file in which a long job keeps what it has done. Pure."""

from attrs import frozen

from wxasset.cli.doctor.findings import Finding, failed, ok, skipped, warning
from wxasset.errors import Hint

__all__ = ["Ledger", "judge_ledger"]


@frozen(kw_only=True)
class Ledger:
    """What was found of a ledger.

    Attributes:
        path: Where it is.
        fault: The system's reason why it cannot be used; None where it can.
        damage: What is wrong with what it holds; None where nothing is.
        lines: How many entries it has; None where it is a database.
        torn: Whether its last line was not written to its end.
    """

    path: str
    fault: str | None = None
    damage: str | None = None
    lines: int | None = None
    torn: bool = False


def judge_ledger(found: Ledger | None) -> Finding:
    """Judge a ledger; None where none was named."""
    if found is None:
        return skipped("ledger", Hint("None was named (--ledger).", "未指定账本（--ledger）。"))
    evidence: dict[str, object] = {"path": found.path, "entries": found.lines}
    if found.fault is not None:
        return failed(
            "ledger",
            Hint(f"{found.path} cannot be used: {found.fault}.", f"账本 {found.path} 不可用：{found.fault}。"),
            Hint("Correct the path, or give the file to who runs this.", "请更正路径，或把文件权限交给运行者。"),
            **evidence,
        )
    if found.damage is not None:
        return failed(
            "ledger",
            Hint(f"{found.path} is damaged: {found.damage}.", f"账本 {found.path} 已损坏：{found.damage}。"),
            Hint(
                "Keep a copy of it, and take it from a backup; what it says has been uploaded can be seen with"
                " `wxasset ls`.",
                "请先备份该文件，再从备份恢复；已上传的内容可用 `wxasset ls` 核对。",
            ),
            **evidence,
        )
    if found.torn:
        return warning(
            "ledger",
            Hint(f"The last entry of {found.path} was cut off.", f"账本 {found.path} 的最后一条记录不完整。"),
            Hint(
                "A process was killed while it wrote: look whether that last item is in the library before it"
                " is sent again.",
                "写入时进程被终止：再次上传前，请先确认最后一项是否已在素材库中。",
            ),
            **evidence,
        )
    said = Hint(f"{found.path} can be read and written.", f"账本 {found.path} 可读写。")
    return ok("ledger", said, **evidence)
