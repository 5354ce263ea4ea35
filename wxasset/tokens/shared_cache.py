"""One cache for a token source that several sessions were given without a `TokenCache`."""

import threading
import weakref
from collections.abc import Hashable
from typing import Final, TypeGuard

from wxasset.errors import WxAssetError
from wxasset.tokens.cache import TokenCache
from wxasset.tokens.store import TokenStore
from wxasset.tokens.token import Exchange, Token, TokenSource

__all__ = ["SharedCache"]


class SharedCache(TokenCache):
    """The cache of a source that was given without one: equal sources share their tokens.

    That is so for each API host and each running event loop; a session's store is used where there is one.
    """

    def __init__(self, source: TokenSource) -> None:
        """Keep the tokens of `source`."""
        super().__init__(source)
        self._store: TokenStore | None = None
        self._caches: dict[str, TokenCache] = {}

    def lend(self, store: TokenStore) -> None:
        """Use the first store of a session."""
        if self._store is None:
            self._store = store
            for cache in self._caches.values():
                cache.share(store)

    async def acquire(self, exchange: Exchange, *, patience: float | None = None) -> Token:
        """Return a valid token, as `TokenCache.acquire` does."""
        return await self._for(exchange).acquire(exchange, patience=patience)

    def reject(self, token: Token, error: WxAssetError | None = None) -> None:
        """Discard a token rejected by WeChat."""
        for cache in self._caches.values():
            cache.reject(token, error)

    def accept(self, path: str) -> None:
        """Record that the token served a call of this path."""
        for cache in self._caches.values():
            cache.accept(path)

    async def release(self, exchange: Exchange) -> None:
        """Cancel the fetch of a closing session."""
        await self._for(exchange).release(exchange)

    def _for(self, exchange: Exchange) -> TokenCache:
        """Return the cache for the API host of an exchange, and for the running loop."""
        host = _api(exchange)
        cache = self._caches.get(host)
        if cache is None or cache.elsewhere:
            # An exchange that is not a session's own names no host.
            cache = self._caches[host] = _cache_of(self.source, host) if host else TokenCache(self.source)
            if self._store is not None:
                cache.share(self._store)
        return cache


_CACHES: Final[weakref.WeakValueDictionary[Hashable, TokenCache]] = weakref.WeakValueDictionary()
_LOCK: Final = threading.Lock()


def _cache_of(source: TokenSource, host: str) -> TokenCache:
    """Return the cache of equal sources that no other running loop uses; it lives as long as it is used."""
    number, name = 0, _name(source)
    with _LOCK:
        while (cache := _CACHES.get((name, host, number))) is not None and cache.elsewhere:
            number += 1
        if cache is None:
            cache = _CACHES[name, host, number] = TokenCache(source)
        return cache


def _name(source: object) -> Hashable:
    """Return the source, or the id of one that cannot be hashed: its cache keeps it, and so the id."""
    return source if _has_hash(source) else id(source)


def _has_hash(value: object) -> TypeGuard[Hashable]:
    """Return True if a value can be hashed, with all that it holds."""
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _api(exchange: Exchange) -> str:
    """Return the API host of the session that lent an exchange."""
    while (inner := getattr(exchange, "exchange", None)) is not None:
        exchange = inner
    return str(getattr(exchange, "api", ""))
