"""Sources of access tokens of one account: one small class for each way."""

import math
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from attrs import Attribute, define, field, frozen

from wxasset.errors import Hint, TokenUnavailableError, UsageError
from wxasset.errors.frames import conceals_arguments
from wxasset.tokens.token import Exchange, Token, is_placeholder, is_token
from wxasset.tokens.validation import TokenParameter, ask, filled, is_async, is_life, issued, parameter_name, positive
from wxasset.wire.values import Value

__all__ = ["CallableToken", "ClassicToken", "NoToken", "StableToken", "StaticToken"]

# wire reference 1.2: a forced refresh within 30 s of the last one has no effect but counts, and a day has 20.
_FORCE_INTERVAL: Final = 30.0
_FORCED_A_DAY: Final = 20
_DAY: Final = 86_400.0

_CENTRAL: Final = Hint(
    "See why the function that you gave to CallableToken fails: it has to return the newest token of the account.",
    "请检查传给 CallableToken 的异步函数：它应返回该账号最新的 access_token。",
)
_LISTED: Final = Hint(
    "In the console of WeChat cloud hosting (cloud.weixin.qq.com/cloudrun/openapi) switch on 开放接口服务, list the"
    " API's path under 云调用 - 微信令牌权限配置, and deploy a new version; with the service off use"
    " CloudHostingToken(), and outside of the container StableToken(appid, secret).",
    "请在微信云托管控制台（cloud.weixin.qq.com/cloudrun/openapi）开启「开放接口服务」，"
    "在「云调用 - 微信令牌权限配置」中加入该接口路径，并重新发布版本；"
    "不使用该服务时请用 CloudHostingToken()，容器外请用 StableToken(appid, secret)。",
)


_credential: Final = filled(
    "pass it to WxSession(appid, secret), or set WXASSET_APPID and WXASSET_SECRET and use WxSession.from_env()."
)


# The sources


@conceals_arguments
@frozen(eq=False, repr=False)
class ClassicToken(Value):
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
        from wxasset.calls.tokens import GetAccessToken  # noqa: PLC0415 - as for the stable token

        del previous, rejected
        call = GetAccessToken(appid=self.appid, secret=self.secret)
        reply = await exchange(call)
        return issued(Token(value=reply.access_token, expires_in=reply.expires_in), call.route.path)


@conceals_arguments
@define
class StableToken:
    """The token of ``/cgi-bin/stable_token``: the same one for all callers, renewed in time by WeChat.

    A refresh is forced only where normal mode brings back the very token that was refused, 30 seconds after the last
    one at the earliest, and 20 times in 24 hours at the most. This counts what is forced here: processes that share
    an account share a ration as well.

    Source: https://developers.weixin.qq.com/doc/service/api/base/api_getstableaccesstoken.html
    """

    appid: str = field(validator=_credential)
    secret: str = field(validator=_credential, repr=False)
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
        if not (rejected and _same(token, previous) and self._may_force()):
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


def _given_token(instance: object, attribute: "Attribute[Any]", value: object) -> None:
    del instance
    if not isinstance(value, str) or not is_token(value):
        raise UsageError(
            f"StaticToken({attribute.name}) has to be the token itself: a text without blanks, line ends or quotes."
            " Strip what came from a file or a variable.",
        )


@conceals_arguments
@frozen(eq=False, repr=False)
class StaticToken(Value):
    """One given token, for a script or a single request; it is never replaced.

    A token from the header ``X-WX-CLOUDBASE-ACCESS-TOKEN`` of a call that came through WeChat cloud hosting rides in
    ``parameter="cloudbase_access_token"`` (wire reference 1.6), that of a third-party platform in
    ``parameter="component_access_token"``.
    """

    value: str = field(validator=_given_token, repr=False)
    parameter: TokenParameter = field(default="access_token", validator=parameter_name, kw_only=True)

    @property
    def in_hosting(self) -> bool:
        """True for a token of cloud hosting: calls with it may use plain http."""
        return self.parameter == "cloudbase_access_token"

    async def fetch(self, exchange: Exchange, *, previous: Token | None, rejected: bool) -> Token:
        """Return the token.

        Raises:
            TokenUnavailableError: WeChat refused it.
        """
        del exchange, previous
        if rejected:
            raise TokenUnavailableError(
                "WeChat refused the token that was given to StaticToken, which has no other.",
                Hint(
                    "Tokens live for 2 hours at most: give a new one, or use StableToken(appid, secret), which"
                    " renews it.",
                    "token 最长有效 2 小时：请传入新的 token，或改用可自动续期的 StableToken(appid, secret)。",
                ),
            )
        return Token(value=self.value, expires_in=math.inf, parameter=self.parameter)


def _async_function(instance: object, attribute: "Attribute[Any]", value: object) -> None:
    del instance
    if not is_async(value):
        raise UsageError(
            f"{attribute.name} has to be an async function that takes nothing and returns the token; write"
            " `async def token(): ...` and pass `token` itself, without calling it."
        )


@conceals_arguments
@frozen(eq=False, repr=False)
class CallableToken(Value):
    """A token from an async function of yours: for hosts where a central service alone fetches tokens.

    The function returns the newest token, as a `str` that is asked for again after `lifetime` seconds, or as a
    `Token` with a life of its own. It is called by one task at a time. `parameter` is the query parameter of a `str`.
    """

    function: Callable[[], Awaitable[str | Token]] = field(validator=_async_function, repr=False)
    lifetime: float = field(default=60.0, validator=positive, kw_only=True)
    parameter: TokenParameter = field(default="access_token", validator=parameter_name, kw_only=True)

    async def fetch(self, exchange: Exchange, *, previous: Token | None, rejected: bool) -> Token:
        """Call the function.

        Raises:
            TokenUnavailableError: It failed (its own error is the cause), returned no token, or returned again the
                one that WeChat refused.
            WxAssetError: It raised this.
        """
        del exchange
        token = _as_token(await ask(self.function, "CallableToken", _CENTRAL), self.lifetime, self.parameter)
        if token is None:
            raise TokenUnavailableError(
                "The CallableToken function returned no token: a text without blanks is wanted, or a Token with a life"
                " above 0 seconds.",
                _CENTRAL,
            )
        if rejected and _same(token, previous):
            raise TokenUnavailableError(
                "WeChat refused the token of the CallableToken function, and it still returns the same one.",
                Hint(
                    "Have your central token service fetch a new one; the next call here asks it again.",
                    "请让中央 token 服务刷新 token；下次调用会重新向其获取。",
                ),
            )
        return token


def _as_token(result: object, lifetime: float, parameter: str) -> Token | None:
    """Return the token of a user's function; None if its result is invalid."""
    token = Token(value=result, expires_in=lifetime, parameter=parameter) if isinstance(result, str) else result
    if not isinstance(token, Token) or not isinstance(token.value, str):
        return None
    usable = is_token(token.value) and not is_placeholder(token.value) and is_life(token.expires_in)
    return token if usable else None


def _same(token: Token, previous: Token | None) -> bool:
    return previous is not None and token.value == previous.value


# None at all


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
