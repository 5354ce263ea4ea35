"""Calls of a third-party platform (第三方平台) with its own token (wire reference 1.3 and 8.4). Pure.

Make them with a session whose ``tokens=`` is the `ComponentToken` of the platform, or a `TokenCache` of it.
`StartPushTicket` and `ClearComponentQuota` carry the AppSecret and no token; any session can make them.
"""

from typing import ClassVar, Final

from attrs import field, frozen

from wxasset.calls.arguments import present
from wxasset.calls.base import Ack, Call, Effect, Route
from wxasset.calls.tokens import TokenCall, WithPlatformToken
from wxasset.errors.frames import conceals_arguments
from wxasset.wire.checks import number
from wxasset.wire.codec import wire_name
from wxasset.wire.limits import MIB

__all__ = [
    "AUTHORIZERS_PER_PAGE",
    "AccountType",
    "Authorization",
    "AuthorizerInfo",
    "AuthorizerPage",
    "AuthorizerProfile",
    "ClearComponentQuota",
    "CreatePreauthCode",
    "GetAuthorizerInfo",
    "GetAuthorizerList",
    "GetAuthorizerListByToken",
    "GrantedSet",
    "ListedAuthorizer",
    "MiniProgram",
    "PermissionSet",
    "PreauthCode",
    "QueriedAuthorization",
    "QueryAuth",
    "StartPushTicket",
]

AUTHORIZERS_PER_PAGE: Final = 500
"""Largest number of accounts in one page of `GetAuthorizerList` (documented)."""
_LIST: Final = "/cgi-bin/component/api_get_authorizer_list"


@conceals_arguments
@frozen(kw_only=True)
class StartPushTicket(TokenCall[Ack]):
    """Start the push of tickets to the authorization event URL, where it was stopped or never started.

    https://developers.weixin.qq.com/doc/oplatform/openApi/ticket-token/api_startpushticket.html
    """

    # A repetition has no effect: WeChat answers "in a normal state".
    route: ClassVar[Route] = Route(
        path="/cgi-bin/component/api_start_push_ticket", effect=Effect.READ, authorized=False
    )

    component_appid: str = field(validator=present)
    component_secret: str = field(validator=present, repr=False)


@conceals_arguments
@frozen(kw_only=True)
class ClearComponentQuota(TokenCall[Ack]):
    """Reset the daily calls of the platform, or of an account that authorized it; 10 times a month.

    A request without a response is not repeated. It is the only remedy for 45009 at ``api_component_token``.
    https://developers.weixin.qq.com/doc/oplatform/openApi/openapi/api_componentclearquota_v2.html

    Attributes:
        component_appid: The platform's appid.
        appsecret: The platform's AppSecret.
        appid: An account, whose calls are reset instead.
    """

    route: ClassVar[Route] = Route(path="/cgi-bin/component/clear_quota/v2", effect=Effect.CREATE, authorized=False)

    component_appid: str = field(validator=present)
    appsecret: str = field(validator=present, repr=False)
    appid: str | None = None


@frozen
class PreauthCode:
    """A code for one authorization page.

    Attributes:
        pre_auth_code: The code.
        expires_in: Remaining lifetime in seconds.
    """

    pre_auth_code: str = field(repr=False)
    expires_in: int


@frozen(kw_only=True)
class CreatePreauthCode(Call[PreauthCode]):
    """Create a code for the address of an authorization page, see `wxasset.authorization_url`.

    https://developers.weixin.qq.com/doc/oplatform/openApi/OpenApiDoc/ticket-token/getPreAuthCode.html
    """

    # A repetition creates another code; the lost one expires unused.
    route: ClassVar[Route] = Route(
        path="/cgi-bin/component/api_create_preauthcode", effect=Effect.READ, confidential=True
    )

    component_appid: str = field(validator=present)


@frozen(kw_only=True)
class PermissionSet:
    """A permission set (权限集), by its number."""

    id: int


@frozen(kw_only=True)
class GrantedSet:
    """A permission set granted by an account."""

    funcscope_category: PermissionSet


@frozen(kw_only=True)
class Authorization:
    """The authorization of an account.

    Attributes:
        authorizer_appid: The account's appid.
        authorizer_access_token: An access token of the account; empty where WeChat sends none.
        expires_in: Its remaining lifetime in seconds.
        authorizer_refresh_token: The refresh token to store, for `AuthorizerToken`; None if the account granted no API.
        func_info: The permission sets as sent by WeChat.
    """

    authorizer_appid: str = field(metadata=wire_name("authorizer_appid", "appid"))
    authorizer_access_token: str = field(default="", repr=False)
    expires_in: int = 0
    authorizer_refresh_token: str | None = field(default=None, repr=False)
    func_info: tuple[GrantedSet, ...] = ()

    @property
    def permission_sets(self) -> tuple[int, ...]:
        """Numbers of the permission sets granted by the account."""
        return tuple(one.funcscope_category.id for one in self.func_info)


@frozen(kw_only=True)
class QueriedAuthorization:
    """Response to `QueryAuth`."""

    authorization: Authorization = field(metadata=wire_name("authorization_info"))


