"""Limits on the calls of a token endpoint while WeChat refuses them, or the tokens that they return."""

import copy
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from wxasset.calls.base import Call
from wxasset.errors import APIError, Hint, TokenUnavailableError, WxAssetError
from wxasset.errors.classify import is_final
from wxasset.tokens.token import Exchange

__all__ = ["COOLDOWN", "GuardedExchange", "Refusals", "session_exchange"]

R = TypeVar("R")

COOLDOWN: Final = 30.0
"""Seconds in which a call of a token endpoint that was refused for good is not repeated. A change to the address list
takes 20 to 30 to act (wire reference 0.5), and a forced refresh may be had every 30."""
_FETCHES: Final = 2  # fetches within that time, while what they give is refused and has served no call
_REPLACED: Final = 20  # the same for tokens that served: they were superseded, or ended by a new authorization
_EXPIRED: Final = 42001  # time has passed: a token that served is replaced without a limit


class Refusals:
    """The refusals of the last 30 seconds, for the fetches of one token cache.

    Attributes:
        now: A monotonic clock in seconds.
        rejection: The rejection of the last token; None after the next fetch.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Begin without any."""
        self.now: Callable[[], float] = now
        self.rejection: WxAssetError | None = None
        self._limit = _FETCHES
        self._fetched_at: list[float] = []
        self._serving: set[str] = set()
        self._refused: list[tuple[Call[Any], WxAssetError, float]] = []

    def accept(self, path: str) -> None:
        """Record that a token served a call of this path: its later rejection means that it was replaced."""
        self._serving.add(path)

    def reject(self, error: WxAssetError | None) -> None:
        """Record the rejection of a token, and set the number of fetches allowed in 30 seconds."""
        self.rejection = error or TokenUnavailableError("WeChat refused the access token.")
        path = getattr(error, "path", "")
        self._limit = _REPLACED if path in self._serving else _FETCHES
        if path in self._serving and getattr(error, "errcode", 0) == _EXPIRED:
            self._fetched_at.clear()
        self._serving.discard(path)  # a path that rejects the next token as well has not accepted it

    def count(self) -> None:
        """Count a fetch; limit fetches while their tokens are rejected, since the quota is shared.

        Raises:
            WxAssetError: The last rejection.
        """
        now = self.now()
        recent = [at for at in self._fetched_at if now - at < COOLDOWN]
        if self.rejection is not None and len(recent) >= self._limit:
            raise _held_back(self.rejection)
        self._fetched_at = [*recent, now]

    def check(self, call: Call[Any]) -> None:
        """Raise the refusal of this very call again, with the same credentials, for 30 seconds."""
        now = self.now()
        self._refused = [one for one in self._refused if now < one[2]]
        for known, refusal, _ in self._refused:
            if known == call:
                raise copy.copy(refusal)

    def remember(self, call: Call[Any], refusal: WxAssetError) -> None:
        """Remember a final refusal for 30 seconds, together with the call and its credentials."""
        self._refused.append((call, refusal, self.now() + COOLDOWN))


class GuardedExchange:
    """The exchange of one fetch: its first call counts as a fetch, and a call refused for good is not repeated.

    Attributes:
        exchange: The exchange of a session, or of the fetch that needs this one.
        refused: Whether a call of this fetch was refused for good, now or before.
    """

    def __init__(self, exchange: Exchange, refusals: Refusals) -> None:
        """Begin a fetch."""
        self.exchange: Exchange = exchange
        self.refused: bool = False
        self._refusals = refusals
        self._counted = False

    async def __call__(self, call: Call[R], /) -> R:
        """Make a call."""
        try:
            self._refusals.check(call)
            if not self._counted:
                self._refusals.count()
                self._counted = True
        except WxAssetError:
            self.refused = True
            raise
        try:
            return await self.exchange(call)
        except WxAssetError as error:
            if is_final(error):
                self.refused = True
                self._refusals.remember(call, error)
            raise


def session_exchange(exchange: Exchange) -> Exchange:
    """Return the exchange of the session, also behind the exchange of a platform's cache."""
    while isinstance(exchange, GuardedExchange):
        exchange = exchange.exchange
    return exchange


def _held_back(rejection: WxAssetError) -> WxAssetError:
    if isinstance(rejection, APIError):
        return copy.copy(rejection)
    return TokenUnavailableError(
        f"WeChat refuses each token that is issued; the next one is fetched in up to {COOLDOWN:g} seconds.",
        Hint(
            "See that the appid is that of the account that is called, and that nothing else keeps fetching tokens.",
            "请确认 appid 与被调用账号一致，且没有其他程序在反复获取 token。",
        ),
    )
