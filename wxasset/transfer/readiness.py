"""Files that may block: wait until they are ready, outside of their locks.

A thread that blocks inside of a buffered file holds its lock. At its end, the interpreter closes the standard streams,
and aborts if a lock is held.
"""

import io
import os
import selectors
import stat
import time
from typing import Any, Final

__all__ = [
    "descriptor_of",
    "is_async_file",
    "may_block_forever",
    "read_ready",
    "wait_readable",
    "wait_writable",
    "write_ready",
]

_POLL: Final = 0.01  # seconds between two tries on a file without a descriptor, or with one that cannot be watched
_LOOK: Final = 1.0  # seconds until a thread notices that its file was closed: the system does not tell
_WRITTEN: Final = 4096  # bytes taken by a pipe without blocking, once it is ready: PIPE_BUF of Linux; POSIX says 512


def descriptor_of(handle: Any) -> int | None:
    """Return the descriptor of a handle, or None."""
    try:
        descriptor = handle.fileno()
    except (AttributeError, OSError, ValueError):
        return None
    return descriptor if isinstance(descriptor, int) else None


def may_block_forever(handle: Any) -> bool:
    """Return whether a handle is a pipe, a socket or a terminal."""
    descriptor = descriptor_of(handle)
    if descriptor is None:
        return False
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)


def _raw(handle: Any) -> io.FileIO | None:
    """Return the raw file of a handle with at most a buffer around it; None for other kinds of handles."""
    raw = handle.raw if type(handle) in (io.BufferedReader, io.BufferedWriter, io.BufferedRandom) else handle
    return raw if type(raw) is io.FileIO else None


def read_ready(handle: Any, count: int) -> Any:
    """Read from a handle once; from a pipe up to `count` bytes as soon as there are some, else as the handle does."""
    if _raw(handle) is None or not may_block_forever(handle):
        return handle.read(count)
    wait_readable(handle)
    return handle.read1(count) if hasattr(handle, "read1") else handle.read(count)


def write_ready(handle: Any, data: memoryview) -> Any:
    """Write to a handle once, and return the number of bytes; to a pipe as many as it takes without blocking."""
    raw = _raw(handle)
    if raw is None or not may_block_forever(handle):
        return handle.write(data)
    wait_writable(raw)
    return raw.write(data[:_WRITTEN]) or 0


def wait_readable(handle: Any) -> None:
    """Wait in a thread until a handle may have bytes to read."""
    _wait(handle, selectors.EVENT_READ)


def wait_writable(handle: Any) -> None:
    """Wait in a thread until a handle may accept bytes."""
    _wait(handle, selectors.EVENT_WRITE)


def _wait(handle: Any, event: int) -> None:
    """Wait; a handle that its owner closes meanwhile cannot be registered again, and ends the wait."""
    try:
        ready = False
        while not ready:
            with selectors.DefaultSelector() as selector:
                selector.register(handle, event)
                ready = bool(selector.select(_LOOK))
    except (OSError, ValueError, KeyError):
        time.sleep(_POLL)


def is_async_file(handle: object) -> bool:
    """Return True for an `anyio.AsyncFile`, known by its name: to load its class takes longer than to open a file."""
    return any((kind.__module__, kind.__name__) == ("anyio", "AsyncFile") for kind in type(handle).__mro__)
