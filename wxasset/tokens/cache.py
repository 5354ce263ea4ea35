"""The one place where a session's access token is kept, and the one lock around it."""

import asyncio
import copy
import logging
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from wxasset.errors import (
    TokenUnavailableError,
    UsageError,
    WxAssetError,
)
from wxasset.errors.classify import is_final
from wxasset.errors.frames import concealed
from wxasset.errors.text import printable
from wxasset.instrumentation.hooks import NO_HOOKS
from wxasset.tokens.flight import Flight
from wxasset.tokens.recorder import FetchRecorder
from wxasset.tokens.refusals import COOLDOWN, GuardedExchange, Refusals, session_exchange
from wxasset.tokens.store import TokenStore
from wxasset.tokens.token import Exchange, Token, TokenSource, seconds
from wxasset.transfer.deadlines import Deadlines
from wxasset.transfer.event_loop import LoopGuard

if TYPE_CHECKING:
    from wxasset.tokens.lease import SharedToken
    from wxasset.tokens.records import TokenRecord

__all__ = ["TokenCache"]

_log: Final = logging.getLogger("wxasset.tokens")

_ADVISORY: Final = 300.0
"""Seconds before its end at which a token is replaced while it still serves. WeChat renews a stable token in its last
5 minutes, and keeps an old one valid for as long (wire reference 1.1 and 1.2)."""
_JITTER: Final = 60.0  # seconds by which that is later, at random: not every process asks at once
_MANDATORY: Final = 60.0  # seconds before its end at which a token no longer serves: a call takes its time
_SHARES: Final = (0.25, 0.1)  # a short-lived token is replaced in the last quarter, and serves until the last tenth


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
        self._deadlines = Deadlines()
        self._flight: Flight | None = None
        self._token: Token | None = None
        self._previous: Token | None = None
        self._refresh_at = self._good_until = 0.0
        self._refusals = Refusals(now)
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
            from wxasset.tokens.lease import SharedToken  # noqa: PLC0415 - many sessions have no store

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
            WxAssetError: None can be had. All tasks that waited for the same fetch get the same error. For 30 seconds
                after a final refusal the same call of a token endpoint is not repeated: the store is read, a source
                may offer other credentials, and else the refusal is raised again.
            UsageError: Another running event loop uses this cache.
        """
        token = self.cached(exchange)
        if token is not None:
            return token
        while True:
            if self._refusal is not None and self._shared is None and self._now() < self._quiet_until:
                raise copy.copy(self._refusal)
            flight = self._flight or self._start(exchange)
            waiter = flight.wait()
            try:
                if patience is None:
                    await waiter
                else:
                    with self._deadlines.at(time.monotonic() + patience):
                        await waiter
            except TimeoutError:
                raise self._too_late(patience or 0.0) from None
            finally:
                flight.leave(waiter)
            if flight.token is not None and flight.token is self._token:
                return flight.token
            if isinstance(flight.error, UsageError) and session_exchange(flight.exchange) != session_exchange(exchange):
                continue  # that one was made with a session that is closed; ours is not
            if isinstance(flight.error, WxAssetError):
                # A copy: raising one instance in many tasks would grow one traceback without end.
                raise copy.copy(flight.error)
            if flight.error is not None:  # another's, which may not be copied
                raise flight.error.with_traceback(flight.origin)
            # Refused already, in a task that was quicker; or the session that fetched was closed: once more.

    def cached(self, exchange: Exchange) -> Token | None:
        """Return the cached token without waiting, and fetch the next one if it ends soon; None without a valid one.

        Args:
            exchange: Makes the calls of a fetch.

        Raises:
            UsageError: Another running event loop uses this cache.
        """
        self._bind()
        now = self._now()
        if self._token is None or now >= self._good_until:
            return None
        if now >= self._refresh_at and self._flight is None and now >= self._quiet_until:
            self._start(exchange)
        return self._token

    def reject(self, token: Token, error: WxAssetError | None = None) -> None:
        """Discard a token rejected by WeChat, unless it has been replaced already.

        Args:
            token: The token.
            error: The rejection, for calls made before another fetch is allowed.
        """
        if self._token is token:
            self._token = None
            self._refusals.reject(error)

    def accept(self, path: str) -> None:
        """Record that the token served a call of this path: its later rejection means that it was replaced."""
        self._refusals.accept(path)

    async def release(self, exchange: Exchange) -> None:
        """Cancel the fetch of a closing session."""
        self._bind()
        self._deadlines.close()
        flight = self._flight
        if flight is not None and session_exchange(flight.exchange) == exchange and flight.task is not None:
            flight.task.cancel()
            await asyncio.wait([flight.task])
        platform = getattr(self.source, "component", None)  # the cache that a third-party platform's accounts share
        if isinstance(platform, TokenCache):
            await platform.release(exchange)

    def _bind(self) -> None:
        """Drop the lock and the fetch of another loop or process."""
        if not self._guard.same() and self._guard.changed():
            self._lock, self._flight, self._deadlines = asyncio.Lock(), None, Deadlines()

    def _start(self, exchange: Exchange) -> Flight:
        flight = self._flight = Flight(exchange)
        flight.task = asyncio.create_task(self._fly(flight))
        return flight

    async def _fly(self, flight: Flight) -> None:
        guarded = GuardedExchange(flight.exchange, self._refusals)
        try:
            hooks = getattr(session_exchange(flight.exchange), "hooks", NO_HOOKS)
            with FetchRecorder(hooks, self.source) as watch:
                async with self._lock:
                    flight.token = await self._obtain(guarded, watch)
        except Exception as error:  # noqa: BLE001 - it is raised in every task that waits
            flight.error, flight.origin = error, error.__traceback__
            self._failed(error, guarded)
        else:
            self._refusal, self._quiet_until, self._told = None, 0.0, False
        finally:
            if self._flight is flight:
                self._flight = None
            flight.end()

    def _failed(self, error: Exception, guarded: GuardedExchange) -> None:
        """Record a failed fetch; while an old token still serves, it is logged once."""
        if self._refusal is None or not self._is_quiet():
            # None for a refusal that is remembered with its call, also by a platform, and for other failures.
            remembered = guarded.refused or isinstance(getattr(self.source, "component", None), TokenCache)
            final = isinstance(error, WxAssetError) and is_final(error) and not remembered
            self._refusal = error if final and isinstance(error, WxAssetError) else None
            if self._refusal is not None or self._token is not None:
                self._quiet_until = self._now() + COOLDOWN
        if self._token is not None and not self._told:
            _log.warning("the access token could not be renewed; the old one serves on: %s", printable(str(error)))
            self._told = True

    async def _obtain(self, guarded: GuardedExchange, watch: FetchRecorder) -> Token:
        asked_at = self._now()

        async def fetch(last: "TokenRecord | None") -> Token:
            if self._refusal is not None and self._is_quiet():
                raise copy.copy(self._refusal)
            previous = self._previous
            if last is not None and (previous is None or last.refresh_token):
                previous = Token(value=last.token, expires_in=0, refresh_token=last.refresh_token)
            return await self.source.fetch(guarded, previous=previous, rejected=self._refusals.rejection is not None)

        if self._shared is None:
            found = await fetch(None)
        else:
            kept = await self._shared.obtain(self._usable, fetch)
            if not isinstance(kept, Token):
                life, left = kept.expires - kept.issued, kept.left(self._clock())
                watch.got(left, shared=True)
                return self._adopt(_token(kept), self._now(), left, life)
            found = kept
        life = seconds(found.expires_in)
        watch.got(life, shared=False)
        return self._adopt(found, asked_at, life, life)

    def _usable(self, record: "TokenRecord") -> bool:
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
        self._refusals.rejection = None
        return token

    def _too_late(self, patience: float) -> WxAssetError:
        """Return the error for a token that did not come in time; a source may know the reason."""
        awaited: WxAssetError | None = getattr(self.source, "awaited", None)
        return awaited or TokenUnavailableError(
            f"No access token came in the {max(patience, 0):.3g} seconds that were left."
        )

    def _is_quiet(self) -> bool:
        """Return True in the 30 seconds after a refusal."""
        return self._now() < self._quiet_until


def _token(record: "TokenRecord") -> Token:
    return Token(
        value=record.token,
        expires_in=record.expires - record.issued,
        parameter=record.sent_as,
        refresh_token=record.refresh_token,
    )
