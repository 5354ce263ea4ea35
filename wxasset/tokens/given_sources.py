"""Sources of access tokens that the application gives: a text, or an async function."""

import math
from collections.abc import Awaitable, Callable
from typing import Any, Final

from attrs import Attribute, field, frozen

from wxasset.errors import Hint, TokenUnavailableError, UsageError
from wxasset.errors.frames import conceals_arguments
from wxasset.tokens.token import Exchange, Token, is_placeholder, is_token
from wxasset.tokens.validation import TokenParameter, ask, is_async, is_life, is_same, parameter_name, positive
from wxasset.wire.values import Value

__all__ = ["CallableToken", "StaticToken"]

_CENTRAL: Final = Hint(
    "See why the function that you gave to CallableToken fails: it has to return the newest token of the account.",
    "请检查传给 CallableToken 的异步函数：它应返回该账号最新的 access_token。",
)


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
        if rejected and is_same(token, previous):
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
