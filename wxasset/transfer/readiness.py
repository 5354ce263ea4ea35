"""Wait until a non-blocking file is ready."""

import selectors
import time
from typing import Any, Final

__all__ = ["wait_readable", "wait_writable"]

_POLL: Final = 0.01  # seconds between two tries on a file without a descriptor, or with one that cannot be watched


def wait_readable(handle: Any) -> None:
    """Wait in a thread until a handle may have bytes to read."""
    _wait(handle, selectors.EVENT_READ)


def wait_writable(handle: Any) -> None:
    """Wait in a thread until a handle may accept bytes."""
    _wait(handle, selectors.EVENT_WRITE)


def _wait(handle: Any, event: int) -> None:
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(handle, event)
            selector.select()
    except (OSError, ValueError, KeyError):
        time.sleep(_POLL)
