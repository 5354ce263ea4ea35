"""Check of the sender of a request: pages of other sites must not use the simulator through a browser."""

import ipaddress
import re

from aiohttp import web
from yarl import URL

from wxasset.simulator.interception.hosts import is_wechat, refusal

__all__ = [
    "asked_url",
    "comes_from_here",
    "host_name",
    "is_loopback",
    "is_secure",
    "origin",
    "public_origin",
    "reason_to_reject",
]

_PAGE = "/_sim/"
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
    if is_proxied(http):
        return origin(http)
    host = http.headers.get("Host", "")
    usable = _HOST.fullmatch(host) and not is_loopback(host)
    return f"{http.scheme}://{host}" if usable else None


def comes_from_here(http: web.Request) -> bool:
    """Return True for a client of this machine that uses a loopback name, and not through a proxy."""
    forwarded = any(name in http.headers for name in ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"))
    return not forwarded and is_loopback(http.remote or "") and is_loopback(host_name(origin(http)))


def reason_to_reject(
    http: web.Request, *, any_host: bool, public: URL | None = None, for_wechat: bool = False
) -> str | None:
    """Return the reason to reject a request sent by a browser for another site; None to accept it.

    Args:
        http: The request.
        any_host: Accept any Host header. This permits DNS rebinding: a browser may be led here by another name.
        public: The public URL of the server; its host and its origin are accepted.
        for_wechat: Accept the hosts of WeChat; then a request to a proxy for any other host is rejected.
    """
    site = http.headers.get("Sec-Fetch-Site", "none")
    if site not in _OWN_PAGES and not _follows_link(http):
        return f"Sec-Fetch-Site {site[:80]!r} is another site; a browser sent this request for a page elsewhere"
    page = http.headers.get("Origin")
    own = {origin(http), None if public is None else str(public.origin())}
    if page is not None and page not in own:
        return f"Origin {page[:80]!r} is another site; requests must come from the simulator's own address"
    name = host_name(origin(http))
    if is_loopback(name) or (public is not None and name == public.host) or (for_wechat and is_wechat(name)):
        return None
    if for_wechat and is_proxied(http):
        return refusal(name)
    if any_host:
        return None
    return f"Host {http.headers.get('Host', '')[:80]!r} is not a loopback address; use 127.0.0.1 or localhost"


def _follows_link(http: web.Request) -> bool:
    """Return True if a link of another site leads to the page of the simulator, which cannot be framed."""
    window = (http.headers.get("Sec-Fetch-Mode"), http.headers.get("Sec-Fetch-Dest")) == ("navigate", "document")
    return window and http.method == "GET" and http.path == _PAGE


def is_proxied(http: web.Request) -> bool:
    """Return True for a request to a proxy: its target is a whole URL."""
    return "://" in http.raw_path.partition("?")[0]


def origin(http: web.Request) -> str:
    """Return scheme and host as the client wrote them; the scheme alone if it named no host."""
    if is_proxied(http):
        return "/".join(http.raw_path.split("/", 3)[:3])
    return f"{http.scheme}://{http.headers.get('Host', '')}"


def is_secure(http: web.Request) -> bool:
    """Return True for a request by HTTPS, also one to a proxy, as some clients send it."""
    return http.secure or origin(http).startswith("https:")


def host_name(address: str) -> str:
    """Return the host in an address, without its port."""
    try:
        return URL(address).host or ""
    except ValueError:
        return ""
