"""Quotas, diagnosis and addresses (wire reference 1.4). Pure."""

from typing import ClassVar, Final

from attrs import Attribute, field, frozen

from wxasset.calls.base import Call, Effect, Route
from wxasset.calls.materials import present
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
        raise UsageError(f"{attribute.name}= is the path of an API, such as /cgi-bin/media/get, without a query.")


@frozen(kw_only=True)
class Quota:
    """How often an API may be called in a day, which ends at midnight in Beijing.

    Attributes:
        daily_limit: Calls in a day; 0 where WeChat names no limit.
        used: Calls so far.
        remain: Calls that are left.
    """

    daily_limit: int
    used: int
    remain: int


@frozen(kw_only=True)
class RateLimit:
    """How often an API may be called in a short time.

    Attributes:
        call_count: Calls in that time.
        refresh_second: That time, in seconds.
    """

    call_count: int
    refresh_second: int


@frozen(kw_only=True)
class CallQuota:
    """What may be called of one API.

    Attributes:
        quota: In a day.
        rate_limit: In a short time; None where WeChat sends none.
        component_rate_limit: The same for a third-party platform.
    """

    quota: Quota
    rate_limit: RateLimit | None = None
    component_rate_limit: RateLimit | None = None


@frozen(kw_only=True)
class GetQuota(Call[CallQuota]):
    """Ask how often an API may still be called today; 76021 and 76022 are answered where it cannot be told.

    https://developers.weixin.qq.com/doc/service/api/apimanage/api_getapiquota.html
    """

    route: ClassVar[Route] = Route(path="/cgi-bin/openapi/quota/get", effect=Effect.READ)

    cgi_path: str = field(validator=_is_path)


@frozen(kw_only=True)
class RecordedRequest:
    """What WeChat keeps of a request, for 7 days.

    Attributes:
        invoke_time: Unix time in seconds.
        cost_in_ms: Milliseconds that it took.
        request_url: Its query, with the token shortened by WeChat.
        request_body: Its body.
        response_body: The answer, as JSON; one of a token endpoint may hold the token.
        client_ip: Where it came from; the middle is masked.
    """

    invoke_time: int
    cost_in_ms: int = 0
    request_url: str = field(default="", repr=False)
    request_body: str = field(default="", repr=False)
    response_body: str = field(default="", repr=False)
    client_ip: str = ""


@frozen(kw_only=True)
class FoundRequest:
    """The reply to `GetRid`."""

    request: RecordedRequest


@frozen(kw_only=True)
class GetRid(Call[FoundRequest]):
    """Look up the request behind a request id, the ``rid`` of an `APIError` (76001 to 76004 where it is not found).

    https://developers.weixin.qq.com/doc/service/api/apimanage/api_getridinfo.html
    """

    route: ClassVar[Route] = Route(path="/cgi-bin/openapi/rid/get", effect=Effect.READ)

    rid: str = field(validator=present)


@frozen(kw_only=True)
class ApiDomainIps:
    """The addresses of WeChat's API hosts."""

    addresses: tuple[str, ...] = field(default=(), metadata=wire_name("ip_list"))


@frozen(kw_only=True)
class GetApiDomainIp(Call[ApiDomainIps]):
    """Ask for the addresses of WeChat's API hosts, for the rules of a firewall.

    https://developers.weixin.qq.com/doc/service/api/base/api_getapidomainip.html
    """

    route: ClassVar[Route] = Route(path="/cgi-bin/get_api_domain_ip", effect=Effect.READ, method="GET")


@frozen(kw_only=True)
class CallbackName:
    """An address that WeChat found for the host of the account's callback URL."""

    ip: str
    real_operator: str = ""


@frozen(kw_only=True)
class CallbackPing:
    """How WeChat reached such an address; the numbers are texts, as WeChat writes them."""

    ip: str
    from_operator: str = ""
    package_loss: str = ""
    time: str = ""


@frozen(kw_only=True)
class CallbackCheck:
    """What a `CheckCallback` found."""

    dns: tuple[CallbackName, ...] = ()
    ping: tuple[CallbackPing, ...] = ()


@frozen(kw_only=True)
class CheckCallback(Call[CallbackCheck]):
    """Let WeChat look up and ping the host of the account's callback URL.

    https://developers.weixin.qq.com/doc/service/api/base/api_callbackcheck.html
    """

    route: ClassVar[Route] = Route(path="/cgi-bin/callback/check", effect=Effect.READ)

    action: str = field(default="all")
    check_operator: str = field(default="DEFAULT")

    @action.validator
    def _is_action(self, attribute: "Attribute[str]", value: object) -> None:
        del attribute
        if value not in _ACTIONS:
            raise UsageError(f"action= is one of {', '.join(_ACTIONS)}; not {value!r:.40}.")

    @check_operator.validator
    def _is_operator(self, attribute: "Attribute[str]", value: object) -> None:
        del attribute
        if value not in _OPERATORS:
            raise UsageError(f"check_operator= is one of {', '.join(_OPERATORS)}; not {value!r:.40}.")
