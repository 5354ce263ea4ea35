"""Time limits of blocks: one timer serves many of them, where `asyncio.timeout` takes one for each."""

import asyncio
import math
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final

__all__ = ["Deadline", "Deadlines"]

_EVER: Final = 1e9  # seconds; uvloop cannot count 2**64 milliseconds or more
_EARLY: Final = 0.001  # seconds; the resolution of uvloop's clock


class Deadlines:
    """Open deadlines of one event loop, and the time at which a timer rings for the first of them."""

    def __init__(self) -> None:
        """Start without deadlines."""
        self._open: set[Deadline] = set()
        self._next = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def at(self, when: float) -> "Deadline":
        """Return the deadline for a block.

        Args:
            when: The time by `time.monotonic`; infinite for a block without a limit.
        """
        return Deadline(self, when)

    def add(self, deadline: "Deadline") -> None:
        """Watch a deadline."""
        self._open.add(deadline)
        if deadline.when < self._next:
            self._wait(deadline.when)

    def remove(self, deadline: "Deadline") -> None:
        """Forget a deadline; the timer stays, as other deadlines are likely to come before it rings."""
        self._open.discard(deadline)

    def close(self) -> None:
        """End the timer, unless a block is still open."""
        if not self._open:
            self._stop()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._next = None, math.inf

    def _wait(self, when: float) -> None:
        self._stop()
        left = when - time.monotonic()
        if left < _EVER:
            self._next = when
            self._timer = asyncio.get_running_loop().call_later(max(0.0, left), self._ring)

    def _ring(self) -> None:
        self._stop()
        now = time.monotonic() + _EARLY
        for deadline in [one for one in self._open if one.when <= now]:
            self._open.discard(deadline)
            deadline.expire()
        if self._open:
            self._wait(min(one.when for one in self._open))


class Deadline(AbstractContextManager[None]):
    """Cancel the block at a time, and raise `TimeoutError` then, as `asyncio.timeout` does."""

    __slots__ = ("_cancelling", "_deadlines", "_expired", "_task", "when")

    def __init__(self, deadlines: Deadlines, when: float) -> None:
        """Create a deadline; use `Deadlines.at`."""
        self._deadlines = deadlines
        self._expired = False
        self.when: float = when

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - only tasks can be cancelled
        self._task, self._cancelling = task, task.cancelling()
        self._deadlines.add(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._deadlines.remove(self)
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self) -> None:
        """Cancel the block."""
        self._expired = True
        self._task.cancel()
