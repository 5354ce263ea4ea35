"""The simulator's clock, and the days and months of WeChat's quotas."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

# A day of quotas begins at midnight in Shenzhen. Chosen: the documentation says "a day" and no more (0.7).
_CHINA_STANDARD_TIME = timezone(timedelta(hours=8))


def day_of(now: float) -> int:
    """Return the number of the day of a unix time, in China Standard Time."""
    return datetime.fromtimestamp(now, _CHINA_STANDARD_TIME).toordinal()


def month_of(now: float) -> int:
    """Return the number of the month of a unix time, in China Standard Time."""
    moment = datetime.fromtimestamp(now, _CHINA_STANDARD_TIME)
    return moment.year * 12 + moment.month


class Clock:
    """Clock based on `source`, moved forward by the total of all calls of `advance`.

    Attributes:
        added: This total, in seconds.
    """

    def __init__(self, source: Callable[[], float]) -> None:
        self._source = source
        self.added: float = 0.0
        self._lock = threading.Lock()

    def now(self) -> float:
        """Return the unix time in seconds."""
        return self._source() + self.added

    def advance(self, seconds: float) -> None:
        """Move the clock forward.

        Raises:
            ValueError: `seconds` is negative.
        """
        if seconds < 0:
            raise ValueError(f"the clock cannot move backwards: seconds is {seconds}; use 0 or more")
        with self._lock:
            self.added += seconds
