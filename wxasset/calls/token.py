"""The calls that issue access tokens (wire reference 1). Pure."""

from typing import ClassVar

from attrs import field, frozen

from wxasset.calls.base import Call, Effect, Route

__all__ = ["GetAccessToken", "GetStableAccessToken", "IssuedToken"]


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
