"""Proxy that answers for the hosts of WeChat by itself, and connects to no other server."""

import asyncio
from collections.abc import Callable
from typing import Final, cast

from yarl import URL

from wxasset.simulator.interception.authority import Authority
from wxasset.simulator.interception.hosts import is_wechat, refusal

__all__ = ["Proxy"]

_METHOD: Final = b"CONNECT "
_END: Final = b"\r\n\r\n"
_LARGEST_HEAD: Final = 8192  # as in most servers
_HTTPS: Final = 443
_ESTABLISHED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Proxy:
    """The proxy: its socket, and the connections that the server of the simulator does not close.

    Args:
        authority: Issues the certificates.
        handler: Returns a protocol that serves HTTP on one connection.
    """

    def __init__(self, authority: Authority, handler: Callable[[], asyncio.Protocol]) -> None:
        self.authority = authority
        self.handler = handler
        self.connections: set[asyncio.Transport] = set()
        self.handshakes: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Start listening and return the port.

        Raises:
            OSError: The port is taken.
        """
        self._server = await asyncio.get_running_loop().create_server(lambda: _Connection(self), host, port)
        number: int = self._server.sockets[0].getsockname()[1]
        return number

    async def close(self) -> None:
        """Stop listening and drop the connections; those with TLS would wait for the answer of their client."""
        if self._server is not None:
            self._server.close()
        for transport in self.connections:
            transport.abort()
        for task in list(self.handshakes):
            task.cancel()
        await asyncio.gather(*self.handshakes, return_exceptions=True)


class _Connection(asyncio.Protocol):
    """A connection until its first request is known; then another protocol serves it."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._received = bytearray()
        self._connected = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        open_ones = {one for one in self._proxy.connections if not one.is_closing()}
        self._proxy.connections = {*open_ones, self._transport}

    def eof_received(self) -> None:
        """Close the connection."""

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._connected or self._transport is None:
            return  # the first bytes after a handshake
        if not _METHOD.startswith(self._received[: len(_METHOD)]):
            self._hand_over(self._transport)
        elif _END in self._received:
            self._connect(self._transport)
        elif len(self._received) > _LARGEST_HEAD:
            self._refuse(self._transport, "431 Request Header Fields Too Large", "the header is too long")

    def _connect(self, transport: asyncio.Transport) -> None:
        """Answer a CONNECT request."""
        target = self._received[len(_METHOD) :].split(b" ", 1)[0].decode("latin-1")
        try:
            url = URL(f"//{target}")
            host, port = url.host or "", url.explicit_port
        except ValueError:
            host, port = "", None
        if not is_wechat(host):
            self._refuse(transport, "403 Forbidden", refusal(host or target))
        elif port != _HTTPS:
            self._refuse(transport, "403 Forbidden", f"port {port} of {host} is not served; use port {_HTTPS}")
        else:
            self._received.clear()
            self._connected = True
            transport.write(_ESTABLISHED)
            task = asyncio.get_running_loop().create_task(self._secure(transport, host))
            self._proxy.handshakes.add(task)
            task.add_done_callback(self._proxy.handshakes.discard)

    async def _secure(self, transport: asyncio.Transport, host: str) -> None:
        """Start TLS with the certificate of a host, and serve HTTP on it."""
        secure: asyncio.Transport | None = None
        try:
            context = self._proxy.authority.context_of(host)
            secure = await asyncio.get_running_loop().start_tls(transport, self, context, server_side=True)
        except OSError:
            return  # the client does not trust the authority, or has gone
        finally:
            if secure is None or secure.is_closing():
                transport.abort()
        if secure is not None and not secure.is_closing():
            self._hand_over(secure)

    def _hand_over(self, transport: asyncio.Transport) -> None:
        """Let the server of the simulator serve the connection from its first byte on."""
        protocol = self._proxy.handler()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if self._received:
            protocol.data_received(bytes(self._received))

    def _refuse(self, transport: asyncio.Transport, status: str, reason: str) -> None:
        body = f"{reason}\n".encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        transport.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        transport.close()
