"""What became of TLS with the API host. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from attrs import frozen

from wxasset.cli.doctor.findings import Evidence, Finding, failed, ok, skipped, stamp
from wxasset.errors import Hint

__all__ = ["Certificate", "Handshake", "TrustStore", "judge_handshake", "read_certificate", "untimely"]

_VERSION: Final = 0xA0
_EXTENSIONS: Final = 0xA3
_OCTETS: Final = 0x04
_UTC_TIME: Final = 0x17
_DNS_NAME: Final = 0x82
_IP_ADDRESS: Final = 0x87
_LONG: Final = 0x80  # from here on a length says in how many bytes the length stands
_MOST_LENGTH: Final = 3  # bytes of a length: 16 MiB, more than any certificate has
# RFC 5280, appendix A.1: the parts of names that are shown, and the extension with the names of the host.
_COMMON_NAME: Final = bytes.fromhex("550403")
_ORGANIZATION: Final = bytes.fromhex("55040a")
_ALTERNATIVE_NAMES: Final = bytes.fromhex("551d11")


@frozen(kw_only=True)
class Certificate:
    """What is shown of a certificate.

    Attributes:
        subject: Whom it is for: the common name, or the organization.
        issuer: Who made it.
        begins: Unix time in seconds from which it holds.
        ends: Unix time in seconds until which it does.
        names: The hosts that it is for.
    """

    subject: str
    issuer: str
    begins: float
    ends: float
    names: tuple[str, ...] = ()


def read_certificate(data: bytes) -> Certificate:
    """Read a certificate in DER.

    Raises:
        ValueError: It is none.
    """
    ((_, certificate),) = _parts(data)
    signed = next(_parts(certificate), (0, b""))[1]
    fields = [(tag, value) for tag, value in _parts(signed) if tag != _VERSION]
    if len(fields) < 6:  # noqa: PLR2004 - serial, signature, issuer, validity, subject, key
        raise ValueError("no certificate")
    begins, ends = (_time(tag, value) for tag, value in _parts(fields[3][1]))
    extensions = next((value for tag, value in fields if tag == _EXTENSIONS), b"")
    return Certificate(
        subject=_name(fields[4][1]),
        issuer=_name(fields[2][1]),
        begins=begins,
        ends=ends,
        names=tuple(_hosts(extensions)),
    )


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Take a value apart into tags and values."""
    at = 0
    while at < len(data):
        tag, length, start = data[at], *_length(data, at + 1)
        if start + length > len(data):
            raise ValueError("cut off")
        yield tag, data[start : start + length]
        at = start + length


def _length(data: bytes, at: int) -> tuple[int, int]:
    """Read a length, and say where what has it begins."""
    if at >= len(data):
        raise ValueError("cut off")
    if data[at] < _LONG:
        return data[at], at + 1
    count = data[at] - _LONG
    if not 1 <= count <= _MOST_LENGTH or at + 1 + count > len(data):
        raise ValueError("no length")
    return int.from_bytes(data[at + 1 : at + 1 + count], "big"), at + 1 + count


def _name(data: bytes) -> str:
    found: dict[bytes, str] = {}
    for _, part in _parts(data):
        for _, pair in _parts(part):
            (_, kind), (_, value) = _parts(pair)
            found.setdefault(kind, value.decode("utf-8", "replace"))
    return found.get(_COMMON_NAME) or found.get(_ORGANIZATION) or ""


