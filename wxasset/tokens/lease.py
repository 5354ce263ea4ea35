"""The way of a token through a store: looked up, fetched by one at a time, kept if it is newer."""

import asyncio
import hashlib
import logging
import time
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import cached_property, partial
from typing import Final, TypeAlias, TypeGuard, TypeVar

from attrs import define, field

from wxasset.errors import Hint, TokenStoreError
from wxasset.tokens.claims import Claim, Pauses, claiming
from wxasset.tokens.records import TokenRecord
from wxasset.tokens.store import TokenStore
from wxasset.tokens.token import LONGEST, Token, usual_parameter

__all__ = ["SharedToken"]

T = TypeVar("T")
_Save: TypeAlias = Callable[[TokenRecord], Awaitable[bool]]

_log: Final = logging.getLogger("wxasset.tokens")
_KEY_LENGTH: Final = 32  # hexadecimal digits of a sha256: 128 bits
_PAUSE: Final = 0.25  # seconds between two looks at a store that restarts
_TRIES: Final = 3  # to keep a record against others who do so at the same time

_AT_ONCE: Final = 64
"""Accounts of a platform that fetch at once in one event loop: each holds a lease, with a descriptor of a file store.
The platform's own token is fetched beside them, as all of them wait for it."""
_TURNS: Final[weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]] = weakref.WeakKeyDictionary()

_SUPERSEDED: Final = Hint(
    "Bring the store back, or use the stable token: to fetch a classic token alone would end everybody else's.",
    "请恢复 token 存储，或改用稳定版 token：绕过存储单独获取普通 token 会使其他进程的 token 失效。",
)
_PLATFORM: Final = Hint(
    "Bring the store back. A third-party platform has no stable "
    "token: a token fetched without the store would end the"
    " one that other processes use, and a new refresh token would be lost.",
    "请恢复 token 存储。第三方平台没有稳定版 token："
    "绕过存储单独获取会使其他进程的 token 失效，并可能丢失新的 refresh_token。",
)
_OF_PLATFORMS: Final = ("component", "authorizer")  # kinds of accounts, in the first word of `account`


