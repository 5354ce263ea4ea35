"""Explain the proxy variables of the environment. Pure.

wxasset opens its own connections without `trust_env`, so aiohttp reads none of them. A borrowed
`aiohttp.ClientSession(trust_env=True)` uses HTTP_PROXY, HTTPS_PROXY and NO_PROXY for API calls. aiohttp never reads
ALL_PROXY, and files behind links (videos, cloud files) are fetched over wxasset's own connections.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined] # missing in typeshed

from wxasset.cli.doctor.findings import Finding, failed, ok, warning
from wxasset.errors import Hint

__all__ = ["judge_proxies"]

_VARIABLES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_BORROW: Final = Hint(
    "To use a proxy, pass a session: WxSession(..., http=aiohttp.ClientSession(trust_env=True)); HTTPS_PROXY must be an"
    " http:// address. ALL_PROXY has no effect, and links to files are always fetched directly.",
    "须经代理时，请传入自己的会话：WxSession(..., http=aiohttp.ClientSession(trust_env=True))，"
    "HTTPS_PROXY 须为 http:// 地址；ALL_PROXY 不起作用，文件链接仍然直连。",
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
    names = [name for upper in _VARIABLES for name in (upper, upper.lower())]
    given = {name: value for name in names if (value := environ.get(name, "").strip())}
    exceptions = {name: given.pop(name) for name in ("NO_PROXY", "no_proxy") if name in given}
    evidence = {name: _without_password(value) for name, value in given.items()} | exceptions
    wanted = ("HTTPS_PROXY" if secure else "HTTP_PROXY", "ALL_PROXY")
    applied = ", ".join(name for name in given if name.upper() in wanted)
    if not applied:
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
    if reached:
        message = Hint(
            f"{applied} set; wxasset does not read proxy variables and connects directly, successfully. WeChat sees the"
            " address of this machine, not the proxy's.",
            f"已设置 {applied}；wxasset 不读取代理变量，而是直连，目前可用。微信看到的是本机出口 IP，而不是代理的 IP。",
        )
        return warning("proxy", message, _BORROW, **evidence)
    message = Hint(
        f"{applied} set, but wxasset does not read proxy variables; the host cannot be reached without a proxy.",
        f"已设置 {applied}，但 wxasset 不读取代理变量；不经代理无法连接该主机。",
    )
    return failed("proxy", message, _BORROW, **evidence)
