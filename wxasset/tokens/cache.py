"""The one place where a session's access token is kept, and the one lock around it."""

import asyncio
import copy
import logging
import random
import time
from collections.abc import Callable
from typing import Final, TypeVar

from attrs import define, field

from wxasset.calls.base import Call
from wxasset.errors import (
    APIError,
    Hint,
    TokenUnavailableError,
    UsageError,
    WxAssetError,
)
from wxasset.errors.classify import is_final
from wxasset.errors.frames import concealed
from wxasset.errors.text import printable
from wxasset.instrumentation.hooks import NO_HOOKS
from wxasset.tokens.lease import SharedToken
from wxasset.tokens.recorder import FetchRecorder
from wxasset.tokens.store import TokenStore
from wxasset.tokens.token import Exchange, Token, TokenRecord, TokenSource, seconds
from wxasset.transfer.event_loop import LoopGuard

__all__ = ["TokenCache"]

R = TypeVar("R")

_log: Final = logging.getLogger("wxasset.tokens")

_ADVISORY: Final = 300.0
"""Seconds before its end at which a token is replaced while it still serves. WeChat renews a stable token in its last
5 minutes, and keeps an old one valid for as long (wire reference 1.1 and 1.2)."""
_JITTER: Final = 60.0  # seconds by which that is later, at random: not every process asks at once
_MANDATORY: Final = 60.0  # seconds before its end at which a token no longer serves: a call takes its time
_SHARES: Final = (0.25, 0.1)  # a short-lived token is replaced in the last quarter, and serves until the last tenth

_COOLDOWN: Final = 30.0
"""Seconds in which a source that was refused for good is not asked again. A change to the address list takes 20 to 30
to act (wire reference 0.5), and a forced refresh may be had every 30."""
_CALLS: Final = 2  # calls of one token endpoint within that time, while what they give is refused


@define(eq=False)
class _Flight:
    """A fetch in progress, in a task of the cache; any number of calls wait for it."""

    exchange: Exchange
    task: "asyncio.Task[None] | None" = None
    done: asyncio.Event = field(factory=asyncio.Event)
    token: Token | None = None
    error: Exception | None = None


def _check(name: str, value: object, method: str, kind: str) -> None:
    """Raise `UsageError` for an object of another kind; without its value, which may be a token."""
    if isinstance(value, type) or not callable(getattr(value, method, None)):
        what = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
        raise UsageError(f"{name}= must be {kind}, not {what}.")


