"""Sources of access tokens that WeChat issues for a credential, and of none at all."""

import math
import time
from collections.abc import Callable
from typing import Final

from attrs import define, field, frozen

from wxasset.errors import Hint, TokenUnavailableError
from wxasset.errors.frames import conceals_arguments
from wxasset.tokens.token import Exchange, Token
from wxasset.tokens.validation import credential, is_same, issued
from wxasset.wire.values import Value

__all__ = ["NoToken", "StableToken"]

# wire reference 1.2: a forced refresh within 30 s of the last one has no effect but counts, and a day has 20.
_FORCE_INTERVAL: Final = 30.0
_FORCED_A_DAY: Final = 20
_DAY: Final = 86_400.0

_LISTED: Final = Hint(
    "In the console of WeChat cloud hosting (cloud.weixin.qq.com/cloudrun/openapi) switch on 开放接口服务, list the"
    " API's path under 云调用 - 微信令牌权限配置, and deploy a new version; with the service off use"
    " CloudHostingToken(), and outside of the container StableToken(appid, secret).",
    "请在微信云托管控制台（cloud.weixin.qq.com/cloudrun/openapi）开启「开放接口服务」，"
    "在「云调用 - 微信令牌权限配置」中加入该接口路径，并重新发布版本；"
    "不使用该服务时请用 CloudHostingToken()，容器外请用 StableToken(appid, secret)。",
)


@conceals_arguments
@define(eq=False, repr=False)
class StableToken(Value):
    """The token of ``/cgi-bin/stable_token``: the same one for all callers, renewed in time by WeChat.

    A refresh is forced only where normal mode brings back the very token that was refused, 30 seconds after the last
    one at the earliest, and 20 times in 24 hours at the most. This counts what is forced here: processes that share
    an account share a ration as well.

    Source: https://developers.weixin.qq.com/doc/service/api/base/api_getstableaccesstoken.html
    """

    appid: str = field(validator=credential)
    secret: str = field(validator=credential, repr=False)
    _now: Callable[[], float] = field(default=time.monotonic, kw_only=True, repr=False)
    _forced: list[float] = field(factory=list, init=False, repr=False, eq=False)

    @property
    def account(self) -> str:
        """Names the account and the kind of token."""
        return f"stable {self.appid}"

    @property
    def supersedes(self) -> bool:
        """True: all callers get the same token."""
        return False

    async def fetch(self, exchange: Exchange, *, previous: Token | None, rejected: bool) -> Token:
        """Ask in normal mode; force a refresh only if it returns the rejected token.

        Where the ration allows none, the refused token is returned: WeChat's own refusal of it says more than an
        error made here.
        """
        token = await self._ask(exchange, force=False)
        if not (rejected and is_same(token, previous) and self._may_force()):
            return token
        self._forced.append(self._now())
        return await self._ask(exchange, force=True)

    def _may_force(self) -> bool:
        now = self._now()
        self._forced = [at for at in self._forced if now - at < _DAY]
        return not self._forced or (len(self._forced) < _FORCED_A_DAY and now - self._forced[-1] >= _FORCE_INTERVAL)

    async def _ask(self, exchange: Exchange, *, force: bool) -> Token:
        from wxasset.calls.tokens import GetStableAccessToken  # noqa: PLC0415 - a session with a cached token fetches none

        call = GetStableAccessToken(appid=self.appid, secret=self.secret, force_refresh=force)
        reply = await exchange(call)
        return issued(Token(value=reply.access_token, expires_in=reply.expires_in), call.route.path)


@frozen(eq=False, repr=False)
class NoToken(Value):
    """No token: for containers of WeChat cloud hosting with 开放接口服务 switched on.

    Its sidecar answers for ``http://api.weixin.qq.com``, without TLS, and adds the token. The paths have to be listed
    in the console (云调用 - 微信令牌权限配置): others get `NotListedError` or 85107. With the service off, use
    `CloudHostingToken` instead: a container has one or the other.

    Source: https://developers.weixin.qq.com/minigame/dev/wxcloudrun/src/guide/weixin/open.md
    """

    @property
    def in_hosting(self) -> bool:
        """True: calls from inside cloud hosting may use plain http."""
        return True

    async def fetch(self, exchange: Exchange, *, previous: Token | None, rejected: bool) -> Token:
        """Return an empty token; it is not sent.

        Raises:
            TokenUnavailableError: WeChat refused a call for want of one.
        """
        del exchange, previous
        if rejected:
            raise TokenUnavailableError(
                "WeChat wants a token for this call: it did not come through 开放接口服务, or its path is not listed"
                " there.",
                _LISTED,
            )
        return Token(value="", expires_in=math.inf, parameter="")
