"""Check a file with shared tokens: it must be writable, replaceable and lockable."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from anyio import to_thread

from wxasset import FileTokenStore
from wxasset.cli.doctor.findings import Finding, failed, ok, warning
from wxasset.cli.runtime.hints import hint_for
from wxasset.errors import Hint, TokenStoreError, UsageError

__all__ = ["inspect_token_file", "reason"]

_PATIENCE: Final = 1.0  # seconds; saving a token holds the lock for about 0.5 ms
_POLL: Final = 0.02
_HELD: Final = "it is held"


async def inspect_token_file(place: str) -> Finding:
    """Check whether wxasset can use a file as token store; the file itself is not changed."""
    if "://" in place:
        shown = place.partition("://")[0] + "://..."  # the rest may contain a password
        return _refused(shown, UsageError("The token store is neither a file nor a redis:// address."))
    path = await to_thread.run_sync(Path(place).expanduser)
    found = await to_thread.run_sync(_inspect_directory, path)
    if "missing" not in found.evidence:
        try:
            await FileTokenStore(path).load("doctor")
        except (TokenStoreError, UsageError) as error:
            return _refused(str(path), error)
    return found


def _refused(path: str, error: TokenStoreError | UsageError) -> Finding:
    message = Hint(error.message, f"token文件不可用：{error.message}")
    return failed("store", message, hint_for(error), path=path)


def reason(error: OSError) -> str:
    """Return the system's reason of an error."""
    return (error.strerror or str(error)).lower()


def _inspect_directory(path: Path) -> Finding:
    directory = path.parent
    if not directory.is_dir():
        return failed(
            "store",
            Hint(f"The directory {directory} does not exist.", f"目录{directory}不存在。"),
            Hint(f"Create it: mkdir -p -m 700 {directory}", f"请创建：mkdir -p -m 700 {directory}"),
            path=str(path),
            missing=str(directory),
        )
    try:
        unlocked = _try_directory(directory / f".{path.name}.doctor-{secrets.token_hex(8)}")
    except OSError as error:
        why = reason(error)
        return failed(
            "store",
            Hint(
                f"The directory of {path} is not writable ({why}). It must be: a token file is replaced as a whole, and"
                " its lock file is next to it.",
                f"无法在{path}所在目录写入（{why}）：token以整个文件替换，锁文件也在旁边。",
            ),
            Hint(
                "Grant write permission to the current user, on a file system not mounted read-only, or choose another"
                " directory.",
                "请让运行者拥有该目录的写权限，且文件系统不能只读；或更换目录。",
            ),
            path=str(path),
        )
    if unlocked is not None:
        return failed(
            "store",
            Hint(f"No file next to {path} can be locked: {unlocked}.", f"{path}旁无法加锁：{unlocked}。"),
            Hint("Choose a local file system, or Redis.", "请改用本地文件系统，或Redis。"),
            path=str(path),
        )
    return _inspect_lock(path)


def _inspect_lock(path: Path) -> Finding:
    lock = path.with_name(f"{path.name}.lock")
    if lock.is_file() and not lock.is_symlink() and _lock(lock, _PATIENCE) == _HELD:
        return warning(
            "store",
            Hint(
                f"Another process held {lock} for at least {_PATIENCE:g} s.",
                f"{lock}至少{_PATIENCE:g}秒被占用。",
            ),
            Hint(f"Find the process: fuser -v {lock}", f"请查看占用者：fuser -v {lock}"),
            path=str(path),
        )
    message = Hint(f"{path} can be read, written and locked.", f"{path}可读、可写、可加锁。")
    return ok("store", message, path=str(path))


def _try_directory(trial: Path) -> str | None:
    """Create, lock, replace and remove a file; return the reason if it cannot be locked.

    Raises:
        OSError: A file cannot be created or replaced.
    """
    other = trial.with_name(f"{trial.name}.tmp")
    try:
        for one in (trial, other):
            os.close(os.open(one, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        unlocked = _lock(trial, 0)
        other.replace(trial)
    finally:
        for one in (trial, other):
            with suppress(OSError):
                one.unlink()
    return unlocked


def _lock(path: Path, patience: float) -> str | None:
    """Acquire and release a lock; return the reason if that fails."""
    try:
        from filelock import FileLock, Timeout  # noqa: PLC0415 - an extra
    except ImportError:
        return "filelock is not installed (pip install 'wxasset[file]')"
    lock = FileLock(path, mode=0o600, thread_local=False)
    try:
        lock.acquire(timeout=patience, poll_interval=_POLL)
    except Timeout:
        return _HELD
    except NotImplementedError:
        return "the file system has no locks"
    except OSError as error:
        return reason(error)
    lock.release()
    return None
