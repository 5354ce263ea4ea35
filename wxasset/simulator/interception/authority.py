"""A certificate authority that lives as long as the simulator. Its private key stays in memory."""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wxasset.simulator.interception.hosts import is_wechat

__all__ = ["Authority", "InterceptionUnavailableError", "server_context"]

_OWN_NAMES = ("localhost", "127.0.0.1", "::1")
_PIPES = Path("/dev/fd")
_HAS_PIPES = _PIPES.exists()


class InterceptionUnavailableError(ImportError):
    """The package that issues certificates is not installed."""


class Authority:
    """Authority that issues a certificate for each host on request.

    Args:
        names: Names and addresses of the simulator beside those of the loopback interface.

    Raises:
        InterceptionUnavailableError: trustme is not installed.
    """

    def __init__(self, *names: str) -> None:
        try:
            import trustme  # noqa: PLC0415 - an extra, needed here only
        except ImportError:
            raise InterceptionUnavailableError(
                "certificates are issued by trustme; to enable them, run: pip install 'wxasset[intercept]'"
            ) from None
        self._issuer = trustme.CA(organization_name="wxasset simulator")
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._default = self._context(*dict.fromkeys((*_OWN_NAMES, *names)))
        self._default.sni_callback = self._choose

    @property
    def certificate(self) -> str:
        """The certificate for clients to trust, in PEM."""
        return self._issuer.cert_pem.bytes().decode("ascii")

    @property
    def context(self) -> ssl.SSLContext:
        """TLS of a server that has the certificate of the host named by the client."""
        return self._default

    def context_of(self, host: str) -> ssl.SSLContext:
        """Return TLS of a server for one host."""
        name = host.lower()
        if name not in self._contexts:
            self._contexts[name] = self._context(name)
        return self._contexts[name]

    def _context(self, *names: str) -> ssl.SSLContext:
        leaf = self._issuer.issue_cert(*names)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        if _HAS_PIPES:
            with _readable(leaf.cert_chain_pems[0].bytes()) as chain, _readable(leaf.private_key_pem.bytes()) as key:
                context.load_cert_chain(chain, key)
        else:
            leaf.configure_cert(context)  # Windows: a temporary file, with the key of this one certificate
        return context

    def _choose(self, connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        """Use the certificate of a host of WeChat; of another name the default, which a client rejects."""
        if name is not None and is_wechat(name):
            connection.context = self.context_of(name)


@contextmanager
def _readable(content: bytes) -> Iterator[str]:
    """Return a path to bytes in a pipe: Python reads certificates from files only."""
    end, start = os.pipe()
    try:
        os.set_blocking(start, False)  # the pipe holds it all
        os.write(start, content)
        os.close(start)
        yield str(_PIPES / str(end))
    finally:
        os.close(end)


def server_context(path: Path) -> ssl.SSLContext:
    """Return TLS of a server with the certificate, its chain and its key in a PEM file.

    Raises:
        ValueError: The file cannot be read, or has no certificate with its key.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        path.read_bytes()
        context.load_cert_chain(path, password=lambda: "")  # or it asks on the terminal
    except ssl.SSLError:
        raise ValueError(
            f"The certificate file {path} must contain a certificate and its key without a passphrase, in PEM"
        ) from None
    except OSError as error:
        raise ValueError(f"The certificate in {path} cannot be read: {error.strerror}") from None
    return context
