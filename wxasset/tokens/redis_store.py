"""Tokens in Redis, for the processes of many hosts."""

import asyncio
import inspect
import logging
import math
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
from attrs import define, field

from wxasset.errors import TokenStoreError, UsageError
from wxasset.tokens.store import to_the_end
from wxasset.tokens.token import TokenRecord
from wxasset.wire.checks import check_number

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["RedisTokenStore"]

T = TypeVar("T")

_log: Final = logging.getLogger("wxasset.tokens")

_POLL: Final = 0.075  # seconds between two looks at a lease that somebody else holds
_CONNECTIONS: Final = 16  # commands under way at once, and so connections; one command takes about 0.2 ms
_AFTERLIFE: Final = 3600.0
"""Seconds for which a record outlives its token, so that its version is still there to be counted on."""
_LONG: Final = 10 * 365 * 86400.0  # seconds; Redis refuses a life that ends beyond its calendar

_TAKE: Final = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return redis.call('INCR', KEYS[2])
end
return 0
"""
_GIVE_BACK: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
"""
# Answers 1 where the record was kept, 0 where a newer lease has been given, and else the kept value that forbids it.
# Lua counts in doubles: that one is higher than another is always true, that it is not is looked at again in Python,
# which also knows best what cannot be read. It then passes that very value as one that counts for nothing.
_SAVE: Final = """
local fence = tonumber(ARGV[3])
if fence and fence < (tonumber(redis.call('GET', KEYS[2])) or 0) then
  return 0
end
local kept = redis.call('GET', KEYS[1])
if kept and kept ~= ARGV[5] then
  local readable, record = pcall(cjson.decode, kept)
  if readable and type(record) == 'table' and type(record.version) == 'number'
      and not (tonumber(ARGV[2]) > record.version) then
    return kept
  end
end
if ARGV[4] == '' then
  redis.call('SET', KEYS[1], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[4])
end
return 1
"""

_TROUBLE: Final = {
    "AuthenticationError": "it refuses the password, or wants one",
    "ConnectionError": "no connection",
    "InvalidResponse": "what answers there is no Redis",
}

_fences: ContextVar[Mapping[tuple[int, str], int]] = ContextVar("_fences", default=MappingProxyType({}))
"""The fences of the leases that the running task holds, by store and key."""


async def _run(client: Any, script: str, keys: list[str], *arguments: bytes | str | float) -> Any:
    """Run a script; its answer is bytes also where a borrowed client decodes."""
    return await client.execute_command("EVAL", script, len(keys), *keys, *arguments, NEVER_DECODE=True)


async def _get(client: Any, name: str) -> TokenRecord | None:
    data = await client.execute_command("GET", name, NEVER_DECODE=True)
    if data is None:
        return None
    try:
        return TokenRecord.parse(data)
    except ValueError:
        _log.warning("the record %s in Redis cannot be read; the next one that is saved replaces it", name)
        return None


async def _save(client: "Redis", names: list[str], record: TokenRecord, fence: int | None) -> bool:
    limits = (record.version, "" if fence is None else fence, _life(record))
    forbids: Any = b""
    while True:
        forbids = await _run(client, _SAVE, names, record.dump(), *limits, forbids)
        if not isinstance(forbids, bytes):
            return bool(forbids)
        with suppress(ValueError):
            if TokenRecord.parse(forbids).version >= record.version:
                return False


def _life(record: TokenRecord) -> int | str:
    """Milliseconds until Redis expires a record; empty for a permanent one."""
    left = record.expires - time.time()
    if record.refresh_token is not None or not math.isfinite(left) or left > _LONG:
        return ""
    return int((max(left, 0.0) + _AFTERLIFE) * 1000)


@define
class _Breaker:
    """Leaves Redis alone for a while after it has failed: 5 s, twice as long each time, at most 60 s."""

    place: str
    now: Callable[[], float]
    _pause: float = 0.0
    _until: float = 0.0
    _failures: int = 0
    _trying: bool = False

    def enter(self) -> int:
        """Begin an attempt; pass the returned number to `leave`."""
        left = self._until - self.now()
        if self._pause and (left > 0 or self._trying):
            meanwhile = "while it is tried again" if self._trying else f"for {left:.1f} s"
            raise TokenStoreError(f"Redis at {self.place} has failed and is left alone {meanwhile}.")
        self._trying = self._pause > 0
        return self._failures

    def leave(self, entered: int, *, worked: bool | None) -> None:
        """End an attempt. One begun before the last failure proves no recovery."""
        if entered != self._failures:
            return
        self._trying = False
        if worked:
            self._pause = 0.0
        elif worked is not None:
            self._failures += 1
            self._pause = min(max(2 * self._pause, 5.0), 60.0)
            self._until = self.now() + self._pause


