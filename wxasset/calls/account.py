"""Quotas, diagnosis and addresses (wire reference 1.4). Pure."""

from typing import ClassVar, Final

from attrs import Attribute, field, frozen

from wxasset.calls.arguments import present
from wxasset.calls.base import Call, Effect, Route
from wxasset.errors import UsageError
from wxasset.wire.codec import wire_name

__all__ = [
    "ApiDomainIps",
    "CallQuota",
    "CallbackCheck",
    "CallbackName",
    "CallbackPing",
    "CheckCallback",
    "FoundRequest",
    "GetApiDomainIp",
    "GetQuota",
    "GetRid",
    "Quota",
    "RateLimit",
    "RecordedRequest",
]

_ACTIONS: Final = ("dns", "ping", "all")
_OPERATORS: Final = ("CHINANET", "UNICOM", "CAP", "DEFAULT")


def _is_path(instance: object, attribute: "Attribute[str]", value: object) -> None:
    del instance
    if not isinstance(value, str) or not value.startswith("/") or "?" in value:
        raise UsageError(f"{attribute.name}= must be the path of an API without a query, such as /cgi-bin/media/get.")


@frozen(kw_only=True)
class Quota:
    """Daily quota of an API; days end at midnight in Beijing.

    Attributes:
        daily_limit: Calls per day; 0 if WeChat sets no limit.
        used: Calls made today.
        remain: Remaining calls.
    """

    daily_limit: int
    used: int
    remain: int


@frozen(kw_only=True)
class RateLimit:
    """Short-term rate limit of an API.

    Attributes:
        call_count: Calls per period.
        refresh_second: Length of the period in seconds.
    """

    call_count: int
    refresh_second: int


@frozen(kw_only=True)
class CallQuota:
    """Quota and rate limits of one API.

    Attributes:
        quota: Daily quota.
        rate_limit: Short-term rate limit; None if WeChat sends none.
        component_rate_limit: Short-term rate limit of a third-party platform; None if WeChat sends none.
    """

    quota: Quota
    rate_limit: RateLimit | None = None
    component_rate_limit: RateLimit | None = None


@frozen(kw_only=True)
class GetQuota(Call[CallQuota]):
    """Query the remaining calls of an API today; WeChat returns 76021 or 76022 if the quota is unavailable.

    https://developers.weixin.qq.com/doc/service/api/apimanage/api_getapiquota.html
    """

    route: ClassVar[Route] = Route(path="/cgi-bin/openapi/quota/get", effect=Effect.READ)

    cgi_path: str = field(validator=_is_path)


@frozen(kw_only=True)
class RecordedRequest:
    """Record of a request, kept by WeChat for 7 days.

    Attributes:
        invoke_time: Unix time in seconds.
        cost_in_ms: Duration in milliseconds.
        request_url: Query of the request, with the token shortened by WeChat.
        request_body: Body of the request.
        response_body: Body of the response, as JSON; the response of a token endpoint may contain the token.
        client_ip: IP address of the client; the middle is masked.
    """

    invoke_time: int
    cost_in_ms: int = 0
    request_url: str = field(default="", repr=False)
    request_body: str = field(default="", repr=False)
    response_body: str = field(default="", repr=False)
    client_ip: str = ""


@frozen(kw_only=True)
class FoundRequest:
    """Response to `GetRid`."""

    request: RecordedRequest


@frozen(kw_only=True)
class GetRid(Call[FoundRequest]):
    """Look up a request by its id, the ``rid`` of an `APIError`; WeChat returns 76001 to 76004 if it is not found.

    https://developers.weixin.qq.com/doc/service/api/apimanage/api_getridinfo.html
    """

    route: ClassVar[Route] = Route(path="/cgi-bin/openapi/rid/get", effect=Effect.READ)

    rid: str = field(validator=present)


@frozen(kw_only=True)
class ApiDomainIps:
    """IP addresses of WeChat's API hosts."""

    addresses: tuple[str, ...] = field(default=(), metadata=wire_name("ip_list"))


@frozen(kw_only=True)
class GetApiDomainIp(Call[ApiDomainIps]):
    """Query the IP addresses of WeChat's API hosts, for firewall rules.

    https://developers.weixin.qq.com/doc/service/api/base/api_getapidomainip.html
    """

    route: ClassVar[Route] = Route(path="/cgi-bin/get_api_domain_ip", effect=Effect.READ, method="GET")


@frozen(kw_only=True)
class CallbackName:
    """IP address of the host of the account's callback URL, as resolved by WeChat."""

    ip: str
    real_operator: str = ""


@frozen(kw_only=True)
class CallbackPing:
    """Ping result for a `CallbackName`; numbers are strings, as sent by WeChat."""

    ip: str
    from_operator: str = ""
    package_loss: str = ""
    time: str = ""


@frozen(kw_only=True)
class CallbackCheck:
    """Response to `CheckCallback`."""

    dns: tuple[CallbackName, ...] = ()
    ping: tuple[CallbackPing, ...] = ()


@frozen(kw_only=True)
class CheckCallback(Call[CallbackCheck]):
    """Let WeChat resolve and ping the host of the account's callback URL.

    https://developers.weixin.qq.com/doc/service/api/base/api_callbackcheck.html
    """

    route: ClassVar[Route] = Route(path="/cgi-bin/callback/check", effect=Effect.READ)

    action: str = field(default="all")
    check_operator: str = field(default="DEFAULT")

    @action.validator
    def _is_action(self, attribute: "Attribute[str]", value: object) -> None:
        del attribute
        if value not in _ACTIONS:
            raise UsageError(f"action= must be one of {', '.join(_ACTIONS)}, not {value!r:.40}.")

    @check_operator.validator
    def _is_operator(self, attribute: "Attribute[str]", value: object) -> None:
        del attribute
        if value not in _OPERATORS:
            raise UsageError(f"check_operator= must be one of {', '.join(_OPERATORS)}, not {value!r:.40}.")
