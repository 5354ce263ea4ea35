"""Tokens in Redis, for the processes of many hosts."""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

import anyio
from attrs import define, field

from wxasset.errors import Hint, TokenStoreError, UsageError
from wxasset.errors.frames import concealed
from wxasset.tokens import redis_records
from wxasset.tokens.breaker import Breaker
from wxasset.tokens.claims import Claim, Pauses
from wxasset.tokens.records import TokenRecord
from wxasset.tokens.redis_client import RedisClient, passes, place_of, require_redis, trouble_of
from wxasset.tokens.redis_records import ForeignValueError
from wxasset.tokens.store import run_shielded
from wxasset.wire.checks import check_number

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["RedisTokenStore"]

T = TypeVar("T")

_log: Final = logging.getLogger("wxasset.tokens")

_CONNECTIONS: Final = 16  # commands under way at once, and so connections; one command takes about 0.2 ms
_RESTART: Final = 8.0  # seconds; Redis restarts in about 1, and loads some GB in the others
_FOREIGN: Final = Hint(
    "Pass another prefix= or database, for wxasset alone; if the value is not needed, delete the key.",
    "请改用供 wxasset 专用的 prefix= 或库号；如果该值不再需要，请删除该 key。",
)

_fences: ContextVar[Mapping[tuple[int, str], int]] = ContextVar("_fences", default=MappingProxyType({}))
"""The fences of the leases that the running task holds, by store and key."""