def _place(url: str) -> str | None:
    """Return the address of a URL without its password; None if it is invalid."""
    from redis.asyncio.connection import parse_url  # noqa: PLC0415 - the extra is there: it was looked for

    try:
        parts: Mapping[str, Any] = parse_url(url)
    except (ValueError, TypeError, AttributeError):
        return None
    return parts.get("path") or f"{parts.get('host', 'localhost')}:{parts.get('port', 6379)}"


def _place_of(client: "Redis") -> str:
    parts = getattr(getattr(client, "connection_pool", None), "connection_kwargs", {})
    return parts.get("path") or (
        f"{parts['host']}:{parts.get('port', 6379)}" if "host" in parts else "the given client"
    )


def _opener(url: str, timeout: float) -> Callable[[], "Redis"]:
    """Return a function to open a client; a closure does not show the password."""
    from redis.asyncio import Redis  # noqa: PLC0415 - the extra is there: it was looked for
    from redis.asyncio.connection import AbstractConnection  # noqa: PLC0415
    from redis.asyncio.retry import Retry  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415

    # Nothing is told about the library: that takes two commands, and redis-py looks its version up on the disk.
    known = inspect.signature(AbstractConnection.__init__).parameters
    silent: dict[str, Any] = (
        {"driver_info": None} if "driver_info" in known else {"lib_name": None, "lib_version": None}
    )

    def open_client() -> "Redis":
        return Redis.from_url(
            url,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
            protocol=2,  # a shorter greeting
            **silent,
        )

    return open_client


def _require_redis() -> None:
    try:
        import redis.asyncio  # noqa: F401, PLC0415 - an extra, imported by those who use it
    except ImportError:
        raise UsageError("RedisTokenStore needs redis; run: pip install 'wxasset[redis]'.") from None


