"""Time limits of blocks: one timer serves many of them, where `asyncio.timeout` takes one for each."""

import asyncio
import math
import time
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Protocol, Self

__all__ = ["Deadline", "Deadlines", "SilenceError"]

_EVER: Final = 1e9  # seconds; uvloop cannot count 2**64 milliseconds or more
_EARLY: Final = 0.001  # seconds; the resolution of uvloop's clock


class SilenceError(TimeoutError):
    """No byte came for too long."""


class Listener(Protocol):
    """Receiver of bytes.

    Attributes:
        heard: The time of the last byte by `time.monotonic`.
    """

    heard: float


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
        """Watch a deadline, or note that it has moved."""
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
        for deadline in [one for one in self._open if one.is_over(now)]:
            self._open.discard(deadline)
            deadline.expire()
        if self._open:
            self._wait(min(one.when for one in self._open))


class Deadline(AbstractContextManager["Deadline"]):
    """Cancel the block at a time, and raise `TimeoutError` then, as `asyncio.timeout` does."""

    __slots__ = ("_cancelling", "_deadlines", "_expired", "_limit", "_listener", "_patience", "_task", "when")

    def __init__(self, deadlines: Deadlines, when: float) -> None:
        """Create a deadline; use `Deadlines.at`."""
        self._deadlines = deadlines
        self._expired = False
        self._limit = when
        self._listener: Listener | None = None
        self.when: float = when  # to look again

    def listen(self, listener: Listener, patience: float) -> None:
        """End the block also when no byte has come for `patience` seconds; the time begins now.

        A timer for each byte would cost more than the bytes: the time of the last one is noted instead.
        """
        listener.heard = time.monotonic()
        self._listener, self._patience = listener, patience
        if listener.heard + patience < self.when:
            self.when = listener.heard + patience
            self._deadlines.add(self)

    def is_over(self, now: float) -> bool:
        """Return whether the block must end; else `when` is the time to look again."""
        if self.when <= now and self._listener is not None:
            self.when = min(self._limit, self._listener.heard + self._patience)
        return self.when <= now

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - only tasks can be cancelled
        self._task, self._cancelling = task, task.cancelling()
        self._deadlines.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._deadlines.remove(self)
        if self._expired and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise (TimeoutError if self.when >= self._limit else SilenceError) from error

    def expire(self) -> None:
        """Cancel the block."""
        self._expired = True
        self._task.cancel()
