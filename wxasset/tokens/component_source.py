"""The token of a third-party platform (第三方平台) itself."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from attrs import Attribute, Factory, field, frozen

from wxasset.calls.tokens import GetComponentToken
from wxasset.errors import Hint, TokenUnavailableError, UsageError
from wxasset.errors.frames import conceals_arguments
from wxasset.tokens.cache import TokenCache
from wxasset.tokens.shared_cache import SharedCache
from wxasset.tokens.token import Exchange, Token, is_token
from wxasset.tokens.validation import ask, filled, is_async, issued

__all__ = ["ComponentToken"]

_PLATFORM: Final = "it stands on open.weixin.qq.com, with the platform's settings."
_TICKET: Final = Hint(
    "WeChat pushes component_verify_ticket every 10 minutes to the platform's authorization event URL: receive it with"
    " `wxasset.starlette.platform_events`, keep the newest in a `TicketKeeper`, and pass that as ticket=. A ticket is"
    " valid for 12 hours.",
    "微信每 10 分钟向平台的「授权事件接收 URL」推送 component_verify_ticket："
    "请用 `wxasset.starlette.platform_events` 接收、用 `TicketKeeper` 保存最新值，并作为 ticket= 传入；"
    "ticket 有效期 12 小时。",
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
            minutes, such as a `TicketKeeper`; or such a ticket, which serves for 12 hours.
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
