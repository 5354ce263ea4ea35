"""Counts of calls in Redis, for the processes of many hosts: each step is one script."""

import asyncio
import math
import time
from typing import TYPE_CHECKING, Any, Final

from wxasset.batch.counts import Count, Lane, Taken, day_of
from wxasset.errors import TokenStoreError, UsageError
from wxasset.tokens.breaker import Breaker
from wxasset.tokens.redis_client import RedisClient, place_of, require_redis, send_command, trouble_of
from wxasset.tokens.store import run_shielded

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["RedisCounts"]

_CONNECTIONS: Final = 16
_KEPT: Final = 2 * 86_400  # seconds for which a day's counts are kept

# Returns whether the call was counted, the limit, the calls used, and the end of a pause.
_TAKE: Final = """
local kept = redis.call('HMGET', KEYS[1], 'limit', 'used', 'closed', 'pause')
if not kept[1] then
  return {0, 0, 0, tonumber(kept[4]) or 0}
end
local limit, used, pause = tonumber(kept[1]), tonumber(kept[2]) or 0, tonumber(kept[4]) or 0
local made, taken = tonumber(ARGV[2]), 1
if pause > tonumber(ARGV[1]) then
  taken = 4
elseif kept[3] then
  taken = 3
elseif limit > 0 and used + made >= limit then
  taken = 2
end
if taken == 1 then
  made = made + 1
end
if made > 0 then
  used = redis.call('HINCRBY', KEYS[1], 'used', made)
end
return {taken, limit, used, pause}
"""
_SEED: Final = """
local used = tonumber(ARGV[2])
if ARGV[3] == '1' then
  redis.call('HDEL', KEYS[1], 'closed')
else
  used = math.max(used, tonumber(redis.call('HGET', KEYS[1], 'used')) or 0)
end
redis.call('HSET', KEYS[1], 'limit', ARGV[1], 'used', used)
redis.call('EXPIRE', KEYS[1], ARGV[4])
"""
_SET: Final = """
redis.call('HSETNX', KEYS[1], 'limit', ARGV[1])
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
"""
_PAUSE: Final = """
redis.call('HSET', KEYS[1], 'pause', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
"""
_RESULTS: Final = (Taken.UNKNOWN, Taken.YES, Taken.SPENT, Taken.CLOSED, Taken.PAUSED)


class RedisCounts:
    """Counts of calls under ``<prefix><realm>:<appid>:<path>:<day>``, kept for two days.

    After a failure Redis is left alone for a while, as by `RedisTokenStore`.
    """

    def __init__(self, url: str | None, *, client: "Redis | None", prefix: str, timeout: float) -> None:
        """Prepare a client; it is connected at first use."""
        require_redis("CallBudget")
        place = place_of(url, client)
        if place is None:
            raise UsageError("CallBudget needs a URL such as redis://:password@host:6379/0, or client=.")
        self._place, self._prefix, self._timeout = place, prefix, timeout
        self._breaker = Breaker(place, time.monotonic)
        self._client = RedisClient(
            "CallBudget", url=url or "", client=client, timeout=timeout, connections=_CONNECTIONS
        )

    def __repr__(self) -> str:
        return f"RedisCounts({self._place!r})"

    async def take(self, lane: Lane, now: float, made: int) -> Count:
        """Count the calls that were made already, and one more if the day allows it.

        Raises:
            TokenStoreError: Redis failed, or is left alone for a while.
        """
        taken, limit, used, until = await self._run(_TAKE, lane, now, math.ceil(now), made)
        return Count(_RESULTS[int(taken)], int(limit), int(used), float(until))

    async def seed(self, lane: Lane, now: float, limit: int, used: int, *, exact: bool) -> None:
        """Set the day's quota, and the calls used.

        Raises:
            TokenStoreError: As in `take`.
        """
        await self._run(_SEED, lane, now, limit, used, int(exact), _KEPT)

    async def close(self, lane: Lane, now: float) -> None:
        """Allow no call until the next day.

        Raises:
            TokenStoreError: As in `take`.
        """
        await self._run(_SET, lane, now, 0, "closed", 1, _KEPT)

    async def pause(self, lane: Lane, now: float, until: float) -> None:
        """Allow no call until a unix time.

        Raises:
            TokenStoreError: As in `take`.
        """
        await self._run(_PAUSE, lane, now, math.ceil(until), _KEPT)

    async def aclose(self) -> None:
        """Close the connections opened here."""
        await self._client.aclose()

    async def _run(self, script: str, lane: Lane, now: float, *arguments: str | int) -> Any:
        """Run a script; a cancelled caller waits for the response, at most for two `timeout`."""
        key = f"{self._prefix}{lane.realm}:{lane.appid}:{lane.path}:{day_of(now)}"
        return await run_shielded(self._guarded("EVAL", script, 1, key, *arguments))

    async def _guarded(self, *command: str | int) -> Any:
        connected = self._client.get()
        async with connected.slots:
            entered = self._breaker.enter()
            try:
                async with asyncio.timeout(self._timeout):
                    answer = await send_command(connected.client, *command)
            except asyncio.CancelledError:
                self._breaker.leave(entered, worked=None)
                raise
            except Exception as error:  # noqa: BLE001 - redis-py lets some through that are none of its own
                trouble = trouble_of(type(error).__name__, self._timeout)
            else:
                self._breaker.leave(entered, worked=True)
                return answer
        self._breaker.leave(entered, worked=False)
        # Outside of the handler: chained to it, the error of redis-py would show what was sent.
        raise TokenStoreError(f"Redis at {self._place} failed to count a call: {trouble}.")
