"""Check a ledger of uploads; none is created."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from anyio import to_thread
from attrs import asdict

from wxasset import Ledger, LedgerCounts
from wxasset.cli.doctor.findings import Finding, failed, ok, warning
from wxasset.cli.runtime.hints import hint_for
from wxasset.errors import Hint, LedgerError
from wxasset.ledger.files import check_files, real_path
from wxasset.transfer.private_files import UnsafeFileError, open_private

__all__ = ["inspect_ledger"]

_PATH: Final = Hint("Correct the path, or the permissions of the file.", "请更正路径，或把文件权限交给运行者。")
_RESTORE: Final = Hint(
    "Keep a copy, then restore a backup or create a new ledger: earlier uploads are found in the library by their"
    " marked names.",
    "请先备份该文件，再从备份恢复或新建台账：已上传的素材可凭带标记的文件名在素材库中找到。",
)
_REPEAT: Final = Hint(
    "Repeat them with the same ledger: each is looked up in the library before it is sent.",
    "请用同一台账再次执行：发送前会先在素材库中查找。",
)
_PATIENCE: Final = 1.0  # seconds to wait for a lock


async def inspect_ledger(path: Path) -> Finding:
    """Check whether a ledger can be opened and is intact, and count its uploads."""
    try:
        damage = await to_thread.run_sync(_damage, path)
        if damage is not None:
            message = Hint(f"The ledger {path} is damaged: {damage}.", f"台账 {path} 已损坏：{damage}。")
            return failed("ledger", message, _RESTORE, path=str(path))
        async with Ledger(path) as ledger:
            return _judge_counts(path, await ledger.counts())
    except (LedgerError, UnsafeFileError, OSError) as error:
        if isinstance(error, LedgerError):
            why, remedy = error.message, hint_for(error)
        elif isinstance(error, UnsafeFileError):
            why, remedy = f"The ledger {path} is not used: {error}.", error.remedy
        else:
            why, remedy = f"The ledger {path} cannot be used: {(error.strerror or str(error)).lower()}.", _PATH
        return failed("ledger", Hint(why, f"台账不可用：{why}"), remedy, path=str(path))


def _damage(path: Path) -> str | None:
    """Return a description of the damage, or None.

    Raises:
        UnsafeFileError: Other users own it, or a file of SQLite beside it, or have access to it.
        LedgerError: It is on another machine.
        OSError: The file cannot be opened for reading and writing.
    """
    path = Path(real_path(str(path)))
    check_files(str(path))
    os.close(open_private(path, os.O_RDWR))
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=_PATIENCE)) as database:
            result = str(database.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        return str(error)
    return None if result == "ok" else result


def _judge_counts(path: Path, counts: LedgerCounts) -> Finding:
    evidence = {"path": str(path), **asdict(counts)}
    if counts.unknown:
        message = Hint(
            f"The outcome of {counts.unknown} uploads in {path} is unknown.",
            f"台账 {path} 中有 {counts.unknown} 项上传结果未知。",
        )
        return warning("ledger", message, _REPEAT, **evidence)
    message = Hint(
        f"The ledger {path} is intact: {counts.done} uploads done, {counts.in_flight} in flight, {counts.failed}"
        " failed.",
        f"台账 {path} 完好：已完成 {counts.done}，进行中 {counts.in_flight}，失败 {counts.failed}。",
    )
    return ok("ledger", message, **evidence)
