"""Check method, token, permission and quota before the body is read (wire reference 0.5)."""

from collections.abc import Callable
from typing import Literal

from attrs import field, frozen
from attrs.validators import matches_re

from wxasset.simulator.endpoints.callers import check_address, is_platform, platform_token
from wxasset.simulator.endpoints.hosting import check_caller, comes_from_hosting, is_listed
from wxasset.simulator.state.account import Account
from wxasset.simulator.state.tokens import IssuedToken
from wxasset.simulator.wire.replies import ApiError, Document, RawReply
from wxasset.simulator.wire.requests import ApiRequest

Handler = Callable[[Account, ApiRequest], Document | RawReply]


@frozen(kw_only=True)
class Endpoint:
    """One endpoint of the API.

    Attributes:
        methods: The accepted HTTP methods.
        handler: The function to call.
        evidence: The evidence for its responses, with the sections of the wire reference: "documented" by WeChat,
            "observed" in captures or several codebases, or "chosen".
        credential: The required token: the account's, the platform's, either of them, or none.
        issues_token: The endpoint issues tokens.
        audience: The permitted accounts: "any", "official_account", or a "verified" official account.
        permission_sets: A third-party platform needs one of these sets (1.3); empty if it needs none.
    """

    methods: frozenset[str]
    handler: Handler
    evidence: str = field(validator=matches_re(r"(documented|observed|chosen) \(\d(\.\d+)?(, \d(\.\d+)?)*\)"))
    credential: Literal["account", "component", "either", "none"] = "account"
    issues_token: bool = False
    audience: Literal["any", "official_account", "verified"] = "any"
    permission_sets: frozenset[int] = frozenset()


def admit(account: Account, endpoint: Endpoint, request: ApiRequest) -> None:
    """Check a request except its body: method, token, address, permission, quota, in the chosen order of 0.5.

    Raises:
        ApiError: The first failed check.
    """
    if request.method not in endpoint.methods:
        raise ApiError(43001 if "GET" in endpoint.methods else 43002)
    if endpoint.credential == "none":
        return  # its handler checks the credentials in the body, and then the quota
    token = _token(account, endpoint, request)
    _check_address(account, request, token)
    _check_permission(account, endpoint, request.path, token)
    quotas = account.platform.quotas if token is not None and token.kind == "component" else account.quotas
    quotas.spend(request.path, account.options)


def _token(account: Account, endpoint: Endpoint, request: ApiRequest) -> IssuedToken | None:
    """Return the token of a request, or None if it needs none."""
    query, registry = request.query, account.tokens.registry
    if endpoint.credential == "component" or (endpoint.credential == "either" and is_platform(account, request)):
        token = registry.check(platform_token(request))
        if token.kind != "component":
            raise ApiError(61014)
        return token
    if comes_from_hosting(account, request):
        return None
    pushed = None if query.get("access_token") else query.get("cloudbase_access_token")
    token = registry.check(pushed or query.get("access_token"))
    if token.kind == "component":
        raise ApiError(61015)
    if (token.kind == "cloudbase") != bool(pushed):
        raise ApiError(account.options.errcode("token_name"))  # each kind of token has its own name in the query
    if pushed:
        check_caller(account, request)
    return token


def _check_address(account: Account, request: ApiRequest, token: IssuedToken | None) -> None:
    """Raise 61004 for an address outside the list of the account, or of the platform for its tokens (8.3, 8.4)."""
    if token is None or token.kind == "cloudbase":
        return
    options = account.options if token.kind == "account" else account.platform.options
    if options.addresses_for_calls or token.kind == "component":
        check_address(options, request, 61004)


def _check_permission(account: Account, endpoint: Endpoint, path: str, token: IssuedToken | None) -> None:
    """Raise 48001 if the account lacks the permission, 61007 if it has not granted it to the platform."""
    options = account.options
    mini_program = options.account_kind == "mini_program"
    barred = {
        "any": False,
        "official_account": mini_program,
        "verified": mini_program or not options.verified,
    }[endpoint.audience]
    if token is not None and token.kind == "cloudbase" and not is_listed(account, path):
        raise ApiError(85107)
    if barred or path in options.unauthorized_paths:
        raise ApiError(48001)
    if token is None or token.kind != "authorizer" or not endpoint.permission_sets:
        return
    granted = account.platform.granted(account.appid)
    if granted is not None and not granted & endpoint.permission_sets:
        raise ApiError(61007)
