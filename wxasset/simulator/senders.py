"""Check of the sender of a request: pages of other sites must not use the simulator through a browser."""

import ipaddress
import re

from aiohttp import web
from yarl import URL

__all__ = ["asked_url", "comes_from_here", "is_loopback", "public_origin", "reason_to_reject"]

_OWN_PAGES = frozenset({"same-origin", "none"})  # none: an address typed by the user
_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


def is_loopback(host: str) -> bool:
    """Return True for a loopback address or name."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def public_origin(url: str) -> URL:
    """Return a public URL.

    Raises:
        ValueError: It is not an http or https URL with a host, or has a user, a query or a fragment.
    """
    try:
        parsed = URL(url.rstrip("/"))
    except ValueError:
        parsed = URL()
    extra = parsed.user is not None or parsed.query_string or parsed.fragment
    if parsed.scheme not in ("http", "https") or not parsed.host or extra:
        raise ValueError(f"the public URL must be like https://wechat.example:8443, got {url[:80]!r}")
    return parsed


def asked_url(http: web.Request) -> str | None:
    """Return the base URL used by a client, by its Host header; None without a usable one.

    A loopback name without a port is not usable: the client reached another port than the default one.
    """
    host = http.headers.get("Host", "")
    usable = _HOST.fullmatch(host) and not is_loopback(host)
    return f"{http.scheme}://{host}" if usable else None


def comes_from_here(http: web.Request) -> bool:
    """Return True for a client of this machine that uses a loopback name, and not through a proxy."""
    forwarded = any(name in http.headers for name in ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"))
    return not forwarded and is_loopback(http.remote or "") and is_loopback(_name(http.headers.get("Host", "")))


def reason_to_reject(http: web.Request, *, any_host: bool, public: URL | None = None) -> str | None:
    """Return the reason to reject a request sent by a browser for another site; None to accept it.

    Args:
        http: The request.
        any_host: Accept any Host header. This permits DNS rebinding: a browser may be led here by another name.
        public: The public URL of the server; its host and its origin are accepted.
    """
    site = http.headers.get("Sec-Fetch-Site", "none")
    if site not in _OWN_PAGES:
        return f"Sec-Fetch-Site {site[:80]!r} is another site; a browser sent this request for a page elsewhere"
    origin = http.headers.get("Origin")
    own = {f"{http.scheme}://{http.host}", None if public is None else str(public.origin())}
    if origin is not None and origin not in own:
        return f"Origin {origin[:80]!r} is another site; requests must come from the simulator's own address"
    host = http.headers.get("Host", "")
    named = public is not None and _name(host) == public.host
    if not any_host and not named and not is_loopback(_name(host)):
        return f"Host {host[:80]!r} is not a loopback address; use 127.0.0.1 or localhost"
    return None


def _name(host: str) -> str:
    """Return the name in a Host header, without its port."""
    try:
        return URL(f"http://{host}").host or ""
    except ValueError:
        return ""
