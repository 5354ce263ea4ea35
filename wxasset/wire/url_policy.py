"""Policy for URLs sent by a server: checked as parsed, at each redirect, and when connecting. Pure.

A `down_url` is part of a response: a forged response could otherwise make this machine send requests to its own
network.
"""

import ipaddress
import re
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

from attrs import field, frozen
from yarl import URL

from wxasset.errors import UnsafeURLError, UsageError
from wxasset.wire.checks import flag, number
from wxasset.wire.values import Value

__all__ = ["DownloadPolicy", "check_link", "check_redirect", "is_loopback", "is_plain_name", "may_connect"]

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

MEDIA_HOSTS: Final = (
    # wire reference 2.1, 2.2: hosts of images, videos and articles.
    "*.qq.com",
    "*.qpic.cn",
    "*.qlogo.cn",
    # wire reference 3.1, 3.2: hosts of cloud files.
    "*.myqcloud.com",
    "*.qcloud.la",
)
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME: Final = rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*"
"""Host names (RFC 1123), in lower case. Names of other characters reach a resolver that may read them otherwise."""
_NUMBER: Final = r"(^|\.)([0-9]+|0x[0-9a-f]*)$"
"""Host names treated as IPv4 addresses by some resolvers: 127.1, 0x7f.1, 0177.0.0.1."""
_INSIDE: Final = (".localhost", ".local", ".internal", ".localdomain", ".home.arpa", ".lan", ".intranet")
_PATTERN: Final = r"(\*\.)?[\w.-]+|[0-9A-Fa-f:.]+"
_PORTS: Final = {"http": 80, "https": 443}
_LOCALHOST: Final = ("localhost", "127.0.0.1", "::1")


@cache
def _networks(text: str) -> tuple[IPNetwork, ...]:
    return tuple(map(ipaddress.ip_network, text.split()))


# Tables of our own: those of Python differ between its versions.
_SPECIAL: Final = (
    # The special-purpose registry of IANA for IPv4; of 192.0.0.0/24 all, multicast, and the host of Azure's machines.
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24"
    " 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3 168.63.129.16/32"
    # That for IPv6, of 2000::/3: protocols (with Teredo), documentation, 6to4.
    " 2001::/23 2001:db8::/32 2002::/16 3fff::/20"
)
_GLOBAL: Final = ipaddress.ip_network("2000::/3")
"""The part of IPv6 that is assigned to the public network; the rest is private, local, or reserved."""
_EMBEDDED: Final = "::ffff:0:0/96 64:ff9b::/96"
"""IPv4-mapped addresses, and NAT64: networks without IPv4 use it to reach public hosts that have nothing else."""
_FAKE: Final = ipaddress.ip_network("198.18.0.0/15")
"""Addresses by which Clash and Surge (fake-ip) stand for any host name; the real ones are known to them alone."""


def _hosts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise UsageError(f"hosts= must be a tuple of host names, such as {MEDIA_HOSTS[:1]}, not {value!r}.")
    hosts = tuple(value)
    for host in hosts:
        if not isinstance(host, str) or not re.fullmatch(_PATTERN, host):
            raise UsageError(f"hosts= must have host names such as '*.qq.com' without scheme and port, not {host!r}.")
    return hosts


@frozen(kw_only=True, eq=False, repr=False)
class DownloadPolicy(Value):
    """Policy for downloads from URLs sent by a server.

    Attributes:
        hosts: Hosts allowed over plain http, as used in WeChat's `down_url`; "*." matches all subdomains. Over https
            all public hosts are allowed.
        allow_private_hosts: Whether to allow private and loopback addresses, plain http and other ports, for tests
            against a simulator. Links to the host and port of a base URL on loopback are allowed without it.
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


def check_link(link: str, policy: DownloadPolicy, path: str, near: URL | None = None) -> URL:
    """Check a URL sent by a server, without network access, and return it as it was sent.

    Args:
        link: The URL.
        policy: The policy.
        path: Path to show in errors; links are signed, so their query must not be shown.
        near: A base URL on loopback: links to its host and port are allowed.

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
    host = _host(url)
    if url.scheme not in _PORTS or not host:
        raise UnsafeURLError(f"The server gave an address of the scheme {url.scheme[:20]!r}, not of the web.", path)
    if url.raw_user is not None or url.raw_password is not None:
        raise UnsafeURLError("The server gave an address with a user name in it.", path)
    if not (policy.allow_private_hosts or _is_near(host, port, near)):
        _check_public(url, host, port, policy, path)
    return url


def _host(url: URL) -> str:
    return (url.raw_host or "").rstrip(".").lower()


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    address = _literal(host)
    if address is None:
        return host == "localhost" or host.endswith(".localhost")
    return any(address in network for network in _networks("127.0.0.0/8 ::1/128"))


def is_plain_name(host: str) -> bool:
    """Return whether a host is a name, and no number that resolvers take for an address."""
    return re.fullmatch(_NAME, host) is not None and re.search(_NUMBER, host) is None


def _is_near(host: str, port: int | None, near: URL | None) -> bool:
    """Return whether a host and a port are those of the base URL on loopback; localhost has two addresses."""
    if near is None or near.port != port:
        return False
    return host in ((_host(near),) if _host(near) != "localhost" else _LOCALHOST)


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
    if address is None and re.fullmatch(_NAME, host) is None:
        raise UnsafeURLError("The server gave an address whose host is no host name.", path)
    if address is None and ("." not in host or host.endswith(_INSIDE) or not is_plain_name(host)):
        raise UnsafeURLError(f"The server gave an address at {host}, a host of this network.", path)
    if url.scheme == "http" and not policy.is_media_host(_names(url, host, address)):
        raise UnsafeURLError(f"The server gave an address at {host} over plain http, which is not a media host.", path)


def _names(url: URL, host: str, address: IPAddress | None) -> str:
    """Return the media host: `http://ADDRESS/vweixinp.tc.qq.com/...` has it in its path (wire reference 2.2)."""
    name = host if address is None else url.raw_path.lstrip("/").partition("/")[0].lower()
    return name if is_plain_name(name) or name == host else ""


def _literal(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def check_redirect(
    before: URL, location: str | None, policy: DownloadPolicy, path: str, near: URL | None = None
) -> URL:
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
    url = check_link(str(target) if location else "", policy, path, near)
    if before.scheme == "https" and url.scheme != "https":
        raise UnsafeURLError(f"A redirect leads from https to plain http at {_host(url)}.", path)
    return url


def may_connect(
    address: str, policy: DownloadPolicy, host: str, port: int | None = None, near: URL | None = None
) -> bool:
    """Return whether connecting to a resolved address of a host is allowed."""
    if policy.allow_private_hosts:
        return True
    known, name = _literal(address), host.rstrip(".").lower()
    if known is None or "%" in address:
        return False
    if _is_near(name, port, near):
        return is_loopback(address)
    plain = getattr(known, "ipv4_mapped", None) or known
    return policy.is_media_host(name) if plain in _FAKE else _is_public(known)


def _is_public(address: IPAddress) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        if any(address in network for network in _networks(_EMBEDDED)):
            return _is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address.scope_id is not None or address not in _GLOBAL:
            return False
    return not any(address in network for network in _networks(_SPECIAL))
