"""What proxies the environment names, and what wxasset does with them: nothing. Pure.

wxasset opens its own connections without `trust_env`, so that aiohttp reads no such variable. A borrowed
`aiohttp.ClientSession(trust_env=True)` takes HTTP_PROXY, HTTPS_PROXY and NO_PROXY to the API; ALL_PROXY is read by no
version of aiohttp, and the files behind links (videos, cloud files) are fetched over connections of wxasset's own.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from attrs import frozen

from wxasset.cli.doctor.findings import Finding, failed, ok, warning
from wxasset.errors import Hint

__all__ = ["Proxies", "judge_proxies", "proxies_of"]

_VARIABLES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_BORROW: Final = Hint(
    "To go through a proxy, lend a session to wxasset: WxSession(..., http=aiohttp.ClientSession(trust_env=True));"
    " HTTPS_PROXY has to be an http:// address. ALL_PROXY is read by nobody here, and links to files are"
    " fetched straight"
    " all the same.",
    "须经代理时，请传入自己的会话：WxSession(..., http=aiohttp.ClientSession(trust_env=True))，"
    "HTTPS_PROXY 须为 http:// 地址；ALL_PROXY 不起作用，文件链接仍然直连。",
)


@frozen(kw_only=True)
class Proxies:
    """The proxy variables that are set.

    Attributes:
        shown: Their names and values, without user names and passwords.
        applies: Those that a program which reads them would use for the API host.
        bypassed: Whether NO_PROXY names the host.
    """

    shown: Mapping[str, str]
    applies: tuple[str, ...] = ()
    bypassed: bool = False


def proxies_of(environ: Mapping[str, str], scheme: str, host: str) -> Proxies:
    """Take the proxy variables from the environment, for an address of this scheme and host."""
    given = {
        name: value
        for upper in _VARIABLES
        for name in (upper, upper.lower())
        if (value := environ.get(name, "").strip())
    }
    bypassed = any(_names(value, host) for name, value in given.items() if name.upper() == "NO_PROXY")
    wanted = (f"{scheme.upper()}_PROXY", "ALL_PROXY")
    return Proxies(
        shown={
            name: value if name.upper() == "NO_PROXY" else _without_password(value) for name, value in given.items()
        },
        applies=tuple(name for name in given if name.upper() in wanted),
        bypassed=bypassed,
    )


def _names(value: str, host: str) -> bool:
    """Tell whether a NO_PROXY names a host: itself, or a domain that it is in."""
    for one in value.lower().split(","):
        name = one.strip().removeprefix("*").lstrip(".").partition(":")[0]
        if one.strip() == "*" or (name and (host == name or host.endswith(f".{name}"))):
            return True
    return False


def _without_password(value: str) -> str:
    """Leave of a proxy's address what is no secret."""
    try:
        parts = urlsplit(value if "://" in value else f"//{value}")
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "?"
    return f"{parts.scheme}{'://' if parts.scheme else ''}{parts.hostname or '?'}{port}"


def judge_proxies(found: Proxies, *, reached: bool) -> Finding:
    """Judge what the variables mean for wxasset.

    Args:
        found: The variables.
        reached: Whether the host can be reached without a proxy.
    """
    evidence = dict(found.shown)
    names = ", ".join(found.applies)
    if not found.applies:
        message = Hint("No proxy is set for this address; wxasset goes straight.", "未对该地址设置代理，wxasset 直连。")
        return ok("proxy", message, **evidence)
    if found.bypassed:
        message = Hint(
            f"{names} set, but NO_PROXY names the host; wxasset goes straight.",
            f"已设置 {names}，但 NO_PROXY 包含该主机；wxasset 直连。",
        )
        return ok("proxy", message, **evidence)
    if reached:
        message = Hint(
            f"{names} set; wxasset does not read it and goes straight, which works. WeChat sees this machine's address,"
            " not the proxy's.",
            f"已设置 {names}；wxasset 不读取代理变量，而是直连，目前可用。微信看到的是本机出口 IP，而不是代理的 IP。",
        )
        return warning("proxy", message, _BORROW, **evidence)
    message = Hint(
        f"{names} set, which wxasset does not read; without a proxy the host cannot be reached.",
        f"已设置 {names}，但 wxasset 不读取代理变量；不经代理无法连接该主机。",
    )
    return failed("proxy", message, _BORROW, **evidence)
