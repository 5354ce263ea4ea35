"""Token endpoints of an account (wire reference 1.1, 1.2)."""

from collections.abc import Mapping

from wxasset.simulator.endpoints.callers import check_address
from wxasset.simulator.state.account import Account
from wxasset.simulator.state.tokens import IssuedToken
from wxasset.simulator.wire.replies import ApiError, Document
from wxasset.simulator.wire.requests import ApiRequest, json_body, required_text


def token(account: Account, request: ApiRequest) -> Document:
    """GET /cgi-bin/token: always a new token."""
    account = _check_credentials(account, request.query, request)
    return _reply(account, account.tokens.plain())


def stable_token(account: Account, request: ApiRequest) -> Document:
    """POST /cgi-bin/stable_token: the current token, or a new one shortly before expiry or by a forced refresh."""
    document = json_body(request)
    force_refresh = document.get("force_refresh", False)
    if not isinstance(force_refresh, bool):
        raise ApiError(47001)
    account = _check_credentials(account, document, request)
    return _reply(account, account.tokens.stable(force_refresh=force_refresh, options=account.options))


def _check_credentials(account: Account, given: Mapping[str, object], request: ApiRequest) -> Account:
    """Check the credentials and return their account.

    Missing values are reported before invalid ones, then appid, secret, address, as inferred by one live test (0.5).
    The quota is checked last. Chosen: calls without the secret cannot use up the quota.
    """
    if given.get("grant_type") != "client_credential":
        raise ApiError(40002)
    appid = required_text(given, "appid", missing=41002)
    secret = required_text(given, "secret", missing=41004)
    account = account.named(appid)
    if secret != account.secret:
        raise ApiError(40125)
    if account.options.token_refusal is not None:
        raise ApiError(account.options.token_refusal)
    check_address(account.options, request, 40164)
    account.quotas.spend(request.path, account.options)
    return account


def _reply(account: Account, issued: IssuedToken) -> Document:
    return {"access_token": issued.value, "expires_in": account.tokens.registry.seconds_left(issued)}
