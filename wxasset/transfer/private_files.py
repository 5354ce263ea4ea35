"""Open files that belong to this user alone."""

import os
import shlex
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from attrs import frozen

from wxasset.errors import Hint

__all__ = [
    "CREATE",
    "UnsafeFileError",
    "check_private",
    "check_private_directory",
    "make_private_directory",
    "open_private",
    "shell_path",
]

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
    try:
        check_private(path)  # what is swapped in just now is refused below; here the error says more than "denied"
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            raise
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


def make_private_directory(path: Path) -> None:
    """Create a directory of this user alone, with mode 0700; one that exists is checked.

    Raises:
        UnsafeFileError: It is not a directory, or other users own it or have access to it.
        OSError: It cannot be created.
    """
    try:
        check_private_directory(path)
    except FileNotFoundError:
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
        check_private_directory(path)


def check_private_directory(path: Path) -> None:
    """Check a directory of this user alone.

    Raises:
        UnsafeFileError: It is not a directory, or other users own it or have access to it.
        OSError: It does not exist, or the one above it cannot be searched.
    """
    _check(os.lstat(path), path, _DIRECTORY)


def shell_path(path: Path) -> str:
    """Quote a path for a command in a hint; no path becomes an option of that command."""
    return shlex.quote(f"./{path}" if str(path).startswith("-") else str(path))


@frozen
class _Kind:
    """A kind of file, in words."""

    name: str
    english: str
    chinese: str
    mode: str
    found: Callable[[int], bool]


_FILE: Final = _Kind("regular file", "file", "文件", "600", stat.S_ISREG)
_DIRECTORY: Final = _Kind("directory", "directory", "目录", "700", stat.S_ISDIR)


def _check(found: os.stat_result, path: Path, kind: _Kind = _FILE) -> None:
    """Reject links, other kinds of files, and what is owned by or open to other users."""
    if not kind.found(found.st_mode):
        raise _not_a(kind, path, link=stat.S_ISLNK(found.st_mode))
    if _POSIX and (found.st_uid != os.geteuid() or found.st_mode & _OTHERS):
        raise _not_private(found, path, kind)


def _not_a(kind: _Kind, path: Path, *, link: bool) -> UnsafeFileError:
    if not link:
        remedy = Hint(f"Pass the path of a {kind.english}.", f"请传入{kind.chinese}的路径。")
        return UnsafeFileError(f"{path.name} is not a {kind.name}", remedy)
    name = shell_path(path)
    remove = f"ls -l {name}; rm {name}"
    return UnsafeFileError(
        f"{path.name} is a symbolic link",
        Hint(
            f"Pass the path of the {kind.english} itself (chmod {kind.mode}), or: {remove}",
            f"请传入{kind.chinese}本身的路径，或执行：{remove}",
        ),
    )


def _not_private(found: os.stat_result, path: Path, kind: _Kind) -> UnsafeFileError:
    name = shell_path(path)
    if found.st_uid == os.geteuid():
        return UnsafeFileError(
            f"other users have access to {path.name} (mode {stat.S_IMODE(found.st_mode):04o})",
            Hint(f"Run: chmod {kind.mode} {name}", f"请执行：chmod {kind.mode} {name}"),
        )
    command = f"chown {os.geteuid()} {name} && chmod {kind.mode} {name}"
    return UnsafeFileError(
        f"{path.name} belongs to user {found.st_uid}, not to {os.geteuid()}, who runs this",
        Hint(
            f"Run this as its owner, or pass another path. If you trust what it holds: {command}",
            f"请由{kind.chinese}所有者运行，或改用其他路径；如确认内容可信，请执行：{command}",
        ),
    )
