"""What a certificate says of itself, also one that is not trusted: `ssl` tells that of trusted ones alone. Pure.

A certificate is DER (ITU-T X.690) of the form of RFC 5280, section 4.1.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from attrs import frozen

__all__ = ["Certificate", "read_certificate"]

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
