"""Refresh tokens from the list of the accounts that authorized a third-party platform."""

import asyncio
import copy
import time
import weakref
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from attrs import define, field, frozen

from wxasset.calls.platform import AuthorizerPage
from wxasset.errors import UsageError, WxAssetError

__all__ = ["AuthorizerList", "RefreshToken", "list_of"]

_FRESH: Final = 60.0  # seconds for which a pass over the list is used
_INTERVAL: Final = 1.0
"""Seconds from one pass to the next. A platform may have 10,000 calls a day (wire reference 8.4), and 500 accounts fit
on a page."""
_MISSES: Final = 2  # passes in that time that an account gets for itself; then it waits for the next minute


@frozen
class RefreshToken:
    """A refresh token, kept out of `repr`."""

    value: str = field(repr=False)


@define(eq=False)
class AuthorizerList:
    """The list of one platform, for one event loop: accounts that lost their refresh tokens share a pass over it."""

    now: Callable[[], float] = time.monotonic
    _lock: asyncio.Lock = field(factory=asyncio.Lock)
    _begun: float = float("-inf")
    _listed: dict[str, RefreshToken] = field(factory=dict, repr=False)
    _failure: WxAssetError | None = None
    _missed: dict[str, list[float]] = field(factory=dict)

    async def find(
        self, appid: str, tried: Collection[RefreshToken], page: Callable[[int], Awaitable[AuthorizerPage]]
    ) -> RefreshToken | None:
        """Return a refresh token of an account that was not tried yet; None if the list has none.

        A pass begun before the question answers it if it has such a token. Else the list is read anew; an account
        that was missed twice in a minute waits for the next one.

        Args:
            appid: The account's appid.
            tried: Its refresh tokens that WeChat refused.
            page: Reads the page at an offset.

        Raises:
            WxAssetError: The list cannot be read.
        """
        asked_at = self.now()
        async with self._lock:
            found = self._untried(appid, tried)
            if found is None and self._begun < self._oldest(appid, asked_at):
                await self._read(page)
                found = self._untried(appid, tried)
            if found is None:
                self._missed.setdefault(appid, []).append(self.now())
                if self._failure is not None:
                    raise copy.copy(self._failure)
            return found

    def _untried(self, appid: str, tried: Collection[RefreshToken]) -> RefreshToken | None:
        if self.now() - self._begun > _FRESH:
            self._listed.clear()
        found = self._listed.get(appid)
        return None if found in tried else found

    def _oldest(self, appid: str, asked_at: float) -> float:
        """Return the time before which a pass does not prove that the list has no token of an account."""
        recent = [at for at in self._missed.get(appid, ()) if asked_at - at < _FRESH]
        self._missed[appid] = recent
        return asked_at if len(recent) < _MISSES or self._failure is not None else asked_at - _FRESH

    async def _read(self, page: Callable[[int], Awaitable[AuthorizerPage]]) -> None:
        """Read all pages. A failure is an answer too, for all accounts that asked before."""
        await asyncio.sleep(max(0.0, self._begun + _INTERVAL - self.now()))
        self._begun, self._failure = self.now(), None
        self._listed.clear()
        try:
            await self._read_pages(page)
        except BaseException as error:
            if isinstance(error, WxAssetError) and not isinstance(error, UsageError):
                self._failure = error
                return
            self._begun = float("-inf")  # cancelled, or the session is closed: the next account begins anew
            raise

    async def _read_pages(self, page: Callable[[int], Awaitable[AuthorizerPage]]) -> None:
        offset = 0
        while True:
            found = await page(offset)
            offset += len(found.items)
            for one in found.items:
                if one.refresh_token:
                    self._listed[one.authorizer_appid] = RefreshToken(one.refresh_token)
            if not found.items or offset >= found.total:
                return


_LISTS: Final[weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], AuthorizerList]]] = (
    weakref.WeakKeyDictionary()
)


def list_of(component_appid: str, host: str) -> AuthorizerList:
    """Return the list of a platform at an API host, for the running loop."""
    lists = _LISTS.setdefault(asyncio.get_running_loop(), {})
    return lists.setdefault((component_appid, host), AuthorizerList())
