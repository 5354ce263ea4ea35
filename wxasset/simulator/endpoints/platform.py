"""Token endpoints of a third-party platform (wire reference 1.3)."""

from collections.abc import Mapping

from wxasset.simulator.state.account import Account
from wxasset.simulator.wire.replies import ApiError, Document
from wxasset.simulator.wire.requests import ApiRequest, json_body, required_text


def component_token(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/component/api_component_token: a new token of the platform for a valid ticket.

    The codes are documented. Their order is chosen as in the account's own token endpoints.
    """
    document = json_body(request)
    _check_appid(account, document)
    if required_text(document, "component_appsecret", missing=41004) != account.platform.secret:
        raise ApiError(40125)
    _check_address(account, request)
    account.platform.check_ticket(document.get("component_verify_ticket"))
    account.quotas.spend(request.path, account.options)
    issued = account.tokens.component()
    return {"component_access_token": issued.value, "expires_in": account.tokens.seconds_left(issued)}


def authorizer_token(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/component/api_authorizer_token: a new token of the account, and the next refresh token."""
    document = json_body(request)
    _check_appid(account, document)
    _check_address(account, request)
    if document.get("authorizer_appid") != account.appid:
        raise ApiError(61003)  # the code is documented, its position here is chosen
    refresh_token = account.platform.refresh(
        document.get("authorizer_refresh_token"), rotate=account.options.rotate_refresh_token
    )
    issued = account.tokens.authorizer()
    return {
        "authorizer_access_token": issued.value,
        "expires_in": account.tokens.seconds_left(issued),
        "authorizer_refresh_token": refresh_token,
    }


def _check_appid(account: Account, document: Mapping[str, object]) -> None:
    if document.get("component_appid") != account.platform.appid:
        raise ApiError(61011)


def _check_address(account: Account, request: ApiRequest) -> None:
    allowed = account.options.allowed_addresses
    if allowed is not None and request.remote not in allowed:
        raise ApiError(61004)
