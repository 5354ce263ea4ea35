"""A proxy that answers for https://api.weixin.qq.com, so that peers keep the addresses that they are built with."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import trustme
from anyio.abc import AnyByteStream, SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.tls import TLSStream

__all__ = ["standing_in"]

HOST = "api.weixin.qq.com"


@asynccontextmanager
async def standing_in(port: int, authority: Path) -> AsyncIterator[str]:
    """Serve a proxy that ends the TLS of CONNECT requests to WeChat and hands the bytes on; its URL.

    Args:
        port: The local port that the bytes go to.
        authority: The file to write the certificate to that clients must trust.
    """
    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(str(authority))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issuer.issue_cert(HOST).configure_cert(context)
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, partial(tunnel, port=port, context=context))
        yield f"http://127.0.0.1:{listener.extra_attributes[SocketAttribute.local_port]()}"
        tasks.cancel_scope.cancel()


async def tunnel(client: SocketStream, *, port: int, context: ssl.SSLContext) -> None:
    """Serve one connection to the proxy."""
    async with client:
        head = await BufferedByteReceiveStream(client).receive_until(b"\r\n\r\n", 8192)
        if not head.startswith(f"CONNECT {HOST}:443 ".encode()):
            await client.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        await client.send(b"HTTP/1.1 200 OK\r\n\r\n")
        secure = await TLSStream.wrap(client, server_side=True, ssl_context=context, standard_compatible=False)
        async with secure, await anyio.connect_tcp("127.0.0.1", port) as server, anyio.create_task_group() as tasks:
            tasks.start_soon(pump, server, secure)
            await pump(secure, server)
            tasks.cancel_scope.cancel()


async def pump(source: AnyByteStream, sink: AnyByteStream) -> None:
    """Hand on what comes until it ends."""
    try:
        async for chunk in source:
            await sink.send(chunk)
        await sink.send_eof()
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, NotImplementedError):
        pass  # one side has gone; TLS has no end of one direction
