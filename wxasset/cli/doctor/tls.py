"""Judge the TLS handshake with the API host. Pure."""

import ssl
from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen

from wxasset.cli.doctor.findings import Evidence, Finding, failed, ok, skipped, stamp
from wxasset.errors import Hint

__all__ = ["Certificate", "Handshake", "TrustStore", "decode_certificate", "judge_tls", "parse_certificate"]

# OpenSSL's verification codes (x509_vfy.h).
_NOT_YET: Final = 9
_EXPIRED: Final = 10
_OTHER_HOST: Final = frozenset({62, 64})  # host name, IP address
_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})


@frozen(kw_only=True)
class Certificate:
    """The displayed fields of a server certificate.

    Attributes:
        subject: Common name or organization of the subject.
        issuer: Common name or organization of the issuer.
        begins: Start of validity, unix time in seconds.
        ends: End of validity, unix time in seconds.
        names: Subject alternative names.
    """

    subject: str
    issuer: str
    begins: float
    ends: float
    names: tuple[str, ...] = ()


def parse_certificate(decoded: Mapping[str, Any]) -> Certificate:
    """Convert a verified certificate, as returned by `ssl.SSLSocket.getpeercert`."""

    def name(field: str) -> str:
        parts = {key: value for group in decoded.get(field, ()) for key, value in group}
        return str(parts.get("commonName") or parts.get("organizationName") or "")

    return Certificate(
        subject=name("subject"),
        issuer=name("issuer"),
        begins=ssl.cert_time_to_seconds(decoded["notBefore"]),
        ends=ssl.cert_time_to_seconds(decoded["notAfter"]),
        names=tuple(value for _, value in decoded.get("subjectAltName", ())),
    )


def decode_certificate(data: bytes) -> Certificate | None:
    """Decode a refused certificate from DER; None if it is invalid or `cryptography` is not installed."""
    try:
        from cryptography import x509  # noqa: PLC0415 - not a dependency
    except ImportError:
        return None

    def name(found: x509.Name) -> str:
        wanted = (x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME)
        return next((str(one.value) for oid in wanted for one in found.get_attributes_for_oid(oid)), "")

    try:
        found = x509.load_der_x509_certificate(data)
        extensions = [one.value for one in found.extensions if isinstance(one.value, x509.SubjectAlternativeName)]
        return Certificate(
            subject=name(found.subject),
            issuer=name(found.issuer),
            begins=found.not_valid_before_utc.timestamp(),
            ends=found.not_valid_after_utc.timestamp(),
            names=tuple(str(one.value) for names in extensions for one in names),
        )
    except ValueError:
        return None


@frozen(kw_only=True)
class TrustStore:
    """The certificate authorities trusted by this Python.

    Attributes:
        present: Whether the file or directory exists.
        place: Path of the file or directory.
        ignored: Names of set variables used by other programs but not by wxasset.
    """

    present: bool = True
    place: str = ""
    ignored: tuple[str, ...] = ()


@frozen(kw_only=True)
class Handshake:
    """Result of a TLS handshake.

    Attributes:
        version: Negotiated TLS version; None if the handshake failed.
        code: OpenSSL's verification code; None if the certificate was not refused.
        fault: Reason of the failure from OpenSSL or the system; None if the handshake succeeded.
        certificate: The server certificate, if it could be decoded.
        now: Local time of the handshake.
        trust: Trusted authorities.
    """

    version: str | None = None
    code: int | None = None
    fault: str | None = None
    certificate: Certificate | None = None
    now: float = 0.0
    trust: TrustStore = TrustStore()

    @property
    def untimely(self) -> bool:
        """True if the certificate was refused for its validity period."""
        return self.code in {_NOT_YET, _EXPIRED}


def judge_tls(host: str, found: Handshake | None) -> Finding:
    """Judge the handshake with the host; None for plain HTTP."""
    if found is None:
        return skipped(
            "tls",
            Hint(
                "The address uses plain HTTP; use it only for a simulator or inside WeChat cloud hosting.",
                "地址使用 HTTP，仅用于模拟器或云托管内部。",
            ),
        )
    evidence = _evidence(found)
    if found.fault is None:
        issuer = found.certificate.issuer if found.certificate else "?"
        message = Hint(
            f"{found.version}; the certificate of {host} was issued by {issuer}.",
            f"{found.version}；{host} 的证书由 {issuer} 签发。",
        )
        return ok("tls", message, **evidence)
    message, remedy = _refusal(host, found)
    return failed("tls", message, remedy, **evidence)


