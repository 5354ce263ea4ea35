"""Check a file with shared tokens: it must be readable, replaceable and lockable."""

import os
import secrets
import shutil
import time
from pathlib import Path
from typing import Final

from anyio import to_thread

from wxasset import FileTokenStore
from wxasset.cli.doctor.findings import Finding, failed, ok, warning
from wxasset.cli.runtime.hints import hint_for
from wxasset.errors import Hint, TokenStoreError, UsageError
from wxasset.tokens.token import TokenRecord
from wxasset.transfer.file_lock import FileLock
from wxasset.transfer.private_files import UnsafeFileError, shell_path

__all__ = ["inspect_token_file"]

_PATIENCE: Final = 1.0  # seconds; saving a token holds the lock for about 0.5 ms
_POLL: Final = 0.02  # seconds
_RECORD: Final = TokenRecord(token="doctor", issued=0.0, expires=0.0, version=1, mode="stable")  # noqa: S106 - not a token


async def inspect_token_file(place: str) -> Finding:
    """Check whether wxasset can use a file as token store; the file itself is not changed."""
    if "://" in place:
        shown = place.partition("://")[0] + "://..."  # the rest may contain a password
        return _refused(shown, UsageError("The token store is neither a file nor a redis:// address."))
    path = await to_thread.run_sync(Path(place).expanduser)
    if not await to_thread.run_sync(path.parent.is_dir):
        command = f"mkdir -p -m 700 {shell_path(path.parent)}"
        message = Hint(f"The directory {path.parent} does not exist.", f"目录 {path.parent} 不存在。")
        return failed("store", message, Hint(f"Create it: {command}", f"请创建：{command}"), path=str(path))
    try:
        await FileTokenStore(path).load("doctor")
    except (TokenStoreError, UsageError) as error:
        return _refused(str(path), error)
    try:
        await _try_directory(path)
    except TokenStoreError as error:
        return _unusable_directory(path, error)
    return await to_thread.run_sync(_inspect_locks, path)


def _refused(path: str, error: TokenStoreError | UsageError) -> Finding:
    message = Hint(error.message, f"token 文件不可用：{error.message}")
    return failed("store", message, hint_for(error), path=path)


async def _try_directory(path: Path) -> None:
    """Save a record in a temporary store next to a token file.

    Raises:
        TokenStoreError: A file cannot be created, locked or replaced.
    """
    trial = path.with_name(f".{path.name}.doctor-{secrets.token_hex(8)}")

    try:
        await FileTokenStore(trial, wait=0).save("doctor", _RECORD)
    finally:
        await to_thread.run_sync(lambda: shutil.rmtree(f"{trial}.d", ignore_errors=True))


def _unusable_directory(path: Path, error: TokenStoreError) -> Finding:
    return failed(
        "store",
        Hint(
            f"Files in {path.parent} cannot be written, locked and replaced: {error.message}",
            f"无法在 {path.parent} 中写入、加锁或替换文件：{error.message}",
        ),
        Hint(
            "Grant write permission to the current user, or choose another local directory, or Redis.",
            "请让运行者拥有该目录的写权限，或改用其他本地目录，或 Redis。",
        ),
        path=str(path),
    )


def _inspect_locks(path: Path) -> Finding:
    """Check the locks of all accounts."""
    for held in sorted(path.with_name(f"{path.name}.d").glob("*.lock")):
        try:
            free = _is_free(FileLock(held))
        except UnsafeFileError as error:
            return _refused(str(path), TokenStoreError(f"The token store {path} is not used: {error}.", error.remedy))
        except OSError as error:
            return _unusable_directory(path, TokenStoreError(f"{held}: {(error.strerror or str(error)).lower()}."))
        if not free:
            return warning(
                "store",
                Hint(f"Another process held {held} for at least {_PATIENCE:g} s.", f"{held} 一直被其他进程占用。"),
                Hint(f"Find the process: fuser -v {shell_path(held)}", f"请查看占用者：fuser -v {shell_path(held)}"),
                path=str(path),
            )
    return ok("store", Hint(f"{path} can be read, written and locked.", f"{path} 可读、可写、可加锁。"), path=str(path))


def _is_free(held: FileLock) -> bool:
    """Return whether a lock file is missing, or can be locked within a second."""
    deadline = time.monotonic() + _PATIENCE
    while os.path.lexists(held.path) and not held.take():
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL)
    held.free()
    return True
