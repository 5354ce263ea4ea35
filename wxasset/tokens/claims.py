"""The right to fetch the token of an account: looked up and taken in one step, and waited for in pauses."""

import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Final, Protocol, runtime_checkable

from attrs import define, field, frozen

from wxasset.errors import TokenStoreError
from wxasset.tokens.records import TokenRecord
from wxasset.tokens.store import TokenStore

__all__ = ["Claim", "Claiming", "Pauses", "claiming"]

_FIRST: Final = 0.05  # seconds; a fetch, which the holder makes meanwhile, takes about 0.1
_LONGER: Final = 1.5  # nobody waits much longer than the fetch takes
_LONGEST: Final = 0.5  # seconds: a thousand tasks that wait leave the machine to those who fetch


@frozen
class Claim:
    """A look at the record of an account, and the lease if it was taken.

    Attributes:
        record: The newest record.
        state: What the store keeps, for a later look: it is equal as long as nobody has saved.
        save: Saves a record, and gives the lease back if it was saved; None without the lease.
    """

    record: TokenRecord | None = field(repr=False)
    state: object = field(repr=False)
    save: Callable[[TokenRecord], Awaitable[bool]] | None = None


@define
class Pauses:
    """Pauses between looks at what others hold: longer each time, and not the same in two processes.

    Attributes:
        error: Describes the failure, after `most` seconds.
        most: Maximum seconds in sum.
        now: A clock in seconds, never set back.
        sleep: Waits for a number of seconds.
    """

    error: Callable[[], TokenStoreError]
    most: float
    now: Callable[[], float]
    sleep: Callable[[float], Awaitable[object]]
    _next: float = field(default=_FIRST, init=False)
    _spent: float = field(default=0.0, init=False)

    async def pause(self) -> None:
        """Wait for a while; the time between two pauses does not count.

        Raises:
            TokenStoreError: The time is over.
        """
        if self._spent >= self.most:
            raise self.error()
        begun = self.now()
        await self.sleep(self._next * (1 - random.random() / 2))  # noqa: S311 - spreads load
        self._spent += self.now() - begun
        self._next = min(self._next * _LONGER, _LONGEST)


@runtime_checkable
class Claiming(Protocol):
    """The part of a store that looks and takes in one step; `TokenStore` is the part for everybody."""

    def attempt(self, key: str, known: Claim | None) -> AbstractAsyncContextManager[Claim]:
        """Look at a record; take the lease if it is the `known` one, or missing, and nobody has the lease."""
        ...

    def pauses(self, key: str) -> Pauses:
        """Return the pauses of one who waits for a lease."""
        ...


def claiming(store: TokenStore) -> Claiming:
    """Return a store that can do so, or one that does it with several calls of another store."""
    return store if isinstance(store, Claiming) else _Stepwise(store)


@frozen
class _Stepwise:
    """Looks and takes with the methods of `TokenStore`; its lease waits by itself."""

    store: TokenStore

    @asynccontextmanager
    async def attempt(self, key: str, known: Claim | None) -> AsyncGenerator[Claim, None]:
        """Look at a record; wait for the lease if it is the `known` one, or missing."""
        record = await self.store.load(key)
        if record != (known.state if known is not None else None):
            yield Claim(record, record)
            return
        async with self.store.lease(key):
            record = await self.store.load(key)
            yield Claim(record, record, partial(self.store.save, key))

    def pauses(self, key: str) -> Pauses:
        """Return no pauses: none are made."""
        raise NotImplementedError(key)
