"""What the way to the API host is like: name, connection, TLS, answer, clock. Pure."""

import ipaddress
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from wxasset.cli.doctor.findings import Finding, failed, ok, skipped, stamp, warning
from wxasset.cli.doctor.tls import Certificate
from wxasset.errors import Hint

__all__ = ["Answer", "Attempt", "Lookup", "judge_answer", "judge_attempts", "judge_clock", "judge_lookup"]

_API_HOST: Final = "api.weixin.qq.com"
# 198.18.0.0/15 is for benchmarks (RFC 2544); local proxies that intercept everything give such addresses out.
_FAKE: Final = ipaddress.ip_network("198.18.0.0/15")
_SKEW: Final = 60.0  # seconds; a token is not used in its last 60, so that a smaller error does no harm
_GRAVE_SKEW: Final = 300.0  # seconds; a token is renewed 300 before its end
_RESOLUTION: Final = 0.5  # seconds; a Date header has whole ones, and was on average half of one old when written
_SLOW: Final = 3000.0  # milliseconds; WeChat answers such a call in about 100
_SYNCHRONIZE: Final = Hint(
    "Synchronize this machine's clock: `timedatectl set-ntp true`, or start chrony; in a container, on its host.",
    "请同步本机时钟：执行 `timedatectl set-ntp true` 或启动 chrony；容器须在宿主机上同步。",
)


@frozen(kw_only=True)
class Lookup:
    """What became of the host's name.

    Attributes:
        host: The name.
        addresses: What it led to.
        fault: The system's reason why it led nowhere; None where it led somewhere.
        milliseconds: How long that took.
    """

    host: str
    addresses: tuple[str, ...] = ()
    fault: str | None = None
    milliseconds: float = 0.0


@frozen(kw_only=True)
class Attempt:
    """What became of a connection to one address.

    Attributes:
        address: The address.
        fault: The system's reason why there was none; None where there was one.
        milliseconds: How long that took.
    """

    address: str
    fault: str | None = None
    milliseconds: float = 0.0


@frozen(kw_only=True)
class Answer:
    """What the host answered to a request without a token.

    Attributes:
        status: The HTTP status; None where nothing came that is HTTP.
        errcode: WeChat's code in the body; None where the body is not WeChat's.
        fault: Why no answer came; None where one did.
        date: The server's clock in unix seconds; None where it does not say.
        now: This machine's clock in the middle of the exchange.
        server: What the answer calls its server.
        milliseconds: How long the answer took.
    """

    status: int | None = None
    errcode: int | None = None
    fault: str | None = None
    date: float | None = None
    now: float = 0.0
    server: str = ""
    milliseconds: float = 0.0


def judge_lookup(found: Lookup) -> Finding:
    """Judge what the host's name leads to."""
    if found.fault is not None:
        return failed(
            "dns",
            Hint(f"{found.host} leads to no address: {found.fault}.", f"{found.host} 无法解析：{found.fault}。"),
            Hint(
                f"Try: getent hosts {found.host}. Check /etc/resolv.conf, the container's DNS, and WXASSET_BASE_URL.",
                f"请执行 getent hosts {found.host}，检查 /etc/resolv.conf、容器的 DNS 设置和 WXASSET_BASE_URL。",
            ),
            host=found.host,
            fault=found.fault,
        )
    evidence = {"host": found.host, "addresses": list(found.addresses), "ms": round(found.milliseconds, 1)}
    odd = [one for one in found.addresses if found.host == _API_HOST and not _is_public(one)]
    if odd:
        return warning(
            "dns",
            Hint(
                f"{found.host} leads to {', '.join(odd)}, which is no public address: a local proxy, a hosts file or a"
                " private DNS stands in for WeChat.",
                f"{found.host} 解析到 {', '.join(odd)}，不是公网地址：可能被本机代理、hosts 文件或内网 DNS 接管。",
            ),
            Hint(
                f"If that is not meant, look for {found.host} in /etc/hosts, and at the DNS that is used.",
                f"如非有意为之，请检查 /etc/hosts 中的 {found.host} 和所用的 DNS。",
            ),
            **evidence,
        )
    addresses = ", ".join(found.addresses)
    return ok("dns", Hint(f"{found.host} leads to {addresses}.", f"{found.host} 解析到 {addresses}。"), **evidence)


