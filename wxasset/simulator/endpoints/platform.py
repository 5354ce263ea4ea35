"""Endpoints of a third-party platform (wire reference 1.3, 8.4)."""

from collections.abc import Mapping
from itertools import islice

from wxasset.simulator.endpoints.callers import check_address
from wxasset.simulator.state.account import Account
from wxasset.simulator.state.platform import Authorization
from wxasset.simulator.wire.replies import ApiError, Document
from wxasset.simulator.wire.requests import ApiRequest, json_body, required_text, whole_number

_OK: Document = {"errcode": 0, "errmsg": "ok"}
_LONGEST_PAGE = 500  # documented
_ALL_SETS = frozenset({1, 3, 7, 8, 9, 11, 18, 19, 30, 31, 37, 49, 64, 100})  # those of all endpoints


def start_push_ticket(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/component/api_start_push_ticket; the first ticket follows as a push."""
    document = json_body(request)
    if required_text(document, "component_appid", missing=41002) != account.platform.appid:
        raise ApiError(40013)
    _check_secret(account, document, "component_secret")
    check_address(account.platform.options, request, 61004)
    account.platform.push_ticket()
    return _OK


def component_token(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/component/api_component_token: a new token of the platform for a valid ticket.

    The codes are documented. Their order is chosen as in the account's own token endpoints.
    """
    platform, document = account.platform, json_body(request)
    _check_appid(account, document)
    _check_secret(account, document, "component_appsecret")
    check_address(platform.options, request, 61004)
    platform.check_ticket(document.get("component_verify_ticket"))
    platform.quotas.spend(request.path, platform.options)
    issued = platform.component_token()
    return {"component_access_token": issued.value, "expires_in": platform.registry.seconds_left(issued)}


def pre_auth_code(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/component/api_create_preauthcode."""
    _check_appid(account, json_body(request))
    code, seconds = account.platform.create_pre_auth_code()
    return {"pre_auth_code": code, "expires_in": seconds}


def query_auth(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/component/api_query_auth: tokens and permission sets for a one-time code."""
    platform, document = account.platform, json_body(request)
    _check_appid(account, document)
    authorization = platform.use_authorization_code(document.get("authorization_code"))
    issued = platform.access_token(authorization)
    tokens = {
        "authorizer_access_token": issued.value,
        "expires_in": platform.registry.seconds_left(issued),
        "authorizer_refresh_token": authorization.refresh_token,
    }
    return {"authorization_info": {"authorizer_appid": authorization.appid, **tokens, **_sets(account, authorization)}}


def authorizer_token(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/component/api_authorizer_token: a new token of the account, and the refresh token to use next.

    The codes are documented, the position of 61003 is chosen.
    """
    platform, document = account.platform, json_body(request)
    _check_appid(account, document)
    issued, refresh_token = platform.refresh(document.get("authorizer_appid"), document.get("authorizer_refresh_token"))
    return {
        "authorizer_access_token": issued.value,
        "expires_in": platform.registry.seconds_left(issued),
        "authorizer_refresh_token": refresh_token,
    }


def authorizer_info(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/component/api_get_authorizer_info; names and pictures of the account are invented."""
    document = json_body(request)
    _check_appid(account, document)
    authorization = account.platform.authorization(document.get("authorizer_appid"))
    authorizer = account.named(authorization.appid)
    mini_program = authorizer.options.account_kind == "mini_program"
    info: dict[str, object] = {
        "nick_name": f"Account {authorizer.appid}",
        "service_type_info": {"id": 0 if mini_program else 2},
        "verify_type_info": {"id": 0 if authorizer.options.verified else -1},
        "user_name": f"gh_{authorizer.appid[-12:]}",
        "principal_name": f"Owner of {authorizer.appid}",
        "account_status": 1,
    }
    if mini_program:
        info["MiniProgramInfo"] = {"network": {}, "categories": [], "visit_status": 0}
    rights = {
        "authorizer_appid": authorization.appid,
        "authorizer_refresh_token": authorization.refresh_token,
        **_sets(account, authorization),
    }
    return {"authorizer_info": info, "authorization_info": rights}


def authorizer_list(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/component/api_get_authorizer_list: at most 500 accounts, oldest first (chosen)."""
    document = json_body(request)
    _check_appid(account, document)
    offset, count = whole_number(document, "offset"), whole_number(document, "count")
    if offset < 0 or count < 0:
        raise ApiError(40097)
    if count > _LONGEST_PAGE:
        raise ApiError(40170)
    known = account.platform.authorizations
    with_tokens = account.platform.options.authorizer_list_refresh_tokens
    page = [
        {
            "authorizer_appid": one.appid,
            **({"refresh_token": one.refresh_token} if with_tokens else {}),
            "auth_time": one.authorized_at,
        }
        for one in islice(known.values(), offset, offset + count)
    ]
    return {"total_count": len(known), "list": page}


def clear_quota(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/component/clear_quota: reset the counts of the platform; several SDKs still call it so."""
    _check_appid(account, json_body(request))
    account.platform.quotas.clear()
    return _OK


def clear_quota_v2(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/component/clear_quota/v2: reset the counts of the platform, or of an authorizer where named."""
    platform, document = account.platform, json_body(request)
    if required_text(document, "component_appid", missing=41002) != platform.appid:
        raise ApiError(40013)
    _check_secret(account, document, "appsecret")
    appid = document.get("appid")
    if appid in (None, "", platform.appid):
        platform.quotas.clear()
    else:
        account.named(platform.authorization(appid).appid).quotas.clear()
    return _OK


def _sets(account: Account, authorization: Authorization) -> dict[str, object]:
    sets = account.platform.granted(authorization.appid)
    return {"func_info": [{"funcscope_category": {"id": one}} for one in sorted(_ALL_SETS if sets is None else sets)]}


def _check_appid(account: Account, document: Mapping[str, object]) -> None:
    if document.get("component_appid") != account.platform.appid:
        raise ApiError(61011)


def _check_secret(account: Account, document: Mapping[str, object], name: str) -> None:
    if required_text(document, name, missing=41004) != account.platform.secret:
        raise ApiError(40125)
