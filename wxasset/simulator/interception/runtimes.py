"""Variables and files for PHP and Java, which read certificates from places of their own."""

import re
import warnings
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import PKCS12Certificate, serialize_java_truststore
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import Certificate, load_pem_x509_certificate

__all__ = ["java_variables", "php_variables"]

_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_PASSWORD: Final = "changeit"  # noqa: S105 - that of every trust store of Java; the store has certificates only


def php_variables(bundle: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Write a file of settings beside the certificates, and return the variable that leads PHP to it."""
    directory = bundle.parent / "php"
    directory.mkdir()
    settings = (f'{name}="{bundle}"\n' for name in ("curl.cainfo", "openssl.cafile"))
    (directory / "wxasset.ini").write_text("".join(settings), "utf-8")
    # An empty entry stands for the directory of the installation.
    return {"PHP_INI_SCAN_DIR": f"{environ.get('PHP_INI_SCAN_DIR', '')}:{directory}"}


def java_variables(bundle: Path, host: str, port: int, environ: Mapping[str, str]) -> dict[str, str]:
    """Write a trust store beside the certificates, and return the variable with the options of Java."""
    store = bundle.parent / "truststore.p12"
    found = enumerate(_certificates(bundle.read_bytes()))
    entries = [PKCS12Certificate(one, str(number).encode()) for number, one in found]
    store.write_bytes(serialize_java_truststore(entries, BestAvailableEncryption(_PASSWORD.encode())))
    proxy = [f"-D{scheme}.proxy{part}" for scheme in ("http", "https") for part in (f"Host={host}", f"Port={port}")]
    trust = [
        f"-Djavax.net.ssl.trustStore={store}",
        f"-Djavax.net.ssl.trustStorePassword={_PASSWORD}",
        "-Djavax.net.ssl.trustStoreType=PKCS12",
    ]
    return {"JAVA_TOOL_OPTIONS": " ".join((environ.get("JAVA_TOOL_OPTIONS", ""), *proxy, *trust)).strip()}


def _certificates(bundle: bytes) -> list[Certificate]:
    """Return the certificates of a bundle, except malformed ones, which systems have as well."""
    found: list[Certificate] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error", CryptographyDeprecationWarning)
        for block in _CERTIFICATE.findall(bundle):
            with suppress(ValueError, CryptographyDeprecationWarning):
                found.append(load_pem_x509_certificate(block))
    return found