@frozen(kw_only=True)
class QueryAuth(Call[QueriedAuthorization]):
    """Exchange an authorization code for the refresh token of the account; WeChat returns 61010 once it has expired.

    A new authorization ends the earlier refresh token of the account.
    https://developers.weixin.qq.com/doc/oplatform/openApi/ticket-token/api_getauthorizerrefreshtoken

    Attributes:
        component_appid: The platform's appid.
        authorization_code: ``auth_code`` of the redirect, or ``AuthorizationCode`` of the pushed event.
    """

    # A repetition asks for the same authorization again.
    route: ClassVar[Route] = Route(path="/cgi-bin/component/api_query_auth", effect=Effect.READ, confidential=True)

    component_appid: str = field(validator=present)
    authorization_code: str = field(validator=present, repr=False)


@frozen(kw_only=True)
class AccountType:
    """A type of account, or of its verification, by its number."""

    id: int
    name: str = ""


@frozen(kw_only=True)
class MiniProgram:
    """Settings of a mini program; their presence shows that the account is one."""

    visit_status: int = 0


@frozen(kw_only=True)
class AuthorizerProfile:
    """Profile of an account.

    Attributes:
        user_name: The original id (``gh_...``), the recipient of pushed messages.
        nick_name: Its name.
        alias: Its WeChat id; may be empty.
        principal_name: Name of its owner.
        head_img: URL of its picture.
        qrcode_url: URL of its QR code.
        signature: Description of a mini program.
        service_type: Type of the account: 0 and 1 subscription account, 2 service account.
        verify_type: Verification; -1 means none.
        account_status: 1 normal, 14 deleted, 16 banned, 18 warned, 19 frozen.
        mini_program: Settings of a mini program; None for other accounts.
    """

    user_name: str = ""
    nick_name: str = ""
    alias: str = ""
    principal_name: str = ""
    head_img: str = ""
    qrcode_url: str = ""
    signature: str = ""
    service_type: AccountType | None = field(default=None, metadata=wire_name("service_type_info"))
    verify_type: AccountType | None = field(default=None, metadata=wire_name("verify_type_info"))
    account_status: int | None = None
    mini_program: MiniProgram | None = field(default=None, metadata=wire_name("MiniProgramInfo"))


@frozen(kw_only=True)
class AuthorizerInfo:
    """Response to `GetAuthorizerInfo`."""

    profile: AuthorizerProfile = field(metadata=wire_name("authorizer_info"))
    authorization: Authorization | None = field(default=None, metadata=wire_name("authorization_info"))


@frozen(kw_only=True)
class GetAuthorizerInfo(Call[AuthorizerInfo]):
    """Query the profile of an account, its permission sets and its refresh token.

    https://developers.weixin.qq.com/doc/oplatform/openApi/authorization-management/api_getauthorizerinfo
    """

    route: ClassVar[Route] = Route(
        path="/cgi-bin/component/api_get_authorizer_info", effect=Effect.READ, confidential=True
    )

    component_appid: str = field(validator=present)
    authorizer_appid: str = field(validator=present)


@frozen(kw_only=True)
class ListedAuthorizer:
    """An account that authorized the platform.

    Attributes:
        authorizer_appid: The account's appid.
        refresh_token: Its refresh token; None for some accounts. If it is lost, they authorize again (更新授权).
        auth_time: Unix time in seconds of the authorization.
    """

    authorizer_appid: str
    refresh_token: str | None = field(default=None, repr=False)
    auth_time: int = 0


@frozen(kw_only=True)
class AuthorizerPage:
    """One page of the accounts that authorized the platform.

    Attributes:
        items: The accounts.
        total: Number of all accounts.
    """

    items: tuple[ListedAuthorizer, ...] = field(default=(), metadata=wire_name("list"))
    total: int = field(metadata=wire_name("total_count"))


@frozen(kw_only=True)
class GetAuthorizerList(Call[AuthorizerPage]):
    """List one page of the accounts that authorized the platform; `WxSession.iter_authorizers` lists all of them.

    https://developers.weixin.qq.com/doc/oplatform/openApi/authorization-management/api_getauthorizerlist

    Attributes:
        component_appid: The platform's appid.
        offset: Number of accounts to skip.
        count: Number of accounts to list, 1 to 500.
    """

    route: ClassVar[Route] = Route(path=_LIST, effect=Effect.READ, max_reply=MIB, confidential=True)

    component_appid: str = field(validator=present)
    offset: int = field(default=0, validator=number(at_least=0, whole=True))
    count: int = field(
        default=AUTHORIZERS_PER_PAGE, validator=number(at_least=1, at_most=AUTHORIZERS_PER_PAGE, whole=True)
    )


@frozen(kw_only=True)
class GetAuthorizerListByToken(WithPlatformToken, GetAuthorizerList):
    """`GetAuthorizerList` with a given token of the platform, for sessions of its accounts and their token sources."""

    route: ClassVar[Route] = Route(path=_LIST, effect=Effect.READ, authorized=False, max_reply=MIB, confidential=True)

    component_access_token: str = field(validator=present, repr=False)
