"""Recognition of a caller: its address, and the token of a platform (wire reference 1.3, 1.5, 8.3)."""

from ipaddress import ip_address, ip_network

from wxasset.simulator.options import SimulatorOptions
from wxasset.simulator.state.account import Account
from wxasset.simulator.wire.replies import ApiError
from wxasset.simulator.wire.requests import ApiRequest


def check_address(options: SimulatorOptions, request: ApiRequest, errcode: int) -> None:
    """Check a client's address.

    Raises:
        ApiError: `errcode`, the address is not on the whitelist.
    """
    allowed = options.allowed_addresses
    if allowed is not None and not _listed(request.remote, allowed):
        raise ApiError(errcode, address=request.remote)


def _listed(remote: str, allowed: frozenset[str]) -> bool:
    """Return True for an address in a list of addresses and CIDR ranges."""
    try:
        address = ip_address(remote)
    except ValueError:
        return False  # a socket without an address
    return any(address in ip_network(one, strict=False) for one in allowed)


def is_platform(account: Account, request: ApiRequest) -> bool:
    """Return True for a request with the platform's own token."""
    token = account.tokens.registry.find(platform_token(request))
    return token is not None and token.kind == "component"


def platform_token(request: ApiRequest) -> str:
    """Return the platform's token in a query: one name is documented, the other is sent by every SDK (1.3)."""
    return request.query.get("component_access_token") or request.query.get("access_token") or ""
