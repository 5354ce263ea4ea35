"""Sockets of a simulator: plain HTTP or HTTPS, and for interception a proxy and HTTPS beside it."""

import ssl
from typing import cast

from aiohttp import web

from wxasset.simulator.interception.authority import Authority
from wxasset.simulator.interception.environment import Addresses
from wxasset.simulator.interception.proxy import Proxy

__all__ = ["Listeners"]

_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - the addresses behind it


class Listeners:
    """The sockets of one simulator.

    Args:
        host: Address to listen on.
        port: Port of the base URL; 0 takes a free one.
        tls: Serve HTTPS at the base URL: True with certificates of an authority of its own.
        intercept: Serve hosts of WeChat through a proxy. The proxy has the port of the base URL, unless that is HTTPS.

    Raises:
        ImportError: The package that issues certificates is not installed.
    """

    def __init__(self, host: str, port: int, *, tls: ssl.SSLContext | bool, intercept: bool) -> None:
        self._host = host
        self._port = port
        self._authority = Authority(host) if intercept or tls is True else None
        own = self._authority.context if self._authority is not None and tls is True else None
        self._tls = own if isinstance(tls, bool) else tls
        self.intercepts = intercept
        self._proxy: Proxy | None = None
        self._addresses: Addresses | None = None

    @property
    def for_wechat(self) -> bool:
        """True if requests may name hosts of WeChat."""
        return self._authority is not None

    @property
    def client_host(self) -> str:
        """The address, as clients on this machine use it."""
        return _ANY.get(self._host, self._host)

    @property
    def certificate(self) -> str:
        """The certificate of the authority, in PEM.

        Raises:
            RuntimeError: The simulator has no authority.
        """
        if self._authority is None:
            raise RuntimeError("the simulator has no authority; create it with intercept=True or tls=True")
        return self._authority.certificate

    @property
    def addresses(self) -> Addresses:
        """Addresses for clients to intercept.

        Raises:
            RuntimeError: The simulator is not running, or does not intercept.
        """
        if self._addresses is None:
            raise RuntimeError("the simulator intercepts nothing; create it with intercept=True, and start it")
        return self._addresses

    async def open(self, runner: web.AppRunner) -> str:
        """Listen on all sockets and return the base URL.

        Raises:
            OSError: A port is taken.
        """
        https = self._tls is not None
        port = self._port
        if self._authority is not None and self.intercepts:
            self._proxy = Proxy(self._authority, cast("web.Server", runner.server))
            proxy_port = await self._proxy.start(self._host, 0 if https else port)
            context = self._tls or self._authority.context
            tls_port = await self._site(runner, port if https else 0, context)
            self._addresses = Addresses(host=self.client_host, proxy_port=proxy_port, tls_port=tls_port)
            port = tls_port if https else proxy_port
        else:
            port = await self._site(runner, port, self._tls)
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if https else 'http'}://{host}:{port}"

    async def _site(self, runner: web.AppRunner, port: int, context: ssl.SSLContext | None) -> int:
        await web.TCPSite(runner, self._host, port, ssl_context=context).start()
        number: int = runner.addresses[-1][1]
        return number

    async def close(self) -> None:
        """Close the sockets that are not closed with the runner."""
        proxy, self._proxy, self._addresses = self._proxy, None, None
        if proxy is not None:
            await proxy.close()
