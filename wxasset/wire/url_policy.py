"""Policy for URLs sent by a server: checked as parsed, at each redirect, and when connecting. Pure.

A `down_url` is part of a response: a forged response could otherwise make this machine send requests to its own
network.
"""

import ipaddress
import re
from collections.abc import Iterable
from typing import Any, Final

from attrs import field, frozen
from yarl import URL

from wxasset.errors import UnsafeURLError, UsageError
from wxasset.wire.checks import flag, number

__all__ = ["DownloadPolicy", "check_link", "check_redirect", "may_connect"]

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

MEDIA_HOSTS: Final = (
    # wire reference 2.1, 2.2: hosts of images, videos and articles.
    "*.qq.com",
    "*.qpic.cn",
    "*.qlogo.cn",
    # wire reference 3.1, 3.2: hosts of cloud files.
    "*.myqcloud.com",
    "*.qcloud.la",
)
_NUMBER: Final = re.compile(r"(^|\.)([0-9]+|0x[0-9a-f]*)$")
"""Host names treated as IPv4 addresses by some resolvers: 127.1, 0x7f.1, 0177.0.0.1."""
_PATTERN: Final = re.compile(r"(\*\.)?[\w.-]+|[0-9A-Fa-f:.]+")
_PORTS: Final = {"http": 80, "https": 443}
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_FAKE: Final = ipaddress.ip_network("198.18.0.0/15")
"""Addresses by which Clash and Surge (fake-ip) stand for any host name; the real ones are known to them alone."""
_TUNNELS: Final = tuple(map(ipaddress.ip_network, ("2002::/16", "2001::/32", "64:ff9b:1::/48", "::/96")))
"""6to4, Teredo, local NAT64 and IPv4-compatible addresses: each contains an IPv4 address reachable through a relay."""


def _hosts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise UsageError(f"hosts= must be a tuple of host names, such as {MEDIA_HOSTS[:1]}, not {value!r}.")
    hosts = tuple(value)
    for host in hosts:
        if not isinstance(host, str) or not _PATTERN.fullmatch(host):
            raise UsageError(f"hosts= must have host names such as '*.qq.com' without scheme and port, not {host!r}.")
    return hosts


@frozen(kw_only=True)
class DownloadPolicy:
    """Policy for downloads from URLs sent by a server.

    Attributes:
        hosts: Hosts allowed over plain http, as used in WeChat's `down_url`; "*." matches all subdomains. Over https
            all public hosts are allowed.
        allow_private_hosts: Whether to allow private and loopback addresses, plain http and other ports, for tests
            against a simulator.
        max_redirects: Maximum number of redirects; each one is checked.
    """

    hosts: tuple[str, ...] = field(default=MEDIA_HOSTS, converter=_hosts)
    allow_private_hosts: bool = field(default=False, validator=flag)
    max_redirects: int = field(default=3, validator=number(at_least=0, whole=True))

    def is_media_host(self, host: str) -> bool:
        """Return whether a host is one of `hosts`."""
        return any(
            host.endswith(pattern[1:].lower()) if pattern.startswith("*.") else host == pattern.lower()
            for pattern in self.hosts
        )


def check_link(link: str, policy: DownloadPolicy, path: str) -> URL:
    """Check a URL sent by a server, without network access, and return it as it was sent.

    Args:
        link: The URL.
        policy: The policy.
        path: Path to show in errors; links are signed, so their query must not be shown.

    Raises:
        UnsafeURLError: The URL is not allowed.
    """
    if re.search(r"[\x00-\x20\x7f\\]", link.strip(" ")):
        raise UnsafeURLError("The server gave an address with blanks, control characters or backslashes.", path)
    try:
        url = _unchanged(link.strip(" "))
        port = url.port
    except ValueError:
        raise UnsafeURLError("The server gave an address that is no URL.", path) from None
    host = (url.host or "").rstrip(".").lower()
    if url.scheme not in _PORTS or not host:
        raise UnsafeURLError(f"The server gave an address of the scheme {url.scheme[:20]!r}, not of the web.", path)
    if url.raw_user is not None or url.raw_password is not None:
        raise UnsafeURLError(f"The server gave an address at {host} with a user name in it.", path)
    if not policy.allow_private_hosts:
        _check_public(url, host, port, policy, path)
    return url


def _unchanged(link: str) -> URL:
    """Parse a URL and keep its encoding, which its signature may cover; raise `ValueError` if it is invalid."""
    url = URL(link)
    if not link.isascii():
        return url
    exact = URL(link, encoded=True)
    return exact if exact.origin() == url.origin() else url


def _check_public(url: URL, host: str, port: int | None, policy: DownloadPolicy, path: str) -> None:
    if port != _PORTS[url.scheme]:
        raise UnsafeURLError(f"The server gave an address at {host} with the port {port}.", path)
    address = _literal(host)
    if address is not None and not _is_public(address):
        raise UnsafeURLError(f"The server gave an address at {host}, which is not a public one.", path)
    if address is None and (
        "." not in host or host.endswith((".localhost", ".local", ".internal")) or _NUMBER.search(host)
    ):
        raise UnsafeURLError(f"The server gave an address at {host}, a host of this network.", path)
    if url.scheme == "http" and not policy.is_media_host(_names(url, host, address)):
        raise UnsafeURLError(f"The server gave an address at {host} over plain http, which is not a media host.", path)


def _names(url: URL, host: str, address: IPAddress | None) -> str:
    """Return the media host: `http://ADDRESS/vweixinp.tc.qq.com/...` has it in its path (wire reference 2.2)."""
    return host if address is None else url.raw_path.lstrip("/").partition("/")[0].lower()


def _literal(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def check_redirect(before: URL, location: str | None, policy: DownloadPolicy, path: str) -> URL:
    """Check the target of a redirect, and return it.

    Raises:
        UnsafeURLError: The target is not allowed.
    """
    try:
        path_alone = location is not None and location.startswith("/") and not location.startswith("//")
        # `join` would resolve the dots of a path, which the signature may cover.
        place = f"{before.origin()}{location}" if path_alone else location or ""
        target = before.join(URL(place, encoded=place.isascii()))
    except ValueError:
        raise UnsafeURLError("A redirect leads to an address that is no URL.", path) from None
    url = check_link(str(target) if location else "", policy, path)
    if before.scheme == "https" and url.scheme != "https":
        raise UnsafeURLError(f"A redirect leads from https to plain http at {url.host}.", path)
    return url


def may_connect(address: str, policy: DownloadPolicy, host: str) -> bool:
    """Return whether connecting to a resolved address of a host is allowed."""
    known = _literal(address)
    plain = getattr(known, "ipv4_mapped", None) or known
    if plain is not None and plain.version == _FAKE.version and plain in _FAKE and not policy.allow_private_hosts:
        return policy.is_media_host(host.rstrip(".").lower())
    return policy.allow_private_hosts or (known is not None and "%" not in address and _is_public(known))


def _is_public(address: IPAddress) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return _is_public(address.ipv4_mapped)
        if address in _NAT64:  # used by networks without IPv4 to reach IPv4-only public hosts
            return _is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address.scope_id is not None or any(address in tunnel for tunnel in _TUNNELS):
            return False
    return address.is_global and not address.is_multicast
