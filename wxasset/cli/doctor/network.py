"""Judge the connection to the API host, and the local clock. Pure."""

import ipaddress
import ssl
from typing import Final

from wxasset.cli.doctor.faults import explain
from wxasset.cli.doctor.findings import Finding, failed, ok, skipped, stamp, warning
from wxasset.cli.doctor.route import Route
from wxasset.errors import Hint, UsageError

__all__ = ["judge_address_form", "judge_clock", "judge_connection"]

_API_HOST: Final = "api.weixin.qq.com"
# 198.18.0.0/15 is reserved for benchmarks (RFC 2544); intercepting local proxies resolve names to it.
_FAKE: Final = ipaddress.ip_network("198.18.0.0/15")
_SKEW: Final = 60.0  # seconds; a token is not used in its last 60, so a smaller error is harmless
_GRAVE_SKEW: Final = 300.0  # seconds; a token is renewed 300 before it expires
_RESOLUTION: Final = 0.5  # seconds; a Date header has whole seconds, on average half a second old
_SLOW: Final = 3000.0  # milliseconds; WeChat responds in about 100

_ADDRESS: Final = Hint("Correct WXASSET_BASE_URL, or unset it.", "请更正或取消 WXASSET_BASE_URL。")


def judge_address_form(error: UsageError) -> Finding:
    """Judge an API address that sessions refuse."""
    return failed("connection", Hint(error.message, f"接口地址无效：{error.message}"), _ADDRESS)


def judge_connection(found: Route) -> Finding:
    """Judge the connection to the API host, and its response."""
    works = found.error is None and found.is_wechat
    if not works or (doubt := _doubt(found)):
        message, remedy = explain(found, doubt if works else None)
        return (warning if works else failed)("connection", message, remedy, **_evidence(found))
    way = Hint("directly", "直连")
    if found.proxy:
        way = Hint(f"through the proxy {found.proxy}", f"经代理 {found.proxy}")
    issuer = found.certificate and found.certificate.issuer
    by = Hint(f", certificate issued by {issuer}", f"，证书由 {issuer} 签发") if issuer else Hint("", "")
    message = Hint(
        f"WeChat's API at {found.host} responds in {found.milliseconds:.0f} ms, connected {way.english}{by.english}.",
        f"微信接口在 {found.host} 响应（{way.chinese}），用时 {found.milliseconds:.0f} 毫秒{by.chinese}。",
    )
    return ok("connection", message, **_evidence(found))


def _evidence(found: Route) -> dict[str, object]:
    shown: dict[str, object] = {"host": found.host, "proxy": found.proxy, "addresses": found.addresses}
    if found.status is not None:
        shown |= {"status": found.status, "errcode": found.errcode, "server": found.server}
        shown |= {"ms": round(found.milliseconds, 1)}
    if found.version or isinstance(found.error, ssl.SSLError):
        shown |= {"tls": found.version, "authorities": found.trust.place, "ignored": list(found.trust.ignored)}
    if (one := found.certificate) is not None:
        shown |= {"issuer": one.issuer, "names": list(one.names), "begins": stamp(one.begins), "ends": stamp(one.ends)}
    return shown


def _doubt(found: Route) -> str | None:
    """Return the kind of warning about a route that works, or None."""
    if found.milliseconds > _SLOW:
        return "slow"
    if found.host == _API_HOST and not found.proxy and not all(map(_is_public, found.addresses)):
        return "odd address"
    return "dead address" if len(found.addresses) > 1 else None


def _is_public(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    return found.is_global and found not in _FAKE


def judge_clock(found: Route | None) -> Finding:
    """Compare the local clock with the server's."""
    if found is None or found.date is None:
        return skipped("clock", Hint("The server sent no time.", "服务器没有返回时间。"))
    ahead = found.now - (found.date + _RESOLUTION)
    evidence = {"seconds_ahead": round(ahead, 1), "server": stamp(found.date), "here": stamp(found.now)}
    if abs(ahead) <= _SKEW:
        message = Hint(
            f"The local clock agrees with WeChat's within {abs(ahead):.1f} s.",
            f"本机时钟与微信服务器相差 {abs(ahead):.1f} 秒。",
        )
        return ok("clock", message, **evidence)
    side = Hint("ahead of", "快") if ahead > 0 else Hint("behind", "慢")
    judge = failed if abs(ahead) > _GRAVE_SKEW else warning
    return judge(
        "clock",
        Hint(
            f"The local clock is {abs(ahead):,.0f} s {side.english} WeChat's. Tokens shared through a file or Redis"
            " carry expiry times: they are used too long or discarded too early.",
            f"本机时钟比微信服务器{side.chinese} {abs(ahead):,.0f} 秒。经文件或 Redis 共享的 token 带有时间，"
            "会被用得过久或过早丢弃。",
        ),
        Hint(
            "Synchronize the clock: `timedatectl set-ntp true`, or start chrony; for a container, on its host.",
            "请同步本机时钟：执行 `timedatectl set-ntp true` 或启动 chrony；容器须在宿主机上同步。",
        ),
        **evidence,
    )