class TokenCache:
    """An access token shared by the tasks of a session, by sessions, and through a store by processes and hosts.

    In the last minutes of a token one task fetches the next while nobody waits; in its last seconds all wait for that
    one fetch, and get what it got: the token, or the failure. Successive event loops use the same token.
    """

    @concealed
    def __init__(
        self,
        source: TokenSource,
        *,
        store: TokenStore | None = None,
        now: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Keep the tokens of `source`.

        Args:
            source: Where tokens come from.
            store: Where they are shared with others; it is borrowed, and not closed here.
            now: A monotonic clock in seconds, for the lifetime of tokens.
            clock: Unix time in seconds, for the records in a store.
        """
        _check("tokens", source, "fetch", 'a token source, such as StaticToken("...")')
        if store is not None:
            _check("store", store, "load", 'a TokenStore, such as FileTokenStore("tokens.json")')
        self.source = source
        self._now = now
        self._clock = clock
        self._shared: SharedToken | None = None
        if store is not None:
            self.share(store)
        self._guard = LoopGuard("TokenCache")
        self._lock = asyncio.Lock()
        self._flight: _Flight | None = None
        self._token: Token | None = None
        self._previous: Token | None = None
        self._refresh_at = self._good_until = 0.0
        self._rejection: WxAssetError | None = None
        self._calls: dict[str, list[float]] = {}
        self._refusal: WxAssetError | None = None
        self._quiet_until = 0.0
        self._told = False

    @property
    def elsewhere(self) -> bool:
        """True while another running event loop uses this cache."""
        return self._guard.elsewhere()

    def share(self, store: TokenStore) -> None:
        """Share the tokens through a store, unless there is one."""
        account, platform = getattr(self.source, "account", None), getattr(self.source, "component", None)
        if account and self._shared is None:
            supersedes = bool(getattr(self.source, "supersedes", False))
            self._shared = SharedToken(store, account, supersedes, isinstance(platform, TokenCache), self._clock)
        lend = getattr(platform, "lend", None)  # of a platform that was given without a `TokenCache`
        if lend is not None:
            lend(store)

    async def acquire(self, exchange: Exchange, *, patience: float | None = None) -> Token:
        """Return a valid token; fetch one if necessary.

        Args:
            exchange: Makes the calls of a fetch.
            patience: Seconds to wait for it, or None; the fetch goes on for others.

        Raises:
            TokenUnavailableError: None came in this time.
            WxAssetError: None can be had. Everybody who waited for the same fetch gets the same error, and so does
                everybody in the 30 seconds after the source was refused for good.
            UsageError: Another running event loop uses this cache.
        """
        self._bind()
        now = self._now()
        if self._token is not None and now < self._good_until:
            if now >= self._refresh_at and self._flight is None and now >= self._quiet_until:
                self._start(exchange)
            return self._token
        while True:
            if self._refusal is not None and self._now() < self._quiet_until:
                raise copy.copy(self._refusal)
            flight = self._flight or self._start(exchange)
            await _within(patience, flight.done)
            if flight.token is not None and flight.token is self._token:
                return flight.token
            if isinstance(flight.error, UsageError) and _root(flight.exchange) != _root(exchange):
                continue  # that one was made with a session that is closed; ours is not
            if isinstance(flight.error, WxAssetError):
                # A copy: raising one instance in many tasks would grow one traceback without end.
                raise copy.copy(flight.error)
            if flight.error is not None:
                raise flight.error
            # Refused already, in a task that was quicker; or the session that fetched was closed: once more.

    def reject(self, token: Token, error: WxAssetError | None = None) -> None:
        """Discard a token rejected by WeChat, unless it has been replaced already.

        Args:
            token: The token.
            error: The rejection, for calls made before another fetch is allowed.
        """
        if self._token is token:
            self._token = None
            self._rejection = error or TokenUnavailableError("WeChat refused the access token.")

    async def release(self, exchange: Exchange) -> None:
        """Cancel the fetch of a closing session."""
        self._bind()
        flight = self._flight
        if flight is not None and _root(flight.exchange) == exchange and flight.task is not None:
            flight.task.cancel()
            await asyncio.wait([flight.task])
        platform = getattr(self.source, "component", None)  # the cache that a third-party platform's accounts share
        if isinstance(platform, TokenCache):
            await platform.release(exchange)

    def _bind(self) -> None:
        """Drop the lock and the fetch of another loop or process."""
        if self._guard.changed():
            self._lock, self._flight = asyncio.Lock(), None

    def _start(self, exchange: Exchange) -> _Flight:
        flight = self._flight = _Flight(exchange)
        flight.task = asyncio.create_task(self._fly(flight))
        return flight

    async def _fly(self, flight: _Flight) -> None:
        try:
            hooks = getattr(_root(flight.exchange), "hooks", NO_HOOKS)
            with FetchRecorder(hooks, self.source) as watch:
                async with self._lock:
                    flight.token = await self._obtain(flight.exchange, watch)
        except Exception as error:  # noqa: BLE001 - it is raised in every task that waits
            flight.error = error
            self._failed(error)
        else:
            self._refusal, self._quiet_until, self._told = None, 0.0, False
        finally:
            if self._flight is flight:
                self._flight = None
            flight.done.set()

    def _failed(self, error: Exception) -> None:
        """Record a failed fetch; while an old token still serves, it is logged once."""
        # None for a failure of another kind: the remembered refusal is over.
        self._refusal = error if isinstance(error, WxAssetError) and is_final(error) else None
        if self._refusal is not None or self._token is not None:
            self._quiet_until = self._now() + _COOLDOWN
        if self._token is not None and not self._told:
            _log.warning("the access token could not be renewed; the old one serves on: %s", printable(str(error)))
            self._told = True

    async def _obtain(self, exchange: Exchange, watch: FetchRecorder) -> Token:
        asked_at = self._now()

        async def fetch(last: TokenRecord | None) -> Token:
            previous = self._previous
            if last is not None and (previous is None or last.refresh_token):
                previous = Token(value=last.token, expires_in=0, refresh_token=last.refresh_token)
            counted = _Counted(exchange, self._count)
            return await self.source.fetch(counted, previous=previous, rejected=self._rejection is not None)

        found = await self._shared.obtain(self._usable, fetch) if self._shared is not None else await fetch(None)
        if isinstance(found, TokenRecord):
            life, left = found.expires - found.issued, found.left(self._clock())
            watch.got(left, shared=True)
            return self._adopt(_token(found), self._now(), left, life)
        life = seconds(found.expires_in)
        watch.got(life, shared=False)
        return self._adopt(found, asked_at, life, life)

    def _usable(self, record: TokenRecord) -> bool:
        """Return True for a valid record other than the current and the rejected token."""
        if self._previous is not None and record.token == self._previous.value:
            return False
        life = record.expires - record.issued
        return record.left(self._clock()) > min(_MANDATORY, life * _SHARES[1])

    def _adopt(self, token: Token, since: float, left: float, life: float) -> Token:
        advisory = min(_ADVISORY - _JITTER * random.random(), life * _SHARES[0])  # noqa: S311 - spreads load
        self._refresh_at = since + left - advisory
        self._good_until = since + left - min(_MANDATORY, life * _SHARES[1])
        self._token = self._previous = token
        self._rejection = None
        return token

    def _count(self, call: Call[object]) -> None:
        """Limit calls of a token endpoint while its tokens are rejected: its quota is shared.

        Raises:
            WxAssetError: The last refusal.
        """
        now, path = self._now(), call.route.path
        recent = [at for at in self._calls.get(path, ()) if now - at < _COOLDOWN]
        if self._rejection is not None and len(recent) >= _CALLS:
            raise _held_back(self._rejection)
        self._calls[path] = [*recent, now]


@define(eq=False)
class _Counted:
    """Count and limit the calls of a token endpoint."""

    exchange: Exchange
    _count: Callable[[Call[object]], None]

    async def __call__(self, call: Call[R], /) -> R:
        self._count(call)
        return await self.exchange(call)


async def _within(patience: float | None, done: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(patience):
            await done.wait()
    except TimeoutError:
        raise TokenUnavailableError(
            f"No access token came in the {max(patience or 0, 0):.3g} seconds that were left."
        ) from None


def _root(exchange: Exchange) -> Exchange:
    """Return the exchange of the session, also behind the exchange of a platform's cache."""
    while isinstance(exchange, _Counted):
        exchange = exchange.exchange
    return exchange


def _token(record: TokenRecord) -> Token:
    return Token(value=record.token, expires_in=record.expires - record.issued, refresh_token=record.refresh_token)


def _held_back(rejection: WxAssetError) -> WxAssetError:
    if isinstance(rejection, APIError):
        return copy.copy(rejection)
    return TokenUnavailableError(
        f"WeChat refuses each token that is issued; the next one is fetched in up to {_COOLDOWN:g} seconds.",
        Hint(
            "See that the appid is that of the account that is called, and that nothing else keeps fetching tokens.",
            "请确认 appid 与被调用账号一致，且没有其他程序在反复获取 token。",
        ),
    )
