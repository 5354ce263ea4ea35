"""Explain the proxy variables of the environment. Pure.

wxasset reads HTTPS_PROXY, ALL_PROXY and NO_PROXY, as requests and httpx do; HTTP_PROXY is for links over plain http.
An API host without https is connected directly, since a proxy could read the secrets.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined] # missing in typeshed

from wxasset.cli.doctor.findings import Finding, failed, ok, warning
from wxasset.errors import Hint

__all__ = ["judge_proxies"]

_VARIABLES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_SCHEMES: Final = ("http", "https", "")
_CHECK: Final = Hint(
    "Put the public address of the proxy on WeChat's IP allowlist. Set NO_PROXY=api.weixin.qq.com to connect directly.",
    "请把代理的出口 IP 加入微信的 IP 白名单；如需直连，请设置 NO_PROXY=api.weixin.qq.com。",
)
_HTTP: Final = Hint(
    "Set the variable to the http:// address of the proxy. SOCKS needs a program that passes its own session.",
    "请将该变量设为代理的 http:// 地址；SOCKS 代理须由程序传入自己的会话。",
)


def _without_password(value: str) -> str:
    """Return scheme, host and port of a proxy address."""
    try:
        parts = urlsplit(value if "://" in value else f"//{value}")
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "?"
    return f"{parts.scheme}{'://' if parts.scheme else ''}{parts.hostname or '?'}{port}"


def judge_proxies(environ: Mapping[str, str], host: str, *, secure: bool, reached: bool) -> Finding:
    """Judge the effect of the proxy variables on wxasset.

    Args:
        environ: The environment variables.
        host: The API host.
        secure: Whether its scheme is https.
        reached: Whether the host can be reached without a proxy.
    """
    names = [name for upper in _VARIABLES for name in (upper.lower(), upper)]
    given = {name: value for name in names if (value := environ.get(name, "").strip())}
    exceptions = {name: given.pop(name) for name in ("no_proxy", "NO_PROXY") if name in given}
    evidence = {name: _without_password(value) for name, value in given.items()} | exceptions
    wanted = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY") if secure else ()
    applied = next((name for name in wanted if name in given), None)
    if applied is None:
        message = Hint(
            "No proxy is set for this address; wxasset connects directly.", "未对该地址设置代理，wxasset 直连。"
        )
        return ok("proxy", message, **evidence)
    if any(proxy_bypass_environment(host, {"no": value}) for value in exceptions.values()):
        message = Hint(
            f"{applied} set, but NO_PROXY contains the host; wxasset connects directly.",
            f"已设置 {applied}，但 NO_PROXY 包含该主机；wxasset 直连。",
        )
        return ok("proxy", message, **evidence)
    place = evidence[applied]
    if place.partition("://")[0] not in _SCHEMES and "://" in place:
        message = Hint(
            f"{applied} set to {place}, which is not an HTTP proxy; every call fails.",
            f"{applied} 设为 {place}，不是 HTTP 代理，所有调用都会失败。",
        )
        return failed("proxy", message, _HTTP, **evidence)
    direct = Hint("", "") if reached else Hint(" The host cannot be reached without it.", "不经代理无法连接该主机。")
    message = Hint(
        f"{applied} set; wxasset connects through {place}. WeChat sees the address of the proxy.{direct.english}",
        f"已设置 {applied}；wxasset 经 {place} 连接，微信看到的是代理的 IP。{direct.chinese}",
    )
    return warning("proxy", message, _CHECK, **evidence)
