"""Turns of calls: each call is counted before it is made, and the last ones of a day are made one at a time."""

import asyncio
import logging
import math
import time
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import anyio
from attrs import define, field, frozen

from wxasset.batch.counts import FEW, Count, Counts, Lane, MemoryCounts, Taken, day_of, next_day
from wxasset.batch.free_turn import FREE, FreeTurn
from wxasset.errors import BudgetSpentError, QuotaExceededError, RateLimitedError, TokenStoreError, WxAssetError

if TYPE_CHECKING:
    from wxasset.calls.account import Quota

__all__ = ["AccountBudget", "SharedCounts"]

_log: Final = logging.getLogger("wxasset.batch")
_MINUTE: Final = 60.0
_MINUTE_LIMIT: Final = 45011
_OFTEN: Final = 60.0  # seconds until WeChat is asked for the quota again, after a failure or where no call is left,
_SELDOM: Final = 600.0  # and in all other cases
_PART: Final = 8
"""Part of the rest of a day after which WeChat is asked again: other processes may have made calls without Redis, and
other programs without a count (our choice: some 60 questions for 100,000 calls),"""
_STEP: Final = 8  # and the least number of calls
_UNDER_WAY: Final = 1.0
"""Seconds after which the calls of other processes that were under way are in WeChat's count (our choice)."""
_FREE: Final = ("/cgi-bin/openapi/quota/", "/cgi-bin/component/", "/cgi-bin/clear_quota")
"""Paths that are not counted: the questions about quotas, and the calls of a platform (76022, wire reference 1.4)."""

Asking: TypeAlias = Callable[[str], Awaitable["Quota | None"]]
"""Ask WeChat for the quota of a path; None if it does not tell."""


@define(eq=False)
class _Lane:
    """The calls of one lane in one event loop.

    Attributes:
        sending: Calls under way.
        rest: The calls that were left when WeChat was asked last.
        few: Whether to make one call at a time.
        asking: Whether a call asks for the quota, while others wait.
        asked: Questions that have ended.
        ask_at: The time from which the quota is asked for again, by the monotonic clock.
        check_at: The same where all calls are counted.
        closed: The day on which WeChat refused a call; 0 for none.
        changed: Set when something of this has changed.
    """

    sending: int = 0
    rest: int = 0
    few: bool = False
    asking: bool = False
    asked: int = 0
    ask_at: float = -math.inf
    check_at: float = -math.inf
    closed: int = 0
    changed: anyio.Event = field(factory=anyio.Event)

    def change(self) -> None:
        """Wake up those who wait."""
        self.changed.set()
        self.changed = anyio.Event()


@define(eq=False)
class SharedCounts:
    """Counts in Redis, and in this process for the time without it.

    Attributes:
        shared: The counts in Redis; None if this process counts for itself.
    """

    shared: Counts | None = None
    _own: MemoryCounts = field(factory=MemoryCounts)
    _loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Lane, _Lane]] = field(
        factory=weakref.WeakKeyDictionary
    )

    def lane(self, key: Lane) -> _Lane:
        """Return the calls of a lane in the running loop."""
        lanes = self._loops.setdefault(asyncio.get_running_loop(), {})
        return lanes.setdefault(key, _Lane())

    def known(self, key: Lane, now: float) -> tuple[int, int] | None:
        """Return the last known quota and calls of the day; None if unknown."""
        today = self._own.today(key, now)
        return None if today.limit is None else (today.limit, today.used)

    async def take(self, key: Lane, now: float) -> Count:
        """Count a call, in Redis if it is there."""
        today = self._own.today(key, now)
        if self.shared is None:
            return today.take(now)
        made, today.alone = today.alone, 0
        try:
            count = await self.shared.take(key, now, made)
        except TokenStoreError as error:
            today.alone += made
            _log.debug("%s", error.message)
            return today.take_alone(now)
        except BaseException:
            today.alone += made
            raise
        today.follow(count)
        return count

    async def write(self, write: Callable[[Counts], Awaitable[None]]) -> None:
        """Write to the counts of this process, and to those in Redis if it is there."""
        await write(self._own)
        if self.shared is not None:
            try:
                await write(self.shared)
            except TokenStoreError as error:
                _log.debug("%s", error.message)


@frozen(eq=False)
class AccountBudget:
    """The budget of one account.

    Attributes:
        counts: The counts of all accounts.
        realm: The service.
        appid: The account.
        now: WeChat's unix time in seconds.
    """

    counts: SharedCounts
    realm: str
    appid: str
    now: Callable[[], float]

    async def enter(self, path: str, ask: Asking) -> FreeTurn:
        """Take one call of a path from the budget, and wait for its turn.

        Raises:
            BudgetSpentError: No call is left, or none in this minute.
        """
        if path.startswith(_FREE):
            return FREE
        key = Lane(self.realm, self.appid, path)
        turn = _Turn(self, key, self.counts.lane(key))
        await turn.take(ask)
        return turn