@define
class SharedToken:
    """The token of one account in a shared store.

    A store that fails never loses a token in hand. Where everybody gets the same token (stable) each process then
    fetches for itself; where a fetch ends the token before (classic) it waits for a store that is briefly away, for the
    `patience` of its error.

    Attributes:
        store: The store.
        account: Names the account and the kind of token.
        supersedes: Whether a fetch ends the token before.
        dependent: Whether a fetch needs the token of a platform; such fetches take turns.
        clock: Unix time in seconds.
    """

    store: TokenStore
    account: str
    supersedes: bool
    dependent: bool = False
    clock: Callable[[], float] = field(default=time.time)
    _version: int = field(default=0, init=False)
    _failing: bool = field(default=False, init=False)

    @cached_property
    def key(self) -> str:
        """The record's name in the store: it tells neither appid nor secret."""
        return hashlib.sha256(self.account.encode()).hexdigest()[:_KEY_LENGTH]

    async def obtain(
        self,
        usable: Callable[[TokenRecord], bool],
        fetch: Callable[[TokenRecord | None], Awaitable[Token]],
    ) -> TokenRecord | Token:
        """Return a record fetched by another process, or fetch a token and save it.

        Args:
            usable: Tells whether a record serves.
            fetch: Fetches a token, given the last known record.

        Raises:
            TokenStoreError: The store is down and a token of one's own would end everybody else's.
            WxAssetError: No token could be fetched.
        """
        async with AsyncExitStack() as stack:
            save: _Save = partial(self.store.save, self.key)
            last, under_lease = await self._looked_up(usable, stack)
            if self._serves(last, usable):
                return last
            save = under_lease or save
            asked_at = self.clock()
            token = await fetch(last)
            return await self._keep(token, asked_at, last, usable, save)

    async def _looked_up(
        self, usable: Callable[[TokenRecord], bool], stack: AsyncExitStack
    ) -> tuple[TokenRecord | None, _Save | None]:
        """Return the result of `_newest`, or nothing where a fetch without the store is harmless."""
        begun = time.monotonic()
        while True:
            try:
                return await self._newest(usable, stack)
            except TokenStoreError as error:
                if not self.supersedes or time.monotonic() - begun + _PAUSE > error.patience:
                    self._degrade(error)
                    return None, None
                self._report(error, f"waiting for it up to {error.patience:g} s")
            await asyncio.sleep(_PAUSE)

    async def _newest(
        self, usable: Callable[[TokenRecord], bool], stack: AsyncExitStack
    ) -> tuple[TokenRecord | None, _Save | None]:
        """Return the newest record; where it does not serve, also what saves one: the lease is held then.

        Whoever waits for another holder leaves its turn to other accounts.
        """
        store, turns = claiming(self.store), self._turns()
        known: Claim | None = None
        pauses: Pauses | None = None
        while True:
            if turns is not None and turns.locked() and self._serves(record := await self._load(), usable):
                return record, None  # those who fetch do not hold it up
            async with AsyncExitStack() as attempt:
                if turns is not None:
                    await attempt.enter_async_context(turns)
                claim = await attempt.enter_async_context(self._given_back(store.attempt(self.key, known)))
                record = self._sound(claim.record)
                if claim.save is not None or self._serves(record, usable):
                    stack.push_async_exit(attempt.pop_all())
                    return record, claim.save
            if claim.state == (None if known is None else known.state):
                pauses = pauses or store.pauses(self.key)
                await pauses.pause()
            known = claim

    async def _load(self) -> TokenRecord | None:
        """Return the record of the store; None without one, and for one with an impossible value."""
        return self._sound(await self.store.load(self.key))

    def _sound(self, record: TokenRecord | None) -> TokenRecord | None:
        """Return a record that the store gave, so that it works; None for one with an impossible value."""
        self._failing = False
        return record if record is not None and record.is_sound() else None

    def _serves(self, record: TokenRecord | None, usable: Callable[[TokenRecord], bool]) -> TypeGuard[TokenRecord]:
        """Return True for a record that serves; an older one is not used after it."""
        if record is None or record.version < self._version or not usable(record):
            return False
        self._version = record.version
        return True

    def _turns(self) -> asyncio.Semaphore | None:
        """Return the turns of the accounts of platforms; other tokens need none."""
        if not self.dependent:
            return None
        return _TURNS.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(_AT_ONCE))

    @asynccontextmanager
    async def _given_back(self, lease: AbstractAsyncContextManager[T]) -> AsyncGenerator[T, None]:
        """Hold a lease; a failed release does not lose the result."""
        held = await lease.__aenter__()
        try:
            yield held
        finally:
            try:
                await lease.__aexit__(None, None, None)
            except TokenStoreError as error:
                self._report(error)

    async def _keep(
        self,
        token: Token,
        asked_at: float,
        last: TokenRecord | None,
        usable: Callable[[TokenRecord], bool],
        save: _Save,
    ) -> TokenRecord | Token:
        """Save a token; a newer one of another process takes precedence.

        That is a token requested later, or saved by the process that got the lease after it was lost here.
        """
        try:
            for _ in range(_TRIES):
                version = max(self._version, last.version if last is not None else 0) + 1
                if await save(self._record(token, asked_at, version)):
                    self._version = version
                    return token
                last = await self._load()
                lost = last is None or last.version < version  # refused, although the version is higher
                newer = lost or (self.supersedes and last is not None and last.issued > asked_at)
                if last is not None and newer and usable(last):
                    self._version = last.version
                    return last
                if lost:
                    return (await self._successor(usable) if self.supersedes else None) or token
        except TokenStoreError as error:
            self._report(error)
        return token

    async def _successor(self, usable: Callable[[TokenRecord], bool]) -> TokenRecord | None:
        """Wait for the process that got the lost lease, and return its record: its token is the newer one."""
        async with self._given_back(self.store.lease(self.key)):
            record = await self._load()
            return record if self._serves(record, usable) else None

    def _record(self, token: Token, issued: float, version: int) -> TokenRecord:
        mode = self.account.partition(" ")[0]
        return TokenRecord(
            token=token.value,
            issued=issued,
            expires=issued + min(token.expires_in, LONGEST),
            version=version,
            mode=mode,
            refresh_token=token.refresh_token,
            parameter=None if token.parameter == usual_parameter(mode) else token.parameter,
        )

    def _degrade(self, error: TokenStoreError) -> None:
        self._report(error)
        if self.supersedes:
            raise TokenStoreError(
                f"The token store failed, and a token fetched without it would end the one that others use."
                f" ({error.message})",
                _PLATFORM if self.account.startswith(_OF_PLATFORMS) else _SUPERSEDED,
            ) from error

    def _report(self, error: TokenStoreError, then: str = "going on without it") -> None:
        """Log a failing store once, until it works again."""
        if not self._failing:
            _log.warning("the token store failed; %s: %s", then, error)
        self._failing = True
