"""Stores that share tokens with other processes and hosts, behind one protocol."""

import asyncio
import math
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import anyio

from wxasset.errors import TokenStoreError

if TYPE_CHECKING:
    from wxasset.tokens.records import TokenRecord

__all__ = ["KeyLocks", "MemoryTokenStore", "TokenStore", "run_shielded"]

T = TypeVar("T")


class TokenStore(Protocol):
    """Keeps the newest token of each account.

    Every method may raise `TokenStoreError`: the cache then goes on without the store as well as it can.
    """

    async def load(self, key: str) -> "TokenRecord | None":
        """Return the newest record, also an expired one; None if it is missing or unreadable."""
        ...

    async def save(self, key: str, record: "TokenRecord") -> bool:
        """Save a record if its version is higher than the kept one (compare-and-set); return True if saved."""
        ...

    def lease(self, key: str) -> AbstractAsyncContextManager[None]:
        """Hold the right to fetch a token: one holder at a time, among all who share the store.

        Waits for it; a holder that dies loses it, at once or after a bounded time.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections opened here."""
        ...


class MemoryTokenStore:
    """Tokens of this process, for several caches of one event loop."""

    def __init__(self) -> None:
        """Begin without any."""
        self._records: dict[str, TokenRecord] = {}

    async def load(self, key: str) -> "TokenRecord | None":
        """Return the newest record."""
        return self._records.get(key)

    async def save(self, key: str, record: "TokenRecord") -> bool:
        """Save a record if its version is higher than the kept one; return True if saved."""
        kept = self._records.get(key)
        if kept is not None and kept.version >= record.version:
            return False
        self._records[key] = record
        return True

    def lease(self, key: str) -> AbstractAsyncContextManager[None]:
        """Hold no lease: each cache fetches once for all its tasks, and the newest record wins."""
        del key
        return nullcontext()

    async def aclose(self) -> None:
        """Close no connection."""


_Locks: TypeAlias = "weakref.WeakValueDictionary[str, asyncio.Lock]"


class KeyLocks:
    """Locks between the tasks of one event loop, by key; a lock that nobody holds or awaits is dropped."""

    def __init__(self) -> None:
        """Begin without any."""
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Locks] = weakref.WeakKeyDictionary()

    @asynccontextmanager
    async def hold(self, key: str, patience: float, error: Callable[[], TokenStoreError]) -> AsyncGenerator[None, None]:
        """Hold the lock of a key.

        Args:
            key: The key.
            patience: Maximum seconds to wait for it.
            error: Describes the failure after that time.
        """
        locks = self._loops.setdefault(asyncio.get_running_loop(), weakref.WeakValueDictionary())
        lock = locks.get(key)
        if lock is None:
            lock = locks[key] = asyncio.Lock()
        try:
            async with asyncio.timeout(patience if math.isfinite(patience) else None):
                await lock.acquire()
        except TimeoutError:
            raise error() from None
        try:
            yield
        finally:
            lock.release()


async def run_shielded(work: Coroutine[Any, Any, T]) -> T:
    """Await short, bounded work to its end; a cancellation during it is raised afterwards.

    For what a store must know the outcome of: a lease that was taken has to be given back.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    with anyio.CancelScope(shield=True):
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as error:
                cancelled = error
    if cancelled is None:
        return task.result()
    if not task.cancelled():
        task.exception()  # looked at, or asyncio reports it as forgotten
    raise cancelled
