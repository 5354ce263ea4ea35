"""Daily and minute quotas of endpoints, and resets of their counts (wire reference 0.7, 1.4)."""

from collections import Counter
from collections.abc import Mapping

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
_ALL_EXHAUSTED = 48006  # documented


class QuotaCounts:
    """Counts of calls, checked against limits."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._daily: Counter[tuple[str, int]] = Counter()
        self._minutely: Counter[tuple[str, int]] = Counter()
        self._cleared: Counter[tuple[str, int]] = Counter()

    def spend(self, path: str, options: SimulatorOptions) -> None:
        """Count a call. One rejected here does not count unless the options say so, one failing later does.

        Raises:
            ApiError: 45011 if the limit per minute is reached, 45009 if the limit per day is reached.
        """
        minute = int(self._clock.now() // _MINUTE)
        refusal = self._refusal(path, minute, options)
        if refusal is None or options.rejected_calls_count:
            if minute_limit(path, options) is not None:
                self._minutely[path, minute] += 1
            self._daily[path, self._today()] += 1
        if refusal is not None:
            raise refusal

    def _refusal(self, path: str, minute: int, options: SimulatorOptions) -> ApiError | None:
        by_minute = minute_limit(path, options)
        if by_minute is not None and self._minutely[path, minute] >= by_minute:
            return ApiError(45011)
        limit = daily_limit(path, options)
        if limit is not None and self.used(path) >= limit:
            return ApiError(45009, more=STABLE_INSTEAD if path == _TOKEN else "")
        return None

    def used(self, path: str) -> int:
        """Return the number of calls of an endpoint counted today."""
        return self._daily[path, self._today()]

    def used_today(self) -> dict[str, int]:
        """Return the number of calls counted today, by path."""
        today = self._today()
        return {path: count for (path, day), count in self._daily.items() if day == today}

    def clear(self, path: str | None = None, exhausted: int = _ALL_EXHAUSTED) -> None:
        """Reset the day's count of one endpoint, or of all endpoints.

        Raises:
            ApiError: `exhausted` after 10 resets of all endpoints in this month, or 50 of single ones.
        """
        kind = "all" if path is None else "one"
        month = month_of(self._clock.now())
        if self._cleared[kind, month] >= _MONTHLY[kind]:
            raise ApiError(exhausted)
        self._cleared[kind, month] += 1
        for counted in [key for key in self._daily if path in (None, key[0])]:
            del self._daily[counted]

    def kept(self) -> dict[str, list[list[object]]]:
        """Return the counts of this day and the resets of this month as a JSON document."""
        resets, month = self._cleared, month_of(self._clock.now())
        return {
            "used": [[path, self._today(), count] for path, count in self.used_today().items()],
            "resets": [[kind, month, resets[kind, month]] for kind in _MONTHLY if resets[kind, month]],
        }

    def restore(self, document: Mapping[str, list[tuple[str, int, int]]]) -> None:
        """Go on with the counts of an earlier run."""
        self._daily = Counter({(path, day): count for path, day, count in document["used"]})
        self._cleared = Counter({(kind, month): count for kind, month, count in document["resets"]})

    def _today(self) -> int:
        return day_of(self._clock.now())


def daily_limit(path: str, options: SimulatorOptions) -> int | None:
    """Return the limit of an endpoint per day, or None without a limit."""
    return options.daily_limits.get(path, DAILY_LIMITS.get(path))


def minute_limit(path: str, options: SimulatorOptions) -> int | None:
    """Return the limit of an endpoint per minute, or None without a limit."""
    return options.minute_limits.get(path, MINUTE_LIMITS.get(path))
