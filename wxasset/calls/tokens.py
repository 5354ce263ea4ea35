"""The calls that issue access tokens (wire reference 1). Pure."""

from typing import ClassVar

from attrs import field, frozen

from wxasset.calls.base import Call, Effect, Route
from wxasset.wire.codec import dumps, unstructure

__all__ = [
    "GetAccessToken",
    "GetAuthorizerToken",
    "GetComponentToken",
    "GetStableAccessToken",
    "IssuedAuthorizerToken",
    "IssuedComponentToken",
    "IssuedToken",
]


@frozen
class IssuedToken:
    """An access token as issued.

    Attributes:
        access_token: The token; up to 512 characters are reserved for it.
        expires_in: Its remaining life in seconds.
    """

    access_token: str = field(repr=False)
    expires_in: int


@frozen(kw_only=True)
class GetAccessToken(Call[IssuedToken]):
    """Fetch a classic token; the previous one lives on for 5 minutes.

    https://developers.weixin.qq.com/doc/service/api/base/api_getaccesstoken.html
    """

    # Repeating it supersedes a token that nobody has seen, which harms no one.
    route: ClassVar[Route] = Route(path="/cgi-bin/token", effect=Effect.READ, method="GET", authorized=False)

    grant_type: str = "client_credential"
    appid: str
    secret: str = field(repr=False)


@frozen(kw_only=True)
class GetStableAccessToken(Call[IssuedToken]):
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
    """The token of a third-party platform as issued.

    Attributes:
        component_access_token: The token.
        expires_in: Its remaining life in seconds.
    """

    component_access_token: str = field(repr=False)
    expires_in: int


@frozen(kw_only=True)
class GetComponentToken(Call[IssuedComponentToken]):
    """Fetch the token of a third-party platform (wire reference 1.3).

    https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/ticket-token/getComponentAccessToken.html
    """

    # Repeating it replaces a token that nobody has seen, which harms no one.
    route: ClassVar[Route] = Route(path="/cgi-bin/component/api_component_token", effect=Effect.READ, authorized=False)

    component_appid: str
    component_appsecret: str = field(repr=False)
    component_verify_ticket: str = field(repr=False)


@frozen
class IssuedAuthorizerToken:
    """The token of an account that has authorized a third-party platform, as issued.

    Attributes:
        authorizer_access_token: The token; the account's APIs take it as their access token.
        expires_in: Its remaining life in seconds.
        authorizer_refresh_token: What the next one is fetched with; None where the last one stays in force.
    """

    authorizer_access_token: str = field(repr=False)
    expires_in: int
    authorizer_refresh_token: str | None = field(default=None, repr=False)


@frozen(kw_only=True)
class GetAuthorizerToken(Call[IssuedAuthorizerToken]):
    """Fetch the token of an account that has authorized a third-party platform (wire reference 1.3).

    https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/ticket-token/getAuthorizerAccessToken.html
    """

    # Repeating it replaces a token that nobody has seen; the refresh token that it takes can be used again.
    route: ClassVar[Route] = Route(path="/cgi-bin/component/api_authorizer_token", effect=Effect.READ, authorized=False)

    component_access_token: str = field(repr=False)
    component_appid: str
    authorizer_appid: str
    authorizer_refresh_token: str = field(repr=False)

    def query(self) -> dict[str, str]:
        """Return the platform's token: of all fields it alone rides in the query."""
        return {"component_access_token": self.component_access_token}

    def body(self) -> bytes:
        """Return the other fields."""
        return dumps({name: value for name, value in unstructure(self).items() if name not in self.query()})
