"""Tokens of the authorized accounts of a third-party platform (第三方平台)."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, cast

from attrs import Attribute, Factory, field, frozen

from wxasset.calls.base import Call
from wxasset.calls.platform import AuthorizerPage, GetAuthorizerListByToken
from wxasset.calls.tokens import GetAuthorizerToken
from wxasset.errors import APIError, Hint, RequestError, TokenUnavailableError, UsageError, WxAssetError
from wxasset.errors.codes import TOKEN_REJECTED
from wxasset.errors.frames import conceals_arguments
from wxasset.tokens.authorizer_list import RefreshToken, list_of
from wxasset.tokens.cache import TokenCache
from wxasset.tokens.classic_source import ClassicToken
from wxasset.tokens.component_source import ComponentToken
from wxasset.tokens.refusals import session_exchange
from wxasset.tokens.shared_cache import SharedCache
from wxasset.tokens.sources import NoToken, StableToken
from wxasset.tokens.token import Exchange, Token, TokenSource, is_token
from wxasset.tokens.validation import ask, filled, is_async, issued

__all__ = ["AuthorizerToken"]

R = TypeVar("R")

_PLATFORM_REFUSED: Final = TOKEN_REJECTED | {42006}  # 42006: the platform's token is out of date
_REFRESH_REFUSED: Final = frozenset({42002, 61003, 61023})
"""The refresh token is out of date, of an authorization that ended, or wrong."""

_TRIES: Final = 5  # refresh tokens of one fetch: of the store, of the user before and after 61023, of the list twice
_OTHERS: Final = frozenset({ClassicToken, NoToken, StableToken})  # tokens that are never a platform's

_FUNCTION: Final = Hint(
    "See why the refresh_token function fails: it has to return the newest authorizer_refresh_token of the account.",
    "请检查 refresh_token 异步函数：它应返回该账号最新的 authorizer_refresh_token。",
)
_NOT_LISTED: Final = Hint(
    "Pass the authorizer_refresh_token of the authorization event (api_query_auth). If it is lost, have the"
    " administrator of the account update the authorization (更新授权): send a new authorization link.",
    "请传入授权事件中（api_query_auth 返回）的 authorizer_refresh_token；"
    "若已丢失，请重新发送授权链接，由账号管理员「更新授权」。",
)


def _cache(component: TokenCache | TokenSource) -> TokenCache:
    """Return the cache of a source, which its equals share; another value is left to the validator."""
    if isinstance(component, ComponentToken):
        return component.cache
    if isinstance(component, TokenCache | type) or not callable(getattr(component, "fetch", None)):
        return cast("TokenCache", component)
    return SharedCache(component)


def _component(instance: object, attribute: "Attribute[Any]", value: object) -> None:
    del instance
    source = value.source if isinstance(value, TokenCache) else value
    kind = type(source)
    if not isinstance(value, TokenCache) or kind in _OTHERS or hasattr(source, "authorizer_appid"):
        raise UsageError(
            f"{attribute.name} has to be a source of component tokens, such as ComponentToken(...), or a TokenCache of"
            f" one, not {kind.__name__}."
        )


def _known_appid(source: "AuthorizerToken") -> Any:
    return getattr(getattr(source.component, "source", None), "component_appid", None)


def _appid(instance: "AuthorizerToken", attribute: "Attribute[Any]", value: object) -> None:
    known = _known_appid(instance)
    if not isinstance(value, str) or not value.strip():
        kind = type(instance.component.source).__name__
        raise UsageError(f"{attribute.name} is missing: {kind} does not know the platform; pass {attribute.name}=.")
    if known not in {None, value}:
        raise UsageError(f"{attribute.name} is {value!r:.40}, but the component token is that of {known!r:.40}.")


def _refresh_token(instance: object, attribute: "Attribute[Any]", value: object) -> None:
    del instance
    if value is not None and not is_async(value) and not (isinstance(value, str) and value.strip()):
        raise UsageError(
            f"{attribute.name} has to be the authorizer_refresh_token that came with the authorization, or an async"
            " function that returns the newest one; leave it out where a store or WeChat's list of accounts has it."
        )


@conceals_arguments
@frozen
class AuthorizerToken:
    """The token of an account authorized to a third-party platform.

    The refresh token for the next fetch comes from the store, where the newest is kept with the token; then from
    `refresh_token`; then from WeChat's list of accounts (``api_get_authorizer_list``). Where WeChat refuses one, as
    after another authorization, the next is tried.
    Source: https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/ticket-token/getAuthorizerAccessToken.html

    Attributes:
        component: The source of the platform's tokens, or a `TokenCache` of one, for all accounts: `ComponentToken`;
            or `RedisToken`, `CallableToken`, `CloudHostingToken` where another program fetches them.
        authorizer_appid: The account's appid.
        refresh_token: The ``authorizer_refresh_token`` that came with the authorization, or an async function that
            returns the newest one, or None where it has none.
        component_appid: The platform's appid, where `component` does not know it.
    """

    component: TokenCache = field(converter=_cache, validator=_component, repr=False)
    authorizer_appid: str = field(validator=filled("it came with the authorization, as authorizer_appid."))
    refresh_token: str | Callable[[], Awaitable[str | None]] | None = field(
        default=None, validator=_refresh_token, repr=False
    )
    component_appid: str = field(default=Factory(_known_appid, takes_self=True), validator=_appid, kw_only=True)

    @property
    def account(self) -> str:
        """Names the platform, the account and the kind of token."""
        return f"authorizer {self.component_appid} {self.authorizer_appid}"

    @property
    def supersedes(self) -> bool:
        """A fetch ends the token before, and may replace the refresh token."""
        return True

    async def fetch(self, exchange: Exchange, *, previous: Token | None, rejected: bool) -> Token:
        """Fetch a new token with the newest refresh token; it carries the next one.

        Raises:
            TokenUnavailableError: There is no ticket for the platform's token, or no refresh token.
            TokenRejectedError: The platform's token was refused twice.
            CredentialError: 61023: all refresh tokens were refused; the account has to update its authorization.
        """
        del rejected
        kept = previous.refresh_token if previous is not None else None
        tried: list[RefreshToken] = []
        refusal: APIError | None = None
        for _ in range(_TRIES):
            refresh_token = await self._next(exchange, RefreshToken(kept) if kept else None, tried, refusal)
            if refresh_token is None:
                break
            tried.append(refresh_token)
            try:
                return await self._refresh(exchange, refresh_token)
            except APIError as error:
                if error.errcode not in _REFRESH_REFUSED:
                    raise
                refusal = error
        raise refusal or TokenUnavailableError(
            f"No refresh token of the account {self.authorizer_appid} is known, also not to WeChat's list of accounts.",
            _NOT_LISTED,
        )

    async def _next(
        self, exchange: Exchange, kept: RefreshToken | None, tried: list[RefreshToken], refusal: APIError | None
    ) -> RefreshToken | None:
        """Return a refresh token that was not tried yet: from the store, the user, or WeChat's list."""
        if kept is not None and kept not in tried:
            return kept
        given = await self._given()
        if given is not None and given not in tried:
            return given
        host = str(getattr(session_exchange(exchange), "api", ""))
        await self.component.acquire(exchange)  # without one the list is not asked
        try:
            return await list_of(self.component_appid, host).find(
                self.authorizer_appid, tried, functools.partial(self._page, exchange)
            )
        except WxAssetError as error:
            if refusal is None or isinstance(error, RequestError | UsageError):
                raise
            raise refusal from error

    async def _given(self) -> RefreshToken | None:
        """Return the refresh token of the user; it is not stored in a variable of a frame that raises."""
        if not callable(self.refresh_token):
            return RefreshToken(self.refresh_token) if self.refresh_token else None
        given = await ask(self.refresh_token, "refresh_token", _FUNCTION)
        if not given:
            return None
        if isinstance(given, str) and is_token(given):
            return RefreshToken(given)
        kind = type(given).__name__
        del given
        raise TokenUnavailableError(
            f"The refresh_token function returned no refresh token, but {kind}: a string without blanks is wanted,"
            " or None.",
            _FUNCTION,
        )

    async def _refresh(self, exchange: Exchange, refresh_token: RefreshToken) -> Token:
        """Fetch a token."""

        def call(component: Token) -> GetAuthorizerToken:
            return GetAuthorizerToken(
                component_access_token=component.value,
                component_appid=self.component_appid,
                authorizer_appid=self.authorizer_appid,
                authorizer_refresh_token=refresh_token.value,
            )

        reply = await self._as_platform(exchange, call)
        token = Token(
            value=reply.authorizer_access_token,
            expires_in=reply.expires_in,
            refresh_token=reply.authorizer_refresh_token or refresh_token.value,
        )
        return issued(token, GetAuthorizerToken.route.path)

    async def _page(self, exchange: Exchange, offset: int) -> AuthorizerPage:
        """Read a page of WeChat's list of accounts."""

        def call(component: Token) -> GetAuthorizerListByToken:
            return GetAuthorizerListByToken(
                component_access_token=component.value, component_appid=self.component_appid, offset=offset
            )

        return await self._as_platform(exchange, call)

    async def _as_platform(self, exchange: Exchange, make: Callable[[Token], Call[R]]) -> R:
        """Make a call with the token of the platform; fetch a new one if it is refused."""
        again = True
        while True:
            component = await self.component.acquire(exchange)
            call = make(component)
            try:
                reply = await exchange(call)
            except APIError as error:
                if error.errcode not in _PLATFORM_REFUSED:
                    raise
                self.component.reject(component, error)
                if not again:
                    raise
                again = False
            else:
                self.component.accept(call.route.path)
                return reply
