"""Interception and HTTPS of `wxasset simulate`."""

import shlex
import ssl
from collections.abc import Mapping
from pathlib import Path

from wxasset.errors import UsageError
from wxasset.simulator import Simulator
from wxasset.simulator.interception.authority import server_context

__all__ = ["about_interception", "read_tls"]


def read_tls(path: Path | None, *, tls: bool) -> ssl.SSLContext | bool:
    """Return the TLS of the simulator: the certificate of a file, True for one of its own, or False.

    Raises:
        UsageError: The file is unusable, or given without --tls.
    """
    if path is None:
        return tls
    if not tls:
        raise UsageError("--certificate is for --tls; please give both.")
    try:
        return server_context(path)
    except ValueError as error:
        raise UsageError(f"{error}.") from None


def about_interception(sim: Simulator, variables: Mapping[str, str]) -> list[str]:
    """Return shell commands for programs with the address of WeChat built in, if the simulator intercepts."""
    if not variables:
        return []
    return [
        "# Programs with https://api.weixin.qq.com built in need no change with:",
        *(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
        "# A program without proxies needs --tls --port 443, and this line in the hosts file:",
        f"# {sim.hosts_line}",
    ]