def _time(tag: int, value: bytes) -> float:
    text = value.decode("ascii")
    if tag == _UTC_TIME:  # RFC 5280, section 4.1.2.5.1: two digits of the year, from 1950 on
        text = ("19" if text[:2] >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _hosts(extensions: bytes) -> Iterator[str]:
    for _, listed in _parts(extensions):
        for _, extension in _parts(listed):
            (_, kind), *rest = _parts(extension)
            if kind != _ALTERNATIVE_NAMES:
                continue
            for _, names in _parts(next((value for tag, value in rest if tag == _OCTETS), b"")):
                for tag, value in _parts(names):
                    if tag == _DNS_NAME:
                        yield value.decode("ascii", "replace")
                    elif tag == _IP_ADDRESS:
                        yield ".".join(map(str, value)) if len(value) == 4 else value.hex(":", 2)  # noqa: PLR2004 - IPv4


# OpenSSL's verification codes (x509_vfy.h).
_NOT_YET: Final = 9
_EXPIRED: Final = 10
_UNTRUSTED: Final = frozenset(
    {2, 18, 19, 20, 21}
)  # no issuer, self-signed, self-signed above, no local issuer, one alone
_OTHER_HOST: Final = frozenset({62, 64})  # another name, another address
_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})


@frozen(kw_only=True)
class TrustStore:
    """Where this Python takes the authorities from that it trusts.

    Attributes:
        present: Whether there are any.
        place: The file or directory.
        chosen: Whether SSL_CERT_FILE or SSL_CERT_DIR names it.
        ignored: Variables that other programs take one from, and wxasset does not.
    """

    present: bool = True
    place: str = ""
    chosen: bool = False
    ignored: tuple[str, ...] = ()


@frozen(kw_only=True)
class Handshake:
    """What became of it.

    Attributes:
        version: The TLS version; None where there was no handshake.
        code: OpenSSL's reason why the certificate was refused; None where it was not.
        fault: Why there was no handshake, in OpenSSL's words or the system's; None where there was one.
        certificate: The host's certificate, where it could be read.
        now: This machine's clock.
        trust: What is trusted.
    """

    version: str | None = None
    code: int | None = None
    fault: str | None = None
    certificate: Certificate | None = None
    now: float = 0.0
    trust: TrustStore = TrustStore()


def untimely(found: Handshake | None) -> Certificate | None:
    """Return the certificate where it is refused for its time."""
    return found.certificate if found is not None and found.code in {_NOT_YET, _EXPIRED} else None


def judge_handshake(host: str, found: Handshake | None) -> Finding:
    """Judge the handshake with the host; None where the address is plain http."""
    if found is None:
        why = Hint(
            "The address is plain http, as it may be for a simulator or inside cloud hosting.",
            "地址为 http，仅用于模拟器或云托管内部。",
        )
        return skipped("tls", why)
    evidence = _evidence(found)
    if found.fault is None:
        issuer = found.certificate.issuer if found.certificate else "?"
        return ok(
            "tls",
            Hint(f"{found.version}; {issuer} vouches for {host}.", f"{found.version}；{host} 的证书由 {issuer} 签发。"),
            **evidence,
        )
    message, remedy = _refused(host, found)
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


def _refused(host: str, found: Handshake) -> tuple[Hint, Hint]:
    """Say why a handshake failed, and what helps."""
    if found.code in {_NOT_YET, _EXPIRED}:
        return _untimely(host, found)
    if found.code in _OTHER_HOST:
        return _other_host(host, found.certificate)
    if found.code in _UNTRUSTED:
        return _untrusted(host, found)
    if found.code is not None:
        return _other_reason(host, found)
    if found.fault in _NO_TLS:
        return (
            Hint(f"What answers at {host} does not speak TLS.", f"{host} 的该端口没有使用 TLS。"),
            Hint("Check scheme and port of WXASSET_BASE_URL.", "请检查 WXASSET_BASE_URL 的协议和端口。"),
        )
    return (
        Hint(f"TLS with {host} failed: {found.fault}.", f"与 {host} 的 TLS 握手失败：{found.fault}。"),
        Hint(
            "Something on the way cuts TLS, or speaks an old version: try from another network, and look at the"
            " versions above.",
            "线路上有设备中断 TLS 或只支持旧版本：请换网络再试，并核对上面的版本。",
        ),
    )


