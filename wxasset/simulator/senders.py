"""Check of the sender of a request: pages of other sites must not use the simulator through a browser."""

import ipaddress

from aiohttp import web
from yarl import URL

__all__ = ["is_loopback", "reason_to_reject"]

_OWN_PAGES = frozenset({"same-origin", "none"})  # none: an address typed by the user


def is_loopback(host: str) -> bool:
    """Return True for a loopback address or name."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def reason_to_reject(http: web.Request, *, any_host: bool) -> str | None:
    """Return the reason to reject a request sent by a browser for another site; None to accept it.

    Args:
        http: The request.
        any_host: Accept any Host header. This permits DNS rebinding: a browser may be led here by another name.
    """
    site = http.headers.get("Sec-Fetch-Site", "none")
    if site not in _OWN_PAGES:
        return f"Sec-Fetch-Site {site[:80]!r} is another site; a browser sent this request for a page elsewhere"
    origin = http.headers.get("Origin")
    if origin is not None and origin != f"{http.scheme}://{http.host}":
        return f"Origin {origin[:80]!r} is another site; requests must come from the simulator's own address"
    host = http.headers.get("Host", "")
    if not any_host and not is_loopback(_name(host)):
        return f"Host {host[:80]!r} is not a loopback address; use 127.0.0.1 or localhost"
    return None


def _name(host: str) -> str:
    """Return the name in a Host header, without its port."""
    try:
        return URL(f"http://{host}").host or ""
    except ValueError:
        return ""
