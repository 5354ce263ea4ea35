"""Telling how far a transfer has come."""

import time
from collections.abc import Callable
from typing import Final, TypeAlias

__all__ = ["Progress", "Throttle"]

Progress: TypeAlias = Callable[[int, int | None], object]
"""Called with the bytes that are through and their total, which may be None."""

_INTERVAL: Final = 0.1
"""Seconds between two calls: a person sees no more than ten a second, and a large file would make thousands."""


class Throttle:
    """Passes on the first step, then at most one in a tenth of a second, and the last."""

    def __init__(self, progress: Progress, clock: Callable[[], float] = time.monotonic) -> None:
        """Tell `progress`; `clock` is for tests."""
        self._progress = progress
        self._clock = clock
        self._due = clock()
        self._told: int | None = None

    def __call__(self, done: int, total: int | None) -> None:
        """Take a step."""
        now = self._clock()
        if now >= self._due:
            self._due = now + _INTERVAL
            self._told = done
            self._progress(done, total)

    def end(self, done: int, total: int | None) -> None:
        """Take the last step."""
        if self._told != done:
            self._progress(done, total)
