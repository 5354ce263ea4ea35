"""Calls for access tokens (wire reference 1). Pure."""

from typing import ClassVar, Final, TypeVar

from attrs import field, frozen

from wxasset.calls.base import Call, Effect, Route
from wxasset.errors import CredentialError, DecodeError, Hint, ReplyTooLarge, TokenRejectedError, WxAssetError
from wxasset.wire.codec import dumps, unstructure

__all__ = [
    "GetAccessToken",
    "GetAuthorizerToken",
    "GetComponentToken",
    "GetStableAccessToken",
    "IssuedAuthorizerToken",
    "IssuedComponentToken",
    "IssuedToken",
    "TokenCall",
    "WithPlatformToken",
    "no_token",
]

R_co = TypeVar("R_co", covariant=True)

_NO_TOKEN: Final = Hint(
    "Wrong credentials are a possible cause: check appid and AppSecret, on a third-party platform also ticket and"
    " refresh token. If they are right, check proxies and the base URL.",
    "可能是凭据有误：请先检查 appid 和 AppSecret（第三方平台还包括 ticket 和 refresh token）；"
    "若均无误，再检查代理和基础地址（base URL）。",
)


def no_token(message: str, path: str) -> DecodeError:
    """Return the error for a response of a token endpoint without a usable token."""
    return DecodeError(message, path, remedy=_NO_TOKEN)


class TokenCall(Call[R_co]):
    """A call of a token endpoint.

    Such a call sends credentials and no access token: the codes of a rejected access token mean that these are wrong
    (40001: wire reference 0.6). Wrong credentials can also lead to an empty page (wire reference 8.2).
    """

    def explain(self, error: WxAssetError) -> WxAssetError:
        """Name the credentials as the cause, or as a possible cause."""
        if isinstance(error, TokenRejectedError):
            return CredentialError(errcode=error.errcode, errmsg=error.errmsg, rid=error.rid, path=error.path)
        if isinstance(error, DecodeError | ReplyTooLarge):
            error.remedy = _NO_TOKEN
        return error


class WithPlatformToken:
    """A part of calls that carry the token of a third-party platform themselves."""

    __slots__ = ()
    component_access_token: str

    def query(self) -> dict[str, str]:
        """Return the platform's token, the only field sent as a query parameter."""
        return {"component_access_token": self.component_access_token}

    def body(self) -> bytes:
        """Return the other fields."""
        return dumps({name: value for name, value in unstructure(self).items() if name not in self.query()})


@frozen
class IssuedToken:
    """An issued access token.

    Attributes:
        access_token: The token, up to 512 characters.
        expires_in: Remaining lifetime in seconds.
    """

    access_token: str = field(repr=False)
    expires_in: int


@frozen(kw_only=True)
class GetAccessToken(TokenCall[IssuedToken]):
    """Fetch a classic token; the previous one stays valid for 5 minutes.

    https://developers.weixin.qq.com/doc/service/api/base/api_getaccesstoken.html
    """

    # A repetition invalidates only the token of the lost response.
    route: ClassVar[Route] = Route(path="/cgi-bin/token", effect=Effect.READ, method="GET", authorized=False)

    grant_type: str = "client_credential"
    appid: str
    secret: str = field(repr=False)


@frozen(kw_only=True)
class GetStableAccessToken(TokenCall[IssuedToken]):
    """Fetch the stable token; in normal mode repeated calls return the same one.

    https://developers.weixin.qq.com/doc/service/api/base/api_getstableaccesstoken.html
    """

    route: ClassVar[Route] = Route(path="/cgi-bin/stable_token", effect=Effect.READ, authorized=False)

    grant_type: str = "client_credential"
    appid: str
    secret: str = field(repr=False)
    force_refresh: bool = False


@frozen
class IssuedComponentToken:
    """An issued token of a third-party platform.

    Attributes:
        component_access_token: The token.
        expires_in: Remaining lifetime in seconds.
    """

    component_access_token: str = field(repr=False)
    expires_in: int


@frozen(kw_only=True)
class GetComponentToken(TokenCall[IssuedComponentToken]):
    """Fetch the token of a third-party platform (wire reference 1.3).

    https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/ticket-token/getComponentAccessToken.html
    """

    # A repetition replaces only the token of the lost response.
    route: ClassVar[Route] = Route(path="/cgi-bin/component/api_component_token", effect=Effect.READ, authorized=False)

    component_appid: str
    component_appsecret: str = field(repr=False)
    component_verify_ticket: str = field(repr=False)


@frozen
class IssuedAuthorizerToken:
    """An issued token of an account managed by a third-party platform.

    Attributes:
        authorizer_access_token: The token, used as access token for the APIs of the account.
        expires_in: Remaining lifetime in seconds.
        authorizer_refresh_token: Refresh token for the next request; None if the previous one stays valid.
    """

    authorizer_access_token: str = field(repr=False)
    expires_in: int
    authorizer_refresh_token: str | None = field(default=None, repr=False)


@frozen(kw_only=True)
class GetAuthorizerToken(WithPlatformToken, TokenCall[IssuedAuthorizerToken]):
    """Fetch the token of an account managed by a third-party platform (wire reference 1.3).

    https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/ticket-token/getAuthorizerAccessToken.html
    """

    # A repetition replaces only the token of the lost response; the refresh token can be reused.
    route: ClassVar[Route] = Route(path="/cgi-bin/component/api_authorizer_token", effect=Effect.READ, authorized=False)

    component_access_token: str = field(repr=False)
    component_appid: str
    authorizer_appid: str
    authorizer_refresh_token: str = field(repr=False)

    def explain(self, error: WxAssetError) -> WxAssetError:
        """Leave a rejected token as it is: the token of the platform, which this call carries."""
        return error if isinstance(error, TokenRejectedError) else super().explain(error)