@define(init=False, eq=False)
class RedisTokenStore:
    """Tokens in Redis, shared by the processes of many hosts.

    A record is JSON under ``<prefix><key>``; the lease and its counter are ``{<prefix><key>}:lease`` and
    ``{<prefix><key>}:fence``, which share its slot in a cluster. Redis keeps a record for an hour longer than its
    token lives, and one with a refresh token for good. It has to evict nothing (``maxmemory-policy noeviction``) and
    to be closed to everybody who may not have the tokens.

    After a failure Redis is left alone for 5 s, then for twice as long each time, up to 60 s; every call fails at once
    meanwhile. Belongs to one event loop. Needs the extra ``redis``: ``pip install 'wxasset[redis]'``.
    """

    _place: str
    _prefix: str
    _timeout: float
    _lease_seconds: float
    _wait: float
    _now: Callable[[], float] = field(repr=False)
    _sleep: Callable[[float], Awaitable[object]] = field(repr=False)
    _breaker: _Breaker = field(repr=False)
    _slots: anyio.Semaphore = field(repr=False)
    _open: "Callable[[], Redis]" = field(repr=False)
    _borrowed: bool = field(repr=False)
    _client: "Redis | None" = field(repr=False)

    def __init__(
        self,
        url: str | None = None,
        *,
        prefix: str = "wxasset:token:",
        timeout: float = 0.5,
        lease_seconds: float = 8.0,
        wait: float = 15.0,
        client: "Redis | None" = None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
    ) -> None:
        """Keep the tokens in the Redis at `url`; it is connected at first use.

        Args:
            url: ``redis://[[user]:password@]host:port/db``, ``rediss://...`` or ``unix://...``.
            prefix: Prefix of all keys.
            timeout: Seconds for any one command, connecting included.
            lease_seconds: Lifetime of a lease in seconds; longer than a fetch.
            wait: Maximum seconds to wait for a lease.
            client: A client of your own in the place of `url`; it is borrowed and never closed.
            now: A clock in seconds, never set back.
            sleep: Waits for a number of seconds.

        Raises:
            UsageError: redis is not installed, or the URL is none.
        """
        _require_redis()
        place = _place_of(client) if client is not None else _place(url) if url is not None else None
        self._place, self._prefix = place or "no address", prefix
        self._timeout, self._lease_seconds, self._wait = timeout, lease_seconds, wait
        self._now, self._sleep = now, sleep
        self._breaker, self._slots = _Breaker(self._place, now), anyio.Semaphore(_CONNECTIONS)
        self._open = _opener(url or "", timeout)
        self._borrowed, self._client = client is not None, client
        if place is None:
            del url  # a crash reporter would show it, and the password in it
            raise UsageError("RedisTokenStore needs a URL such as redis://:password@host:6379/0, or client=.")
        del url
        check_number("timeout", timeout, above=0)
        check_number("lease_seconds", lease_seconds, above=0)
        check_number("wait", wait, at_least=0)

    async def load(self, key: str) -> TokenRecord | None:
        """Return the newest record, also an expired one; None if it is missing or unreadable.

        Raises:
            TokenStoreError: Redis failed, did not answer within `timeout` seconds, or is left alone for a while.
        """
        name = self._prefix + key
        return await self._ask("load a token", lambda client: _get(client, name))

    async def save(self, key: str, record: TokenRecord) -> bool:
        """Save a record if its version is higher than the kept one (compare-and-set); return True if saved.

        Within a lease that was lost, and has been given to somebody else since, it is not kept either.

        Raises:
            TokenStoreError: Redis failed, did not answer within `timeout` seconds, or is left alone for a while.
        """
        names, fence = [self._prefix + key, self._beside(key, "fence")], _fences.get().get((id(self), key))
        return await self._ask("save a token", lambda client: _save(client, names, record, fence))

    @asynccontextmanager
    async def lease(self, key: str) -> AsyncGenerator[None, None]:
        """Hold the right to fetch a token, for at most `lease_seconds`: one holder at a time.

        It is given back at the end; where that fails it ends by itself.

        Raises:
            TokenStoreError: It was not to be had within `wait` seconds, or Redis failed.
        """
        owner, deadline = secrets.token_hex(16), self._now() + self._wait
        try:
            while not (fence := await self._take(key, owner)):
                if self._now() >= deadline:
                    raise TokenStoreError(f"Others have held the lease in Redis at {self._place} for {self._wait:g} s.")
                await self._sleep(_POLL)
            self._remember(key, fence)
            yield
        finally:
            self._remember(key, None)
            await self._give_back(key, owner)

    async def aclose(self) -> None:
        """Close the connections opened here; a borrowed client stays open."""
        if self._borrowed or self._client is None:
            return
        client, self._client = self._client, None
        with suppress(Exception):  # there is nobody left to whom it matters
            async with asyncio.timeout(self._timeout):
                await client.aclose()

    def _beside(self, key: str, what: str) -> str:
        name = self._prefix + key
        return f"{name}:{what}" if "{" in name else f"{{{name}}}:{what}"

    def _remember(self, key: str, fence: int | None) -> None:
        held = {name: value for name, value in _fences.get().items() if name != (id(self), key)}
        _fences.set(held if fence is None else {**held, (id(self), key): fence})

    async def _take(self, key: str, owner: str) -> int:
        """Take the lease if it is free, and return its fence; else 0."""
        names, life = [self._beside(key, "lease"), self._beside(key, "fence")], max(1, int(self._lease_seconds * 1000))

        async def take(client: "Redis") -> int:
            return int(await _run(client, _TAKE, names, owner, life))

        return await self._ask("give a lease", take)

    async def _give_back(self, key: str, owner: str) -> None:
        names = [self._beside(key, "lease")]

        async def give_back(client: "Redis") -> None:
            await _run(client, _GIVE_BACK, names, owner)

        try:
            await self._ask("take a lease back", give_back)
        except TokenStoreError:
            _log.debug("a lease was not given back and ends by itself within %g s", self._lease_seconds)

    async def _ask(self, doing: str, operation: "Callable[[Redis], Awaitable[T]]") -> T:
        """Run a Redis command; a cancelled caller waits for the response, at most `timeout`.

        redis-py loses connections where it is cancelled, and a lease may have been taken by then.
        """
        return await to_the_end(self._guarded(doing, operation))

    async def _guarded(self, doing: str, operation: "Callable[[Redis], Awaitable[T]]") -> T:
        entered = self._breaker.enter()
        try:
            async with asyncio.timeout(self._timeout), self._slots:
                answer = await operation(self._connected())
        except asyncio.CancelledError:
            self._breaker.leave(entered, worked=None)
            raise
        except Exception as error:  # noqa: BLE001 - redis-py lets some through that are none of its own
            trouble = self._trouble(error)
        else:
            self._breaker.leave(entered, worked=True)
            return answer
        self._breaker.leave(entered, worked=False)
        # Outside of the handler: chained to it, the error of redis-py would show what was sent.
        raise TokenStoreError(f"Redis at {self._place} failed to {doing}: {trouble}.")

    def _trouble(self, error: Exception) -> str:
        """Describe an error by its class alone; its text may repeat the request."""
        name = type(error).__name__
        return f"no answer within {self._timeout:g} s" if name == "TimeoutError" else _TROUBLE.get(name, name)

    def _connected(self) -> "Redis":
        if self._client is None:
            self._client = self._open()
        return self._client
