"""The simulator's own clock, and the days and months by which WeChat counts."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone

# A day of quotas begins at midnight in Shenzhen. Chosen: the documentation says "a day" and no more (0.7).
_CHINA_STANDARD_TIME = timezone(timedelta(hours=8))


def day_of(now: float) -> int:
    """The number of the day of China Standard Time that a unix time is in."""
    return datetime.fromtimestamp(now, _CHINA_STANDARD_TIME).toordinal()


def month_of(now: float) -> int:
    """The number of the month of China Standard Time that a unix time is in."""
    moment = datetime.fromtimestamp(now, _CHINA_STANDARD_TIME)
    return moment.year * 12 + moment.month


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
