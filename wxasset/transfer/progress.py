"""Progress reports of transfers."""

import inspect
import time
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from wxasset.errors import UsageError

__all__ = ["Progress", "Throttle", "check_progress"]

Progress: TypeAlias = Callable[[int, int | None], object]
"""Called with the bytes transferred so far and the total, or None if the total is unknown."""

_INTERVAL: Final = 0.1
"""Seconds between two calls: people cannot follow more than ten per second, and large files cause thousands."""


def check_progress(progress: Callable[..., Any] | None) -> None:
    """Raise `UsageError` unless it is a plain function or None."""
    if progress is None:
        return
    if not callable(progress):
        raise UsageError(f"progress= must be a function, not {type(progress).__name__}.")
    if inspect.iscoroutinefunction(progress) or inspect.iscoroutinefunction(type(progress).__call__):
        raise UsageError("progress= is an async function, and it is called without waiting: pass a plain one.")


class Throttle:
    """Report the first step, at most one step per tenth of a second, and the last step."""

    def __init__(self, progress: Progress, clock: Callable[[], float] = time.monotonic) -> None:
        """Wrap `progress`; `clock` is for tests."""
        check_progress(progress)
        self._progress = progress
        self._clock = clock
        self._due = clock()
        self._told: int | None = None

    def __call__(self, done: int, total: int | None) -> None:
        """Report a step, unless the last report was too recent."""
        now = self._clock()
        if now >= self._due:
            self._due = now + _INTERVAL
            self._told = done
            self._progress(done, total)

    def end(self, done: int, total: int | None) -> None:
        """Report the last step, unless it was reported already."""
        if self._told != done:
            self._progress(done, total)
