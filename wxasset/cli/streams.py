"""What a command has in the place of a standard stream that was closed before it started."""

import os
import sys
from typing import Final

__all__ = ["open_closed"]

_STREAMS: Final = (("stdin", "r", os.O_RDONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY))
"""Nothing is read from stdin. Results that have nowhere to go are an error at the first: stdout cannot be written."""


def open_closed() -> None:
    """Open the closed ones; without it their descriptors would be those of the next files that are opened."""
    for name, mode, flags in _STREAMS:
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, flags)
            stream = open(descriptor, mode, encoding="utf-8")  # noqa: PTH123, SIM115 - no path, and stays open
            setattr(sys, name, stream)
