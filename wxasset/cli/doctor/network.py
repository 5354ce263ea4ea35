"""Judge the connection to the API host, and the local clock. Pure."""

import ipaddress
import ssl
from collections.abc import Mapping
from typing import Final

import aiohttp

from wxasset.cli.doctor.findings import Finding, failed, ok, skipped, stamp, warning
from wxasset.cli.doctor.route import Route
from wxasset.errors import Hint, UsageError
from wxasset.transfer.http.errors import reason

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
        message, remedy = _explain(found, doubt if works else None)
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


# Faults

# OpenSSL's verification codes (x509_vfy.h).
_CODES: Final[Mapping[int | None, str]] = {9: "untimely", 10: "untimely", 62: "other host", 64: "other host"}
_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})
_KINDS: Final = (
    (UsageError, "no HTTP proxy"),
    ((aiohttp.ClientHttpProxyError, aiohttp.ClientProxyConnectionError), "proxy"),
    (aiohttp.ClientConnectorDNSError, "name"),
    (aiohttp.ClientConnectorSSLError, "TLS"),
    ((aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError), "connection"),
    (aiohttp.ClientResponseError, "foreign"),
)
_ONLY_PROXY: Final = " If only a proxy leads to the internet, set HTTPS_PROXY."
_ONLY_PROXY_ZH: Final = "如须经代理上网，请设置 HTTPS_PROXY。"
_UNTRUSTED: Final = Hint(
    "For a TLS-inspecting company proxy, install its authority in the system or set SSL_CERT_FILE to a file containing"
    " it (no other variable is read); Python 3.13 and later require it to comply with RFC 5280. Otherwise update"
    " ca-certificates. Do not disable verification.",
    "如为解密 TLS 的公司代理，请把其根证书装入系统，或用 SSL_CERT_FILE（不读取其他变量）指向包含它的文件，"
    "Python 3.13 起须符合 RFC 5280；否则请更新 ca-certificates。不要关闭证书校验。",
)
_TEXTS: Final[Mapping[str, tuple[str, str, str, str]]] = {
    "slow": (
        "{host} took {took} ms to respond to a small request.",
        "{host} 响应一次小请求用了 {took} 毫秒。",
        "Check the network route (`mtr`, other regions), and increase Timeouts(...) accordingly.",
        "请检查网络线路（`mtr`、更换地域），并相应调大 Timeouts(...)。",
    ),
    "odd address": (
        "{host} resolves to {addresses}, not a public address: a proxy, the hosts file or a private DNS replaces it.",
        "{host} 解析到 {addresses}，不是公网地址：可能被本机代理、hosts 文件或内网 DNS 接管。",
        "If this is not intended, check /etc/hosts for {host} and the DNS server in use.",
        "如非有意为之，请检查 /etc/hosts 中的 {host} 和所用的 DNS。",
    ),
    "dead address": (
        "Some addresses of {peer} do not respond (tried: {addresses}); each attempt costs time.",
        "{peer} 的部分地址没有响应（依次尝试了 {addresses}），每次尝试都会变慢。",
        "For IPv6 addresses, repair IPv6 on this machine or prefer IPv4 in /etc/gai.conf.",
        "如为 IPv6 地址，请修复本机 IPv6，或在 /etc/gai.conf 中优先 IPv4。",
    ),
    "no HTTP proxy": (
        "The environment's proxy for {host} is not an HTTP proxy; every call fails.",
        "环境变量为 {host} 设置的代理不是 HTTP 代理，所有调用都会失败。",
        "Set HTTPS_PROXY or ALL_PROXY to the http:// address of a proxy; wxasset has no SOCKS.",
        "请将 HTTPS_PROXY 或 ALL_PROXY 设为代理的 http:// 地址；不支持 SOCKS 代理。",
    ),
    "proxy": (
        "The proxy {proxy} does not connect to {host}: {why}.",
        "代理 {proxy} 未能连接 {host}：{why}。",
        "Check HTTPS_PROXY (address, port, user, password), and the proxy's rules; NO_PROXY connects without it.",
        "请检查 HTTPS_PROXY（地址、端口、用户名、密码），以及代理是否允许连接该主机；如需直连请用 NO_PROXY。",
    ),
    "name": (
        "{host} cannot be resolved: {why}.",
        "{host} 无法解析：{why}。",
        "Run: getent hosts {host}. Check /etc/resolv.conf, the DNS of the container and WXASSET_BASE_URL."
        + _ONLY_PROXY,
        "请执行 getent hosts {host}，检查 /etc/resolv.conf、容器的 DNS 和 WXASSET_BASE_URL。" + _ONLY_PROXY_ZH,
    ),
    "connection": (
        "Cannot connect to {host}{way}: {why}.",
        "无法连接 {host}{way_zh}：{why}。",
        "Allow outbound connections to this port: check firewall, security group and container network." + _ONLY_PROXY,
        "请放行到该端口的出站访问：检查防火墙、安全组和容器网络。" + _ONLY_PROXY_ZH,
    ),
    "silent": (
        "{host} accepts connections{way} but does not respond: {why}.",
        "{host} 可连接{way_zh}但没有响应：{why}。",
        "Usual causes are a firewall with traffic inspection or an overloaded proxy; try another network.",
        "常见于做流量检查的防火墙或过载的代理，请换一个网络再试。",
    ),
    "foreign": (
        "The server at {host} is not WeChat's API ({status}).",
        "在 {host} 响应的不是微信接口（{status}）。",
        "Open the address in a browser: usual causes are a captive portal, a gateway or an incorrect WXASSET_BASE_URL.",
        "请用浏览器打开该地址查看：可能是网络登录页、网关，或 WXASSET_BASE_URL 有误。",
    ),
    "no TLS": (
        "The server at {host} does not speak TLS on this port.",
        "{host} 的该端口没有使用 TLS。",
        "Check scheme and port of WXASSET_BASE_URL.",
        "请检查 WXASSET_BASE_URL 的协议和端口。",
    ),
    "TLS": (
        "TLS with {host} failed: {why}.",
        "与 {host} 的 TLS 握手失败：{why}。",
        "A device on the route interrupts TLS or supports only an old version: try another network.",
        "线路上有设备中断 TLS 或只支持旧版本：请换网络再试。",
    ),
    "untimely": (
        "The certificate of {host} is not valid now: {period}, local time {now}.",
        "{host} 的证书不在有效期内：{period}，本机时间 {now}。",
        "Synchronize the clock if it is wrong (`timedatectl set-ntp true`); otherwise the certificate must be renewed.",
        "若本机时间不对，请同步时钟（`timedatectl set-ntp true`）；若正确，则是中间代理或对端主机的证书问题。",
    ),
    "other host": (
        "The certificate is for {names}, not for {host}.",
        "证书属于 {names}，而不是 {host}。",
        "Another server responds for {host}: check DNS, /etc/hosts, the proxy and WXASSET_BASE_URL.",
        "响应的不是 {host}：请检查 DNS、/etc/hosts、代理和 WXASSET_BASE_URL。",
    ),
    "no authorities": (
        "This Python has no trusted authorities: {place} does not exist.",
        "本机 Python 没有可信根证书：{place} 不存在。",
        "Unset or correct SSL_CERT_FILE and SSL_CERT_DIR if they are set; otherwise install ca-certificates.",
        "如已设置 SSL_CERT_FILE 或 SSL_CERT_DIR，请取消或更正；否则请安装 ca-certificates 软件包。",
    ),
    "untrusted": (
        "The certificate of {host}, issued by {issuer!r}, is not trusted here: {why}.",
        "{host} 的证书（由 {issuer!r} 签发）不受本机信任：{why}。",
        _UNTRUSTED.english,
        _UNTRUSTED.chinese,
    ),
}
"""Message and remedy of each kind, in English and Chinese each, to be filled in."""


