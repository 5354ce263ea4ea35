"""Sources of access tokens: one small class for each of WeChat's ways to get one."""

import time
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from attrs import Attribute, define, field, frozen

from wxasset.calls.base import Call
from wxasset.calls.token import GetAccessToken, GetStableAccessToken, IssuedToken
from wxasset.errors import DecodeError, UsageError

__all__ = ["ClassicToken", "Exchange", "StableToken", "Token", "TokenSource"]

R = TypeVar("R")

# A forced refresh within 30 s of the last one has no effect but counts against 20 a day (wire reference 1.2).
_FORCE_INTERVAL: Final = 30.0


class Exchange(Protocol):
    """Makes a declared call; the engine's own way to do so, lent to a source."""

    async def __call__(self, call: Call[R], /) -> R:
        """Make the call and return its reply."""
        ...


@frozen(kw_only=True)
class Token:
    """An access token in hand.

    Attributes:
        value: The token itself. It is kept out of `repr`; keep it out of logs.
        expires_in: Seconds of life that it had when it was issued.
        parameter: The query parameter that it rides in.
    """

    value: str = field(repr=False)
    expires_in: float
    parameter: str = "access_token"


class TokenSource(Protocol):
    """Where a `TokenCache` gets its tokens from."""

    async def fetch(self, exchange: Exchange, *, rejected: Token | None) -> Token:
        """Get a token.

        Args:
            exchange: Makes the calls that this takes.
            rejected: The last token, where WeChat refused it before its time; None where it ran out or there was none.

        Raises:
            WxAssetError: None can be had; the error says why.
        """
        ...


def _credential(instance: object, attribute: "Attribute[str]", value: object) -> None:
    del instance
    if not isinstance(value, str) or not value.strip():
        raise UsageError(
            f"{attribute.name} is missing: pass it to WxSession(appid, secret), or set WXASSET_APPID and"
            " WXASSET_SECRET and use WxSession.from_env().",
        )


@frozen
class ClassicToken:
    """The token of ``/cgi-bin/token``: 2,000 fetches a day, and each fetch supersedes the token before.

    Use it only where nothing else fetches tokens for the account; `StableToken` is safer.
    Source: https://developers.weixin.qq.com/doc/service/api/base/api_getaccesstoken.html
    """

    appid: str = field(validator=_credential)
    secret: str = field(validator=_credential, repr=False)

    async def fetch(self, exchange: Exchange, *, rejected: Token | None) -> Token:
        """Fetch a new token; the old one is superseded, whether it was refused or not."""
        del rejected
        call = GetAccessToken(appid=self.appid, secret=self.secret)
        return _token(await exchange(call), call)


@define
class StableToken:
    """The token of ``/cgi-bin/stable_token``: the same one for everybody who asks, renewed in time by WeChat.

    Source: https://developers.weixin.qq.com/doc/service/api/base/api_getstableaccesstoken.html
    """

    appid: str = field(validator=_credential)
    secret: str = field(validator=_credential, repr=False)
    _now: Callable[[], float] = field(default=time.monotonic, kw_only=True, repr=False)
    _forced_at: float | None = field(default=None, init=False, repr=False)

    async def fetch(self, exchange: Exchange, *, rejected: Token | None) -> Token:
        """Ask in normal mode, and force a refresh only where that brings back the very token that was refused."""
        token = await self._ask(exchange, force=False)
        if rejected is None or token.value != rejected.value or not self._may_force():
            return token
        self._forced_at = self._now()
        return await self._ask(exchange, force=True)

    def _may_force(self) -> bool:
        return self._forced_at is None or self._now() - self._forced_at >= _FORCE_INTERVAL

    async def _ask(self, exchange: Exchange, *, force: bool) -> Token:
        call = GetStableAccessToken(appid=self.appid, secret=self.secret, force_refresh=force)
        return _token(await exchange(call), call)


def _token(issued: IssuedToken, call: Call[IssuedToken]) -> Token:
    path = call.route.path
    if not issued.access_token.strip() or issued.expires_in <= 0:
        raise DecodeError(
            f"{path} issued an empty token, or one without a life (expires_in {issued.expires_in}).", path
        )
    return Token(value=issued.access_token, expires_in=issued.expires_in)