def _is_public(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return found.is_global and not (found.version == _FAKE.version and found in _FAKE)


def judge_attempts(host: str, port: int, attempts: Sequence[Attempt]) -> Finding:
    """Judge the connections to the addresses of the host."""
    reached = [one for one in attempts if one.fault is None]
    missed = [one for one in attempts if one.fault is not None]
    evidence = {"port": port, "addresses": {one.address: one.fault or f"{one.milliseconds:.1f} ms" for one in attempts}}
    faults = "; ".join(f"{one.address} {one.fault}" for one in missed)
    if not reached:
        return failed(
            "connection",
            Hint(f"No connection to {host}, port {port}: {faults}.", f"无法连接 {host} 的 {port} 端口：{faults}。"),
            Hint(
                f"Let this machine out to port {port}: look at firewall, security group and container network."
                " wxasset goes"
                " straight; behind a proxy see the check of that name.",
                f"请放行本机到 {port} 端口的出站访问：检查防火墙、安全组和容器网络。wxasset 默认直连，"
                "须经代理时见「代理」一项。",
            ),
            **evidence,
        )
    if missed:
        return warning(
            "connection",
            Hint(
                f"Some addresses of {host} cannot be reached ({faults}); each first try of them costs time.",
                f"{host} 的部分地址无法连接（{faults}），每次尝试都会变慢。",
            ),
            Hint(
                "If those are IPv6 addresses, mend IPv6 here, or prefer IPv4 in /etc/gai.conf.",
                "如为 IPv6 地址，请修复本机 IPv6，或在 /etc/gai.conf 中优先 IPv4。",
            ),
            **evidence,
        )
    fastest = min(one.milliseconds for one in reached)
    message = Hint(
        f"{host}, port {port}, can be reached, in {fastest:.1f} ms.",
        f"可连接 {host} 的 {port} 端口，用时 {fastest:.1f} 毫秒。",
    )
    return ok("connection", message, **evidence)


def judge_answer(host: str, found: Answer) -> Finding:
    """Judge who answers there."""
    evidence = {
        "status": found.status,
        "errcode": found.errcode,
        "server": found.server,
        "ms": round(found.milliseconds, 1),
    }
    if found.fault is not None:
        return failed(
            "api",
            Hint(
                f"{host} takes connections but gives no answer: {found.fault}.",
                f"{host} 可连接但没有应答：{found.fault}。",
            ),
            Hint(
                "A firewall that inspects traffic, or an overloaded proxy, does that; try from another network.",
                "常见于做流量检查的防火墙或过载的代理，请换一个网络再试。",
            ),
            **evidence,
        )
    if found.errcode is None:
        return failed(
            "api",
            Hint(
                f"What answers at {host} is not WeChat's API ({_http(found.status)}).",
                f"在 {host} 应答的不是微信接口（{_http(found.status)}）。",
            ),
            Hint(
                "A captive portal, a gateway or a wrong WXASSET_BASE_URL does that: open the address in a browser.",
                "可能是网络登录页、网关，或 WXASSET_BASE_URL 有误：请用浏览器打开该地址查看。",
            ),
            **evidence,
        )
    if found.milliseconds > _SLOW:
        return warning(
            "api",
            Hint(
                f"{host} took {found.milliseconds / 1000:.1f} s to answer a small call.",
                f"{host} 应答一次小请求用了 {found.milliseconds / 1000:.1f} 秒。",
            ),
            Hint(
                "Look at the way there (`mtr`, other regions), and allow for it in Timeouts(...).",
                "请检查网络线路（`mtr`、更换地域），并相应调大 Timeouts(...)。",
            ),
            **evidence,
        )
    took = f"{found.milliseconds:.0f}"
    return ok(
        "api",
        Hint(f"WeChat's API answers at {host}, in {took} ms.", f"微信接口在 {host} 应答，用时 {took} 毫秒。"),
        **evidence,
    )


def _http(status: int | None) -> str:
    return "no HTTP" if status is None else f"HTTP {status}"


def judge_clock(found: Answer | None, untimely: Certificate | None = None) -> Finding:
    """Judge this machine's clock by the server's.

    Args:
        found: The server's answer; None where there was none.
        untimely: The server's certificate, where it is not valid now by this machine's clock.
    """
    if found is None or found.date is None:
        why = Hint("The server did not tell its time.", "服务器没有返回时间。")
        if untimely is not None:
            why = Hint(
                "The server's certificate is not valid by this clock, so its time was not asked for; see TLS.",
                "按本机时钟证书不在有效期内，未向服务器取时间；见「证书」一项。",
            )
        return skipped("clock", why)
    ahead = found.now - (found.date + _RESOLUTION)
    evidence = {"seconds_ahead": round(ahead, 1), "server": stamp(found.date), "here": stamp(found.now)}
    if abs(ahead) <= _SKEW:
        return ok(
            "clock",
            Hint(
                f"This clock agrees with WeChat's to {abs(ahead):.1f} s.",
                f"本机时钟与微信服务器相差 {abs(ahead):.1f} 秒。",
            ),
            **evidence,
        )
    side = Hint("ahead of", "快") if ahead > 0 else Hint("behind", "慢")
    message = Hint(
        f"This clock is {abs(ahead):,.0f} s {side.english} WeChat's. Tokens that are shared through a file or"
        " Redis carry"
        " times: they are used too long, or thrown away too early.",
        f"本机时钟比微信服务器{side.chinese} {abs(ahead):,.0f} 秒。经文件或 Redis 共享的 token 带有时间，"
        "会被用得过久或过早丢弃。",
    )
    judge = failed if abs(ahead) > _GRAVE_SKEW else warning
    return judge("clock", message, _SYNCHRONIZE, **evidence)
