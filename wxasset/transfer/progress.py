"""Telling how far a transfer has come."""

import time
from collections.abc import Callable
from typing import Final, TypeAlias

__all__ = ["Progress", "throttled"]

Progress: TypeAlias = Callable[[int, int | None], object]
"""Called with the bytes that are through and their total, which may be None."""

_INTERVAL: Final = 0.1
"""Seconds between two calls: a person sees no more than ten a second, and a large file would make thousands."""


def throttled(progress: Progress, clock: Callable[[], float] = time.monotonic) -> Progress:
    """Pass on the first step, then at most one in a tenth of a second, and the last of a known total."""
    due = clock()

    def step(done: int, total: int | None) -> None:
        nonlocal due
        now = clock()
        if now >= due or done == total:
            due = now + _INTERVAL
            progress(done, total)

    return step
