"""Interception as tests use it."""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager

from wxasset.simulator.interception.environment import environment, hosts_line
from wxasset.simulator.interception.listeners import Listeners

__all__ = ["InterceptionControls"]


class InterceptionControls:
    """Certificate and variables of a simulator with an authority."""

    _listeners: Listeners

    @property
    def intercepts(self) -> bool:
        """True if the simulator answers for the hosts of WeChat."""
        return self._listeners.intercepts

    @property
    def certificate(self) -> str:
        """The certificate of the authority of `intercept` and `tls=True`, in PEM; its key stays in memory.

        Raises:
            RuntimeError: The simulator has no authority.
        """
        return self._listeners.certificate

    @property
    def hosts_line(self) -> str:
        """A line for a hosts file, for programs without a proxy; the simulator then listens on port 443 with TLS."""
        return hosts_line(self._listeners.client_host)

    def intercepted(self, environ: Mapping[str, str] = os.environ) -> AbstractContextManager[dict[str, str]]:
        """Return a context manager with the environment variables of programs to intercept.

        They name the proxy, and files with the certificate of the authority; it removes the files at its end.

        Args:
            environ: The environment of the program so far.

        Raises:
            RuntimeError: The simulator is not running, or was created without `intercept`.
        """
        return environment(self._listeners.addresses, self.certificate, environ)