def _evidence(found: Handshake) -> Evidence:
    one, trust = found.certificate, found.trust
    shown: dict[str, object] = {"version": found.version, "fault": found.fault, "authorities": trust.place}
    if trust.ignored:
        shown["ignored"] = list(trust.ignored)
    if one is not None:
        shown |= {"subject": one.subject, "issuer": one.issuer, "names": list(one.names)}
        shown |= {"begins": stamp(one.begins), "ends": stamp(one.ends)}
    return shown


def _refusal(host: str, found: Handshake) -> tuple[Hint, Hint]:
    """Return the reason of a failed handshake and its remedy."""
    if found.untimely:
        return _untimely(host, found)
    if found.code in _OTHER_HOST:
        names = ", ".join(found.certificate.names[:5]) if found.certificate else "?"
        return (
            Hint(f"The certificate is for {names}, not for {host}.", f"证书属于 {names}，而不是 {host}。"),
            Hint(
                f"Another server responds for {host}: check DNS, /etc/hosts, the proxy and WXASSET_BASE_URL.",
                f"响应的不是 {host}：请检查 DNS、/etc/hosts、代理和 WXASSET_BASE_URL。",
            ),
        )
    if found.code is not None:
        return _untrusted(host, found) if found.trust.present else _no_authorities(found.trust)
    if found.fault in _NO_TLS:
        return (
            Hint(f"The server at {host} does not speak TLS on this port.", f"{host} 的该端口没有使用 TLS。"),
            Hint("Check scheme and port of WXASSET_BASE_URL.", "请检查 WXASSET_BASE_URL 的协议和端口。"),
        )
    return (
        Hint(f"TLS with {host} failed: {found.fault}.", f"与 {host} 的 TLS 握手失败：{found.fault}。"),
        Hint(
            "A device on the route interrupts TLS or supports only an old version: try another network, and check the"
            " versions above.",
            "线路上有设备中断 TLS 或只支持旧版本：请换网络再试，并核对上面的版本。",
        ),
    )


def _untimely(host: str, found: Handshake) -> tuple[Hint, Hint]:
    one, now = found.certificate, stamp(found.now)
    period = f"{stamp(one.begins)} - {stamp(one.ends)}" if one else "?"
    state = Hint("has expired", "已过期") if found.code == _EXPIRED else Hint("is not valid yet", "尚未生效")
    return (
        Hint(
            f"The certificate of {host} {state.english}: valid {period}, local time {now}.",
            f"{host} 的证书{state.chinese}：有效期 {period}，本机时间 {now}。",
        ),
        Hint(
            "If the local time is incorrect, synchronize it (`timedatectl set-ntp true`). Otherwise the certificate of"
            " a TLS-inspecting proxy or of the host must be renewed.",
            "若本机时间不对，请同步时钟（`timedatectl set-ntp true`）；若正确，则是中间代理或对端主机的证书问题。",
        ),
    )


def _no_authorities(trust: TrustStore) -> tuple[Hint, Hint]:
    return (
        Hint(
            f"This Python has no trusted authorities: {trust.place} does not exist.",
            f"本机 Python 没有可信根证书：{trust.place} 不存在。",
        ),
        Hint(
            "Unset or correct SSL_CERT_FILE and SSL_CERT_DIR if they are set; otherwise install ca-certificates.",
            "如已设置 SSL_CERT_FILE 或 SSL_CERT_DIR，请取消或更正；否则请安装 ca-certificates 软件包。",
        ),
    )


def _untrusted(host: str, found: Handshake) -> tuple[Hint, Hint]:
    names = ", ".join(found.trust.ignored)
    ignored = Hint(f" wxasset does not read {names}.", f"wxasset 不读取 {names}。") if names else Hint("", "")
    issuer = found.certificate.issuer if found.certificate else "?"
    return (
        Hint(
            f"The certificate of {host}, issued by {issuer!r}, is not trusted here: {found.fault}.",
            f"{host} 的证书（由 {issuer!r} 签发）不受本机信任：{found.fault}。",
        ),
        Hint(
            "For a TLS-inspecting company proxy, install its authority in the system or set SSL_CERT_FILE to a file"
            " containing it; Python 3.13 and later require it to comply with RFC 5280. Otherwise update"
            f" ca-certificates. Do not disable verification.{ignored.english}",
            "如为解密 TLS 的公司代理，请把其根证书装入系统，或用 SSL_CERT_FILE 指向包含它的文件"
            "（Python 3.13 起须符合 RFC 5280）；否则请更新 ca-certificates。"
            f"不要关闭证书校验。{ignored.chinese}",
        ),
    )
