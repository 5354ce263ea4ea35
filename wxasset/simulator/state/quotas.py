"""Daily and minute quotas of endpoints, and resets of their counts (wire reference 0.7, 1.4)."""

from collections import Counter

from wxasset.simulator.options import SimulatorOptions
from wxasset.simulator.state.clock import Clock, day_of, month_of
from wxasset.simulator.wire.replies import STABLE_INSTEAD, ApiError

_TOKEN = "/cgi-bin/token"  # noqa: S105  # a path
# Documented (0.7). One source names 1,000 a day for material/*. It applies only if set as an option: it is unconfirmed,
# and would end every long test.
DAILY_LIMITS: dict[str, int] = {
    _TOKEN: 2_000,
    "/cgi-bin/stable_token": 500_000,
    "/cgi-bin/media/upload": 100_000,
    "/cgi-bin/media/get": 200_000,
}
MINUTE_LIMITS: dict[str, int] = {"/cgi-bin/stable_token": 10_000}
_MINUTE = 60
_MONTHLY = {"all": 10, "one": 50}  # documented: clear_quota in both versions together, openapi/quota/clear
_EXHAUSTED = {"all": 48006, "one": 45009}  # documented; for "one" chosen among the codes its page lists (1.4)


class QuotaCounts:
    """Counts of calls, checked against limits."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._daily: Counter[tuple[str, int]] = Counter()
        self._minutely: Counter[tuple[str, int]] = Counter()
        self._cleared: Counter[tuple[str, int]] = Counter()

    def spend(self, path: str, options: SimulatorOptions) -> None:
        """Count a call. Chosen: a call rejected here does not count, a call failing later does.

        Raises:
            ApiError: 45011 if the limit per minute is reached, 45009 if the limit per day is reached.
        """
        minute = int(self._clock.now() // _MINUTE)
        by_minute = minute_limit(path, options)
        if by_minute is not None and self._minutely[path, minute] >= by_minute:
            raise ApiError(45011)
        limit = daily_limit(path, options)
        if limit is not None and self.used(path) >= limit:
            raise ApiError(45009, more=STABLE_INSTEAD if path == _TOKEN else "")
        if by_minute is not None:
            self._minutely[path, minute] += 1
        self._daily[path, self._today()] += 1

    def used(self, path: str) -> int:
        """Return the number of calls of an endpoint counted today."""
        return self._daily[path, self._today()]

    def clear(self, path: str | None = None) -> None:
        """Reset the day's count of one endpoint, or of all endpoints.

        Raises:
            ApiError: 48006 after 10 resets of all endpoints in this month, 45009 after 50 resets of single ones.
        """
        kind = "all" if path is None else "one"
        month = month_of(self._clock.now())
        if self._cleared[kind, month] >= _MONTHLY[kind]:
            raise ApiError(_EXHAUSTED[kind])
        self._cleared[kind, month] += 1
        for counted in [key for key in self._daily if path in (None, key[0])]:
            del self._daily[counted]

    def _today(self) -> int:
        return day_of(self._clock.now())


def daily_limit(path: str, options: SimulatorOptions) -> int | None:
    """Return the limit of an endpoint per day, or None without a limit."""
    return options.daily_limits.get(path, DAILY_LIMITS.get(path))


def minute_limit(path: str, options: SimulatorOptions) -> int | None:
    """Return the limit of an endpoint per minute, or None without a limit."""
    return options.minute_limits.get(path, MINUTE_LIMITS.get(path))