@define(eq=False)
class _Turn(FreeTurn):
    """One call that was counted."""

    _account: AccountBudget
    _key: Lane
    _lane: _Lane
    _failure: WxAssetError | None = None

    def failed(self, error: WxAssetError) -> None:
        """Note the error of the call."""
        self._failure = error

    async def ended(self) -> None:
        """Count it as ended; close or pause the lane for all if WeChat says so."""
        failure, self._failure, now = self._failure, None, self._account.now()
        spent = isinstance(failure, QuotaExceededError) and failure.path == self._key.path
        if spent:
            self._lane.closed, self._lane.check_at = day_of(now), time.monotonic() + _SELDOM
        self._lane.sending -= 1
        self._lane.change()
        if spent:
            await self._account.counts.write(lambda counts: counts.close(self._key, now))
        elif isinstance(failure, RateLimitedError) and failure.errcode == _MINUTE_LIMIT:
            until = now - now % _MINUTE + _MINUTE
            await self._account.counts.write(lambda counts: counts.pause(self._key, now, until))

    async def take(self, ask: Asking) -> None:
        """Wait until the call is counted, and until it may be made."""
        while True:
            while self._lane.asking:
                await self._lane.changed.wait()
            if await self._counted(ask):
                self._lane.sending += 1
                return

    async def _counted(self, ask: Asking) -> bool:
        """Count the call; return False where something else had to be found out first."""
        lane, clock = self._lane, time.monotonic()
        if lane.closed == day_of(self._account.now()) and clock < lane.check_at:
            raise self._spent()
        asked = lane.asked
        count = await self._account.counts.take(self._key, self._account.now())
        if count.taken is Taken.PAUSED:
            raise self._paused(count.until)
        if count.taken is Taken.YES:
            return await self._granted(count, ask)
        if lane.asking or lane.asked != asked:  # since this call looked
            return False
        if count.taken is Taken.UNKNOWN:
            await self._asking(self._learn(ask))
        elif clock < lane.check_at:
            raise self._spent()
        else:
            await self._asking(self._check(ask, closed=count.taken is Taken.CLOSED))
        return False

    async def _granted(self, count: Count, ask: Asking) -> bool:
        """Wait for the turn of this call where few are left; return False if the path was closed meanwhile."""
        lane = self._lane
        lane.few = count.few
        fewer = count.limit > 0 and count.limit - count.used <= lane.rest - max(_STEP, lane.rest // _PART)
        if (fewer or time.monotonic() >= lane.ask_at) and not lane.asking:
            await self._asking(self._learn(ask))
        while lane.few and lane.sending:
            await lane.changed.wait()
        return lane.closed != day_of(self._account.now())

    async def _asking(self, question: Coroutine[Any, Any, None]) -> None:
        """Await a question; the calls of the lane that come later wait for its answer."""
        self._lane.asking = True
        try:
            await question
        finally:
            self._lane.asking = False
            self._lane.asked += 1
            self._lane.change()

    async def _learn(self, ask: Asking) -> None:
        """Ask WeChat for the quota; calls that only WeChat has counted are counted too."""
        quota = await ask(self._key.path)
        self._lane.ask_at = time.monotonic() + (_OFTEN if quota is None else _SELDOM)
        now, counts = self._account.now(), self._account.counts
        if quota is None:  # Redis may have lost its counts
            limit, used = counts.known(self._key, now) or (0, 0)
        else:
            limit, used = quota.daily_limit, quota.used
        await counts.write(lambda one: one.seed(self._key, now, limit, used, exact=False))
        self._lane.rest = max(0, limit - used) if limit else 0
        self._lane.few = self._lane.few or (limit > 0 and self._lane.rest < FEW)

    async def _check(self, ask: Asking, *, closed: bool) -> None:
        """Ask WeChat whether the day is spent: processes that were killed counted calls that they never made."""
        self._lane.check_at = time.monotonic() + (_SELDOM if closed else _OFTEN)
        while self._lane.sending:
            await self._lane.changed.wait()
        quota = await ask(self._key.path)
        if quota is None or quota.daily_limit <= 0 or quota.remain <= 0:
            return
        await anyio.sleep(_UNDER_WAY)
        quota, now = await ask(self._key.path), self._account.now()
        if quota is not None and quota.remain > 0:
            self._lane.closed = 0
            limit, used = quota.daily_limit, quota.used
            await self._account.counts.write(lambda one: one.seed(self._key, now, limit, used, exact=True))

    def _spent(self) -> BudgetSpentError:
        seconds = next_day(self._account.now())
        message = f"The day's calls to {self._key.path} of the account {self._key.appid} are spent; nothing was sent."
        return BudgetSpentError(message, path=self._key.path, at=time.time() + seconds)

    def _paused(self, until: float) -> BudgetSpentError:
        seconds = max(0.0, until - self._account.now())
        message = f"WeChat allows no more calls to {self._key.path} in this minute; nothing was sent."
        return BudgetSpentError(message, path=self._key.path, at=time.time() + seconds, minute=True)
