"""Read the certificate of a host, and find the authorities trusted by this Python."""

import ssl
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from attrs import frozen

__all__ = ["Certificate", "TrustStore", "decode_certificate", "inspect_trust", "parse_certificate"]

_IGNORED: Final = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")  # read by other programs


@frozen(kw_only=True)
class Certificate:
    """The displayed fields of a server certificate; the validity is in unix seconds."""

    issuer: str
    begins: float
    ends: float
    names: tuple[str, ...] = ()


def parse_certificate(decoded: Mapping[str, Any]) -> Certificate:
    """Convert a verified certificate, as returned by `ssl.SSLSocket.getpeercert`."""
    parts = {key: value for group in decoded.get("issuer", ()) for key, value in group}
    return Certificate(
        issuer=str(parts.get("commonName") or parts.get("organizationName") or ""),
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
    try:
        found = x509.load_der_x509_certificate(data)
        wanted = (x509.NameOID.COMMON_NAME, x509.NameOID.ORGANIZATION_NAME)
        issuers = [str(one.value) for oid in wanted for one in found.issuer.get_attributes_for_oid(oid)]
        extensions = [one.value for one in found.extensions if isinstance(one.value, x509.SubjectAlternativeName)]
        return Certificate(
            issuer=issuers[0] if issuers else "",
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


def inspect_trust(environ: Mapping[str, str]) -> TrustStore:
    """Find the authorities trusted by this Python."""
    paths = ssl.get_default_verify_paths()  # None for a missing file or directory
    named = [environ[name] for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if environ.get(name)]
    place = paths.cafile or paths.capath
    missing = next((one for one in named if not Path(one).exists()), None)
    return TrustStore(
        present=missing is None and (bool(place) or sys.platform == "win32"),  # Windows keeps them in no file
        place=missing or place or paths.openssl_cafile,
        ignored=tuple(name for name in _IGNORED if environ.get(name)),
    )