def _kind(found: Route) -> str:
    error = found.error
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        kind = _CODES.get(getattr(error.certificate_error, "verify_code", None), "untrusted")
        return "no authorities" if kind == "untrusted" and not found.trust.present else kind
    kind = next((kind for classes, kind in _KINDS if isinstance(error, classes)), "silent" if error else "foreign")
    if kind == "TLS" and getattr(getattr(error, "os_error", error), "reason", None) in _NO_TLS:
        return "no TLS"
    return "proxy" if kind == "connection" and found.proxy else kind


def _why(error: Exception | None) -> str:
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"HTTP status {error.status}"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return str(getattr(error.certificate_error, "verify_message", ""))
    if isinstance(error, TimeoutError):
        return "no response in time"
    return reason(error) if error else ""


def _explain(found: Route, kind: str | None = None) -> tuple[Hint, Hint]:
    """Return the reason of a failed request or of a warning (`kind`), and its remedy."""
    one = found.certificate
    facts = {
        "host": found.host,
        "proxy": found.proxy,
        "way": f" through the proxy {found.proxy}" if found.proxy else "",
        "way_zh": f"（经代理 {found.proxy}）" if found.proxy else "",
        "why": _why(found.error),
        "status": f"HTTP {found.status}" if found.status else "no HTTP",
        "issuer": one.issuer if one else "?",
        "names": ", ".join(one.names[:5]) if one else "another host",
        "period": f"{stamp(one.begins)} - {stamp(one.ends)}" if one else "?",
        "now": stamp(found.now),
        "took": f"{found.milliseconds:.0f}",
        "addresses": ", ".join(found.addresses),
        "peer": found.proxy or found.host,
        "place": found.trust.place,
    }
    message, message_zh, remedy, remedy_zh = (text.format_map(facts) for text in _TEXTS[kind or _kind(found)])
    return Hint(message, message_zh), Hint(remedy, remedy_zh)
