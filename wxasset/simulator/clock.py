"""The simulator's own clock: a source of unix seconds plus what tests have added to it."""

from collections.abc import Callable


class Clock:
    """Tells the time by `source`, moved forward by everything `advance` was given."""

    def __init__(self, source: Callable[[], float]) -> None:
        self._source = source
        self._added = 0.0

    def now(self) -> float:
        """Unix time in seconds."""
        return self._source() + self._added

    def advance(self, seconds: float) -> None:
        """Move the clock forward.

        Raises:
            ValueError: `seconds` is negative; time does not run backwards.
        """
        if seconds < 0:
            raise ValueError(f"time does not run backwards: {seconds}")
        self._added += seconds
