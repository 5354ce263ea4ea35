"""Files that the kernel holds in memory: opened and read without a thread, as there is no disk to wait for."""

import errno
import os
import struct
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final, TypeAlias

__all__ = ["FLAGS", "is_known", "open_cached", "read_cached", "remember"]

FLAGS: Final = sum(getattr(os, name, 0) for name in ("O_RDONLY", "O_NONBLOCK", "O_NOCTTY", "O_BINARY"))
"""Flags of `open`: without these, a pipe would wait for its writer, a terminal could become the controlling one,
and Windows would convert line ends."""
_WITHOUT_WAITING: Final = getattr(os, "RWF_NOWAIT", 0)  # exists on Linux only
_WOULD_WAIT: Final = frozenset({errno.EAGAIN, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})
_OPENAT2: Final = 437  # the number of the system call, on all processors that Python runs on
_HERE: Final = -100  # AT_FDCWD
_CACHED: Final = 0x20  # RESOLVE_CACHED, since Linux 5.12
_MOST: Final = 1024  # directories that are remembered
_Open: TypeAlias = Callable[[bytes], int]

_quick: set[str] = set()


@cache
def _opener() -> _Open | None:
    """Return the system call `openat2`; None without it.

    It is not tried under a seccomp filter: those of older systemd versions kill a process for a call that is new.
    """
    try:
        if not _WITHOUT_WAITING or "\nSeccomp:\t0\n" not in Path("/proc/self/status").read_text():
            return None
        import ctypes  # noqa: PLC0415 - only uploads by path need it, and not every Python has it

        call = ctypes.CDLL(None).syscall
    except (OSError, ImportError, AttributeError):
        return None
    # A link may lead to another file system: a thread follows it.
    how = struct.pack("QQQ", FLAGS | os.O_CLOEXEC | os.O_NOFOLLOW, 0, _CACHED)  # struct open_how of linux/openat2.h
    number, here, size = ctypes.c_long(_OPENAT2), ctypes.c_int(_HERE), ctypes.c_size_t(len(how))

    def opened(path: bytes) -> int:
        return int(call(number, here, path, how, size))

    if (root := opened(b"/")) < 0:  # the kernel, or what stands in for it, does not know the call
        return None
    os.close(root)
    return opened


def is_known(path: str) -> bool:
    """Return True for a file in a directory that `remember` has seen."""
    return os.path.dirname(path) in _quick


def open_cached(path: str) -> int | None:
    """Open a file if the kernel has its path in memory; return the descriptor, else None.

    Only files of directories that `remember` has seen are opened here. On a network file system, an open would wait.
    """
    if not is_known(path) or (call := _opener()) is None or "\0" in path:
        return None
    sys.audit("open", path, None, FLAGS)
    try:
        descriptor = call(os.fsencode(path))
    except ValueError:  # a name that cannot be encoded
        return None
    return None if descriptor < 0 else descriptor


def remember(path: str, descriptor: int) -> None:
    """Remember, in a thread, the directory of a file if its file system can tell that a read would wait.

    File systems on a network or in user space cannot.
    """
    directory = os.path.dirname(path)
    if not _WITHOUT_WAITING or directory in _quick or _opener() is None:
        return
    try:
        os.preadv(descriptor, (bytearray(1),), 0, _WITHOUT_WAITING)
    except OSError as error:
        if error.errno != errno.EAGAIN:
            return
    if len(_quick) >= _MOST:
        _quick.clear()
    _quick.add(directory)


def read_cached(descriptor: int, view: memoryview | bytearray, offset: int) -> int:
    """Read the bytes available without waiting for a disk; return their number."""
    if not _WITHOUT_WAITING:
        return 0
    try:
        return os.preadv(descriptor, (view,), offset, _WITHOUT_WAITING)
    except OSError as error:
        if error.errno in _WOULD_WAIT:
            return 0
        raise