def _other_reason(host: str, found: Handshake) -> tuple[Hint, Hint]:
    """Pass OpenSSL's own words on: Python 3.13 and later refuse authorities that break RFC 5280, others do not."""
    issuer = found.certificate.issuer if found.certificate else "?"
    return (
        Hint(
            f"The certificate of {host}, made by {issuer!r}, is refused: {found.fault}.",
            f"{host} 的证书（由 {issuer!r} 签发）被拒绝：{found.fault}。",
        ),
        Hint(
            "If that is the authority of a proxy that reads TLS, have it made anew by RFC 5280; Python 3.13"
            " and later insist on them.",
            "如为解密 TLS 的代理的根证书，请按 RFC 5280 重新签发；Python 3.13 起会严格校验。",
        ),
    )


def _untimely(host: str, found: Handshake) -> tuple[Hint, Hint]:
    one, now = found.certificate, stamp(found.now)
    when = f"{stamp(one.begins)} - {stamp(one.ends)}" if one else "?"
    state = Hint("has expired", "已过期") if found.code == _EXPIRED else Hint("is not valid yet", "尚未生效")
    return (
        Hint(
            f"The certificate of {host} {state.english}: it holds {when}, and this clock says {now}.",
            f"{host} 的证书{state.chinese}：有效期 {when}，本机时间 {now}。",
        ),
        Hint(
            "If this clock is wrong, synchronize it (`timedatectl set-ntp true`); if it is right, whoever"
            " answers there is"
            " at fault: a proxy that reads TLS, or the host itself.",
            "若本机时间不对，请同步时钟（`timedatectl set-ntp true`）；若正确，则是中间代理或对端主机的证书问题。",
        ),
    )


def _other_host(host: str, one: Certificate | None) -> tuple[Hint, Hint]:
    names = ", ".join(one.names[:5]) if one and one.names else "?"
    return (
        Hint(f"The certificate is for {names}, not for {host}.", f"证书属于 {names}，而不是 {host}。"),
        Hint(
            f"Another server answers for {host}: check DNS, /etc/hosts, the proxy and WXASSET_BASE_URL.",
            f"应答的不是 {host}：请检查 DNS、/etc/hosts、代理和 WXASSET_BASE_URL。",
        ),
    )


def _untrusted(host: str, found: Handshake) -> tuple[Hint, Hint]:
    trust, issuer = found.trust, found.certificate.issuer if found.certificate else "?"
    if not trust.present:
        return (
            Hint(
                f"This Python trusts no authority: there is nothing at {trust.place}.",
                f"本机 Python 没有可信根证书：{trust.place} 不存在。",
            ),
            Hint(
                "Unset or correct SSL_CERT_FILE and SSL_CERT_DIR."
                if trust.chosen
                else "Install the package ca-certificates.",
                "请取消或更正 SSL_CERT_FILE 和 SSL_CERT_DIR。" if trust.chosen else "请安装 ca-certificates 软件包。",
            ),
        )
    ignored = Hint("", "")
    if trust.ignored:
        names = ", ".join(trust.ignored)
        ignored = Hint(f" wxasset does not read {names}.", f"wxasset 不读取 {names}。")
    return (
        Hint(
            f"The certificate of {host} was made by {issuer!r}, whom this machine does not trust: a proxy that"
            " reads TLS"
            " stands between, or authorities are missing here.",
            f"{host} 的证书由 {issuer!r} 签发，本机不信任：线路上有解密 TLS 的代理，或本机缺少根证书。",
        ),
        Hint(
            "If that is your company's proxy, put its authority into the system's, or set SSL_CERT_FILE to a"
            " file that has"
            f" it; else update ca-certificates. Do not switch verification off.{ignored.english}",
            "如为公司代理，请把其根证书装入系统，或用 SSL_CERT_FILE 指向包含它的文件；否则请更新 ca-certificates。"
            f"不要关闭证书校验。{ignored.chinese}",
        ),
    )
