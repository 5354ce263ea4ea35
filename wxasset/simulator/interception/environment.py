"""Environment variables and files by which programs reach the simulator under the hosts of WeChat."""

import json
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Final

from attrs import frozen

from wxasset.simulator.interception.hosts import LISTED_HOSTS, PATTERN

__all__ = ["Addresses", "environment", "hosts_line"]

_DIRECT: Final = ("127.0.0.1", "localhost", "::1")


@frozen(kw_only=True)
class Addresses:
    """Addresses of an intercepting simulator.

    Attributes:
        host: The address, as clients on this machine use it.
        proxy_port: The port of the proxy, which also serves plain HTTP.
        tls_port: The port of HTTPS.
    """

    host: str
    proxy_port: int
    tls_port: int

    @property
    def proxy(self) -> str:
        """The URL of the proxy."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.proxy_port}"


def hosts_line(host: str) -> str:
    """Return a line for a hosts file, for programs without proxies; they need port 443 of `host`."""
    return " ".join((host, *LISTED_HOSTS))


@contextmanager
def environment(addresses: Addresses, certificate: str, environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Write the files for clients, and return the variables to set; the files are removed at the end.

    SSL_CERT_FILE and its like replace the certificates of the system, so their file has those as well: connections of
    the program to other servers, such as a database, still work. The file for Node has the authority alone.

    Args:
        addresses: Where the simulator listens.
        certificate: The certificate of the authority, in PEM.
        environ: The environment of the program so far.
    """
    from wxasset.simulator.interception.runtimes import java_variables, php_variables  # noqa: PLC0415 - of an extra

    with tempfile.TemporaryDirectory(prefix="wxasset-intercept-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        authority, bundle, script = (directory / one for one in ("authority.pem", "bundle.pem", "redirect.cjs"))
        authority.write_text(certificate, "ascii")
        bundle.write_bytes(certificate.encode("ascii") + _system_certificates(environ))
        script.write_text(_script(addresses), "utf-8")
        no_proxy = _no_proxy(environ)
        yield {
            **dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), addresses.proxy),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), no_proxy),
            **dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), str(bundle)),
            "NODE_EXTRA_CA_CERTS": str(authority),
            "NODE_USE_ENV_PROXY": "1",
            **php_variables(bundle, environ),
            **java_variables(bundle, addresses.host, addresses.proxy_port, environ),
            "NODE_OPTIONS": f"{environ.get('NODE_OPTIONS', '')} --require={json.dumps(str(script))}".strip(),
        }


def _script(addresses: Addresses) -> str:
    """Return the script that leads the connections of Node to the simulator."""
    text = files(__package__).joinpath("redirect.cjs").read_text("utf-8")
    values = {
        "HOSTS": f"^(?:{PATTERN})$",
        "ADDRESS": addresses.host,
        "PORTS": {"80": addresses.proxy_port, "443": addresses.tls_port},
    }
    return "".join(f"const {name} = {json.dumps(value)};\n" for name, value in values.items()) + text


def _no_proxy(environ: Mapping[str, str]) -> str:
    """Return the hosts without a proxy: those so far, except the hosts of WeChat, and this machine."""
    so_far = (environ.get("NO_PROXY") or environ.get("no_proxy") or "").split(",")
    kept = [one.strip() for one in so_far if one.strip() and not _covers_wechat(one.strip())]
    return ",".join(dict.fromkeys((*_DIRECT, *kept)))


def _covers_wechat(entry: str) -> bool:
    return any(host.endswith(entry.lstrip("*.")) for host in LISTED_HOSTS)


def _system_certificates(environ: Mapping[str, str]) -> bytes:
    """Return the certificates trusted so far, in PEM."""
    paths = ssl.get_default_verify_paths()
    for path in (environ.get("SSL_CERT_FILE"), paths.openssl_cafile, paths.cafile):
        if path and Path(path).is_file():
            return Path(path).read_bytes()
    loaded = ssl.create_default_context().get_ca_certs(binary_form=True)  # Windows
    return "".join(map(ssl.DER_cert_to_PEM_cert, loaded)).encode("ascii")
