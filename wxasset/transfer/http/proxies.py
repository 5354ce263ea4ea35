"""Choose the proxy of a URL: a given one, none, or that of the environment."""

import ipaddress
from contextlib import suppress
from typing import Final
from urllib.request import getproxies, proxy_bypass

from yarl import URL

from wxasset.errors import UsageError
from wxasset.errors.frames import concealed

__all__ = ["ENVIRONMENT", "Proxies", "place_of_proxy"]

ENVIRONMENT: Final = "environment"
"""Value of ``proxy=``: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, as read by `urllib`, requests and httpx."""

_LOCAL: Final = ("localhost", "127.0.0.1", "::1")


class Proxies:
    """Proxies of one session."""

    @concealed
    def __init__(self, proxy: str | None) -> None:
        """Check a proxy.

        Args:
            proxy: A URL, which may hold a user and a password; None for no proxy; or `ENVIRONMENT`.

        Raises:
            UsageError: It is not a URL of an HTTP proxy.
        """
        self._fixed = _parsed(proxy) if proxy not in (None, ENVIRONMENT) else None
        self._environment = proxy == ENVIRONMENT
        self._known: dict[tuple[str, str | None], URL | None] = {}
        if self._fixed is None and proxy not in (None, ENVIRONMENT):
            raise UsageError(
                "proxy= is the URL of an HTTP proxy, such as http://user:password@host:3128, or None for no proxy. For"
                " SOCKS pass http= with a connector of aiohttp-socks."
            )

    def for_url(self, url: URL, *, secret: bool = False) -> URL | None:
        """Return the proxy of a URL; None for a direct connection.

        Args:
            url: The URL.
            secret: Whether the request holds a secret: over plain http a proxy of the environment could read it.

        Raises:
            UsageError: The environment names a proxy that cannot be used.
        """
        if not self._environment:
            return self._fixed
        if secret and url.scheme != "https":
            return None
        place = url.scheme, url.host
        if place not in self._known:
            self._known[place] = _from_environment(url)
        return self._known[place]


def place_of_proxy(proxy: URL | None) -> str | None:
    """Return host and port of a proxy, without its password."""
    return None if proxy is None else f"{proxy.host_subcomponent}:{proxy.port}"


def _from_environment(url: URL) -> URL | None:
    if url.scheme == "http" and url.host in _LOCAL:  # links of a simulator; no remote proxy reaches them
        return None
    found = getproxies()
    name = url.scheme if url.scheme in found else "all"
    value = found.get(name)
    if not value or proxy_bypass(f"{url.host}:{url.port}") or _in_network(url.host, found.get("no", "")):
        return None
    proxy = _parsed(value)
    del value, found  # a crash reporter would show them, and the password in them
    if proxy is None:
        raise UsageError(
            f"{name.upper()}_PROXY of the environment is not the URL of an HTTP proxy. Correct it, pass proxy=, or"
            " proxy=None for no proxy. For SOCKS pass http= with a connector of aiohttp-socks."
        )
    return proxy


def _in_network(host: str | None, exceptions: str) -> bool:
    """Return whether NO_PROXY holds a network with this address, such as 10.0.0.0/8; requests reads these too."""
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return False
    for part in exceptions.split(","):
        with suppress(ValueError):
            if address in ipaddress.ip_network(part.strip(), strict=False):
                return True
    return False


def _parsed(value: object) -> URL | None:
    if not isinstance(value, str):
        return None
    try:
        url = URL(value if "://" in value else f"http://{value}")
        port = url.port
    except ValueError:
        return None
    return url if url.scheme in ("http", "https") and url.host and port else None
