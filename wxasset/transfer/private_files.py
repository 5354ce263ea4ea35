"""Open files that belong to this user alone."""

import os
import shlex
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from wxasset.errors import Hint

__all__ = ["CREATE", "UnsafeFileError", "check_private", "open_private", "shell_path"]

_SAFE: Final = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL
"""Flags to create a new file; a file of the same name is an error."""
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_POSIX: Final = os.name == "posix"  # elsewhere neither owners nor modes say who may read


class UnsafeFileError(Exception):
    """A file that must not be used, with its remedy."""

    def __init__(self, why: str, remedy: Hint) -> None:
        super().__init__(why)
        self.remedy = remedy


def open_private(path: Path, flags: int) -> int:
    """Open a file of this user alone and return its descriptor; a new file gets mode 0600.

    Raises:
        UnsafeFileError: It is not a regular file, or other users own it or have access to it.
        OSError: It cannot be opened.
    """
    with suppress(FileNotFoundError):
        check_private(path)  # what is swapped in just now is refused below; here the error says more than "denied"
    descriptor = os.open(path, flags | _SAFE, 0o600)
    try:
        _check(os.fstat(descriptor), path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def check_private(path: Path) -> os.stat_result:
    """Check a file of this user alone without opening it, and return its status.

    Closing a file would release the locks that SQLite holds on it in this process.

    Raises:
        UnsafeFileError: It is not a regular file, or other users own it or have access to it.
        OSError: It does not exist, or its directory cannot be searched.
    """
    found = os.lstat(path)
    _check(found, path)
    return found


def shell_path(path: Path) -> str:
    """Quote a path for a command in a hint; no path becomes an option of that command."""
    return shlex.quote(f"./{path}" if str(path).startswith("-") else str(path))


def _check(found: os.stat_result, path: Path) -> None:
    """Reject links, special files, and files owned by or open to other users."""
    name = shell_path(path)
    if stat.S_ISLNK(found.st_mode):
        cure = f"ls -l {name}; rm {name}"
        raise UnsafeFileError(
            f"{path.name} is a symbolic link",
            Hint(f"Pass the path of the file itself (chmod 600), or: {cure}", f"请传入文件本身的路径，或执行：{cure}"),
        )
    if not stat.S_ISREG(found.st_mode):
        raise UnsafeFileError(
            f"{path.name} is not a regular file", Hint("Pass the path of a file.", "请传入普通文件的路径。")
        )
    if _POSIX and found.st_uid != os.geteuid():
        cure = f"chown {os.geteuid()} {name} && chmod 600 {name}"
        raise UnsafeFileError(
            f"{path.name} belongs to user {found.st_uid}, not to {os.geteuid()}, who runs this",
            Hint(
                f"Run this as its owner, or pass another path. If you trust what it holds: {cure}",
                f"请由文件所有者运行，或改用其他路径；如确认内容可信，请执行：{cure}",
            ),
        )
    if _POSIX and found.st_mode & _OTHERS:
        raise UnsafeFileError(
            f"other users have access to {path.name} (mode {stat.S_IMODE(found.st_mode):04o})",
            Hint(f"Run: chmod 600 {name}", f"请执行：chmod 600 {name}"),
        )
