"""Sources of access tokens: one small class for each of WeChat's ways to get one."""

import time
from collections.abc import Callable
from typing import Final

from attrs import Attribute, define, field, frozen

from wxasset.calls.base import Call
from wxasset.calls.token import GetAccessToken, GetStableAccessToken, IssuedToken
from wxasset.errors import DecodeError, UsageError
from wxasset.tokens.token import Exchange, Token

__all__ = ["ClassicToken", "StableToken"]

# A forced refresh within 30 s of the last one has no effect but counts against 20 a day (wire reference 1.2).
_FORCE_INTERVAL: Final = 30.0


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

    @property
    def account(self) -> str:
        """Names the account and the kind of token."""
        return f"classic {self.appid}"

    @property
    def supersedes(self) -> bool:
        """A fetch ends the token before, 5 minutes later."""
        return True

    async def fetch(self, exchange: Exchange, *, previous: Token | None, rejected: bool) -> Token:
        """Fetch a new token; the old one is superseded, whether it was refused or not."""
        del previous, rejected
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

    @property
    def account(self) -> str:
        """Names the account and the kind of token."""
        return f"stable {self.appid}"

    @property
    def supersedes(self) -> bool:
        """Everybody who fetches gets the same token."""
        return False

    async def fetch(self, exchange: Exchange, *, previous: Token | None, rejected: bool) -> Token:
        """Ask in normal mode, and force a refresh only where that brings back the very token that was refused."""
        token = await self._ask(exchange, force=False)
        refused = rejected and previous is not None and token.value == previous.value
        if not refused or not self._may_force():
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
