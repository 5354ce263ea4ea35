"""Links and permissions of files to write, where other users of the host can write too."""

import errno
import os
import stat
from typing import Final

__all__ = ["adopt_permissions", "creation_mode", "resolve"]

_POSIX: Final = os.name == "posix"  # elsewhere links have no owners, and modes do not say who may read
_PERMISSIONS: Final = 0o777  # without setuid, setgid and sticky bits: a download is not a program of its owner
_MOST_LINKS: Final = 40  # as in Linux
_ROOT: Final = 0


def resolve(path: str) -> str:
    """Resolve the links of an absolute path; all of them have to belong to this user or to root.

    Raises:
        OSError: A link belongs to another user, there are too many, or a directory cannot be searched.
    """
    if not _POSIX:
        return os.path.realpath(path)
    resolved, left, links = "/", path.split("/")[::-1], 0
    while left:
        part = left.pop()
        if part in {"", "."}:
            continue
        if part == "..":
            resolved = os.path.dirname(resolved)
            continue
        place = os.path.join(resolved, part)
        end = _end_of_link(place)
        if end is None:
            resolved = place
            continue
        links += 1
        if links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        resolved = "/" if end.startswith("/") else resolved
        left += end.split("/")[::-1]
    return resolved


def _end_of_link(place: str) -> str | None:
    """Return where a link leads; None if it is none, or does not exist."""
    try:
        found = os.lstat(place)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISLNK(found.st_mode):
        return None
    if found.st_uid not in {os.geteuid(), _ROOT}:
        why = f"{place} is a symbolic link of user {found.st_uid}; pass the path that it leads to, if you trust it"
        raise PermissionError(errno.EPERM, why)
    return os.readlink(place)


def creation_mode(replaced: os.stat_result | None) -> int:
    """Return the mode for a file that replaces another one; the umask applies.

    Its group may be another one: the group gets no more than everybody.
    """
    if replaced is None:
        return 0o666
    mode = replaced.st_mode & _PERMISSIONS
    return mode & ~stat.S_IRWXG | mode & (mode & stat.S_IRWXO) << 3


def adopt_permissions(descriptor: int, replaced: os.stat_result) -> None:
    """Give a new file the group and the mode of the one that it replaces, regardless of the umask.

    If the other one belongs to another user, the umask stays in force: its mode was not chosen by this user.
    """
    if not _POSIX or replaced.st_uid != os.geteuid():
        return
    mode = replaced.st_mode & _PERMISSIONS
    if os.fstat(descriptor).st_gid != replaced.st_gid:
        try:
            os.fchown(descriptor, -1, replaced.st_gid)
        except OSError:
            mode = creation_mode(replaced)
    os.fchmod(descriptor, mode)
