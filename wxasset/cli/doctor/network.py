"""Judge the connection to the API host: DNS, connection, response, clock. Pure."""

import ipaddress
from typing import Final

from attrs import frozen

from wxasset.cli.doctor.findings import Finding, failed, ok, skipped, stamp, warning
from wxasset.cli.doctor.tls import Handshake, judge_tls
from wxasset.errors import Hint

__all__ = [
    "Attempt",
    "Network",
    "Response",
    "judge_clock",
    "judge_connection",
    "judge_dns",
    "judge_host",
    "judge_response",
]

_API_HOST: Final = "api.weixin.qq.com"
# 198.18.0.0/15 is reserved for benchmarks (RFC 2544); intercepting local proxies resolve names to it.
_FAKE: Final = ipaddress.ip_network("198.18.0.0/15")
_SKEW: Final = 60.0  # seconds; a token is not used in its last 60, so a smaller error is harmless
_GRAVE_SKEW: Final = 300.0  # seconds; a token is renewed 300 before it expires
_RESOLUTION: Final = 0.5  # seconds; a Date header has whole seconds, on average half a second old
_SLOW: Final = 3000.0  # milliseconds; WeChat responds in about 100
_NOT_REACHED: Final = Hint("An earlier check failed.", "前面的检查未通过。")


@frozen(kw_only=True)
class Attempt:
    """Result of connecting to one address.

    Attributes:
        address: The IP address.
        fault: The system's reason of the failure; None if connected.
        milliseconds: Time taken to connect.
    """

    address: str
    fault: str | None = None
    milliseconds: float = 0.0


@frozen(kw_only=True)
class Response:
    """Response of the host to a request without a token.

    Attributes:
        status: The HTTP status; None if the response is not HTTP.
        errcode: WeChat's code in the body; None if the body is not WeChat's.
        fault: Reason of a missing response; None if one was received.
        date: The server's clock in unix seconds; None if not sent.
        now: The local clock in the middle of the exchange.
        server: The Server header.
        milliseconds: Time taken to respond.
    """

    status: int | None = None
    errcode: int | None = None
    fault: str | None = None
    date: float | None = None
    now: float = 0.0
    server: str = ""
    milliseconds: float = 0.0


@frozen(kw_only=True)
class Network:
    """Facts about the route to the API host, as far as it could be followed.

    Attributes:
        host: Host name or IP address.
        port: Port.
        secure: Whether the scheme is https.
        addresses: Resolved IP addresses.
        fault: The system's reason of a failed name lookup, or None.
        milliseconds: Time taken by the name lookup.
        attempts: Connections to the addresses.
        handshake: The TLS handshake, or None if not made.
        response: The response, or None if not requested.
    """

    host: str
    port: int = 443
    secure: bool = True
    addresses: tuple[str, ...] = ()
    fault: str | None = None
    milliseconds: float = 0.0
    attempts: tuple[Attempt, ...] = ()
    handshake: Handshake | None = None
    response: Response | None = None

    @property
    def reached(self) -> bool:
        """True if a connection was made."""
        return any(one.fault is None for one in self.attempts)

    @property
    def is_wechat(self) -> bool:
        """True if a WeChat API, or a simulator, responds."""
        return self.response is not None and self.response.errcode is not None


def judge_host(found: Network) -> list[Finding]:
    """Judge every step on the route to the API host."""
    connected = judge_connection(found) if found.addresses else skipped("connection", _NOT_REACHED)
    no_tls = not found.reached or (found.secure and found.handshake is None)
    return [
        judge_dns(found),
        connected,
        skipped("tls", _NOT_REACHED) if no_tls else judge_tls(found.host, found.handshake),
        skipped("api", _NOT_REACHED) if found.response is None else judge_response(found.host, found.response),
        judge_clock(found.response, untimely=found.handshake is not None and found.handshake.untimely),
    ]


def judge_dns(found: Network) -> Finding:
    """Judge the addresses of the host."""
    host = found.host
    if found.fault is not None:
        return failed(
            "dns",
            Hint(f"{host} cannot be resolved: {found.fault}.", f"{host} 无法解析：{found.fault}。"),
            Hint(
                f"Run: getent hosts {host}. Check /etc/resolv.conf, the DNS of the container and WXASSET_BASE_URL.",
                f"请执行 getent hosts {host}，检查 /etc/resolv.conf、容器的 DNS 设置和 WXASSET_BASE_URL。",
            ),
            host=host,
            fault=found.fault,
        )
    evidence = {"host": host, "addresses": list(found.addresses), "ms": round(found.milliseconds, 1)}
    odd = ", ".join(one for one in found.addresses if host == _API_HOST and not _is_public(one))
    if odd:
        return warning(
            "dns",
            Hint(
                f"{host} resolves to {odd}, not a public address: a local proxy, the hosts file or a private DNS"
                " replaces WeChat's.",
                f"{host} 解析到 {odd}，不是公网地址：可能被本机代理、hosts 文件或内网 DNS 接管。",
            ),
            Hint(
                f"If this is not intended, check /etc/hosts for {host} and the DNS server in use.",
                f"如非有意为之，请检查 /etc/hosts 中的 {host} 和所用的 DNS。",
            ),
            **evidence,
        )
    addresses = ", ".join(found.addresses)
    return ok("dns", Hint(f"{host} resolves to {addresses}.", f"{host} 解析到 {addresses}。"), **evidence)


