"""Services that have a library: the same accounts behind several host names are one. Pure."""

from typing import Final

__all__ = ["WEIXIN", "realm_of"]

WEIXIN: Final = "weixin"
"""The realm of WeChat itself."""
_HOSTS: Final = frozenset(f"{name}.weixin.qq.com" for name in ("api", "api2", "sh.api", "sz.api", "hk.api"))
"""WeChat's documented hosts (wire reference 0.1), for disaster recovery and by region; its cloud hosting calls the
first one over plain http."""
_PORTS: Final = ("", ":443", ":80")
_OWN: Final = frozenset(host + port for host in _HOSTS for port in _PORTS)


def realm_of(api: str) -> str:
    """Return the realm of an API host: one for all of WeChat's own, else the host itself.

    Args:
        api: The host, with port and path prefix if present.
    """
    return WEIXIN if api.lower().rstrip("/") in _OWN else api
