"""The one place where a session's access token is kept, and the one lock around it."""

import asyncio
import copy
import time
from collections.abc import Callable
from typing import Final

from wxasset.errors import WxAssetError
from wxasset.tokens.token import Exchange, Token, TokenSource

__all__ = ["TokenCache"]

_MARGIN: Final = 60.0
"""Seconds before its end at which a token is replaced: longer than a call takes. WeChat keeps the old token valid
for 5 minutes beside the new one (wire reference 1.1)."""
_MARGIN_SHARE: Final = 0.1  # a short-lived token is replaced in the last tenth of its life


class TokenCache:
    """An access token shared by every task of a session, and by several sessions of one account.

    One task fetches while the others wait, and all of them get what it got: the token, or the failure.
    Belongs to one event loop.
    """

    def __init__(self, source: TokenSource, *, now: Callable[[], float] = time.monotonic) -> None:
        """Keep the tokens of `source`.

        Args:
            source: Where tokens come from.
            now: A clock in seconds that never steps back.
        """
        self._source = source
        self._now = now
        self._lock = asyncio.Lock()
        self._token: Token | None = None
        self._good_until = 0.0
        self._previous: Token | None = None
        self._rejected = False
        self._failures = 0
        self._failure: WxAssetError | None = None

    async def acquire(self, exchange: Exchange) -> Token:
        """Return a token that is good for a call; fetch one if need be.

        Raises:
            WxAssetError: None can be had. Everybody who waited for the same fetch gets the same error.
        """
        if (token := self._usable()) is not None:
            return token
        failures = self._failures
        async with self._lock:
            if (token := self._usable()) is not None:
                return token
            if failures != self._failures and self._failure is not None:
                # A copy: raising one instance in many tasks would grow one traceback without end.
                raise copy.copy(self._failure)
            return await self._fetch(exchange)

    def reject(self, token: Token) -> None:
        """Forget a token that WeChat refused, unless it has been replaced already."""
        if self._token is token:
            self._token, self._rejected = None, True

    def _usable(self) -> Token | None:
        return self._token if self._token is not None and self._now() < self._good_until else None

    async def _fetch(self, exchange: Exchange) -> Token:
        asked_at = self._now()
        try:
            token = await self._source.fetch(exchange, previous=self._previous, rejected=self._rejected)
        except WxAssetError as error:
            self._failure = error
            self._failures += 1
            raise
        margin = min(_MARGIN, token.expires_in * _MARGIN_SHARE)
        self._token = self._previous = token
        self._rejected, self._failure = False, None
        self._good_until = asked_at + token.expires_in - margin
        return token