def _is_public(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    return found.is_global and found not in _FAKE


def judge_connection(found: Network) -> Finding:
    """Judge the connections to the addresses of the host."""
    host, port = found.host, found.port
    times = {one.address: one.fault or f"{one.milliseconds:.1f} ms" for one in found.attempts}
    evidence: dict[str, object] = {"port": port, "addresses": times}
    faults = "; ".join(f"{one.address} {one.fault}" for one in found.attempts if one.fault is not None)
    if not found.reached:
        return failed(
            "connection",
            Hint(f"Cannot connect to {host}, port {port}: {faults}.", f"无法连接 {host} 的 {port} 端口：{faults}。"),
            Hint(
                f"Allow outbound connections to port {port}: check firewall, security group and container network."
                " wxasset connects directly; for a proxy see the proxy check.",
                f"请放行本机到 {port} 端口的出站访问：检查防火墙、安全组和容器网络。wxasset 默认直连，"
                "须经代理时见「代理」一项。",
            ),
            **evidence,
        )
    if faults:
        return warning(
            "connection",
            Hint(
                f"Some addresses of {host} cannot be reached ({faults}); each attempt costs time.",
                f"{host} 的部分地址无法连接（{faults}），每次尝试都会变慢。",
            ),
            Hint(
                "For IPv6 addresses, repair IPv6 on this machine or prefer IPv4 in /etc/gai.conf.",
                "如为 IPv6 地址，请修复本机 IPv6，或在 /etc/gai.conf 中优先 IPv4。",
            ),
            **evidence,
        )
    fastest = f"{min(one.milliseconds for one in found.attempts):.1f}"
    message = Hint(
        f"Connected to {host}, port {port}, in {fastest} ms.", f"可连接 {host} 的 {port} 端口，用时 {fastest} 毫秒。"
    )
    return ok("connection", message, **evidence)


def judge_response(host: str, found: Response) -> Finding:
    """Judge whether the WeChat API responds, and how fast."""
    milliseconds = found.milliseconds
    evidence = {"status": found.status, "errcode": found.errcode, "server": found.server, "ms": round(milliseconds, 1)}
    if found.fault is not None:
        return failed(
            "api",
            Hint(
                f"{host} accepts connections but does not respond: {found.fault}.",
                f"{host} 可连接但没有响应：{found.fault}。",
            ),
            Hint(
                "Usual causes are a firewall with traffic inspection or an overloaded proxy; try another network.",
                "常见于做流量检查的防火墙或过载的代理，请换一个网络再试。",
            ),
            **evidence,
        )
    if found.errcode is None:
        status = "no HTTP" if found.status is None else f"HTTP {found.status}"
        return failed(
            "api",
            Hint(
                f"The server at {host} is not WeChat's API ({status}).", f"在 {host} 响应的不是微信接口（{status}）。"
            ),
            Hint(
                "Usual causes are a captive portal, a gateway or an incorrect WXASSET_BASE_URL: open the address in a"
                " browser.",
                "可能是网络登录页、网关，或 WXASSET_BASE_URL 有误：请用浏览器打开该地址查看。",
            ),
            **evidence,
        )
    if milliseconds > _SLOW:
        return warning(
            "api",
            Hint(
                f"{host} took {milliseconds / 1000:.1f} s to respond to a small request.",
                f"{host} 响应一次小请求用了 {milliseconds / 1000:.1f} 秒。",
            ),
            Hint(
                "Check the network route (`mtr`, other regions), and increase Timeouts(...) accordingly.",
                "请检查网络线路（`mtr`、更换地域），并相应调大 Timeouts(...)。",
            ),
            **evidence,
        )
    took = f"{milliseconds:.0f}"
    message = Hint(f"WeChat's API at {host} responds in {took} ms.", f"微信接口在 {host} 响应，用时 {took} 毫秒。")
    return ok("api", message, **evidence)


def judge_clock(found: Response | None, *, untimely: bool = False) -> Finding:
    """Compare the local clock with the server's.

    Args:
        found: The response, or None.
        untimely: Whether the server's certificate was refused for its validity period.
    """
    if found is None or found.date is None:
        why = Hint("The server sent no time.", "服务器没有返回时间。")
        if untimely:
            why = Hint(
                "The server's certificate is not valid at the local time, so no request was made; see TLS.",
                "按本机时钟证书不在有效期内，未向服务器取时间；见「证书」一项。",
            )
        return skipped("clock", why)
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
