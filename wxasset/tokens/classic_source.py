"""The source of tokens that end the one before."""

from attrs import field, frozen

from wxasset.errors.frames import conceals_arguments
from wxasset.tokens.token import Exchange, Token
from wxasset.tokens.validation import credential, issued
from wxasset.wire.values import Value

__all__ = ["ClassicToken"]


@conceals_arguments
@frozen(eq=False, repr=False)
class ClassicToken(Value):
    """The token of ``/cgi-bin/token``: 2,000 fetches a day, and each fetch supersedes the token before.

    Use it only where nothing else fetches tokens for the account; `StableToken` is safer.
    Source: https://developers.weixin.qq.com/doc/service/api/base/api_getaccesstoken.html
    """

    appid: str = field(validator=credential)
    secret: str = field(validator=credential, repr=False)

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
        from wxasset.calls.tokens import GetAccessToken  # noqa: PLC0415 - as for a `StableToken`

        del previous, rejected
        call = GetAccessToken(appid=self.appid, secret=self.secret)
        reply = await exchange(call)
        return issued(Token(value=reply.access_token, expires_in=reply.expires_in), call.route.path)
