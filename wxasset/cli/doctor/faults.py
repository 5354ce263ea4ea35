"""Explain a failed request to the API host. Pure."""

from collections.abc import Mapping
from typing import Final

import aiohttp

from wxasset.cli.doctor.findings import stamp
from wxasset.cli.doctor.route import Route
from wxasset.errors import Hint, UsageError
from wxasset.transfer.http.errors import reason

__all__ = ["explain"]

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

_TEXTS: Final[Mapping[str, tuple[Hint, Hint]]] = {
    "slow": (
        Hint("{host} took {took} ms to respond to a small request.", "{host} 响应一次小请求用了 {took} 毫秒。"),
        Hint(
            "Check the network route (`mtr`, other regions), and increase Timeouts(...) accordingly.",
            "请检查网络线路（`mtr`、更换地域），并相应调大 Timeouts(...)。",
        ),
    ),
    "odd address": (
        Hint(
            "{host} resolves to {addresses}, not a public address: a local proxy, the hosts file or a private DNS"
            " replaces WeChat's.",
            "{host} 解析到 {addresses}，不是公网地址：可能被本机代理、hosts 文件或内网 DNS 接管。",
        ),
        Hint(
            "If this is not intended, check /etc/hosts for {host} and the DNS server in use.",
            "如非有意为之，请检查 /etc/hosts 中的 {host} 和所用的 DNS。",
        ),
    ),
    "dead address": (
        Hint(
            "Some addresses of {peer} do not respond (tried in this order: {addresses}); each attempt costs time.",
            "{peer} 的部分地址没有响应（依次尝试了 {addresses}），每次尝试都会变慢。",
        ),
        Hint(
            "For IPv6 addresses, repair IPv6 on this machine or prefer IPv4 in /etc/gai.conf.",
            "如为 IPv6 地址，请修复本机 IPv6，或在 /etc/gai.conf 中优先 IPv4。",
        ),
    ),
    "no HTTP proxy": (
        Hint(
            "The environment's proxy for {host} is not an HTTP proxy; every call fails.",
            "环境变量为 {host} 设置的代理不是 HTTP 代理，所有调用都会失败。",
        ),
        Hint(
            "Set HTTPS_PROXY or ALL_PROXY to the http:// address of a proxy; wxasset has no SOCKS.",
            "请将 HTTPS_PROXY 或 ALL_PROXY 设为代理的 http:// 地址；不支持 SOCKS 代理。",
        ),
    ),
    "proxy": (
        Hint("The proxy {proxy} does not connect to {host}: {why}.", "代理 {proxy} 未能连接 {host}：{why}。"),
        Hint(
            "Check HTTPS_PROXY (address, port, user, password), and whether the proxy may connect to this host. To"
            " connect without it, add the host to NO_PROXY.",
            "请检查 HTTPS_PROXY（地址、端口、用户名、密码），以及代理是否允许连接该主机；如需直连请用 NO_PROXY。",
        ),
    ),
    "name": (
        Hint("{host} cannot be resolved: {why}.", "{host} 无法解析：{why}。"),
        Hint(
            "Run: getent hosts {host}. Check /etc/resolv.conf, the DNS of the container and WXASSET_BASE_URL. If only a"
            " proxy leads to the internet, set HTTPS_PROXY.",
            "请执行 getent hosts {host}，检查 /etc/resolv.conf、容器的 DNS 设置和 WXASSET_BASE_URL；"
            "如须经代理上网，请设置 HTTPS_PROXY。",
        ),
    ),
    "connection": (
        Hint("Cannot connect to {host}{way}: {why}.", "无法连接 {host}{way_zh}：{why}。"),
        Hint(
            "Allow outbound connections to this port: check firewall, security group and container network. If only a"
            " proxy leads to the internet, set HTTPS_PROXY.",
            "请放行到该端口的出站访问：检查防火墙、安全组和容器网络；如须经代理上网，请设置 HTTPS_PROXY。",
        ),
    ),
    "silent": (
        Hint(
            "{host} accepts connections{way} but does not respond: {why}.", "{host} 可连接{way_zh}但没有响应：{why}。"
        ),
        Hint(
            "Usual causes are a firewall with traffic inspection or an overloaded proxy; try another network.",
            "常见于做流量检查的防火墙或过载的代理，请换一个网络再试。",
        ),
    ),
    "foreign": (
        Hint("The server at {host} is not WeChat's API ({status}).", "在 {host} 响应的不是微信接口（{status}）。"),
        Hint(
            "Usual causes are a captive portal, a gateway or an incorrect WXASSET_BASE_URL: open the address in a"
            " browser.",
            "可能是网络登录页、网关，或 WXASSET_BASE_URL 有误：请用浏览器打开该地址查看。",
        ),
    ),
    "no TLS": (
        Hint("The server at {host} does not speak TLS on this port.", "{host} 的该端口没有使用 TLS。"),
        Hint("Check scheme and port of WXASSET_BASE_URL.", "请检查 WXASSET_BASE_URL 的协议和端口。"),
    ),
    "TLS": (
        Hint("TLS with {host} failed: {why}.", "与 {host} 的 TLS 握手失败：{why}。"),
        Hint(
            "A device on the route interrupts TLS or supports only an old version: try another network, and check the"
            " versions above.",
            "线路上有设备中断 TLS 或只支持旧版本：请换网络再试，并核对上面的版本。",
        ),
    ),
    "untimely": (
        Hint(
            "The certificate of {host} is not valid now: {period}, local time {now}.",
            "{host} 的证书不在有效期内：{period}，本机时间 {now}。",
        ),
        Hint(
            "If the local time is incorrect, synchronize it (`timedatectl set-ntp true`). Otherwise the certificate of"
            " a TLS-inspecting proxy or of the host must be renewed.",
            "若本机时间不对，请同步时钟（`timedatectl set-ntp true`）；若正确，则是中间代理或对端主机的证书问题。",
        ),
    ),
    "other host": (
        Hint("The certificate is for {names}, not for {host}.", "证书属于 {names}，而不是 {host}。"),
        Hint(
            "Another server responds for {host}: check DNS, /etc/hosts, the proxy and WXASSET_BASE_URL.",
            "响应的不是 {host}：请检查 DNS、/etc/hosts、代理和 WXASSET_BASE_URL。",
        ),
    ),
    "no authorities": (
        Hint(
            "This Python has no trusted authorities: {place} does not exist.",
            "本机 Python 没有可信根证书：{place} 不存在。",
        ),
        Hint(
            "Unset or correct SSL_CERT_FILE and SSL_CERT_DIR if they are set; otherwise install ca-certificates.",
            "如已设置 SSL_CERT_FILE 或 SSL_CERT_DIR，请取消或更正；否则请安装 ca-certificates 软件包。",
        ),
    ),
    "untrusted": (
        Hint(
            "The certificate of {host}, issued by {issuer!r}, is not trusted here: {why}.",
            "{host} 的证书（由 {issuer!r} 签发）不受本机信任：{why}。",
        ),
        Hint(
            "For a TLS-inspecting company proxy, install its authority in the system or set SSL_CERT_FILE to a file"
            " containing it (wxasset reads no other variable); Python 3.13 and later require it to comply with RFC"
            " 5280. Otherwise update ca-certificates. Do not disable verification.",
            "如为解密 TLS 的公司代理，请把其根证书装入系统，或用 SSL_CERT_FILE（不读取其他变量）指向包含它的文件，"
            "Python 3.13 起须符合 RFC 5280；否则请更新 ca-certificates。不要关闭证书校验。",
        ),
    ),
}
"""Message and remedy of each kind, to be filled in."""


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


def explain(found: Route, kind: str | None = None) -> tuple[Hint, Hint]:
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
    message, remedy = (
        Hint(text.english.format_map(facts), text.chinese.format_map(facts)) for text in _TEXTS[kind or _kind(found)]
    )
    return message, remedy
