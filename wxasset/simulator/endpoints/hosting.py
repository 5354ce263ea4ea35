"""Calls from containers of WeChat cloud hosting (wire reference 1.6, 8.5).

The environment belongs to the first account of the simulator and is shared with all the others.
"""

from wxasset.simulator.state.account import Account
from wxasset.simulator.wire.replies import ApiError, RawReply
from wxasset.simulator.wire.requests import TOKEN_PARAMETERS, ApiRequest

_BAD_GATEWAY = RawReply(
    status=502, headers={"Content-Type": "text/html"}, body=b"<html><body><h1>502 Bad Gateway</h1></body></html>"
)


def comes_from_hosting(account: Account, request: ApiRequest) -> bool:
    """Return True if the sidecar of cloud hosting passed the request on: it is switched on, and no token was sent."""
    has_token = any(request.query.get(name) for name in TOKEN_PARAMETERS)
    return _environment(account).options.cloud_hosting is not None and not has_token


def from_hosting(account: Account, request: ApiRequest) -> bool:
    """Return True for a call from cloud hosting, by its sidecar or with its token; both may use plain HTTP."""
    return comes_from_hosting(account, request) or bool(request.query.get("cloudbase_access_token"))


def check_hosting(account: Account, request: ApiRequest) -> RawReply | None:
    """Return status 502 if the sidecar does not know the path; None to go on.

    Raises:
        ApiError: 85113 after a deployment, 85107 for a path that is not listed, 85105 for an account without the
            environment.
    """
    if not comes_from_hosting(account, request):
        return None
    owner = _environment(account)
    if account.clock.now() < owner.deployed_at + owner.options.hosting_ready_after:
        raise ApiError(85113)  # chosen: before the list is read
    if not is_listed(account, request.path):
        if owner.options.unlisted_in_hosting == _BAD_GATEWAY.status:
            return _BAD_GATEWAY
        raise ApiError(85107)
    check_caller(account, request)
    return None


def is_listed(account: Account, path: str) -> bool:
    """Return True if the console lists the path, or if no list is simulated."""
    listed = _environment(account).options.cloud_hosting
    return listed is None or path in listed


def check_caller(account: Account, request: ApiRequest) -> None:
    """Check `from_appid`.

    Raises:
        ApiError: `from_appid`, the environment is not shared with this account.
    """
    name = request.query.get("from_appid")
    if name and name not in account.directory:
        raise ApiError(account.options.errcode("from_appid"))


def _environment(account: Account) -> Account:
    """Return the owner of the environment."""
    return next(iter(account.directory.values()))
