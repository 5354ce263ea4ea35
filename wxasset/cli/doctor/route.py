"""Make one request to the API host as a session does: with its proxy, resolver and authorities.

No secret is sent: the request has no token, and TLS is verified.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeAlias

import aiohttp
from aiohttp.connector import Connection
from attrs import define, field
from yarl import URL

from wxasset.cli.doctor.certificates import (
    Certificate,
    TrustStore,
    decode_certificate,
    inspect_trust,
    parse_certificate,
)
from wxasset.errors import UsageError, WxAssetError
from wxasset.transfer.deadlines import Deadlines
from wxasset.transfer.http import ENVIRONMENT, Reply, Request, Timeouts, Transport
from wxasset.transfer.http.errors import FAULTS
from wxasset.transfer.http.proxies import Proxies, place_of_proxy
from wxasset.wire.json_bodies import as_int, parse

__all__ = ["PATIENCE", "Route", "inspect_route"]

PATIENCE: Final = 5.0  # seconds to connect, and to respond
_MOST: Final = 64 * 1024  # bytes read of the response; WeChat's has about 300
_PATH: Final = "/cgi-bin/get_api_domain_ip"  # returns 41001 without a token (wire reference 0.5)

_Look: TypeAlias = Callable[[Connection], None]


@define(kw_only=True)
class Route:
    """Facts about the route to the API host, as far as it could be followed.

    Attributes:
        host: Host name or IP address, with the port if it is not the usual one.
        proxy: Host and port of the proxy, or None.
        addresses: IP addresses of the host, or of the proxy, in the order of connecting.
        trust: Trusted authorities.
        certificate: The server certificate, if it could be decoded.
        version: Negotiated TLS version; None without TLS.
        error: The error of proxy, connection, TLS or HTTP, or None.
        status: The HTTP status.
        errcode: WeChat's code in the body; None if the body is not WeChat's.
        server: The Server header.
        date: The server's clock in unix seconds; None if not sent.
        now: The local clock in the middle of the exchange.
        milliseconds: Time taken to connect and to respond.
    """

    host: str
    proxy: str | None = None
    addresses: list[str] = field(factory=list)
    trust: TrustStore = field(factory=TrustStore)
    certificate: Certificate | None = None
    version: str | None = None
    error: Exception | None = None
    status: int | None = None
    errcode: int | None = None
    server: str = ""
    date: float | None = None
    now: float = 0.0
    milliseconds: float = 0.0

    @property
    def is_wechat(self) -> bool:
        """True if a WeChat API, or a simulator, responds."""
        return self.errcode is not None


async def inspect_route(base_url: str, environ: Mapping[str, str], via: str | None = ENVIRONMENT) -> Route:
    """Connect to the host and make a request.

    Args:
        base_url: The API host.
        environ: The environment variables, for the certificate store.
        via: Value of ``proxy=`` of a session.

    Raises:
        UsageError: A session would refuse this address.
    """
    url = URL(Transport(base_url, None, "").origin + _PATH)
    trust = await asyncio.to_thread(inspect_trust, environ)  # reads files, as the next one
    authorities = await asyncio.to_thread(ssl.create_default_context)
    route = Route(host=url.host_port_subcomponent or "", trust=trust, now=time.time())
    proxy: URL | None = None
    try:
        proxy = Proxies(via).for_url(url, secret=True)
        route.proxy = place_of_proxy(proxy)
        await _request(url, proxy, authorities, route)
    except aiohttp.ClientConnectorCertificateError as error:
        route.error, route.certificate = error, await _refused_certificate(url, proxy)
    except (*FAULTS, UsageError) as error:
        route.error = error
    return route


async def _request(url: URL, proxy: URL | None, authorities: ssl.SSLContext, route: Route) -> None:
    def connect(found: tuple[Any, ...]) -> socket.socket:
        route.addresses.append(str(found[4][0]))
        return socket.socket(found[0], found[1], found[2])

    def look(connection: Connection) -> None:
        if tls := _tls_of(connection):
            route.version, route.certificate = tls.version(), parse_certificate(tls.getpeercert() or {})

    begun, now = time.perf_counter(), time.time()
    async with (
        _session(look, ssl=authorities, socket_factory=connect) as http,
        http.get(url, allow_redirects=False, proxy=proxy) as response,
    ):
        reply = Reply(Request(method="GET", path=_PATH), response, PATIENCE, Deadlines())
        with suppress(WxAssetError):  # it is not WeChat's
            route.errcode = as_int(parse(await reply.read(_MOST), _PATH).get("errcode"))
        took = time.perf_counter() - begun
    route.status, route.date, route.server = reply.status, reply.date, response.headers.get("Server", "")
    route.now, route.milliseconds = now + took / 2, took * 1000


def _session(look: _Look, **options: Any) -> aiohttp.ClientSession:
    timeout = Timeouts(connect=PATIENCE, stall=PATIENCE).client(0)
    return aiohttp.ClientSession(connector=_Connector(look, **options), timeout=timeout)


class _Connector(aiohttp.TCPConnector):
    """Show each connection before a request is sent over it."""

    def __init__(self, look: _Look, **options: Any) -> None:
        super().__init__(**options)
        self._look = look

    async def connect(self, *arguments: Any, **options: Any) -> Connection:
        connection = await super().connect(*arguments, **options)
        self._look(connection)
        return connection


async def _refused_certificate(url: URL, proxy: URL | None) -> Certificate | None:
    """Fetch a refused certificate to show its fields; no request is sent over this connection."""
    found: Certificate | None = None

    def look(connection: Connection) -> None:
        nonlocal found
        if tls := _tls_of(connection):
            found = decode_certificate(tls.getpeercert(binary_form=True) or b"")
        connection.close()
        raise aiohttp.ClientError

    with suppress(*FAULTS):
        async with _session(look, ssl=False) as http:
            await http.get(url, proxy=proxy)
    return found


def _tls_of(connection: Connection) -> ssl.SSLObject | None:
    transport = connection.transport
    return None if transport is None else transport.get_extra_info("ssl_object")
