"""Counts of calls a day, in memory; the protocol that Redis follows too."""

from enum import Enum, auto
from typing import Final, Protocol

from attrs import define, field, frozen

__all__ = ["FEW", "Count", "Counts", "Lane", "MemoryCounts", "Taken", "day_of", "next_day"]

_DAY: Final = 86_400
_BEIJING: Final = 8 * 3600  # seconds before UTC; WeChat's day is that of Beijing (chosen, wire reference 0.7)
FEW: Final = 32
"""Calls left of a day below which a process makes them one at a time: a count that is a little wrong then costs no more
than one refused call (our choice)."""
_SHARES: Final = 16
"""Processes among which the rest of a day is divided while Redis is away (our choice)."""


def day_of(now: float) -> int:
    """Return the number of the day of a unix time."""
    return int((now + _BEIJING) // _DAY)


def next_day(now: float) -> float:
    """Return the seconds until the next day begins."""
    return _DAY - (now + _BEIJING) % _DAY


@frozen
class Lane:
    """The calls that are counted together.

    Attributes:
        realm: The service; see `wxasset.wire.realms`.
        appid: The account.
        path: The API's path.
    """

    realm: str
    appid: str
    path: str


class Taken(Enum):
    """Result of asking for a call."""

    UNKNOWN = auto()
    """The day's quota is not known yet; nothing was counted."""
    YES = auto()
    SPENT = auto()
    CLOSED = auto()
    """WeChat refused a call with 45009."""
    PAUSED = auto()
    """WeChat refused a call with 45011; the minute is not over."""


@frozen
class Count:
    """A call that was asked for, and the day's counts after it.

    Attributes:
        taken: Whether the call was counted.
        limit: The day's quota; 0 without a limit.
        used: The calls counted today.
        until: The unix time at which a pause ends; 0 without one.
        uncertain: True if the counts of other processes are not known.
    """

    taken: Taken
    limit: int = 0
    used: int = 0
    until: float = 0.0
    uncertain: bool = False

    @property
    def few(self) -> bool:
        """Return True if a process should make its calls one at a time."""
        return self.uncertain or (self.limit > 0 and self.limit - self.used < FEW)


class Counts(Protocol):
    """Counts of calls; the unix time `now` is WeChat's."""

    async def take(self, lane: Lane, now: float, made: int) -> Count:
        """Count `made` calls that were made already, and one more if the day allows it."""

    async def seed(self, lane: Lane, now: float, limit: int, used: int, *, exact: bool) -> None:
        """Set the day's quota, and the calls used as WeChat counts them: at least, or exactly."""

    async def close(self, lane: Lane, now: float) -> None:
        """Allow no call until the next day."""

    async def pause(self, lane: Lane, now: float, until: float) -> None:
        """Allow no call until a unix time."""


@define
class DayCount:
    """The calls of one lane on one day.

    Attributes:
        day: The day.
        limit: The quota; None if unknown, 0 without a limit.
        used: The calls counted.
        closed: Whether WeChat has refused a call.
        until: The unix time at which a pause ends.
        alone: The calls that were counted without Redis.
        share: The calls that may be made without Redis at full speed.
    """

    day: int
    limit: int | None = None
    used: int = 0
    closed: bool = False
    until: float = 0.0
    alone: int = 0
    share: int = 0

    def take(self, now: float) -> Count:
        """Count one call if the day allows it."""
        if self.until > now:
            return self._count(Taken.PAUSED)
        if self.limit is None:
            return self._count(Taken.UNKNOWN)
        if self.closed:
            return self._count(Taken.CLOSED)
        if 0 < self.limit <= self.used:
            return self._count(Taken.SPENT)
        self.used += 1
        return self._count(Taken.YES)

    def take_alone(self, now: float) -> Count:
        """Count one call that Redis is told of later."""
        count = self.take(now)
        self.alone += count.taken is Taken.YES
        return Count(count.taken, count.limit, count.used, count.until, uncertain=self.alone > self.share > -1)

    def follow(self, count: Count) -> None:
        """Take over the counts of Redis, for the time without it."""
        if count.taken is not Taken.UNKNOWN:
            self.limit, self.used, self.closed = count.limit, count.used, count.taken is Taken.CLOSED
            self.divide()

    def divide(self) -> None:
        """Divide the rest of the day among processes; without a limit there is nothing to divide."""
        self.share = max(0, self.limit - self.used) // _SHARES if self.limit else -1

    def _count(self, taken: Taken) -> Count:
        return Count(taken, self.limit or 0, self.used, self.until)


@define
class MemoryCounts:
    """Counts in the memory of this process."""

    _days: dict[Lane, DayCount] = field(factory=dict)

    def today(self, lane: Lane, now: float) -> DayCount:
        """Return the counts of a lane; a new day begins without any."""
        day, found = day_of(now), self._days.get(lane)
        if found is None or found.day != day:
            found = self._days[lane] = DayCount(day)
        return found

    async def take(self, lane: Lane, now: float, made: int) -> Count:
        """Count one call if the day allows it."""
        today = self.today(lane, now)
        today.used += made
        return today.take(now)

    async def seed(self, lane: Lane, now: float, limit: int, used: int, *, exact: bool) -> None:
        """Set the quota, and the calls used."""
        today = self.today(lane, now)
        today.limit, today.used = limit, used if exact else max(used, today.used)
        today.closed = today.closed and not exact
        today.divide()

    async def close(self, lane: Lane, now: float) -> None:
        """Allow no call until the next day."""
        today = self.today(lane, now)
        today.limit, today.closed = today.limit or 0, True

    async def pause(self, lane: Lane, now: float, until: float) -> None:
        """Allow no call until a unix time."""
        self.today(lane, now).until = until
