"""Open files that belong to this user alone."""

import os
import shlex
import stat
from pathlib import Path
from typing import Final

from wxasset.errors import Hint

__all__ = ["CREATE", "UnsafeFileError", "open_private"]

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
    if path.is_symlink():
        # O_NOFOLLOW holds as well where it is swapped in just now; this one has the better message.
        name = shlex.quote(str(path))
        cure = f"ls -l {name}; rm {name}"
        raise UnsafeFileError(
            "it is a symbolic link",
            Hint(f"Pass the path of the file itself (chmod 600), or: {cure}", f"请传入文件本身的路径，或执行：{cure}"),
        )
    descriptor = os.open(path, flags | _SAFE, 0o600)
    try:
        _check(descriptor, path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check(descriptor: int, path: Path) -> None:
    """Reject a file owned or readable by other users."""
    found = os.fstat(descriptor)
    name = shlex.quote(str(path))
    if not stat.S_ISREG(found.st_mode):
        raise UnsafeFileError("it is not a regular file", Hint("Pass the path of a file.", "请传入普通文件的路径。"))
    if _POSIX and found.st_uid != os.geteuid():
        why = f"it belongs to user {found.st_uid}, not to {os.geteuid()}, who runs this"
        cure = f"chown {os.geteuid()} {name} && chmod 600 {name}"
        raise UnsafeFileError(why, Hint(f"If you trust what it holds: {cure}", f"如确认内容可信，请执行：{cure}"))
    if _POSIX and found.st_mode & _OTHERS:
        why = f"others have access to it (mode {stat.S_IMODE(found.st_mode):04o})"
        raise UnsafeFileError(why, Hint(f"Run: chmod 600 {name}", f"请执行：chmod 600 {name}"))
