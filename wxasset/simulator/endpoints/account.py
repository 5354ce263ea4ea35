"""Quotas, diagnosis and addresses (wire reference 1.4)."""

from collections.abc import Callable, Collection, Mapping

from wxasset.simulator.endpoints.callers import is_platform
from wxasset.simulator.state.account import Account
from wxasset.simulator.state.quotas import daily_limit, minute_limit
from wxasset.simulator.wire.replies import ApiError, Document
from wxasset.simulator.wire.requests import ApiRequest, json_body, required_text

_OK: Document = {"errcode": 0, "errmsg": "ok"}
_ADDRESSES = ["101.89.47.18", "101.91.34.103"]  # those of the official sample
_CHECKS = {"dns": ("dns",), "ping": ("ping",), "all": ("dns", "ping")}
_OPERATORS = ("CHINANET", "UNICOM", "CAP", "DEFAULT")
_COMPONENT = "/cgi-bin/component/"


def clear_quota(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/clear_quota: reset the day's counts of all endpoints, of the token's account or platform."""
    document = json_body(request)
    if is_platform(account, request):
        _check_appid(account.platform.appid, document)
        account.platform.quotas.clear()
    else:
        _check_appid(account.appid, document)
        account.quotas.clear()
    return _OK


def clear_quota_v2(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/clear_quota/v2: the same without a token.

    The official table has the credentials in the body and its sample has them in the query; both are accepted.
    """
    given = json_body(request) if request.body else request.query
    account = account.named(required_text(given, "appid", missing=41002))
    if required_text(given, "appsecret", missing=41004) != account.secret:
        raise ApiError(account.options.errcode("clear_quota_secret"))
    account.quotas.clear()
    return _OK


class Quotas:
    """Endpoints with another endpoint as parameter, one of `paths`."""

    def __init__(self, paths: Callable[[], Collection[str]]) -> None:
        self._paths = paths

    def get(self, account: Account, request: ApiRequest) -> Document:
        """POST /cgi-bin/openapi/quota/get; without a limit the value is 0, as in the official sample."""
        path = self._named(request)
        used = account.quotas.used(path)
        limit = daily_limit(path, account.options) or 0
        quota = {"daily_limit": limit, "used": used, "remain": max(0, limit - used)}
        by_minute = minute_limit(path, account.options)
        rate = {} if by_minute is None else {"rate_limit": {"call_count": by_minute, "refresh_second": 60}}
        return {**_OK, "quota": quota, **rate}

    def clear(self, account: Account, request: ApiRequest) -> Document:
        """POST /cgi-bin/openapi/quota/clear."""
        account.quotas.clear(self._named(request), account.options.errcode("cleared_too_often"))
        return _OK

    def _named(self, request: ApiRequest) -> str:
        """Return the path given in a request: 76021 for an unknown one, 76022 for one of the platform's."""
        path = json_body(request).get("cgi_path")
        if not isinstance(path, str) or path not in self._paths():
            raise ApiError(76021)
        if path.startswith(_COMPONENT):
            raise ApiError(76022)
        return path


def find_rid(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/openapi/rid/get."""
    return {**_OK, "request": account.request_ids.find(json_body(request).get("rid"), account.appid)}


def addresses(_account: Account, _request: ApiRequest) -> Document:
    """GET /cgi-bin/get_api_domain_ip and /cgi-bin/getcallbackip."""
    return {"ip_list": _ADDRESSES}


def check_callback(_account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/callback/check; codes are those of the service's table, the results are invented."""
    document = json_body(request)
    checks = _CHECKS.get(str(document.get("action")))
    operator = document.get("check_operator", "DEFAULT")
    if checks is None:
        raise ApiError(40202)
    if operator not in _OPERATORS:
        raise ApiError(40203)
    found: dict[str, object] = {
        "dns": [{"ip": _ADDRESSES[0], "real_operator": "UNICOM"}],
        "ping": [{"ip": _ADDRESSES[0], "from_operator": operator, "package_loss": "0%", "time": "23.079ms"}],
    }
    return {check: found[check] for check in checks}


def _check_appid(appid: str, given: Mapping[str, object]) -> None:
    if required_text(given, "appid", missing=41002) != appid:
        raise ApiError(40013)
