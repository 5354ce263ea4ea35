"""Tokens of a third-party platform (第三方平台) and of its authorized accounts."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from attrs import Attribute, Factory, field, frozen

from wxasset.calls.tokens import GetAuthorizerToken, GetComponentToken
from wxasset.errors import APIError, Hint, TokenUnavailableError, UsageError
from wxasset.errors.codes import TOKEN_REJECTED
from wxasset.errors.frames import conceals_arguments
from wxasset.tokens.cache import TokenCache
from wxasset.tokens.shared_cache import SharedCache
from wxasset.tokens.token import Exchange, Token, is_token
from wxasset.tokens.validation import ask, filled, is_async, issued

__all__ = ["AuthorizerToken", "ComponentToken"]

_PLATFORM: Final = "it stands on open.weixin.qq.com, with the platform's settings."
_PLATFORM_REFUSED: Final = TOKEN_REJECTED | {42006}  # 42006: the platform's token is out of date
_REFRESH_REFUSED: Final = frozenset({42002, 61023})  # the refresh token is out of date, or wrong

_TICKET: Final = Hint(
    "WeChat pushes component_verify_ticket every 10 minutes to the platform's authorization event URL: answer it with"
    " `success`, decrypt it, keep the newest, and return that as a text. A ticket lives for 12 hours.",
    "微信每 10 分钟向平台的「授权事件接收 URL」推送 component_verify_ticket："
    "请响应 success、解密并保存最新值，以字符串返回；ticket 有效期 12 小时。",
)


def _ticket(instance: object, attribute: "Attribute[Any]", value: object) -> None:
    del instance
    if not is_async(value) and not (isinstance(value, str) and is_token(value)):
        raise UsageError(
            f"{attribute.name} has to be an async function that returns the newest component_verify_ticket, or the"
            " ticket itself: write `async def ticket(): ...` and pass `ticket`, without calling it."
        )


@conceals_arguments
@frozen
class ComponentToken:
    """The token of a third-party platform itself, for fetching the tokens of its accounts.

    One token serves all accounts of the platform: sessions with equal ``ComponentToken`` objects share it, through
    their store where they have one. A ``TokenCache(ComponentToken(...))`` shares it among those who get the cache.
    Source: https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/ticket-token/getComponentAccessToken.html

    Attributes:
        component_appid: The platform's appid.
        component_secret: Its secret.
        ticket: An async function that returns the newest ``component_verify_ticket``, which WeChat pushes every 10
            minutes; or such a ticket, which serves for 12 hours.
    """

    component_appid: str = field(validator=filled(_PLATFORM))
    component_secret: str = field(validator=filled(_PLATFORM), repr=False)
    ticket: Callable[[], Awaitable[str]] | str = field(validator=_ticket, repr=False)
    _cache: TokenCache = field(default=Factory(SharedCache, takes_self=True), init=False, eq=False, repr=False)

    def __reduce__(self) -> tuple[type["ComponentToken"], tuple[object, ...]]:
        """Copy and pickle the arguments alone."""
        return type(self), (self.component_appid, self.component_secret, self.ticket)

    @property
    def cache(self) -> TokenCache:
        """The cache that equal objects share."""
        return self._cache

    @property
    def account(self) -> str:
        """Names the platform and the kind of token."""
        return f"component {self.component_appid}"

    @property
    def supersedes(self) -> bool:
        """A fetch ends the token before."""
        return True

    async def fetch(self, exchange: Exchange, *, previous: Token | None, rejected: bool) -> Token:
        """Fetch a new token with the newest ticket.

        Raises:
            TokenUnavailableError: There is no ticket; the error of the function is the cause.
            CredentialError: The secret or the ticket was refused.
        """
        del previous, rejected
        call = GetComponentToken(
            component_appid=self.component_appid,
            component_appsecret=self.component_secret,
            component_verify_ticket=await self._newest_ticket(),
        )
        reply = await exchange(call)
        token = Token(
            value=reply.component_access_token, expires_in=reply.expires_in, parameter="component_access_token"
        )
        return issued(token, call.route.path)

    async def _newest_ticket(self) -> str:
        if isinstance(self.ticket, str):
            return self.ticket
        ticket = await ask(self.ticket, "component_verify_ticket", _TICKET)
        if isinstance(ticket, str) and is_token(ticket):
            return ticket
        kind = type(ticket).__name__
        del ticket  # a crash reporter shows the variables of the frame that raises
        raise TokenUnavailableError(
            f"The component_verify_ticket function returned no ticket: a text is wanted, and it gave {kind}"
            f"{' that is empty or holds blanks' if kind == 'str' else ''}.",
            _TICKET,
        )


def _cache(component: TokenCache | ComponentToken) -> TokenCache:
    return component.cache if isinstance(component, ComponentToken) else component


def _component(instance: object, attribute: "Attribute[Any]", value: object) -> None:
    del instance
    if not isinstance(value, TokenCache) or not isinstance(value.source, ComponentToken):
        raise UsageError(
            f"{attribute.name} has to be TokenCache(ComponentToken(...)), shared by all accounts of the platform, or a"
            " ComponentToken."
        )


@conceals_arguments
@frozen
class AuthorizerToken:
    """The token of an account authorized to a third-party platform.

    Each reply brings a refresh token for the next fetch, and the newest is the one that counts: it is kept with the
    token, so use a `TokenStore` where it has to outlive the process.
    Source: https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/ticket-token/getAuthorizerAccessToken.html

    Attributes:
        component: The platform's `ComponentToken`, or a `TokenCache` over it, for all its accounts.
        authorizer_appid: The account's appid.
        refresh_token: The ``authorizer_refresh_token`` that came with the authorization. A newer one takes
            precedence, and this one is used again where WeChat refuses that.
    """

    component: TokenCache = field(converter=_cache, validator=_component, repr=False)
    authorizer_appid: str = field(validator=filled("it came with the authorization, as authorizer_appid."))
    refresh_token: str = field(
        validator=filled(
            "it came with the authorization, as authorizer_refresh_token; api_get_authorizer_list tells it again."
        ),
        repr=False,
    )

    @property
    def component_appid(self) -> str:
        """The platform's appid."""
        source = self.component.source
        return source.component_appid if isinstance(source, ComponentToken) else ""

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
            TokenUnavailableError: There is no ticket for the platform's token.
            TokenRejectedError: The platform's token was refused twice.
            CredentialError: 61023: the refresh token was refused; the account has to authorize again.
        """
        del rejected
        if previous is None or previous.refresh_token in {None, "", self.refresh_token}:
            return await self._refresh(exchange, None)
        try:
            return await self._refresh(exchange, previous)
        except APIError as error:
            if error.errcode not in _REFRESH_REFUSED:
                raise
        # The account may have authorized again since, which ended the newest one that was kept.
        return await self._refresh(exchange, None)

    async def _refresh(self, exchange: Exchange, previous: Token | None, *, again: bool = True) -> Token:
        """Fetch a token, with a fresh one of the platform if need be."""
        component = await self.component.acquire(exchange)
        call = self._call(component, previous)
        try:
            reply = await exchange(call)
        except APIError as error:
            if error.errcode not in _PLATFORM_REFUSED:
                raise
            self.component.reject(component, error)
            if not again:
                raise
        else:
            token = Token(
                value=reply.authorizer_access_token,
                expires_in=reply.expires_in,
                refresh_token=reply.authorizer_refresh_token or call.authorizer_refresh_token,
            )
            return issued(token, call.route.path)
        return await self._refresh(exchange, previous, again=False)

    def _call(self, component: Token, previous: Token | None) -> GetAuthorizerToken:
        return GetAuthorizerToken(
            component_access_token=component.value,
            component_appid=self.component_appid,
            authorizer_appid=self.authorizer_appid,
            authorizer_refresh_token=(previous.refresh_token if previous is not None else None) or self.refresh_token,
        )