@define(init=False, eq=False)
class RedisTokenStore:
    """Tokens in Redis, shared by the processes of many hosts.

    A record is JSON under ``<prefix><key>``; the lease and its counter are ``{<prefix><key>}:lease`` and
    ``{<prefix><key>}:fence``, which share its slot in a cluster. Redis keeps a record for an hour longer than its
    token lives, and one with a refresh token for good. It has to evict nothing (``maxmemory-policy noeviction``) and
    to be closed to everybody who may not have the tokens.

    After a failure Redis is left alone for 1 s, then for twice as long each time, up to 60 s; every call fails at once
    meanwhile. Where a token fetched without Redis would end the one of other processes, `TokenCache` waits for a Redis
    that restarts, up to 8 s and never longer than `wait`.

    Each event loop and process gets its own connections. Needs the extra ``redis``:
    ``pip install 'wxasset[redis]'``.

    Commands are sent below the method that Sentry and OpenTelemetry wrap: their breadcrumbs and spans have no token.
    The client of a cluster has no connection pool, and is called in the usual way: switch the Redis integration of an
    agent off there.
    """

    _place: str
    _prefix: str
    _timeout: float
    _lease_seconds: float
    _wait: float
    _now: Callable[[], float] = field(repr=False)
    _sleep: Callable[[float], Awaitable[object]] = field(repr=False)
    _breaker: Breaker = field(repr=False)
    _client: RedisClient = field(repr=False)

    @concealed
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
            wait: Maximum seconds to wait for a lease, and for a Redis that restarts.
            client: A client of your own in the place of `url`; it is borrowed and never closed.
            now: A clock in seconds, never set back.
            sleep: Waits for a number of seconds.

        Raises:
            UsageError: redis is not installed, or the URL is none.
        """
        require_redis("RedisTokenStore")
        place = place_of(url, client)
        self._place, self._prefix = place or "no address", prefix
        self._timeout, self._lease_seconds, self._wait = timeout, lease_seconds, wait
        self._now, self._sleep = now, sleep
        self._breaker = Breaker(self._place, now)
        self._client = RedisClient(
            "RedisTokenStore", url=url or "", client=client, timeout=timeout, connections=_CONNECTIONS
        )
        if place is None:
            raise UsageError("RedisTokenStore needs a URL such as redis://:password@host:6379/0, or client=.")
        check_number("timeout", timeout, above=0)
        check_number("lease_seconds", lease_seconds, above=0)
        check_number("wait", wait, at_least=0)

    async def load(self, key: str) -> TokenRecord | None:
        """Return the newest record, also an expired one; None if it is missing or damaged.

        Raises:
            TokenStoreError: Redis failed, did not answer within `timeout` seconds, or is left alone for a while; or the
                value was not written by this package.
        """
        name = self._prefix + key
        return await self._ask("load a token", lambda client: redis_records.load(client, name))

    async def save(self, key: str, record: TokenRecord) -> bool:
        """Save a record if its version is higher than the kept one (compare-and-set); return True if saved.

        Within a lease that was lost, and has been given to somebody else since, it is not kept either.

        Raises:
            TokenStoreError: As in `load`.
        """
        names = [self._prefix + key, self._beside(key, "fence")]
        fence = _fences.get().get((id(self), key))
        return await self._ask("save a token", lambda client: redis_records.save(client, names, record, fence))

    @asynccontextmanager
    async def lease(self, key: str) -> AsyncGenerator[None, None]:
        """Hold the right to fetch a token, for at most `lease_seconds`: one holder at a time.

        It is given back at the end; where that fails it ends by itself.

        Raises:
            TokenStoreError: It was not to be had within `wait` seconds, or Redis failed.
        """
        owner, pauses = secrets.token_hex(16), self.pauses(key)
        try:
            while not (fence := await self._take(key, owner)):
                await pauses.pause()
            self._remember(key, fence)
            yield
        finally:
            self._remember(key, None)
            await self._give_back(key, owner)

    @asynccontextmanager
    async def attempt(self, key: str, known: Claim | None) -> AsyncGenerator[Claim, None]:
        """Look at a record; take the lease if it is the `known` one, or missing, and nobody has the lease.

        One command does so, and one saves and gives the lease back.
        """
        names = [self._prefix + key, self._beside(key, "fence"), self._beside(key, "lease")]
        owner, life, held = secrets.token_hex(16), self._life(), True
        state = None if known is None else known.state

        async def save(record: TokenRecord) -> bool:
            nonlocal held
            saved = await self._ask(
                "save a token", lambda client: redis_records.save(client, names, record, fence, owner)
            )
            held = held and not saved
            return saved

        try:
            fence, data, record = await self._ask(
                "give a lease", lambda client: redis_records.look(client, names, owner, life, state)
            )
            held = fence > 0
            yield Claim(record, data, save if held else None)
        finally:
            if held:
                await self._give_back(key, owner)

    def pauses(self, key: str) -> Pauses:
        """Return the pauses of one who waits for a lease."""
        del key
        error = TokenStoreError(f"Others have held the lease in Redis at {self._place} for {self._wait:g} s.")
        return Pauses(lambda: error, self._wait, self._now, self._sleep)

    async def aclose(self) -> None:
        """Close the connections opened here; a borrowed client stays open."""
        with suppress(Exception):  # the connections are not used again
            async with asyncio.timeout(self._timeout):
                await self._client.aclose()

    def _beside(self, key: str, what: str) -> str:
        name = self._prefix + key
        return f"{name}:{what}" if "{" in name else f"{{{name}}}:{what}"

    def _remember(self, key: str, fence: int | None) -> None:
        held = {name: value for name, value in _fences.get().items() if name != (id(self), key)}
        _fences.set(held if fence is None else {**held, (id(self), key): fence})

    async def _take(self, key: str, owner: str) -> int:
        """Take the lease if it is free, and return its fence; else 0."""
        names, life = [self._beside(key, "lease"), self._beside(key, "fence")], self._life()
        return await self._ask("give a lease", lambda client: redis_records.take(client, names, owner, life))

    def _life(self) -> int:
        """Return the lifetime of a lease in milliseconds."""
        return max(1, int(self._lease_seconds * 1000))

    async def _give_back(self, key: str, owner: str) -> None:
        name = self._beside(key, "lease")
        try:
            await self._ask("take a lease back", lambda client: redis_records.give_back(client, name, owner))
        except TokenStoreError:
            _log.debug("a lease was not given back and ends by itself within %g s", self._lease_seconds)

    async def _ask(self, doing: str, operation: "Callable[[Redis], Awaitable[T]]") -> T:
        """Run a Redis command; a cancelled caller waits for the response, at most for two `timeout`.

        redis-py loses connections where it is cancelled, and a lease may have been taken by then.
        """
        return await run_shielded(self._guarded(doing, operation))

    async def _guarded(self, doing: str, operation: "Callable[[Redis], Awaitable[T]]") -> T:
        connected = self._client.get()
        async with connected.slots:  # of a thousand commands at once the last are not late
            return await self._within(doing, operation, connected.client)

    async def _within(self, doing: str, operation: "Callable[[Redis], Awaitable[T]]", client: "Redis") -> T:
        entered = self._breaker.enter()
        try:
            async with asyncio.timeout(self._timeout):
                answer = await operation(client)
        except asyncio.CancelledError:
            self._breaker.leave(entered, worked=None)
            raise
        except Exception as error:  # noqa: BLE001 - redis-py lets some through that are none of its own
            message, foreign = self._describe(doing, error), isinstance(error, ForeignValueError)
            patience = min(self._wait, _RESTART) if passes(error) else 0.0
        else:
            self._breaker.leave(entered, worked=True)
            return answer
        self._breaker.leave(entered, worked=foreign, patience=patience)
        # Outside of the handler: chained to it, the error of redis-py would show what was sent.
        raise TokenStoreError(message, _FOREIGN if foreign else None, patience=patience)

    def _describe(self, doing: str, error: Exception) -> str:
        """Describe an error by its class alone; its text may repeat the request."""
        if isinstance(error, ForeignValueError):
            return f"Redis at {self._place} is not used: {error}."
        trouble = trouble_of(type(error).__name__, self._timeout)
        return f"Redis at {self._place} failed to {doing}: {trouble}."
